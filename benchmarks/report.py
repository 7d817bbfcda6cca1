"""What was measured, as a table for people and as JSON for machines."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from math import exp, log
from typing import Any

from benchmarks.bench import Row
from benchmarks.rivals import RIVALS
from benchmarks.timing import Effort, NotRun, Timing

COLUMNS = ("case", "direction", *(f"{title}, ms" for title in RIVALS.values()))
RATIOS = {"lax": "lax/ours", "naive": "naive/ours", "numpy": "NumPy/ours"}
PEAK = {"GFLOP": "gflops", "GB": "gbytes"}


def number(value: float) -> str:
    """About three digits, never an exponent.

    >>> [number(v) for v in (9640.2, 12.34, 1.234, 0.01234)]
    ['9640', '12.3', '1.23', '0.012']
    """
    return f"{value:.{0 if value >= 100 else 1 if value >= 10 else 2 if value >= 1 else 3}f}"


def _cell(cell: Timing | NotRun) -> str:
    if isinstance(cell, NotRun):
        return cell.reason
    return f"{number(1e3 * cell.median)} ± {number(1e3 * cell.spread / 2)}"


def _ratio(ratio: float | None) -> str:
    return "" if ratio is None else f"{number(ratio)}x"


def _compiling(row: Row) -> str:
    times = (row.timing(name) for name in ("naive", "lax", "ours"))
    return " / ".join("" if t is None or t.compile is None else f"{t.compile:.2f}" for t in times)


def table(rows: Sequence[Row], peaks: Mapping[str, float]) -> tuple[list[str], list[list[str]]]:
    """The head and the lines of a suite's table."""
    unit = rows[0].unit
    head = [*COLUMNS, *RATIOS.values(), f"{unit}/s", "% of peak", "compile, s"]
    lines = []
    for row in rows:
        share = "" if row.rate is None else f"{100 * row.rate / peaks[PEAK[unit]]:.1f}"
        lines.append(
            [
                row.case,
                row.direction,
                *(_cell(row.cells[name]) for name in RIVALS),
                *(_ratio(row.ratio(name)) for name in RATIOS),
                "" if row.rate is None else number(row.rate),
                share,
                _compiling(row),
            ]
        )
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
            left, right = zip(line[:2], widths[:2], strict=True), zip(line[2:], widths[2:], strict=True)
            cells = [cell.ljust(width) for cell, width in left] + [cell.rjust(width) for cell, width in right]
            print("  ".join(cells).rstrip())
        return
    drawn = Table(title=title, title_justify="left")
    for i, name in enumerate(head):
        drawn.add_column(name, justify="left" if i < 2 else "right", no_wrap=True)
    for line in lines:
        drawn.add_row(*line)
    needed = Console(width=1000).measure(drawn).maximum  # a narrower terminal breaks lines rather than numbers
    Console(width=max(Console().width, needed)).print(drawn)


def geometric_mean(ratios: Sequence[float]) -> float:
    """The mean of ratios."""
    return exp(sum(map(log, ratios)) / len(ratios))


def verdict(rows: Sequence[Row]) -> list[str]:
    """Against plain lax: the mean of each suite and direction, and every case that we lose."""
    out = []
    for suite, direction in dict.fromkeys((row.suite, row.direction) for row in rows):
        ratios = [r for row in rows if (row.suite, row.direction) == (suite, direction) and (r := row.ratio("lax"))]
        if ratios:
            mean = number(geometric_mean(ratios))
            out.append(f"{suite}, {direction}: {mean}x plain lax (geometric mean of {len(ratios)})")
    lost = [f"  {row.suite}: {row.case}, {row.direction}: {_ratio(row.ratio('lax'))}" for row in rows if row.lost]
    return [*out, "Lost to plain lax, beyond both spreads:" + ("" if lost else " none"), *lost]


def legend(machine: Mapping[str, Any], peaks: Mapping[str, float], effort: Effort) -> list[str]:
    """What the numbers were measured on, and how to read them."""
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    at = f"commit {(machine['commit'] or 'unknown')[:12]}" + (" with changes" if machine["dirty"] else "")
    device = "" if machine["platform"] == "cpu" else f"{machine['device']}; "
    return [
        f"{machine['platform']}: {device}{machine['cpu']}, {machine['threads']} threads; {versions}; {at}",
        f"peaks, measured: {number(peaks['gflops'])} GFLOP/s (float32 product), {number(peaks['gbytes'])} GB/s (copy "
        "beyond all caches, which smaller arrays can exceed)",
        f"median ± half the interquartile range of up to {effort.repeats} repeats, the rivals in turns; naive NumPy "
        f"1 to 3 times, and not beyond {effort.naive_seconds:g} s; compile: naive jit / plain lax / ours",
    ]


def _json_cell(cell: Timing | NotRun) -> dict[str, Any]:
    if isinstance(cell, NotRun):
        return {"not_run": cell.reason}
    return {
        "median_s": cell.median,
        "q1_s": cell.q1,
        "q3_s": cell.q3,
        "repeats": cell.repeats,
        "compile_s": cell.compile,
    }


def to_json(
    rows: Sequence[Row],
    errors: Sequence[str],
    machine: Mapping[str, Any],
    peaks: Mapping[str, float],
    effort: Effort,
    quick: bool,
) -> str:
    """Everything measured, in seconds."""
    document = {
        "schema": 1,
        **machine,
        "quick": quick,
        "effort": asdict(effort),
        "peaks": dict(peaks),
        "rows": [
            {
                "suite": row.suite,
                "case": row.case,
                "direction": row.direction,
                **row.description,
                "work": row.work,
                "unit": row.unit,
                "checked_against": row.checked_against,
                "error": row.error,
                "lost": row.lost,
                "rivals": {name: _json_cell(row.cells[name]) for name in RIVALS},
            }
            for row in rows
        ],
        "errors": list(errors),
    }
    return json.dumps(document, indent=1) + "\n"
