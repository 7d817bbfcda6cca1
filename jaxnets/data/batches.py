"""Shuffled minibatches of arrays in memory."""

from collections.abc import Iterator

import numpy as np


def batches(
    arrays: tuple[np.ndarray, ...], size: int, *, seed: int, epoch: int = 0, drop_remainder: bool = True
) -> Iterator[tuple[np.ndarray, ...]]:
    """Cut arrays into minibatches, in an order of its own for every epoch.

    Shapes: each array `(N, ...)` gives `(size, ...)`, rows that belong together staying together.

    Args:
        arrays: with equal N.
        size: rows in a batch.
        seed, epoch: the order depends on these two and nothing else, so that a run can be resumed.
        drop_remainder: leave out the last `N % size` rows of the order, so that every batch has one shape and
            a step compiles once. Another epoch leaves out others.

    Raises:
        ValueError: no arrays, unequal N, or a size that gives no batch. At the call, before the first batch.

    >>> x = np.arange(6)
    >>> cut = list(batches((x, 10 * x), 4, seed=0, drop_remainder=False))
    >>> [len(a) for a, b in cut], all((b == 10 * a).all() for a, b in cut)
    ([4, 2], True)
    """
    lengths = {len(array) for array in arrays}
    if len(lengths) != 1:
        raise ValueError(f"batches: the arrays must have one length, not {[len(array) for array in arrays]}")
    (length,) = lengths
    if size < 1 or length == 0 or (drop_remainder and size > length):
        raise ValueError(f"batches: size {size} gives no batch of {length} rows: use a size from 1 to {length}")
    order = np.random.default_rng((seed, epoch)).permutation(length)
    stop = length - length % size if drop_remainder else length
    return (tuple(array[order[start : start + size]] for array in arrays) for start in range(0, stop, size))
