"""CTC read in every possible way: all alignments, one after another. Only for a few steps and classes."""

import itertools

import numpy as np
from numpy.typing import ArrayLike

from jaxnets.reference.dtypes import Array


def collapse(alignment: tuple[int, ...], blank: int) -> tuple[int, ...]:
    """The labels of an alignment: repeats merged, then blanks dropped.

    >>> collapse((1, 1, 0, 1, 2, 2), blank=0)
    (1, 1, 2)
    """
    return tuple(label for label, _ in itertools.groupby(alignment) if label != blank)


def scores(logits: Array, blank: int) -> dict[tuple[int, ...], float]:
    """The probability of all labels that the logits (T, K) can be read as: the sum over their alignments."""
    p = np.exp(logits - logits.max(-1, keepdims=True))
    p = p / p.sum(-1, keepdims=True)
    found: dict[tuple[int, ...], float] = {}
    for alignment in itertools.product(range(p.shape[1]), repeat=len(p)):
        labels = collapse(alignment, blank)
        found[labels] = found.get(labels, 0.0) + float(np.prod([p[t, k] for t, k in enumerate(alignment)]))
    return found


def ctc_greedy(logits: ArrayLike, lengths: ArrayLike | None = None, *, blank: int = 0) -> tuple[Array, Array]:
    """The labels of the alignment with the largest logit at each step.

    Shapes: (N, T, K) -> (N, T), filled up with -1, and (N,).
    Reference: Graves et al. 2006.

    >>> ctc_greedy(np.eye(3)[[1, 1, 0, 1]][None])
    (array([[ 1,  1, -1, -1]], dtype=int32), array([2], dtype=int32))
    """
    logits = np.asarray(logits)
    ends = np.full(len(logits), logits.shape[1]) if lengths is None else np.asarray(lengths)
    labels, count = np.full(logits.shape[:2], -1, np.int32), np.zeros(len(logits), np.int32)
    for n, end in enumerate(ends):
        said = collapse(tuple(logits[n, :end].argmax(-1).tolist()), blank)
        labels[n, : len(said)], count[n] = said, len(said)
    return labels, count


def ctc_beam(
    logits: ArrayLike, lengths: ArrayLike | None = None, *, beam: int = 16, blank: int = 0
) -> tuple[Array, Array, Array]:
    """The `beam` most likely labels of each sample, by trying all alignments.

    Shapes: (N, T, K) -> (N, beam, T), filled up with -1, (N, beam) and (N, beam).
    Reference: Graves et al. 2006.

    >>> ctc_beam(np.log([[[0.6, 0.4], [0.6, 0.4]]]), beam=1)[0]
    array([[[ 1, -1]]], dtype=int32)
    """
    logits = np.asarray(logits)
    n, t, _ = logits.shape
    ends = np.full(n, t) if lengths is None else np.asarray(lengths)
    labels, count = np.full((n, beam, t), -1, np.int32), np.zeros((n, beam), np.int32)
    score = np.full((n, beam), -np.inf, np.float32)
    for sample, end in enumerate(ends):
        every = sorted(scores(logits[sample, :end], blank).items(), key=lambda pair: -pair[1])
        for i, (said, p) in enumerate(every[:beam]):
            labels[sample, i, : len(said)], count[sample, i], score[sample, i] = said, len(said), np.log(p)
    return labels, count, score
