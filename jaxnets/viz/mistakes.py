"""The misread images: what the network saw, what it should have said, and how sure it was of what it did say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxnets.viz.arrays import images as as_images
from jaxnets.viz.arrays import labels, numbers
from jaxnets.viz.style import BLUE, GRAY, LABEL, MUTED, SMALL, VERMILLION, bare, new_axes, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TILE, BARS, CELL = 1.1, 0.32, 2.15  # inches: an image, the bars under it, both with their text


def misread(
    images: Any,
    true: Any,
    predicted: Any,
    probabilities: Any,
    *,
    class_names: Sequence[object] | None = None,
    max_images: int = 24,
) -> Figure:
    """A grid of the images with `predicted != true`, the surest mistakes first, with the probability of every class.

    Blue is the true class, red the predicted one. With no mistake among them, the closest calls are shown instead,
    and the title says so.

    Args:
        images: (N, H, W), (N, H, W, 1) or (N, H, W, 3): a whole test set, or only the misread.
        true: (N,) class numbers.
        predicted: (N,) class numbers.
        probabilities: (N, K), rows that sum to 1.
        class_names: K names; the class numbers if not given.
        max_images: how many are drawn at most; the subtitle says so.

    Raises:
        ValueError: shapes that do not fit each other, unknown classes, NaN, rows that are not probabilities, no image.

    >>> images, chances = np.zeros((2, 8, 8)), [[0.9, 0.1], [0.8, 0.2]]
    >>> figure = misread(images, true=[0, 1], predicted=[0, 0], probabilities=chances)
    >>> figure.texts[0].get_text()
    '1 of 2 misread'
    """
    pictures = as_images("misread", "images", images)
    chances = numbers("misread", "probabilities", probabilities)
    count = len(pictures)
    if count == 0:
        raise ValueError("misread: no images: pass the whole test set, or skip the picture")
    if chances.ndim != 2 or len(chances) != count or chances.shape[1] == 0:
        raise ValueError(f"misread: probabilities must be ({count}, K), a row per image, got shape {chances.shape}")
    if chances.min() < 0 or np.abs(chances.sum(axis=1) - 1).max() > 0.02:
        raise ValueError("misread: probabilities must be rows that sum to 1: apply jax.nn.softmax to logits")
    if max_images < 1:
        raise ValueError(f"misread: max_images must be at least 1, got {max_images}")
    classes = chances.shape[1]
    truth = labels("misread", "true", true, count, classes)
    answer = labels("misread", "predicted", predicted, count, classes)
    names = [str(name) for name in (range(classes) if class_names is None else class_names)]
    if len(names) != classes:
        raise ValueError(f"misread: {classes} classes but {len(names)} class_names: give one per class")

    sure = chances[np.arange(count), answer]
    wrong = np.flatnonzero(truth != answer)
    if len(wrong):
        shown = wrong[np.argsort(-sure[wrong], kind="stable")][:max_images]
        title, subtitle = f"{len(wrong)} of {count} misread", "the surest first; bars: probability of each class"
        if len(shown) < len(wrong):
            subtitle = f"the {len(shown)} surest; bars: probability of each class"
    else:
        shown = np.argsort(sure, kind="stable")[: min(max_images, 6)]
        title, subtitle = f"None of {count} misread", "the closest calls, all right; bars: probability of each class"

    columns = min(len(shown), 6) if len(shown) <= 12 else 8
    rows = -(-len(shown) // columns)
    cell = max(1.5, 1.05 + 0.075 * max(map(len, names)))  # inches: room for the longest name beside its probability
    figure = new_figure(max(0.6 + columns * cell, 5.2), rows * CELL + 0.85, title, subtitle)
    for place, i in enumerate(shown):
        left, base = 0.3 + place % columns * cell, (rows - 1 - place // columns) * CELL
        _tile(figure, left, base, pictures[i], names, int(truth[i]), int(answer[i]), chances[i])
    return figure


def _tile(
    figure: Figure,
    left: float,
    base: float,
    picture: np.ndarray,
    names: list[str],
    true: int,
    answer: int,
    chance: np.ndarray,
) -> None:
    """One image, two lines of text over it, and a row of bars under it."""
    axes = new_axes(figure, left, base + 0.62, TILE, TILE)
    axes.imshow(picture, cmap=GRAY, vmin=0, vmax=1, interpolation="antialiased")
    axes.set_anchor("NW")
    bare(axes)
    across, up = figure.get_size_inches()
    verdict, color = f"read {names[answer]}, {_sure(float(chance[answer]))}", BLUE if true == answer else VERMILLION
    x, y = left / across, (base + 0.62 + TILE + 0.06) / up
    figure.text(x, y, verdict, fontsize=LABEL, color=color, va="bottom")
    if true != answer:
        figure.text(x, y + 0.165 / up, f"is {names[true]}", fontsize=LABEL, color=BLUE, weight="bold", va="bottom")

    bars = new_axes(figure, left, base + 0.24, TILE, BARS)
    colors = ["#b4bac2"] * len(chance)
    colors[answer] = VERMILLION
    colors[true] = BLUE
    bars.bar(range(len(chance)), chance, color=colors, width=0.8)
    bars.set_ylim(0, 1)
    bars.set_xlim(-0.6, len(chance) - 0.4)
    bare(bars)
    bars.axhline(0, color="#c5cad1", linewidth=0.8)
    if len(chance) <= 12 and max(map(len, names)) == 1:
        bars.set_xticks(range(len(chance)), names, fontsize=SMALL - 1.5, color=MUTED)
        bars.tick_params(length=0, pad=1)


def _sure(chance: float) -> str:
    """Whole percents, but nothing short of certain is called 100 %."""
    return f"{100 * chance:.0f} %" if chance < 0.995 else f"{min(100 * chance, 99.99):.4g} %"
