"""Channels among themselves: local response normalization, and the channel shuffle."""

import numpy as np
from numpy.typing import ArrayLike

from jaxnets.reference.dtypes import Array, cast, widen


def local_response_norm(
    x: ArrayLike, size: int = 5, *, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> Array:
    """Divide each channel by a power of the mean square of its neighbors.

        y[..., c] = x[..., c] / (k + alpha / size * sum of x[..., d]^2)^beta
        over c - size // 2 <= d <= c + (size - 1) // 2

    Shapes: x (N, ..., C) -> (N, ..., C).
    Reference: Krizhevsky et al. 2012; the division of alpha by size is PyTorch's.

    >>> local_response_norm(np.array([[1.0, 2.0, 2.0]]), 3, alpha=3, beta=1).round(3)
    array([[0.167, 0.2  , 0.222]])
    """
    dtype, x = np.asarray(x).dtype, widen(x)
    y = np.empty_like(x)
    for c in range(x.shape[-1]):
        near = x[..., max(c - size // 2, 0) : c + (size - 1) // 2 + 1]
        y[..., c] = x[..., c] / (k + alpha / size * np.sum(near**2, axis=-1)) ** beta
    return cast(y, dtype)


def channel_shuffle(x: ArrayLike, groups: int) -> Array:
    """Deal out the channels of all groups in turn.

        y[..., i * groups + g] = x[..., g * width + i],   width = C // groups

    Shapes: x (..., C) -> (..., C). Raises ValueError if groups do not divide C.
    Reference: Zhang et al. 2018.

    >>> channel_shuffle(np.array([0, 1, 2, 10, 11, 12]), 2)
    array([ 0, 10,  1, 11,  2, 12])
    """
    x = np.asarray(x)
    if groups < 1 or x.shape[-1] % groups:
        raise ValueError(f"{groups} groups do not divide {x.shape[-1]} channels")
    width = x.shape[-1] // groups
    y = np.empty_like(x)
    for g in range(groups):
        for i in range(width):
            y[..., i * groups + g] = x[..., g * width + i]
    return y
