"""What got slower since other results were written."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.results import Results
from benchmarks.row import Row

LEAST = 1.05  # runs differ by more than the repeats of one run do: less than this is the weather


@dataclass(frozen=True)
class Comparison:
    """Lines for a reader, and whether anything got slower."""

    lines: list[str]
    slower: bool


def _changed(old: Row, new: Row) -> float | None:
    """New time over old where both are known, else None; 1 where the spreads explain the difference."""
    then, now = old.timing("ours"), new.timing("ours")
    if then is None or now is None:
        return None
    ratio = now.median / then.median
    beyond = abs(now.median - then.median) > now.spread + then.spread
    return ratio if beyond and max(ratio, 1 / ratio) > LEAST else 1.0


def _conditions(old: Results, new: Results) -> list[str]:
    """What makes the two hard to compare."""
    out = []
    for name in ("device", "cpu", "threads", "allocator", "versions"):
        then, now = old.machine.get(name), new.machine.get(name)
        if then != now:
            out.append(f"note: {name} then {then}, now {now}")
    return out


def compare(old: Results, new: Results) -> Comparison:
    """Our times now beside then, row by row. A row counts as slower if it is by more than both spreads together and
    by more than 5 %. Raises `ValueError` if they have no row in common."""
    before = {row.key: row for row in old.rows}
    both = [(before[row.key], row) for row in new.rows if row.key in before]
    if not both:
        raise ValueError("no row is in both results: nothing to compare")
    changes = [(ratio, was, now) for was, now in both if (ratio := _changed(was, now)) is not None]
    slower = sorted((c for c in changes if c[0] > 1), key=lambda c: -c[0])
    faster = [c for c in changes if c[0] < 1]
    lines = [
        *_conditions(old, new),
        f"compared with commit {(old.machine.get('commit') or 'unknown')[:12]}: {len(both)} rows in both, "
        f"{len(slower)} slower, {len(faster)} faster, beyond the spreads",
    ]
    for ratio, was, now in slower:
        then, here = was.timing("ours"), now.timing("ours")
        assert then is not None
        assert here is not None
        lines.append(
            f"  slower: {now.title}: {1e3 * then.median:.3g} ms then, {1e3 * here.median:.3g} ms now, {ratio:.2f}x"
        )
    return Comparison(lines, bool(slower))
