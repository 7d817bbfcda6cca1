"""What a job came to, and what follows from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks.timing import NotRun, Timing


@dataclass(frozen=True)
class Row:
    """A line of the results. `error` is the worst disagreement as a share of what rounding explains; `work` is in
    `unit` (GFLOP or GB); `bytes` is what must be read and written."""

    suite: str
    case: str
    shape_class: str
    direction: str
    cells: Mapping[str, Timing | NotRun]
    work: float
    unit: str
    bytes: float
    checked_against: str
    error: float
    description: Mapping[str, Any]

    @property
    def key(self) -> tuple[str, str, str]:
        """What tells a row from all others."""
        return self.suite, self.case, self.direction

    @property
    def title(self) -> str:
        """The same for a reader."""
        return f"{self.suite}: {self.case}, {self.direction}"

    def timing(self, rival: str) -> Timing | None:
        """The time of a rival, if it has one."""
        cell = self.cells.get(rival)
        return cell if isinstance(cell, Timing) else None

    def ratio(self, rival: str) -> float | None:
        """How many times as long as ours the rival takes."""
        theirs, ours = self.timing(rival), self.timing("ours")
        return theirs.median / ours.median if theirs and ours else None

    @property
    def inside(self) -> float | None:
        """How many times as long ours takes in a scan as outside it."""
        outside = self.ratio("outside")
        return None if outside is None else 1 / outside

    @property
    def compile_ratio(self) -> float | None:
        """Our compile time over plain lax's."""
        lax, ours = self.timing("lax"), self.timing("ours")
        return ours.compile / lax.compile if lax and ours and lax.compile and ours.compile else None

    @property
    def memory_ratio(self) -> float | None:
        """Our temporary memory over plain lax's."""
        lax, ours = self.timing("lax"), self.timing("ours")
        return ours.memory / lax.memory if lax and ours and lax.memory and ours.memory is not None else None

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
