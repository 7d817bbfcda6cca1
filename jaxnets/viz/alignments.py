"""What a recognizer heard, and when: the spectrogram and the probabilities of its labels under it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxnets.viz.arrays import numbers
from jaxnets.viz.style import CYCLE, FAINT, INK, LABEL, MUTED, SMALL, new_axes, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def alignment(
    spectrogram: Any,
    probabilities: Any,
    names: Sequence[str],
    *,
    seconds: float,
    cuts: Sequence[float] = (),
    blank: int = 0,
    title: str = "What was heard, and when",
    subtitle: str = "",
) -> Figure:
    """A spectrogram, and under it how likely each label is at each step, named at its peaks; the blank is gray.

    Args:
        spectrogram: (T, D), low bands first.
        probabilities: (S, K), rows of sum 1, over the same time; S need not be T.
        names: of the K labels, that of the blank not shown.
        seconds: how long all is.
        cuts: seconds where the words really begin and end, dotted.
        blank: the class that is no label.
        title, subtitle: the figure's.

    Raises:
        ValueError: shapes or names that do not fit, NaN, or a length that is not above 0.

    >>> figure = alignment(np.ones((6, 4)), np.eye(3)[[0, 1, 0, 2]], ["", "yes", "no"], seconds=1.0)
    >>> [text.get_text() for text in figure.axes[1].texts]
    ['yes', 'no']
    """
    x = numbers("alignment", "spectrogram", spectrogram)
    p = numbers("alignment", "probabilities", probabilities)
    if x.ndim != 2 or p.ndim != 2 or p.shape[1] != len(names) or not 0 <= blank < len(names):
        raise ValueError(
            f"alignment: spectrogram has shape {x.shape}, probabilities {p.shape}, there are {len(names)} names and "
            f"the blank is {blank}; pass (T, D), (S, K), K names and one of the K"
        )
    if not seconds > 0:
        raise ValueError(f"alignment: seconds is {seconds}; pass how long the sound is")
    figure = new_figure(8.2, 4.2, title, subtitle, left=0.55)
    sound, axes = new_axes(figure, 0.55, 1.95, 7.4, 1.45), new_axes(figure, 0.55, 0.55, 7.4, 1.1)
    sound.imshow(x.T, origin="lower", aspect="auto", cmap="magma", extent=(0, seconds, 0, 1))
    sound.set(xticks=[], yticks=[])
    sound.set_ylabel("frequency", fontsize=SMALL, color=MUTED)
    at = (np.arange(len(p)) + 0.5) * seconds / len(p)
    axes.fill_between(at, p[:, blank], color=FAINT, linewidth=0)
    best = p.argmax(1)
    starts = np.flatnonzero((best != blank) & np.diff(best, prepend=blank).astype(bool))
    colors = {label: CYCLE[i % len(CYCLE)] for i, label in enumerate(dict.fromkeys(best[starts].tolist()))}
    for label, color in colors.items():
        axes.fill_between(at, p[:, label], color=color, alpha=0.8, linewidth=0)
    for start in starts:
        run = start + np.flatnonzero(np.append(best[start:] != best[start], True))[0]
        peak = start + p[start:run, best[start]].argmax()
        axes.text(at[peak], 1.04, names[best[start]], color=colors[best[start]], ha="center", fontsize=LABEL)
    for each in (sound, axes):
        each.set_xlim(0, seconds)
        for cut in cuts:
            each.axvline(cut, color="white" if each is sound else MUTED, linewidth=0.9, linestyle=":")
    axes.set(ylim=(0, 1), yticks=[0, 1])
    axes.set_xlabel("seconds", fontsize=LABEL, color=INK)
    axes.set_ylabel("probability", fontsize=SMALL, color=MUTED)
    return figure
