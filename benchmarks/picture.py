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
    """A bar for each class and direction, from 1 (plain lax) to the mean, with the floor as a tick."""
    classes = list(dict.fromkeys(s.shape_class for s in stands))
    farthest, nearest = 1.0, 1.0
    for s in stands:
        y = classes.index(s.shape_class) + _offset(s.direction)
        axes.barh(y, s.mean - 1, BAR, left=1, color=FORWARD if s.direction == "forward" else BOTH, zorder=2)
        axes.plot([s.worst] * 2, [y - BAR * 0.28, y + BAR * 0.28], color="white", lw=1.6, zorder=3)
        axes.plot([s.worst] * 2, [y - BAR * 0.28, y + BAR * 0.28], color=INK, lw=0.8, zorder=4)
        if s.floor >= 1:
            axes.plot(s.floor, y, marker="|", ms=11, mew=2.2, color="#d7301f", zorder=5)
        torch = _peer(results, s)
        if torch is not None:
            axes.plot(torch, y, marker="D", ms=4.2, mfc="white", mec="#ee7b06", mew=1.3, zorder=6)
        ends = [s.mean, s.worst, 1.0, *([s.floor] if s.floor >= 1 else []), *([torch] if torch else [])]
        farthest, nearest = max(farthest, *ends), min(nearest, *ends)
        axes.annotate(
            f"{number(s.mean)}×",
            (max(ends), y),
            (7, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
            color=INK,
        )
    axes.axvline(1, color=INK, lw=1, zorder=1)
    axes.set_xscale("log")
    axes.set_xlim(nearest / 1.25, farthest * 2.2)
    axes.set_ylim(len(classes) - 0.4, -0.6)
    axes.set_yticks(range(len(classes)), classes, fontsize=9.5)
    axes.tick_params(axis="y", length=0)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}×")
    axes.grid(axis="x", color="#e6e6e6", lw=0.7, zorder=0)
    axes.set_title("Times as fast as plain lax, by class of shapes", loc="left", fontsize=12, weight="bold")
    axes.set_xlabel("geometric mean of the class's rows; 1× is plain lax", fontsize=9, color=FAINT)


def _legend(axes: Any, results: Results) -> None:
    patch, line = require("matplotlib.patches").Patch, require("matplotlib.lines").Line2D
    handles = [
        patch(color=FORWARD, label="forward"),
        patch(color=BOTH, label="forward and gradients, or training step"),
        line([], [], color=INK, marker="|", ls="", ms=8, mew=1.2, label="slowest row"),
        line([], [], color="#d7301f", marker="|", ls="", ms=11, mew=2.2, label="floor to reach"),
    ]
    if any("torch" in row.cells for row in results.rows):
        handles.append(
            line([], [], marker="D", ls="", ms=4.2, mfc="white", mec="#ee7b06", mew=1.3, label="PyTorch, eager")
        )
    axes.legend(handles=handles, loc="lower right", fontsize=8.5, frameon=True, framealpha=0.95, edgecolor="#dddddd")


def _caption(results: Results) -> str:
    machine = results.machine
    versions = ", ".join(f"{name} {machine['versions'][name]}" for name in ("jax", "jaxlib"))
    device = machine["cpu"] if machine["platform"] == "cpu" else machine["device"]
    quick = " · quick run: sizes too small to mean anything" if results.quick else ""
    return (
        f"{device}, {machine['threads']} threads · {versions} · commit {(machine['commit'] or 'unknown')[:12]} · "
        f"{machine['date'][:10]}{quick}"
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
    _legend(left, results)
    if points:
        for place, direction in enumerate(("forward", "forward+backward")):
            axes = figure.add_subplot(grid[place, 1])
            roofline.panel(axes, [p for p in points if p.direction == direction], results.peaks, direction)
    for axes in figure.axes:
        axes.spines[["top", "right"]].set_visible(False)
        axes.spines[["left", "bottom"]].set_color("#bbbbbb")
    figure.supxlabel(_caption(results), fontsize=8.5, color=FAINT)
    figure.savefig(path, dpi=150)
