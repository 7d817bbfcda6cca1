"""Maximum and minimum pooling, with the place where each extremum was found."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from jaxnets.reference.dtypes import Array
from jaxnets.reference.windows import Axis, Padding, PerAxis, at, output_of, pooling, spatial_shape, windows


def beats(challenger: Array, best: Array, sign: int) -> Array:
    """Where a later element replaces the best so far: if it is strictly better, or the first NaN."""
    with np.errstate(invalid="ignore"):
        better = challenger > best if sign > 0 else challenger < best
        return better | ((challenger != challenger) & (best == best))


def first_extremum(x: Array, axes: Sequence[Axis[int]], sign: int = 1) -> tuple[Array, Array]:
    """The extremum in every window and its flat row-major position: two (N, *out, C). Of equals the first counts.

    `sign` is 1 for maxima, -1 for minima. A NaN anywhere in the window is its extremum.
    """
    spatial = x.shape[1:-1]
    shape = (x.shape[0], *output_of(axes), x.shape[-1])
    y, indices = np.zeros(shape, x.dtype), np.zeros(shape, np.int32)
    for o, taps in windows(axes):
        first = taps[0][1]
        best, where = x[at(first)], np.full((shape[0], shape[-1]), np.ravel_multi_index(first, spatial))
        for _, p in taps[1:]:
            wins = beats(x[at(p)], best, sign)
            best = np.where(wins, x[at(p)], best)
            where = np.where(wins, np.ravel_multi_index(p, spatial), where)
        y[at(o)], indices[at(o)] = best, where
    return y, indices


def max_pool_with_indices(
    x: ArrayLike,
    size: PerAxis,
    stride: PerAxis | None = None,
    *,
    padding: Padding = "VALID",
    dilation: PerAxis = 1,
    ceil_mode: bool = False,
) -> tuple[Array, Array]:
    """`max_pool`, and where each maximum was: flat row-major positions in the unpadded spatial axes of one image.

        indices[n, o, c] = the first argmax of x[n, p, c] over the positions p under window o

    Shapes: x (N, *spatial, C) -> y (N, *out, C), indices (N, *out, C) in int32.
    Reference: Zeiler and Fergus 2014 ("switches").

    >>> y, indices = max_pool_with_indices(np.array([1.0, 3, 3, 2]).reshape(1, 4, 1), 2)
    >>> y[0, :, 0], indices[0, :, 0]
    (array([3., 3.]), array([1, 2], dtype=int32))
    """
    x = np.asarray(x)
    return first_extremum(x, pooling(spatial_shape(x), size, stride, padding, dilation, ceil_mode))


def max_pool(
    x: ArrayLike,
    size: PerAxis,
    stride: PerAxis | None = None,
    *,
    padding: Padding = "VALID",
    dilation: PerAxis = 1,
    ceil_mode: bool = False,
) -> Array:
    """The largest element in each window; padding never wins, a NaN always does.

        y[n, o, c] = max over taps t of x[n, o * stride + t * dilation - low, c]

    Shapes: x (N, *spatial, C) -> (N, *out, C). Raises ValueError if a window sees only padding.
    Reference: Weng et al. 1992; Ranzato et al. 2007.

    >>> max_pool(np.array([1, 3, 2, 5, 4]).reshape(1, 5, 1), 3, 2)[0, :, 0]
    array([3, 5])
    """
    return max_pool_with_indices(x, size, stride, padding=padding, dilation=dilation, ceil_mode=ceil_mode)[0]


def min_pool(
    x: ArrayLike,
    size: PerAxis,
    stride: PerAxis | None = None,
    *,
    padding: Padding = "VALID",
    dilation: PerAxis = 1,
    ceil_mode: bool = False,
) -> Array:
    """The smallest element in each window; padding never wins, a NaN always does (erosion with a flat element).

        y[n, o, c] = min over taps t of x[n, o * stride + t * dilation - low, c]

    Shapes: x (N, *spatial, C) -> (N, *out, C). Raises ValueError if a window sees only padding.
    Reference: Serra 1982.

    >>> min_pool(np.array([1, 3, 2, 5, 4]).reshape(1, 5, 1), 3, 2)[0, :, 0]
    array([1, 2])
    """
    x = np.asarray(x)
    return first_extremum(x, pooling(spatial_shape(x), size, stride, padding, dilation, ceil_mode), sign=-1)[0]
