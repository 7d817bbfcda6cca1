"""The command line: `python -m benchmarks [conv|pool|models] [--json FILE]`, from a checkout."""

from __future__ import annotations

import argparse
import sys
import traceback
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from benchmarks import agree, bench, cases, machine, models, networks, report, rivals
from benchmarks.rivals import Job
from benchmarks.timing import Effort
from jaxnets.train import files

SUITES = ("conv", "pool", "models")
QUICK = Effort(repeats=2, seconds=0.0, least=2)


def plan(suites: Sequence[str], only: str, quick: bool) -> list[tuple[str, str, Callable[[], list[Job]]]]:
    """The cases to run: suite, name, and a function that makes their jobs once it is their turn."""
    out: list[tuple[str, str, Callable[[], list[Job]]]] = []
    for suite, rows in (("conv", cases.CONV), ("pool", cases.POOL)):
        out += [(suite, case.name, partial(rivals.jobs, suite, case, quick)) for case in rows]
    out += [("models", network.name, partial(models.jobs, network, quick)) for network in networks.NETWORKS]
    return [entry for entry in out if entry[0] in suites and only.lower() in f"{entry[0]}: {entry[1]}".lower()]


def parser() -> argparse.ArgumentParser:
    """The arguments."""
    parse = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Each case is first held against its naive definition, forward and gradients, and then timed: "
        "naive NumPy, naive under jit, plain lax and ours, in turns, on whatever accelerator is there.",
        epilog="Exits with 1 if anything disagrees with its naive definition.",
    )
    parse.add_argument("suite", nargs="?", choices=SUITES, help="one suite (default: all)")
    parse.add_argument("--json", type=Path, metavar="FILE", help="also write everything measured to this file")
    parse.add_argument("--filter", default="", metavar="TEXT", help="only cases whose 'suite: name' contains this")
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


def main(argv: Sequence[str] | None = None) -> int:
    """Run; 0 if everything agreed with its naive definition, 1 if something did not, or failed."""
    parse = parser()
    args = parse.parse_args(argv)
    effort = _effort(parse, args)
    suites = (args.suite,) if args.suite else SUITES
    planned = plan(suites, args.filter, args.quick)
    if not planned:
        known = ", ".join(f"'{suite}: {name}'" for suite, name, _ in plan(suites, "", args.quick))
        parse.error(f"no case contains {args.filter!r}; the cases are {known}")
    if args.json:
        try:  # now, rather than after all the measuring
            args.json.parent.mkdir(parents=True, exist_ok=True)
            if args.json.is_dir():
                raise IsADirectoryError(f"{args.json} is a folder")
        except OSError as error:
            parse.error(f"cannot write {args.json}: {error}")

    about, peaks = machine.describe(), machine.peaks(args.quick)
    rows: list[bench.Row] = []
    errors: list[str] = []
    for position, (suite, name, make) in enumerate(planned, start=1):
        print(f"[{position}/{len(planned)}] {suite}: {name}", file=sys.stderr, flush=True)
        direction = "forward"
        try:
            for job in make():
                direction = job.direction
                rows.append(bench.measure(job, effort))
        except Exception as error:  # stops this case, not the others, whose times would be lost
            what = "WRONG RESULT" if isinstance(error, agree.Disagreement) else f"FAILED, {type(error).__name__}"
            errors.append(f"{what} in {suite}: {name}, {direction}: {error}")
            if not isinstance(error, agree.Disagreement):
                traceback.print_exc()
            print(errors[-1], file=sys.stderr, flush=True)

    again = machine.peaks(args.quick)
    peaks = {name: max(peak, again[name]) for name, peak in peaks.items()}

    note = " (quick: sizes and repeats too small to mean anything)" if args.quick else ""
    for suite in suites:
        if own := [row for row in rows if row.suite == suite]:
            report.show(suite + note, *report.table(own, peaks))
    print("\n".join([*report.legend(about, peaks, effort), *report.verdict(rows)]))
    if args.json:
        files.write(args.json, report.to_json(rows, errors, about, peaks, effort, args.quick))
    print("\n".join(errors), file=sys.stderr, end="\n" * bool(errors))
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
