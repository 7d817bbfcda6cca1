"""Curves over each other, and how far they are apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from jaxnets.viz.arrays import numbers
from jaxnets.viz.style import CYCLE, INK, LABEL, MUTED, grid, new_axes, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def overlay_curves(
    curves: Mapping[str, Sequence[float]],
    difference: bool = True,
    *,
    title: str = "Curves over each other",
    xlabel: str = "step",
    ylabel: str = "loss",
) -> Figure:
    """Curves of one length drawn over each other, the first broad and pale, the others thin on top of it.

    Args:
        curves: name -> T >= 1 finite values.
        difference: a second panel with |curve − first curve| on a log scale, for two curves or more. Points where two
            are exactly equal cannot stand on a log scale: they are ticks on its floor, and counted.
        title: the figure's.
        xlabel: what the points are.
        ylabel: what their values are.

    Raises:
        ValueError: no curves, differing lengths, NaN, or `difference` of a single curve.

    >>> figure = overlay_curves({"by hand": [2.0, 1.0, 0.5], "jax.grad": [2.0, 1.0, 0.5]})
    >>> len(figure.axes)
    2
    """
    data = {name: numbers("overlay_curves", f"curves[{name!r}]", values) for name, values in curves.items()}
    shapes = {name: values.shape for name, values in data.items()}
    if len(set(shapes.values())) != 1 or len(next(iter(shapes.values()))) != 1 or (0,) in shapes.values():
        raise ValueError(f"overlay_curves: need curves (T,) of one length T >= 1, got shapes {shapes}")
    if difference and len(data) < 2:
        raise ValueError("overlay_curves: a difference needs two curves, got one: add a curve or pass difference=False")

    height = 6.3 if difference else 4.3
    figure = new_figure(8.4, height, title, _verdict(data) if len(data) > 1 else "", left=0.75)
    top = new_axes(figure, 0.75, height - 3.7, 7.3, 2.85)
    everything = np.concatenate(list(data.values()))
    if everything.min() > 0 and everything.max() > 10 * everything.min():
        top.set_yscale("log")
        top.yaxis.set_major_formatter("{x:g}")
    steps = np.arange(1, everything.size // len(data) + 1)
    for i, (name, values) in enumerate(data.items()):
        look = {"linewidth": 6.5, "alpha": 0.35, "solid_capstyle": "round"} if i == 0 else {"linewidth": 1.4}
        top.plot(steps, values, color=CYCLE[i % len(CYCLE)], label=name, **look)  # type: ignore[arg-type]
    top.set_ylabel(ylabel, fontsize=LABEL, color=INK)
    top.legend(frameon=False, fontsize=LABEL, labelcolor=INK, loc="upper right")
    top.margins(x=0.01)
    grid(top)
    last = top
    if difference:
        last = new_axes(figure, 0.75, 0.6, 7.3, 1.45)
        last.sharex(top)
        top.tick_params(labelbottom=False)
        _differences(last, steps, data)
    figure.align_ylabels()
    last.set_xlabel(xlabel, fontsize=LABEL, color=INK)
    return figure


def _gaps(data: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    (_, first), *others = data.items()
    return {name: np.abs(values - first) for name, values in others}


def _verdict(data: dict[str, np.ndarray]) -> str:
    worst = max(float(gap.max()) for gap in _gaps(data).values())
    scale = max(float(np.abs(values).max()) for values in data.values())
    if worst == 0:
        return "identical at every point"
    return f"never further apart than {worst:.1e}, which is {worst / scale:.1e} of the largest value"


def _differences(axes: Axes, steps: np.ndarray, data: dict[str, np.ndarray]) -> None:
    gaps = _gaps(data)
    axes.set_ylabel("difference", fontsize=LABEL, color=INK)
    positive = np.concatenate([gap[gap > 0] for gap in gaps.values()])
    if not positive.size:
        axes.set_yticks([])
        text = "every difference is exactly 0"
        axes.text(0.5, 0.5, text, transform=axes.transAxes, fontsize=LABEL, color=MUTED, ha="center", va="center")
        return
    floor = float(positive.min()) / 3
    for i, gap in enumerate(gaps.values(), start=1):
        color, equal = CYCLE[i % len(CYCLE)], gap == 0
        axes.plot(steps, np.where(equal, np.nan, gap), ".", markersize=3, color=color)
        axes.plot(steps[equal], np.full(int(equal.sum()), floor), "|", markersize=4, color=color, alpha=0.4)
    axes.set_yscale("log")
    axes.set_ylim(floor / 1.6, float(positive.max()) * 3)
    grid(axes)
    total = sum(gap.size for gap in gaps.values())
    if total > positive.size:
        text = f"exactly equal at {total - positive.size} of {total} points (ticks on the floor)"
        axes.set_title(text, loc="right", fontsize=LABEL - 1, color=MUTED)
