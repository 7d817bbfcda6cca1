"""The results as a picture: how much faster each class is than plain lax, and how near the machine's ceilings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import roofline
from benchmarks.report import number
from benchmarks.results import Results
from benchmarks.verdict import Standing, geometric_mean, standings
from jaxnets.extras import require

FORWARD, BOTH = "#9ecae1", "#08519c"
INK, FAINT = "#222222", "#8a8a8a"
FLOOR = {"marker": "|", "ms": 12, "mew": 2.2, "color": "#d7301f"}
SLOWEST = {"ms": 4.6, "mfc": "white", "mec": "#222222", "mew": 1.0}
TORCH = {"marker": "D", "ms": 4.4, "mfc": "#fdae6b", "mec": "#a63603", "mew": 0.9}
BAR = 0.38  # height; a class has one above its middle and one below


def _offset(direction: str) -> float:
    return -BAR / 2 if direction == "forward" else BAR / 2


def _peer(results: Results, standing: Standing) -> float | None:
    """How many times as fast as plain lax PyTorch is on the rows of a standing, eager."""
    rows = [r for r in results.rows if (r.shape_class, r.direction) == (standing.shape_class, standing.direction)]
    pairs = [(row.timing("lax"), row.timing("torch")) for row in rows]
    ratios = [lax.median / torch.median for lax, torch in pairs if lax and torch]
    return geometric_mean(ratios) if ratios else None


def bars(axes: Any, results: Results, stands: Sequence[Standing]) -> None:
    """A bar for each class and direction, from 1 (plain lax) to the mean; the slowest row, the floor and PyTorch as
    marks; the mean in figures at the right, with a tick where the floor is met."""
    classes = list(dict.fromkeys(s.shape_class for s in stands))
    ends = [1.0]
    for s in stands:
        y = classes.index(s.shape_class) + _offset(s.direction)
        color = FORWARD if s.direction == "forward" else BOTH
        axes.barh(y, s.mean - 1, BAR, left=1, color=color, zorder=2)
        axes.plot(s.worst, y, "o", **SLOWEST, zorder=4)
        ends += [s.mean, s.worst]
        if s.floor >= 1:
            axes.plot(s.floor, y, **FLOOR, zorder=3)
            ends.append(s.floor)
        torch = _peer(results, s)
        if torch is not None:
            axes.plot(torch, y, **TORCH, zorder=5)
            ends.append(torch)
        beside = {"transform": axes.get_yaxis_transform(), "va": "center", "fontsize": 8.5, "color": INK}
        axes.text(1.065, y, f"{number(s.mean)}×", ha="right", **beside)
        if s.met:
            axes.text(1.072, y, "✓", ha="left", **beside)
    axes.axvline(1, color=INK, lw=1, zorder=1)
    axes.set_xscale("log")
    axes.set_xlim(min(ends) / 1.25, max(ends) * 1.25)
    axes.set_ylim(len(classes) - 0.4, -0.6)
    axes.set_yticks(range(len(classes)), classes, fontsize=9.5)
    axes.tick_params(axis="y", length=0)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}×")
    axes.grid(axis="x", color="#e6e6e6", lw=0.7, zorder=0)
    for line in range(1, len(classes)):
        axes.axhline(line - 0.5, color="#f2f2f2", lw=0.7, zorder=0)
    axes.set_title("Times as fast as plain lax, by class of shapes", loc="left", fontsize=12, weight="bold")
    axes.set_xlabel("geometric mean of the class's rows; 1× is plain lax; ✓ the floor is met", fontsize=9, color=FAINT)


def _legend(figure: Any, results: Results) -> None:
    patch, line = require("matplotlib.patches").Patch, require("matplotlib.lines").Line2D
    handles = [
        patch(color=FORWARD, label="forward"),
        patch(color=BOTH, label="forward and gradients, or training step"),
        line([], [], marker="o", ls="", **SLOWEST, label="slowest row"),
        line([], [], ls="", **FLOOR, label="floor to reach"),
    ]
    if any("torch" in row.cells for row in results.rows):
        handles.append(line([], [], ls="", **TORCH, label="PyTorch, eager"))
    figure.legend(handles=handles, loc="outside lower left", ncols=len(handles), fontsize=8.5, frameon=False)


def _caption(results: Results) -> str:
    machine = results.machine
    versions = ", ".join(f"{name} {machine['versions'][name]}" for name in ("jax", "jaxlib"))
    device = machine["cpu"] if machine["platform"] == "cpu" else machine["device"]
    memory = f" · {machine['allocator']}" if machine.get("allocator") else ""
    quick = " · quick run: sizes too small to mean anything" if results.quick else ""
    return (
        f"{device}, {machine['threads']} threads{memory} · {versions} · "
        f"commit {(machine['commit'] or 'unknown')[:12]} · {machine['date'][:10]}{quick}"
    )


def draw(results: Results, path: Path) -> None:
    """Write the picture to `path`, a PNG or SVG. Raises `MissingExtra` where there is no matplotlib."""
    figure_of = require("matplotlib.figure").Figure
    stands = standings(results.rows)
    points = roofline.points(results.rows)
    classes = len({s.shape_class for s in stands})
    figure = figure_of(figsize=(15 if points else 9, max(4.6, 1.6 + 0.42 * classes)), layout="constrained")
    grid = figure.add_gridspec(2, 2 if points else 1, width_ratios=(1.15, 1) if points else None)
    left = figure.add_subplot(grid[:, 0])
    bars(left, results, stands)
    _legend(figure, results)
    if points:
        for place, direction in enumerate(("forward", "forward+backward")):
            axes = figure.add_subplot(grid[place, 1])
            roofline.panel(axes, [p for p in points if p.direction == direction], results.peaks, direction)
    for axes in figure.axes:
        axes.spines[["top", "right"]].set_visible(False)
        axes.spines[["left", "bottom"]].set_color("#bbbbbb")
    figure.suptitle(_caption(results), x=0.995, ha="right", fontsize=8.5, color=FAINT)
    figure.savefig(path, dpi=150)
