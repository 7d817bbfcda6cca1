"""An explanation as a table for people."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

from jaxnets.explain.peaks import Peaks
from jaxnets.explain.rows import Row


@dataclass(frozen=True, repr=False)
class Explanation:
    """The rows of a program, in its order: `print` it, iterate over it, or read `rows`.

    `platform` is what it was planned for; `peaks` gives this machine's ceilings for a dtype, where that is the
    platform, else None.
    """

    rows: tuple[Row, ...]
    platform: str
    peaks: Callable[[str], Peaks] | None = None

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Row:
        return self.rows[index]

    def floor(self, row: Row) -> float | None:
        """The seconds that a row takes at this machine's peaks; None for another machine's platform."""
        return None if self.peaks is None else self.peaks(row.dtype).floor(row.arithmetic, row.bytes)

    def __str__(self) -> str:
        if not self.rows:
            return "no convolution and no pool"
        head = ["path", "computes", "shapes", "window", "dtype", "lowering", "times", "arithmetic", "bytes", "per byte"]
        body = [
            [
                *(row.path, row.member, row.shapes, row.window, row.dtype, row.lowering, str(row.times)),
                *(count(row.arithmetic), count(row.bytes), f"{row.intensity:.1f}"),
            ]
            for row in self.rows
        ]
        arithmetic, moved = sum(row.arithmetic for row in self.rows), sum(row.bytes for row in self.rows)
        total = [f"total, on {self.platform}", *[""] * 6]
        total += [count(arithmetic), count(moved), f"{arithmetic / max(moved, 1):.1f}"]
        if self.peaks is not None:
            floors = [self.floor(row) or 0.0 for row in self.rows]
            for line, seconds in zip([*body, total], [*floors, sum(floors)], strict=True):
                line.append(duration(seconds))
            head.append("floor")
        right = range(6, len(head))
        for line, why in zip([head, *body, total], ["why", *(row.rule for row in self.rows), ""], strict=True):
            line.append(why)
        notes = []
        if not all(row.ours for row in self.rows):
            notes.append("lax (not accelerated): not jaxnets' own; jaxnets.accelerate(fn) computes it by our kernels")
        return "\n".join([layout(head, body, total, right), *notes])

    __repr__ = __str__


def layout(
    head: Sequence[str], body: Sequence[Sequence[str]], total: Sequence[str] | None, right: Collection[int]
) -> str:
    """Lines of a table, the columns in `right` flush right and the others flush left."""
    lines = [head, *body, *([total] if total else [])]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]

    def row(cells: Sequence[str]) -> str:
        padded = [
            cell.rjust(width) if i in right else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ]
        return "  ".join(padded).rstrip()

    rule = "-" * (sum(widths) + 2 * (len(widths) - 1))
    return "\n".join([row(head), rule, *map(row, body), *([rule, row(total)] if total else [])])


def count(n: float) -> str:
    """A number to three digits, as a person reads it.

    >>> count(924), count(86_704_128), count(1_500)
    ('924', '86.7 M', '1.5 k')
    """
    for unit in ("", " k", " M", " G", " T"):
        if n < 999.5 or unit == " T":
            break
        n /= 1000
    return f"{n:.0f}" if not unit else f"{n:.3g}{unit}"


def duration(seconds: float) -> str:
    """Seconds in the unit a person reads.

    >>> duration(0.00123), duration(2e-6), duration(0.5)
    ('1.23 ms', '2 us', '500 ms')
    """
    if seconds < 0.9995e-3:
        return f"{seconds * 1e6:.3g} us"
    return f"{seconds * 1e3:.3g} ms" if seconds < 0.9995 else f"{seconds:.3g} s"
