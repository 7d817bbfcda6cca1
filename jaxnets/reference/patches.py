"""Patches: write the window of every output position out as one long row, and add such rows up again."""

import math

import numpy as np
from numpy.typing import ArrayLike

from jaxnets.reference.dtypes import Array, cast, widen
from jaxnets.reference.windows import (
    Padding,
    PerAxis,
    Position,
    at,
    output_of,
    per_axis,
    sliding,
    spatial_shape,
    windows,
)


def features(t: Position, sizes: Position, c: int) -> slice:
    """The features that tap `t` fills in a row: tap * C + c with the taps in row-major order.

    >>> features((1, 0), (3, 3), 4)
    slice(12, 16, None)
    """
    tap = int(np.ravel_multi_index(t, sizes))
    return slice(tap * c, (tap + 1) * c)


def unfold(
    x: ArrayLike,
    size: PerAxis,
    stride: PerAxis = 1,
    *,
    padding: Padding = "VALID",
    dilation: PerAxis = 1,
) -> Array:
    """Each window as a row (im2col), so that `unfold(x) @ w.reshape(-1, K)` is a convolution.

        y[n, o, t * C + c] = x[n, o * stride + t * dilation - low, c]   (0 on padding)

    Shapes: x (N, *spatial, C) -> (N, *out, taps * C).
    Reference: Chellapilla et al. 2006.

    >>> unfold(np.array([1, 2, 3, 4]).reshape(1, 4, 1), 3)[0]
    array([[1, 2, 3],
           [2, 3, 4]])
    """
    x = np.asarray(x)
    sizes, c = per_axis(size, x.ndim - 2), x.shape[-1]
    axes = sliding(spatial_shape(x), size, stride, padding, dilation)
    y = np.zeros((x.shape[0], *output_of(axes), math.prod(sizes) * c), x.dtype)
    for o, taps in windows(axes):
        for t, p in taps:
            y[at(o)][:, features(t, sizes, c)] = x[at(p)]
    return y


def fold(
    y: ArrayLike,
    output_size: PerAxis,
    size: PerAxis,
    stride: PerAxis = 1,
    *,
    padding: Padding = "VALID",
    dilation: PerAxis = 1,
) -> Array:
    """The adjoint of `unfold` (col2im): put every patch back, and sum where they overlap.

        x[n, o * stride + t * dilation - low, c] += y[n, o, t * C + c]   for all o and t

    Shapes: y (N, *out, taps * C) -> (N, *output_size, C). Raises ValueError if `unfold` of that has not y's shape.

    >>> fold(np.ones((1, 2, 3)), 4, 3)[0, :, 0]
    array([1., 2., 2., 1.])
    """
    y = np.asarray(y)
    rank = len(spatial_shape(y))
    sizes, spatial = per_axis(size, rank), per_axis(output_size, rank)
    axes = sliding(spatial, size, stride, padding, dilation)
    if output_of(axes) != y.shape[1:-1] or y.shape[-1] % math.prod(sizes):
        raise ValueError(f"{y.shape} is not unfolded from {spatial}: that gives {output_of(axes)} patches")
    c = y.shape[-1] // math.prod(sizes)
    dtype, y = y.dtype, widen(y)
    x = np.zeros((y.shape[0], *spatial, c), y.dtype)
    for o, taps in windows(axes):
        for t, p in taps:
            x[at(p)] += y[at(o)][:, features(t, sizes, c)]
    return cast(x, dtype)
