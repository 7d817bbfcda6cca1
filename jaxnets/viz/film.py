"""A game as it was played: a strip of frames, what the player expected under it, and how it had learned."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from jaxnets.extras import require
from jaxnets.viz.arrays import numbers
from jaxnets.viz.style import CYCLE, FAINT, INK, LABEL, MUTED, SMALL, bare, grid, new_axes, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    Lines = Mapping[str, np.ndarray]

LEFT, WIDTH, PANEL, GAP = 0.75, 7.4, 1.25, 0.5  # inches


def film(
    frames: np.ndarray,
    panels: Mapping[str, Lines],
    *,
    title: str,
    subtitle: str = "",
    shown: int = 9,
    learned: tuple[np.ndarray, np.ndarray] | None = None,
    levels: Mapping[str, float] | None = None,
) -> Figure:
    """Moments of a game in a strip, and below it lines over the moves, under the moment that they belong to.

    Args:
        frames: (T, H, W, C), one for each move; a pixel is drawn in the color of its first channel that is not 0.
        panels: name of the y axis -> name of a line -> (T,), a number for each move.
        title, subtitle: the figure's.
        shown: frames of the strip, at equal distances.
        learned: steps and score, (S,) each, of a last panel: how the player learned. NaN is a gap.
        levels: name -> score, horizontal lines of that panel to compare with; NaN is none.

    Raises:
        ValueError: frames of another rank, no frames, lines of another length.

    >>> figure = film(np.eye(4).reshape(1, 4, 4, 1).repeat(9, 0), {"value": {"of all": np.arange(9)}}, title="Played")
    >>> len(figure.axes), figure.axes[-1].get_ylabel()
    (10, 'value')
    """
    frames = numbers("film", "frames", frames)
    if frames.ndim != 4 or not len(frames):
        raise ValueError(f"film: frames are (T, H, W, C) with T of at least 1, got shape {frames.shape}")
    moves, rows = np.arange(len(frames)), len(panels) + (learned is not None)
    shown = min(shown, len(frames))
    side = WIDTH / shown
    height = 0.75 + side + 0.15 + rows * (PANEL + GAP)
    figure = new_figure(LEFT + WIDTH + 1.3, height, title, subtitle)

    palette = require("matplotlib.colors").ListedColormap(["white", *(CYCLE[i] for i in (1, 0)), FAINT, *CYCLE[2:]])
    colors = np.where(frames.any(axis=-1), 1 + frames.argmax(axis=-1) % (palette.N - 1), 0)
    # The strip's pictures stand side by side above the axis of moves, each over its own move.
    at = ((np.arange(shown) + 0.5) * len(frames) / shown).astype(int)
    top = height - 0.75 - side
    for i, move in enumerate(at):
        axes = new_axes(figure, LEFT + (i + 0.04) * side, top, 0.92 * side, 0.92 * side)
        axes.imshow(colors[move], cmap=palette, vmin=0, vmax=palette.N - 1, interpolation="nearest")
        bare(axes)
        for spine in axes.spines.values():
            spine.set(visible=True, color=MUTED, linewidth=0.6)

    for name, lines in panels.items():
        top -= PANEL + 0.15 if top == height - 0.75 - side else PANEL + GAP
        axes = new_axes(figure, LEFT, top, WIDTH, PANEL)
        axes.vlines(at, 0, 1, transform=axes.get_xaxis_transform(), color=FAINT, linewidth=0.8)
        for color, (label, line) in zip(CYCLE, lines.items(), strict=False):
            line = numbers("film", label, line)
            if line.shape != moves.shape:
                raise ValueError(f"film: {label!r} has shape {line.shape}; there are {len(moves)} frames")
            axes.plot(moves + 0.5, line, color=color, linewidth=1.3, label=label)
        axes.set_xlim(0, len(frames))
        axes.set_xlabel("move", fontsize=SMALL, color=MUTED, labelpad=1)
        _finish(axes, name)

    if learned is not None:
        axes = new_axes(figure, LEFT, top - PANEL - GAP, WIDTH, PANEL)
        axes.plot(*learned, color=INK, linewidth=1.6, label="while learning")
        for color, (label, level) in zip(CYCLE[1:], (levels or {}).items(), strict=False):
            if not np.isnan(level):
                axes.axhline(level, color=color, linewidth=1.2, linestyle="--", label=f"{label} {level:.2g}")
        axes.set_xlim(0, float(learned[0][-1]))
        axes.set_xlabel("moves learned from", fontsize=SMALL, color=MUTED, labelpad=1)
        axes.xaxis.set_major_formatter("{x:,.0f}")
        grid(axes)
        _finish(axes, "score of a game")
    return figure


def _finish(axes: Axes, name: str) -> None:
    axes.set_ylabel(name, fontsize=LABEL, color=INK)
    axes.legend(frameon=False, fontsize=SMALL, loc="upper left", bbox_to_anchor=(1.0, 1.05), handlelength=1.2)
