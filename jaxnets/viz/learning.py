"""Learning curves: loss and accuracy by epoch, training data beside held-out data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from jaxnets.extras import require
from jaxnets.viz.arrays import numbers
from jaxnets.viz.style import BLUE, INK, LABEL, VERMILLION, grid, new_axes, new_figure, percent, spread

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

KEYS = ("epoch", "train_loss", "train_accuracy", "test_loss", "test_accuracy")
SERIES = {"train": BLUE, "test": VERMILLION}


def learning_curves(history: Mapping[str, Sequence[float]]) -> Figure:
    """Two panels, loss and accuracy by epoch; each curve carries its name and last value, the best is marked.

    Losses that span more than a factor of ten are drawn on a log scale. The accuracy panel is cut below where a good
    network spends its first epochs.

    Args:
        history: five sequences of one length T >= 1: `epoch`; `train_loss` and `test_loss`, in any unit;
            `train_accuracy` and `test_accuracy`, fractions from 0 to 1. Other keys are ignored.

    Raises:
        ValueError: a missing key, differing lengths, NaN (training diverged), an accuracy outside [0, 1].

    >>> history = {"epoch": [1, 2], "train_loss": [1.0, 0.5], "test_loss": [1.1, 0.7]}
    >>> figure = learning_curves(history | {"train_accuracy": [0.7, 0.9], "test_accuracy": [0.6, 0.8]})
    >>> [axes.get_title(loc="left") for axes in figure.axes]
    ['Loss', 'Accuracy']
    """
    data = _checked(history)
    epochs = len(data["epoch"])
    best = int(np.argmax(data["test_accuracy"]))
    figure = new_figure(
        10.4,
        4.4,
        "Learning curves",
        f"{percent(data['test_accuracy'][-1])} of the test data right after {epochs} epoch{'s' * (epochs > 1)}; "
        f"at best {percent(data['test_accuracy'][best])}",
    )
    loss = new_axes(figure, 0.7, 0.6, 3.35, 2.7)
    accuracy = new_axes(figure, 5.85, 0.6, 3.35, 2.7)
    both = np.concatenate([data["train_loss"], data["test_loss"]])
    if both.min() > 0 and both.max() > 10 * both.min():
        loss.set_yscale("log")
        loss.yaxis.set_major_formatter("{x:g}")
    _panel(loss, "Loss", data, "loss", int(np.argmin(data["test_loss"])), "lowest")
    # Most of the news is near the top: the first epochs of a good network may come in from below the panel.
    misread = max(float(np.median(1 - data["test_accuracy"])), 0.005)
    bottom = max(1 - 8 * misread, float(min(data["train_accuracy"].min(), data["test_accuracy"].min())) - 0.02)
    accuracy.set_ylim(bottom, 1 + 0.06 * (1 - bottom))
    _panel(accuracy, "Accuracy", data, "accuracy", best, "best")
    accuracy.yaxis.set_major_formatter(lambda value, _: f"{100 * value:g} %")
    return figure


def _checked(history: Mapping[str, Sequence[float]]) -> dict[str, np.ndarray]:
    missing = [key for key in KEYS if key not in history]
    if missing:
        raise ValueError(f"learning_curves: history has no {missing}, only {sorted(history)}: record {list(KEYS)}")
    remedy = "training diverged, lower the learning rate or cut the history before it"
    data = {key: numbers("learning_curves", f"history[{key!r}]", history[key], remedy) for key in KEYS}
    shapes = {key: value.shape for key, value in data.items()}
    if len(set(shapes.values())) != 1 or data["epoch"].ndim != 1 or data["epoch"].size == 0:
        raise ValueError(f"learning_curves: need one value per epoch and at least one epoch, got shapes {shapes}")
    for key in ("train_accuracy", "test_accuracy"):
        if data[key].min() < 0 or data[key].max() > 1:
            seen = float(data[key].max() if data[key].max() > 1 else data[key].min())
            raise ValueError(
                f"learning_curves: {key} holds {seen:g}: accuracies are from 0 to 1, divide percents by 100"
            )
    return data


def _panel(axes: Axes, title: str, data: dict[str, np.ndarray], quantity: str, best: int, word: str) -> None:
    show = percent if quantity == "accuracy" else "{:.3g}".format
    epoch = data["epoch"]
    axes.set_title(title, loc="left", fontsize=LABEL + 1, fontweight="bold", color=INK)
    for name, color in SERIES.items():
        axes.plot(epoch, data[f"{name}_{quantity}"], color=color, linewidth=1.8, marker="o" if len(epoch) == 1 else "")
    axes.set_xlabel("epoch", fontsize=LABEL, color=INK)
    if len(epoch) == 1:
        axes.set_xticks(epoch)
    else:
        axes.xaxis.set_major_locator(require("matplotlib.ticker").MaxNLocator(integer=True, nbins=7))
    axes.margins(x=0.01, y=0.08)
    axes.get_ylim()  # settles the limits, which the transform below needs
    grid(axes)

    # Direct labels beside the last points, in fractions of the panel's height so that they can be moved apart.
    to_fraction = (axes.transScale + axes.transLimits).transform
    last = [float(to_fraction((epoch[-1], data[f"{name}_{quantity}"][-1]))[1]) for name in SERIES]
    places = spread([min(max(y, 0.02), 0.98) for y in last], 0.075)
    for (name, color), height in zip(SERIES.items(), places, strict=True):
        text = f"{name} {show(data[f'{name}_{quantity}'][-1])}"
        axes.text(1.02, height, text, transform=axes.transAxes, color=color, fontsize=LABEL, va="center", weight="bold")

    value = data[f"test_{quantity}"][best]
    axes.plot(epoch[best], value, "o", color=VERMILLION, markersize=6, markeredgecolor="white", zorder=5)
    x, y = (float(part) for part in to_fraction((epoch[best], value)))
    axes.annotate(
        f"{word} {show(value)}\nepoch {epoch[best]:g}",
        (epoch[best], value),
        # Losses leave the upper right of a panel empty, accuracies the lower right.
        xytext=(min(max(x, 0.3), 0.85), max(y + 0.13, 0.55) if quantity == "loss" else min(y - 0.13, 0.3)),
        textcoords="axes fraction",
        ha="center",
        va="bottom" if quantity == "loss" else "top",
        fontsize=LABEL - 1,
        color=VERMILLION,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.0, "alpha": 0.85},
        arrowprops={"arrowstyle": "-", "color": VERMILLION, "linewidth": 0.7, "shrinkA": 1, "shrinkB": 4},
    )
