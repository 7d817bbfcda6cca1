"""What was measured, as tables for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from benchmarks.peers import TITLES
from benchmarks.results import Results
from benchmarks.rivals import RIVALS
from benchmarks.row import Row
from benchmarks.timing import NotRun, Timing
from benchmarks.verdict import Standing, limits, standings

COLUMNS = {**RIVALS, "outside": "ours outside", **TITLES}
PEAK = {"GFLOP": "gflops", "GB": "gbytes"}
LEFT = 2  # columns that are text
WIDEST = 20  # characters of a reason why a cell holds no time; the JSON has all of it

Lines = list[list[str]]


def number(value: float) -> str:
    """About three digits, never an exponent.

    >>> [number(v) for v in (9640.2, 12.34, 1.234, 0.01234)]
    ['9640', '12.3', '1.23', '0.012']
    """
    return f"{value:.{0 if value >= 100 else 1 if value >= 10 else 2 if value >= 1 else 3}f}"


def _times(ratio: float | None) -> str:
    return "" if ratio is None else f"{number(ratio)}x"


def _cell(row: Row, rival: str) -> str:
    cell = row.cells.get(rival, NotRun(""))
    if isinstance(cell, NotRun):
        return cell.reason if len(cell.reason) <= WIDEST else cell.reason[: WIDEST - 1] + "…"
    spent = f"{number(1e3 * cell.median)} ± {number(1e3 * cell.spread / 2)}"
    return spent if rival == "ours" else f"{spent} {_times(row.ratio(rival)):>6}"


def _pair(row: Row, what: str, unit: float) -> str:
    """Something of plain lax and of ours."""
    values = (getattr(cell, what) for name in ("lax", "ours") if isinstance(cell := row.cells.get(name), Timing))
    return " / ".join("–" if value is None else number(value / unit) for value in values)


def table(rows: Sequence[Row], peaks: Mapping[str, float]) -> tuple[list[str], Lines]:
    """The head and the lines of a suite's table: a column for each rival that any row has."""
    shown = [name for name in COLUMNS if any(name in row.cells for row in rows)]
    unit = rows[0].unit
    head = ["case", "direction", *(f"{COLUMNS[name]}, ms" for name in shown)]
    head += [f"{unit}/s", "% of peak", "compile, s", "memory, MB"]
    lines = []
    for row in rows:
        share = "" if row.rate is None else f"{100 * row.rate / peaks[PEAK[row.unit]]:.1f}"
        rate = "" if row.rate is None else number(row.rate) + ("" if row.unit == unit else f" {row.unit}/s")
        cells = [_cell(row, name) for name in shown]
        lines.append(
            [row.case, row.direction, *cells, rate, share, _pair(row, "compile", 1), _pair(row, "memory", 1e6)]
        )
    return head, lines


def class_table(stands: Sequence[Standing]) -> tuple[list[str], Lines]:
    """The head and the lines of the table of shape classes."""
    head = ["class", "direction", "rows", "mean", "worst", "worst row", "floor", "at peak", "met"]
    lines = []
    for s in stands:
        floor = f"{s.floor:g}x" + (" mean" if s.by_mean else "")
        numbers = [str(s.rows), _times(s.mean), _times(s.worst), s.worst_case, floor]
        numbers += ["" if s.at_peak is None else _times(s.at_peak), "yes" if s.met else "NO"]
        lines.append([s.shape_class, s.direction, *numbers])
    return head, lines


def show(title: str, head: Sequence[str], lines: Sequence[Sequence[str]]) -> None:
    """Print a table, with rich where it is installed."""
    try:
        from rich.console import Console
        from rich.table import Table
    except ModuleNotFoundError:
        widths = [max(len(line[i]) for line in (head, *lines)) for i in range(len(head))]
        print(f"\n{title}")
        for line in (head, ["-" * width for width in widths], *lines):
            left, right = zip(line[:LEFT], widths[:LEFT], strict=True), zip(line[LEFT:], widths[LEFT:], strict=True)
            cells = [cell.ljust(width) for cell, width in left] + [cell.rjust(width) for cell, width in right]
            print("  ".join(cells).rstrip())
        return
    drawn = Table(title=title, title_justify="left")
    for i, name in enumerate(head):
        drawn.add_column(name, justify="left" if i < LEFT else "right", no_wrap=True)
    for line in lines:
        drawn.add_row(*line)
    needed = Console(width=1000).measure(drawn).maximum  # a narrower terminal breaks lines rather than numbers
    Console(width=max(Console().width, needed)).print(drawn)


def legend(results: Results) -> list[str]:
    """What the numbers were measured on, and how to read them."""
    machine, peaks, effort = results.machine, results.peaks, results.effort
    versions = {**machine["versions"]}
    for note in results.peers.values():
        versions |= {name: version for name, version in note.versions.items() if name not in versions}
    listed = ", ".join(f"{name} {version}" for name, version in versions.items())
    at = f"commit {(machine['commit'] or 'unknown')[:12]}" + (" with changes" if machine["dirty"] else "")
    device = "" if machine["platform"] == "cpu" else f"{machine['device']}; "
    memory = f"; {machine['allocator']}" if machine.get("allocator") else ""
    absent = [f"{name} did not take part: {note.absent}" for name, note in results.peers.items() if note.absent]
    return [
        f"{machine['platform']}: {device}{machine['cpu']}, {machine['threads']} threads{memory}; {listed}; {at}",
        f"peaks, measured: {number(peaks['gflops'])} GFLOP/s (float32 product), {number(peaks['gbytes'])} GB/s (copy "
        "beyond all caches, which smaller arrays can exceed)",
        f"median ± half the interquartile range of up to {effort.repeats} repeats, the rivals in turns, and how many "
        f"times as long as ours; naive NumPy 1 to 3 times, and not beyond {effort.naive_seconds:g} s; compile and "
        "temporary memory: plain lax / ours",
        *absent,
    ]


def print_all(results: Results) -> None:
    """The table of each suite, that of the classes, and what they say."""
    note = " (quick: sizes and repeats too small to mean anything)" if results.quick else ""
    for suite in results.suites:
        own = [row for row in results.rows if row.suite == suite]
        show(suite + note, *table(own, results.peaks))
    if results.rows:
        stands = standings(results.rows, results.peaks["gflops"])
        show("shape classes, times as fast as plain lax" + note, *class_table(stands))
        beyond = sum(s.at_peak is not None and s.at_peak < s.floor for s in stands)
        print(f"floors met: {sum(s.met for s in stands)} of {len(stands)}; beyond the peak of this machine: {beyond}")
        print("\n".join(limits(results.rows)))
    print("\n".join(legend(results)))
