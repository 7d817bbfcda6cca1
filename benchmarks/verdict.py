"""Each shape class against its floors, and everything that we lose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, log

from benchmarks.classes import BY_NAME, CLASSES, EVERYWHERE, ShapeClass
from benchmarks.row import Row


@dataclass(frozen=True)
class Standing:
    """How the rows of a class and direction stand against plain lax. `floor` holds for the `worst` ratio, or for the
    `mean` of them if `by_mean`; `at_peak` is what that would be, did ours run at the machine's peak."""

    shape_class: str
    direction: str
    rows: int
    mean: float
    worst: float
    worst_case: str
    floor: float
    by_mean: bool
    at_peak: float | None = None

    @property
    def met(self) -> bool:
        """Whether the floor is reached."""
        return (self.mean if self.by_mean else self.worst) >= self.floor


def geometric_mean(ratios: Sequence[float]) -> float:
    """The mean of ratios."""
    return exp(sum(map(log, ratios)) / len(ratios))


def _at_peak(row: Row, gflops: float) -> float | None:
    """Plain lax's time over that of the formula's arithmetic at the peak of a float32 product, half of it for float64.

    Of pools, integers and narrow floats the peak is not known. Winograd's algorithm does with less arithmetic, and
    could exceed it.
    """
    lax, share = row.timing("lax"), {"float32": 1.0, "float64": 0.5}.get(row.description.get("dtype", ""))
    return lax.median * gflops * share / row.work if lax and share and row.unit == "GFLOP" and row.work else None


def _standing(kind: ShapeClass, direction: str, rows: Sequence[Row], gflops: float | None) -> Standing | None:
    ratios = [(ratio, row.case) for row in rows if (ratio := row.ratio("lax")) is not None]
    if not ratios:
        return None
    worst, case = min(ratios)
    floor = kind.forward if direction == "forward" else kind.both
    mean = geometric_mean([ratio for ratio, _ in ratios])
    peaks = [peak for row in rows if gflops and (peak := _at_peak(row, gflops)) is not None]
    at_peak = None if not peaks else geometric_mean(peaks) if kind.mean else min(peaks)
    return Standing(kind.name, direction, len(ratios), mean, worst, case, floor, kind.mean, at_peak)


def standings(rows: Sequence[Row], gflops: float | None = None) -> list[Standing]:
    """Every class that has rows, direction by direction, in the order of the classes. `gflops`: the measured peak."""
    out = []
    for kind in CLASSES:
        own = [row for row in rows if row.shape_class == kind.name]
        for direction in dict.fromkeys(row.direction for row in own):
            standing = _standing(kind, direction, [row for row in own if row.direction == direction], gflops)
            if standing:
                out.append(standing)
    return out


def _over(title: str, found: Sequence[tuple[float | None, float | None, Row]]) -> list[str]:
    """How many of the (ratio, bound, row) that have both are within the bound, and those that are not."""
    known = [(ratio, bound, row) for ratio, bound, row in found if ratio is not None and bound is not None]
    beyond = [(ratio, row) for ratio, bound, row in known if ratio > bound]
    if not known:
        return []
    return [
        f"{title} at most {max(bound for _, bound, _ in known):g}x: {len(known) - len(beyond)} of {len(known)} rows",
        *(f"  not {row.title}: {ratio:.2f}x" for ratio, row in beyond),
    ]


def limits(rows: Sequence[Row]) -> list[str]:
    """The bounds that are not speed against plain lax: scans, compile time, memory, nothing slower than 0.95x."""
    kinds = [(BY_NAME[row.shape_class], row) for row in rows]
    slow = [(ratio, row) for row in rows if (ratio := row.ratio("lax")) is not None and ratio < EVERYWHERE]
    lost = [row for row in rows if row.lost]
    return [
        *_over("in a scan over outside it,", [(row.inside, kind.inside, row) for kind, row in kinds]),
        *_over("compile time over plain lax's,", [(row.compile_ratio, kind.compile, row) for kind, row in kinds]),
        *_over("temporary memory over plain lax's,", [(row.memory_ratio, kind.memory, row) for kind, row in kinds]),
        f"Slower than {EVERYWHERE:g}x plain lax:" + ("" if slow else " none"),
        *(f"  {row.title}: {ratio:.2f}x" for ratio, row in slow),
        "Lost to plain lax, beyond both spreads:" + ("" if lost else " none"),
        *(f"  {row.title}: {row.ratio('lax'):.2f}x" for row in lost),
    ]
