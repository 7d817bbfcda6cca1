"""Rows of pictures, each with a few words: what an example did, step by step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from jaxnets.viz.arrays import numbers
from jaxnets.viz.style import DIVERGING, GRAY, INK, LABEL, MUTED, SMALL, bare, new_axes, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TALL, GAP, HEAD = 0.17, 0.12, 0.5  # inches: a picture's title, the space between pictures, a row's heading
NOTHING = "#f0f1f3"  # where a map has no pixels
SATURATED = 0.99  # a map's scale ends at this quantile of its values, or else a few strong ones leave the rest white


class Frame(NamedTuple):
    """One box on a `Picture`.

    Attributes:
        box: (x1, y1, x2, y2), the corners in pixels.
        text: a few letters on its upper left corner.
        color: of its lines and of the text.
        dashed: rather than drawn through.
    """

    box: Sequence[float]
    text: str = ""
    color: str = INK
    dashed: bool = False


class Picture(NamedTuple):
    """One picture of `gallery`.

    Attributes:
        title: a few words.
        pixels: (H, W), a feature map or a gray image, or (H, W, 3), a colour image in [0, 1]. NaN is no pixel.
        corner: (h, w), a filter to draw in the lower right corner, blue for negative and red for positive.
        gray: draw (H, W) from black, its lowest value, to white, its highest, rather than zero white.
        frames: boxes to draw, the last on top.
    """

    title: str
    pixels: np.ndarray
    corner: np.ndarray | None = None
    gray: bool = False
    frames: Sequence[Frame] = ()


def gallery(
    rows: Mapping[str, Sequence[Picture]], *, title: str, subtitle: str = "", across: float = 2.0, up: float = 1.34
) -> Figure:
    """Rows of pictures under headings.

    Args:
        rows: heading -> the pictures of that row, left to right. An empty heading takes no room.
        title, subtitle: the figure's.
        across, up: inches that each picture may fill; it keeps its proportions.

    Raises:
        ValueError: no rows, an empty row, pixels of another rank or infinite ones.

    >>> edges = np.array([[1.0, -1.0], [1.0, -1.0]])
    >>> figure = gallery({"A filter": [Picture("edges", edges), Picture("gray", edges, gray=True)]}, title="Seen")
    >>> len(figure.axes), [text.get_text() for text in figure.texts]
    (2, ['Seen', '', 'A filter'])
    """
    if not rows or not all(rows.values()):
        raise ValueError(f"gallery: need rows with at least one picture each, got {dict(rows)}")
    widest = max(len(row) for row in rows.values())
    heads = [HEAD if heading else GAP for heading in rows]
    width, height = 0.6 + widest * (across + GAP) - GAP, 0.7 + sum(heads) + len(rows) * (TALL + up) + 0.2
    figure = new_figure(width, height, title, subtitle)
    top = height - 0.7
    for (heading, row), head in zip(rows.items(), heads, strict=True):
        if heading:
            place = (0.3 / width, (top - 0.24) / height)
            figure.text(*place, heading, fontsize=LABEL + 0.5, fontweight="bold", color=INK, va="top")
        top -= head + TALL
        for i, picture in enumerate(row):
            axes = new_axes(figure, 0.3 + i * (across + GAP), top - up, across, up)
            axes.set_anchor("N")
            _draw(axes, picture)
        top -= up
    return figure


def _draw(axes: Axes, picture: Picture) -> None:
    pixels = np.asarray(picture.pixels, np.float64)
    if pixels.ndim not in (2, 3) or (pixels.ndim == 3 and pixels.shape[2] != 3) or not pixels.size:
        raise ValueError(f"gallery: {picture.title!r} must be (H, W) or (H, W, 3), got shape {pixels.shape}")
    shown = numbers("gallery", repr(picture.title), pixels[~np.isnan(pixels)])
    if pixels.ndim == 3:
        axes.imshow(np.nan_to_num(pixels, nan=1.0).clip(0, 1), interpolation="antialiased")
    elif picture.gray:
        axes.imshow(pixels, cmap=GRAY, interpolation="antialiased")
    else:
        sizes = np.abs(shown[shown != 0])
        most = float(np.quantile(sizes, SATURATED)) if sizes.size else 1.0
        axes.imshow(pixels, cmap=DIVERGING, vmin=-most, vmax=most, interpolation="antialiased")
    bare(axes)
    axes.set_facecolor(NOTHING)
    axes.set_title(picture.title, fontsize=SMALL, color=MUTED, loc="left", pad=2.5)
    for frame in picture.frames:
        x1, y1, x2, y2 = np.asarray(frame.box, np.float64) - 0.5  # the middle of the first pixel is at 0
        look = {"color": frame.color, "linewidth": 1.1, "linestyle": "--" if frame.dashed else "-"}
        axes.plot([x1, x2, x2, x1, x1], [y1, y1, y2, y2, y1], **look)  # type: ignore[arg-type]
        axes.text(x1, y1, frame.text, color=frame.color, fontsize=SMALL, fontweight="bold", va="bottom")
    if picture.corner is not None:
        w = numbers("gallery", f"the corner of {picture.title!r}", picture.corner)
        corner = axes.inset_axes((0.77, 0.03, 0.2, 0.3))
        most = float(np.abs(w).max()) or 1.0
        corner.imshow(w, cmap=DIVERGING, vmin=-most, vmax=most)
        corner.set_xticks([])
        corner.set_yticks([])
        corner.set_anchor("SE")
        for spine in corner.spines.values():
            spine.set_edgecolor(INK)
            spine.set_linewidth(0.6)
