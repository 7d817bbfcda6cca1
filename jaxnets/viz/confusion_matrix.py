"""The confusion matrix, drawn so that the errors stand out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxnets.extras import require
from jaxnets.viz.arrays import numbers
from jaxnets.viz.style import FAINT, INK, LABEL, MUTED, SMALL, VERMILLION, bare, new_axes, new_figure, percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def confusion(matrix: Any, class_names: Sequence[object]) -> Figure:
    """Counts by true class (rows) and predicted class (columns), with the recall of each class beside its row.

    The shade of an error is its share of its row; correct answers, usually far more, are pale grey and take no part in
    the scale. Above 25 classes the counts are left out.

    Args:
        matrix: (K, K) counts; matrix[t, p] examples of class t were read as class p.
        class_names: K names.

    Raises:
        ValueError: the matrix is not square, holds negative, fractional or NaN counts, or counts no example at all;
            the number of names differs.

    >>> figure = confusion([[9, 1], [0, 10]], ["cat", "dog"])
    >>> figure.texts[0].get_text()
    '95.0 % right'
    """
    counts = numbers("confusion", "matrix", matrix)
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1] or counts.size == 0:
        raise ValueError(f"confusion: matrix must be (K, K), true class by predicted class, got shape {counts.shape}")
    if counts.min() < 0 or (counts != np.round(counts)).any():
        raise ValueError("confusion: matrix must hold counts, whole numbers from 0: pass it before any normalisation")
    classes, total = len(counts), int(counts.sum())
    if len(class_names) != classes:
        raise ValueError(f"confusion: {classes} classes but {len(class_names)} class_names: give one name per row")
    if total == 0:
        raise ValueError("confusion: the matrix counts no example: fill it from at least one prediction")

    names = [str(name) for name in class_names]
    right = int(np.trace(counts))
    margin = 0.75 + 0.065 * max(map(len, names))  # inches for the names at the left, and turned at the bottom
    bottom = margin if max(map(len, names)) > 3 else 0.75
    side = min(max(0.44 * classes, 2.6), 8.0)
    wrong = f"{total - right} error{'s' * (total - right != 1)} in {total} examples; shade: share of the true class"
    figure = new_figure(max(margin + side + 1.75, 5.6), bottom + side + 1.0, f"{percent(right / total)} right", wrong)

    axes = new_axes(figure, margin, bottom, side, side)
    _cells(axes, counts)
    axes.set_xticks(range(classes), names, rotation=90 if max(map(len, names)) > 3 else 0)
    axes.set_yticks(range(classes), names)
    axes.tick_params(length=0, labelsize=LABEL if classes <= 25 else SMALL - 3, labelcolor=INK)
    axes.set_xlabel("predicted", fontsize=LABEL, color=MUTED)
    axes.set_ylabel("true", fontsize=LABEL, color=MUTED)
    _recall(new_axes(figure, margin + side + 0.2, bottom, 1.25, side), counts)
    return figure


def _cells(axes: Axes, counts: np.ndarray) -> None:
    classes = len(counts)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    np.fill_diagonal(shares, 0)
    top = max(float(shares.max()), 0.05)  # one slip in a hundred is not an alarm
    shade = require("matplotlib.colors").LinearSegmentedColormap.from_list("errors", ["#ffffff", "#f6c9ab", VERMILLION])
    axes.imshow(shares, cmap=shade, vmin=0, vmax=top, interpolation="nearest")
    axes.imshow(np.where(np.eye(classes, dtype=bool), 1.0, np.nan), cmap=_flat(FAINT), interpolation="nearest")
    for edge in np.arange(-0.5, classes):
        axes.axhline(edge, color=FAINT, linewidth=0.6)
        axes.axvline(edge, color=FAINT, linewidth=0.6)
    for spine in axes.spines.values():
        spine.set_visible(False)
    if classes > 25:
        return
    written = (counts > 0) | (np.eye(classes, dtype=bool) & (counts.sum(axis=1, keepdims=True) > 0))
    for true, predicted in np.argwhere(written).tolist():
        error, dark = true != predicted, shares[true, predicted] > 0.75 * top
        axes.text(
            predicted,
            true,
            f"{counts[true, predicted]:.0f}",
            ha="center",
            va="center",
            fontsize=LABEL if error else SMALL,
            fontweight="bold" if error else "normal",
            color="white" if error and dark else INK if error else MUTED,
        )


def _flat(color: str) -> Any:
    return require("matplotlib.colors").ListedColormap([color])


def _recall(axes: Axes, counts: np.ndarray) -> None:
    """One bar a row, in line with the matrix."""
    classes, examples = len(counts), counts.sum(axis=1)
    recall = np.divide(np.diag(counts), examples, out=np.zeros(classes), where=examples > 0)
    rows = np.arange(classes)
    axes.barh(rows, (examples > 0).astype(float), height=0.62, color=VERMILLION, alpha=0.25)
    axes.barh(rows, recall, height=0.62, color="#c5cad1")
    if classes <= 25:
        for row in range(classes):
            text = percent(float(recall[row])) if examples[row] else "no example"
            axes.text(0.04, row, text, fontsize=SMALL, color=INK, va="center")
    axes.set_xlim(0, 1)
    axes.set_ylim(classes - 0.5, -0.5)
    bare(axes)
    axes.set_title("recall", loc="left", fontsize=LABEL, color=MUTED, pad=3)
