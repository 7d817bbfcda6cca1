"""One job measured: first equal, then timed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import jax

from benchmarks import agree, timing
from benchmarks.jobs import Job
from benchmarks.peers.process import Peer
from benchmarks.row import Row
from benchmarks.timing import Effort, NotRun, Program, Timing

Cells = dict[str, Timing | NotRun]


def _say_nothing(what: str) -> None:
    """Where nobody watches."""


@dataclass(frozen=True)
class Measured:
    """The rivals that are ready to be timed, and the cells of those that are not."""

    programs: Mapping[str, Program]
    results: dict[str, Any]
    gone: Cells


def brief(error: BaseException, most: int = 60) -> str:
    """The first line of an error, for a cell of the table."""
    line = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return line if len(line) <= most else line[: most - 1] + "…"


def _compile(job: Job, tell: Callable[[str], None]) -> Measured:
    """Every rival compiled and run once, which warms it up. One that this platform cannot run is a cell that says so;
    ours is not spared."""
    programs: dict[str, Program] = {}
    results: dict[str, Any] = {}
    gone: Cells = dict(job.missing)
    for name, fn in job.compiled.items():
        try:
            tell(f"compiling {name}")
            programs[name] = timing.compile_apart(fn, job.args)
            tell(f"first run of {name}")
            results[name] = jax.block_until_ready(programs[name].call())
        except jax.errors.JaxRuntimeError as error:
            if name in ("ours", "outside"):
                raise
            programs.pop(name, None)
            gone[name] = NotRun(brief(error))
    return Measured(programs, results, gone)


def _judge(job: Job, results: dict[str, Any], wanted: Any) -> tuple[str, Any]:
    """Who says what is right: NumPy if it ran, or else the naive program, or where there is none plain lax."""
    if wanted is not None:
        return "numpy", wanted
    name = next(name for name in ("naive", "lax", "ours") if name in results)
    return name, results[name]


def measure(job: Job, effort: Effort, peers: Sequence[Peer] = (), tell: Callable[[str], None] = _say_nothing) -> Row:
    """Hold every rival against the naive result, then time them in turns.

    The naive result is NumPy's (its run is its first repeat), or where that takes too long or does not exist the naive
    program's under jit, or plain lax's. Raises `agree.Disagreement` before anything is timed in earnest.
    """
    wanted: Any = None
    numpy: Timing | NotRun
    if isinstance(job.numpy, NotRun):
        numpy = job.numpy
    else:
        tell("naive NumPy")
        wanted, numpy = timing.naive(job.numpy, effort)
    with jax.enable_x64(True) if job.x64 else nullcontext():
        ready = _compile(job, tell)
        against, wanted = _judge(job, ready.results, wanted)
        tell("comparing")
        others = {name: result for name, result in ready.results.items() if name != against}
        errors = [agree.require(name, each, wanted, job.tolerances, job.error) for name, each in others.items()]
        del others
        ready.results.clear()
        rounds = {name: timing.warmed(program.call, brief=job.brief) for name, program in ready.programs.items()}
        cells: Cells = {"numpy": numpy, **ready.gone}
        visiting: dict[str, Any] = {}
        for peer in peers:
            tell(f"{peer.name} gets ready")
            joined, absent = peer.join(job, wanted)
            visiting |= joined
            cells |= absent
        del wanted
        tell("timing")
        seconds = timing.interleave({**rounds, **{name: seat.round for name, seat in visiting.items()}}, effort)
    for name, program in {**ready.programs, **visiting}.items():
        cells[name] = Timing.of(seconds[name], program.compile, program.memory)
    return Row(
        suite=job.suite,
        case=job.case,
        shape_class=job.shape_class,
        direction=job.direction,
        cells=cells,
        work=job.work,
        unit=job.unit,
        bytes=job.bytes,
        checked_against=against,
        error=max(errors, default=0.0),
        description=job.description,
    )
