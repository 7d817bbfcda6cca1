"""The look that every picture shares: colours, type sizes, and figures laid out in inches.

Figures are made from `matplotlib.figure.Figure` itself: no pyplot, no global state, no backend switch, so a picture
can be made on a machine without a screen, in a thread, or inside a program with plots of its own.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from jaxnets.extras import require

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe & Ito (2008): told apart by people with any of the common forms of colour blindness, and in grey print.
BLUE, VERMILLION, GREEN, ORANGE, PURPLE, SKY = "#0072B2", "#D55E00", "#009E73", "#E69F00", "#CC79A7", "#56B4E9"
CYCLE = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY)
INK, MUTED, FAINT = "#1f2328", "#656d76", "#e4e7eb"  # text; secondary text; rules, grids and empty tiles

TITLE, LABEL, SMALL = 13.0, 9.5, 8.0  # points
DPI = 160  # of the canvas and of what `save` writes

DIVERGING = "RdBu_r"  # blue is negative, white is zero, red is positive: in filters and in feature maps alike
GRAY = "gray"  # images of one channel: 0 is black, so that digits and photographs both look as they are


def new_figure(width: float, height: float, title: str, subtitle: str = "", left: float = 0.3) -> Figure:
    """A white figure of `width` by `height` inches; title and subtitle take its top 0.75 inches, `left` inches in."""
    figure: Figure = require("matplotlib.figure").Figure(figsize=(width, height), dpi=DPI, facecolor="white")
    x = left / width
    figure.text(x, 1 - 0.2 / height, title, fontsize=TITLE, fontweight="bold", color=INK, va="top")
    figure.text(x, 1 - 0.48 / height, subtitle, fontsize=LABEL, color=MUTED, va="top")
    return figure


def new_axes(figure: Figure, left: float, bottom: float, width: float, height: float) -> Axes:
    """Axes at a place given in inches, so that a picture keeps its proportions however many rows it has."""
    across, up = figure.get_size_inches()
    axes = figure.add_axes((left / across, bottom / up, width / across, height / up))
    axes.tick_params(labelsize=SMALL + 0.5, labelcolor=MUTED, color=FAINT, length=3, which="both")
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color("#c5cad1")
    return axes


def grid(axes: Axes, axis: str = "y") -> None:
    """Faint grid lines behind the data."""
    axes.grid(True, axis=axis, color=FAINT, linewidth=0.8)  # type: ignore[arg-type]
    axes.set_axisbelow(True)


def bare(axes: Axes) -> None:
    """Only what is drawn inside: no ticks, no frame."""
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)


def spread(positions: list[float], gap: float) -> list[float]:
    """Positions moved apart, in order and about their middle, until no two are closer than `gap`: for labels.

    >>> spread([0.5, 0.5], 0.1)
    [0.45, 0.55]
    >>> spread([0.9, 0.2], 0.1)
    [0.9, 0.2]
    """
    order = sorted(range(len(positions)), key=lambda i: positions[i])
    moved = list(positions)
    for _ in range(4 * len(order)):
        for below, above in pairwise(order):
            lack = gap - (moved[above] - moved[below])
            if lack > 1e-9:
                moved[below] -= lack / 2
                moved[above] += lack / 2
    return moved


def percent(fraction: float) -> str:
    """A fraction as a person writes it.

    >>> percent(0.98765), percent(1.0), percent(0.99996), percent(0.0)
    ('98.8 %', '100 %', '99.996 %', '0 %')
    """
    if fraction in (0.0, 1.0):
        return f"{100 * fraction:.0f} %"
    for digits in range(1, 6):  # never round an imperfect score to a perfect one
        text = f"{100 * fraction:.{digits}f}"
        if float(text) not in (0.0, 100.0):
            break
    return f"{text} %"
