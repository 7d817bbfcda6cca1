"""Blur pooling: smooth with a binomial filter, then keep every stride-th element."""

import math

import numpy as np
from numpy.typing import ArrayLike

from jaxnets.reference.dtypes import Array, cast, mean_dtype, widen
from jaxnets.reference.windows import (
    Axis,
    PaddingMode,
    PerAxis,
    Position,
    at,
    output_of,
    per_axis,
    sliding,
    spatial_shape,
    windows,
)


def binomial(size: int) -> list[float]:
    """The filter of `size` taps: a row of Pascal's triangle divided by its sum.

    >>> binomial(3), binomial(4)
    ([0.25, 0.5, 0.25], [0.125, 0.375, 0.375, 0.125])
    """
    return [math.comb(size - 1, t) / 2 ** (size - 1) for t in range(size)]


def blur_windows(
    spatial: Position, size: PerAxis, stride: PerAxis, padding_mode: PaddingMode
) -> tuple[list[list[float]], list[Axis[int]]]:
    """The filter along each axis, and the windows, padded by ((size - 1) // 2, size // 2)."""
    sizes = per_axis(size, len(spatial))
    padding = [((k - 1) // 2, k // 2) for k in sizes]
    return [binomial(k) for k in sizes], sliding(spatial, sizes, stride, padding, 1, mode=padding_mode)


def tap_weight(filters: list[list[float]], t: Position) -> float:
    """The weight of tap `t`: the product of the filters along the axes."""
    return math.prod(taps[i] for taps, i in zip(filters, t, strict=True))


def blur_pool(x: ArrayLike, size: PerAxis = 3, stride: PerAxis = 2, *, padding_mode: PaddingMode = "reflect") -> Array:
    """Smooth before subsampling, so that fine detail does not alias.

        y[n, o, c] = sum over taps t of x[n, o * stride + t - (size - 1) // 2, c] * binomial(size - 1, t) / 2^(size - 1)

    (the product of such weights in several dimensions).

    Shapes: x (N, *spatial, C) -> (N, *ceil(spatial / stride), C). Integers give float32.
    Reference: Zhang 2019, "Making convolutional networks shift-invariant again".

    >>> blur_pool(np.array([0.0, 4, 0, 0, 8]).reshape(1, 5, 1))[0, :, 0]
    array([2., 1., 4.])
    """
    x = np.asarray(x)
    filters, axes = blur_windows(spatial_shape(x), size, stride, padding_mode)
    dtype = mean_dtype(x.dtype)
    x = widen(x.astype(dtype, copy=False))
    y = np.zeros((x.shape[0], *output_of(axes), x.shape[-1]), x.dtype)
    for o, taps in windows(axes):
        for t, p in taps:
            y[at(o)] += x[at(p)] * tap_weight(filters, t)
    return cast(y, dtype)
