"""The arguments of `python -m benchmarks`, checked before anything is measured."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.peers import COLUMNS
from benchmarks.plan import SUITES, Entry, plan
from benchmarks.results import Results, Unreadable, load
from benchmarks.timing import Effort

QUICK = Effort(repeats=2, seconds=0.0, least=2)


@dataclass(frozen=True)
class Command:
    """What to do: measure `planned`, or report what is `given`."""

    planned: Sequence[Entry]
    effort: Effort
    quick: bool
    peers: Sequence[str]
    given: Results | None
    old: Results | None
    json: Path | None
    picture: Path | None


def _names(known: Sequence[str], what: str, text: str) -> list[str]:
    names = [name for name in text.split(",") if name]
    for name in names:
        if name not in known:
            raise argparse.ArgumentTypeError(f"invalid choice: {name!r} is no {what}; choose from {', '.join(known)}")
    return list(dict.fromkeys(names))


def parser() -> argparse.ArgumentParser:
    """The arguments."""
    parse = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Each case is first held against its naive definition, forward and gradients, and then timed: "
        "naive NumPy, naive under jit, plain lax, ours, and the peers asked for, in turns, on whatever accelerator is "
        "there.",
        epilog="Exits with 1 if anything disagrees with its naive definition, or with --compare if anything got "
        "slower.",
    )
    parse.add_argument(
        "suites",
        nargs="*",
        type=lambda text: _names(SUITES, "suite", text)[0],
        metavar="suite",
        help=f"{', '.join(SUITES)} (default: all)",
    )
    parse.add_argument(
        "--peers",
        type=lambda text: _names(tuple(COLUMNS), "peer", text),
        default=[],
        metavar="NAMES",
        help=f"also time these libraries, separated by commas: {','.join(COLUMNS)}",
    )
    parse.add_argument("--json", type=Path, metavar="FILE", help="also write everything measured to this file")
    parse.add_argument(
        "--picture", type=Path, metavar="FILE", help="also draw the classes and a roofline: a PNG or SVG"
    )
    parse.add_argument(
        "--compare", type=Path, metavar="OLD.json", help="print what got slower since; exit with 1 if any"
    )
    parse.add_argument(
        "--from",
        type=Path,
        metavar="FILE",
        dest="given",
        help="measure nothing: report, draw or compare the results in this file",
    )
    parse.add_argument(
        "--filter", default="", metavar="TEXT", help="only cases whose 'suite: name; class' contains this"
    )
    parse.add_argument("--quick", action="store_true", help="tiny sizes, two repeats: shows that it runs, no more")
    parse.add_argument("--repeats", type=int, help=f"most repeats of a rival (default {Effort.repeats})")
    parse.add_argument(
        "--seconds", type=float, help=f"time a rival gets in each direction (default {Effort.seconds:g})"
    )
    parse.add_argument(
        "--naive-seconds",
        type=float,
        default=Effort.naive_seconds,
        help="time one call of naive NumPy gets before it is stopped (default %(default)g)",
    )
    return parse


def _effort(parse: argparse.ArgumentParser, args: argparse.Namespace) -> Effort:
    base = QUICK if args.quick else Effort()
    repeats = base.repeats if args.repeats is None else args.repeats
    seconds = base.seconds if args.seconds is None else args.seconds
    if repeats < 1 or seconds < 0 or args.naive_seconds <= 0:
        parse.error("--repeats must be at least 1, --seconds at least 0 and --naive-seconds above 0")
    return Effort(repeats, seconds, min(base.least, repeats), args.naive_seconds)


def _writable(parse: argparse.ArgumentParser, path: Path | None) -> None:
    """Fail now, rather than after all the measuring."""
    if path is None:
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            raise IsADirectoryError(f"{path} is a folder")
    except OSError as error:
        parse.error(f"cannot write {path}: {error}")


def read(argv: Sequence[str] | None) -> Command:
    """The command of these arguments. What makes no sense exits with 2 and a remedy."""
    parse = parser()
    args = parse.parse_args(argv)
    effort = _effort(parse, args)
    suites = tuple(dict.fromkeys(args.suites)) or SUITES
    planned = plan(suites, args.filter, args.quick)
    if not planned and not args.given:
        known = ", ".join(f"'{entry.title}'" for entry in plan(suites))
        parse.error(f"no case contains {args.filter!r}; the cases are {known}")
    if args.given and (args.peers or args.json or args.quick or args.suites or args.filter):
        parse.error("--from measures nothing: it goes with --compare and --picture only")
    if args.picture and args.picture.suffix not in (".png", ".svg"):
        parse.error(f"--picture {args.picture}: give it a name that ends in .png or .svg")
    _writable(parse, args.json)
    _writable(parse, args.picture)
    try:
        given, old = (load(path) if path else None for path in (args.given, args.compare))
    except Unreadable as error:
        parse.error(str(error))
    return Command(planned, effort, args.quick, args.peers, given, old, args.json, args.picture)
