"""The filters of a convolution, as pictures."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxnets.viz.arrays import numbers
from jaxnets.viz.mosaic import mosaic
from jaxnets.viz.style import DIVERGING, MUTED, SMALL, bare, new_axes, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def filters(w: Any, max_filters: int = 64) -> Figure:
    """The weights of a two-dimensional convolution, one tile per filter, or per slice of it.

    One input channel: a blue-white-red scale with zero at white. Three: a colour tile, zero is mid grey. Any other
    number: a filter is a column and an input channel a row (the first 16 of them), blue-white-red. All tiles share one
    scale, symmetric about zero.

    Args:
        w: (height, width, C, K).
        max_filters: how many are drawn at most, the first ones; the subtitle says so.

    Raises:
        ValueError: another rank, an empty array, NaN, or max_filters < 1.

    >>> figure = filters(np.ones((3, 3, 1, 16)))
    >>> figure.texts[0].get_text(), figure.axes[0].images[0].get_array().shape
    ('16 filters of 3×3', (25, 103))
    """
    weights = numbers("filters", "w", w)
    if weights.ndim != 4 or weights.size == 0:
        raise ValueError(
            f"filters: w must be (height, width, C, K), the weights of a 2-D convolution, got shape {weights.shape}: "
            "pass params[...]['w'] of the first conv"
        )
    if max_filters < 1:
        raise ValueError(f"filters: max_filters must be at least 1, got {max_filters}")
    height, width, channels, total = weights.shape
    weights = weights[..., :max_filters]
    shown = weights.shape[-1]
    scale = float(np.abs(weights).max()) or 1.0
    title = f"{total} filters of {height}×{width}" + (f"×{channels}" if channels > 1 else "")
    note = f"the first {shown}; " if shown < total else ""

    if channels == 3:
        tiles = np.moveaxis(weights / (2 * scale) + 0.5, 3, 0)
        columns, rgb = _columns(shown), True
        note += f"red, green and blue together; grey is 0, full colour ±{scale:.2g}"
    elif channels == 1:
        tiles = np.moveaxis(weights[:, :, 0], 2, 0)
        columns, rgb = _columns(shown), False
        note += "one scale for all"
    else:
        weights = weights[:, :, :16]
        tiles = np.moveaxis(weights, (2, 3), (0, 1)).reshape(-1, height, width)
        columns, rgb = shown, False
        inputs = f"first 16 of {channels}" if channels > 16 else str(channels)
        note += f"columns are filters, rows the {inputs} input channels; one scale for all"

    picture = mosaic(tiles, columns)
    if rgb:  # NaN gaps have no colour of their own in an RGB picture
        picture = np.where(np.isnan(picture), 1.0, picture)
    across = min(max(columns * 0.85, 3.4), 9.5)
    up = across * picture.shape[0] / picture.shape[1]
    bar = 0.0 if rgb else 0.9
    figure = new_figure(max(0.6 + across + bar, 5.6), up + 1.15, title, note)
    axes = new_axes(figure, 0.3, 0.3, across, up)
    if rgb:
        axes.imshow(picture, interpolation="antialiased")
    else:
        drawn = axes.imshow(picture, cmap=DIVERGING, vmin=-scale, vmax=scale, interpolation="antialiased")
        color_axes = new_axes(figure, 0.3 + across + 0.18, 0.3 + up - min(up, 2.6), 0.13, min(up, 2.6))
        color_bar = figure.colorbar(drawn, cax=color_axes, ticks=[-scale, 0, scale])
        color_bar.ax.set_yticklabels([f"−{scale:.2g}", "0", f"{scale:.2g}"], fontsize=SMALL, color=MUTED)
        color_bar.outline.set_visible(False)  # type: ignore[operator]
        color_axes.tick_params(length=0)
    bare(axes)
    return figure


def _columns(count: int) -> int:
    """At most 16 across, with as few left over as can be, and about twice as wide as high."""
    return min(count, min(range(8, 17), key=lambda across: (-count % across, abs(across - math.sqrt(2 * count)))))
