"""One image through a network: what every layer makes of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from jaxnets.viz.arrays import images as as_images
from jaxnets.viz.arrays import numbers
from jaxnets.viz.mosaic import mosaic, scale
from jaxnets.viz.style import DIVERGING, GRAY, INK, LABEL, MUTED, SMALL, VERMILLION, bare, new_axes, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ACROSS, COLUMNS, GAP = 8.0, 16, 0.28  # inches, tiles in a line, inches between rows


def feature_maps(maps: Mapping[str, Any], image: Any, *, max_channels: int = 32) -> Figure:
    """The image on top, then a row per layer in the order of `maps`: a tile per channel; vectors as bars or as a strip.

    Each row has its own scale, ± its largest absolute value, with zero at white, positive red, negative blue. A vector
    of at most 32 numbers becomes bars, the largest in red; a longer one a strip. A dictionary that comes out of
    `jax.jit` is in alphabetical order: put it back in the network's order first.

    Args:
        maps: what `collect` returns for one image: name -> (H, W, C) or (1, H, W, C), or for a vector (D,) or (1, D).
        image: (H, W), (H, W, 1) or (H, W, 3), with or without a batch axis of 1 in front.
        max_channels: how many channels of a layer are drawn at most, the first ones; the row's label says so.

    Raises:
        ValueError: no maps, other shapes (a batch of several images, say), or NaN.

    >>> figure = feature_maps({"conv": np.ones((1, 8, 8, 4)), "logits": np.arange(10.0)}, np.eye(8))
    >>> [axes.get_label() for axes in figure.axes]
    ['input', 'conv', 'logits']
    """
    if not maps:
        raise ValueError("feature_maps: maps is empty: pass at least one layer's output by name")
    if max_channels < 1:
        raise ValueError(f"feature_maps: max_channels must be at least 1, got {max_channels}")
    picture = _picture(image)
    layers = {name: _single(name, value) for name, value in maps.items()}
    rows = [(name, value, *_size(value, max_channels)) for name, value in layers.items()]
    first = 1.1 * picture.shape[0] / max(picture.shape[:2])
    height = 0.85 + first + sum(GAP + up for *_, up in rows) + 0.4
    left = 0.5 + max(1.15, 0.09 * max(map(len, maps)))
    note = "a row per layer, a tile per channel; white is zero, red positive, blue negative, each row on its own scale"
    figure = new_figure(left + ACROSS + 0.3, height, "One image through the network", note)

    top = height - 0.85
    axes = new_axes(figure, left, top - first, 1.1 * picture.shape[1] / max(picture.shape[:2]), first)
    axes.imshow(picture, cmap=GRAY, vmin=0, vmax=1, interpolation="antialiased")
    axes.set_label("input")
    bare(axes)
    shape = picture.shape if picture.ndim == 3 else (*picture.shape, 1)
    _name(figure, top, height, "input", "×".join(map(str, shape)))
    top -= first + GAP
    for name, value, across, up in rows:
        axes = new_axes(figure, left, top - up, across, up)
        axes.set_label(name)
        shape_text = "×".join(map(str, value.shape))
        if value.ndim == 3:
            tiles = np.moveaxis(value, 2, 0)[:max_channels]
            _image(axes, mosaic(tiles, min(COLUMNS, len(tiles))), value, "equal")
            if len(tiles) < value.shape[2]:
                shape_text += f", first {len(tiles)}"
        elif len(value) <= 32:
            _bars(axes, value)
        else:
            _image(axes, value[None], value, "auto")
        _name(figure, top, height, name, shape_text)
        top -= up + GAP
    return figure


def _picture(image: Any) -> np.ndarray:
    array = np.asarray(image)
    if array.ndim == 4 and array.shape[0] == 1:
        array = array[0]
    if array.ndim not in (2, 3):
        raise ValueError(
            f"feature_maps: image must be (H, W), (H, W, 1) or (H, W, 3), one image, got shape {array.shape}"
        )
    return as_images("feature_maps", "image[None]", array[None])[0]


def _single(name: str, value: Any) -> np.ndarray:
    array = numbers("feature_maps", f"maps[{name!r}]", value)
    single = array[0] if array.ndim in (2, 4) and array.shape[0] == 1 else array
    if single.ndim not in (1, 3) or single.size == 0:
        raise ValueError(
            f"feature_maps: maps[{name!r}] must be (H, W, C), (1, H, W, C), (D,) or (1, D), got shape {array.shape}: "
            "pass the outputs for one image, for instance {name: y[:1] for name, y in maps.items()}"
        )
    return single


def _size(value: np.ndarray, max_channels: int) -> tuple[float, float]:
    """Inches across and up for one layer; a tile is 1/16 of the width whatever its number of pixels."""
    if value.ndim == 1:
        return (min(ACROSS, 0.36 * len(value)), 0.75) if len(value) <= 32 else (ACROSS, 0.22)
    height, width, channels = value.shape
    shown = min(channels, max_channels)
    zoom, space = scale(height, width)
    height, width, columns = zoom * height, zoom * width, min(COLUMNS, shown)
    lines = -(-shown // columns)
    inch = ACROSS / (COLUMNS * (width + space) - space)  # per pixel
    return inch * (columns * (width + space) - space), inch * (lines * (height + space) - space)


def _image(axes: Axes, drawn: np.ndarray, value: np.ndarray, aspect: Literal["equal", "auto"]) -> None:
    """The scale is that of the whole layer, also of the channels that are not drawn."""
    top = float(np.abs(value).max()) or 1.0
    axes.imshow(drawn, cmap=DIVERGING, vmin=-top, vmax=top, aspect=aspect, interpolation="antialiased")
    bare(axes)


def _bars(axes: Axes, value: np.ndarray) -> None:
    colors = ["#b4bac2"] * len(value)
    colors[int(np.argmax(value))] = VERMILLION
    axes.bar(range(len(value)), value, color=colors, width=0.75)
    axes.axhline(0, color="#c5cad1", linewidth=0.8)
    bare(axes)
    axes.set_xlim(-0.5, len(value) - 0.5)
    axes.set_xticks(range(len(value)), [str(i) for i in range(len(value))], fontsize=SMALL, color=MUTED)
    axes.tick_params(length=0, pad=2)


def _name(figure: Figure, top: float, height: float, name: str, shape: str) -> None:
    across = figure.get_size_inches()[0]
    x = 0.3 / across
    figure.text(x, top / height, name, fontsize=LABEL, fontweight="bold", color=INK, va="top")
    figure.text(x, (top - 0.18) / height, shape, fontsize=SMALL, color=MUTED, va="top")
