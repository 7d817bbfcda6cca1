"""One job measured: first equal, then timed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks import agree, timing
from benchmarks.rivals import Job
from benchmarks.timing import Effort, NotRun, Timing


@dataclass(frozen=True)
class Row:
    """What a job came to. `error` is the worst disagreement as a share of what rounding explains."""

    suite: str
    case: str
    direction: str
    cells: Mapping[str, Timing | NotRun]
    work: float
    unit: str
    checked_against: str
    error: float
    description: Mapping[str, Any]

    def timing(self, rival: str) -> Timing | None:
        """The time of a rival, if it has one."""
        cell = self.cells[rival]
        return cell if isinstance(cell, Timing) else None

    def ratio(self, rival: str) -> float | None:
        """How many times as long as ours the rival takes."""
        theirs, ours = self.timing(rival), self.timing("ours")
        return theirs.median / ours.median if theirs and ours else None

    @property
    def lost(self) -> bool:
        """Whether ours is slower than plain lax by more than both spreads, which are known from three repeats on."""
        lax, ours = self.timing("lax"), self.timing("ours")
        if lax is None or ours is None or min(lax.repeats, ours.repeats) < 3:
            return False
        return ours.median - lax.median > ours.spread + lax.spread

    @property
    def rate(self) -> float | None:
        """Work a second of ours: GFLOP/s or GB/s."""
        ours = self.timing("ours")
        return self.work / ours.median if ours else None


def measure(job: Job, effort: Effort) -> Row:
    """Hold every rival against the naive result, then time them in turns.

    The naive result is NumPy's (its run is its first repeat), or where that takes too long or does not exist the naive
    program under jit. Raises `agree.Disagreement` before anything is timed in earnest.
    """
    wanted: Any = None
    numpy: Timing | NotRun
    if isinstance(job.numpy, NotRun):
        numpy = job.numpy
    else:
        wanted, numpy = timing.naive(job.numpy, effort)
    compiled = {name: timing.compile_apart(fn, job.args) for name, fn in job.compiled.items()}
    results = {name: call() for name, (call, _) in compiled.items()}  # which warms up, too
    against = "naive"
    if isinstance(numpy, Timing):
        against = "numpy"
    else:
        wanted = results.pop("naive")
    error = max(agree.require(name, result, wanted, job.tolerances) for name, result in results.items())
    del results, wanted
    seconds = timing.interleave({name: call for name, (call, _) in compiled.items()}, effort)
    cells = {name: Timing.of(seconds[name], compiling) for name, (_, compiling) in compiled.items()}
    return Row(
        job.suite,
        job.case,
        job.direction,
        {"numpy": numpy, **cells, **job.missing},
        job.work,
        job.unit,
        against,
        error,
        job.description,
    )
