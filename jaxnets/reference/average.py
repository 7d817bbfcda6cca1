"""Average pooling, and how many elements a window averages over."""

import math

import numpy as np
from numpy.typing import ArrayLike

from jaxnets.reference.dtypes import Array, cast, mean_dtype, widen
from jaxnets.reference.windows import (
    Axis,
    Padding,
    PerAxis,
    Position,
    at,
    output_of,
    pads,
    per_axis,
    pooling,
    spatial_shape,
    windows,
)


def averaged(
    x: ArrayLike, size: PerAxis, stride: PerAxis | None, padding: Padding, dilation: PerAxis, ceil_mode: bool
) -> tuple[Array, list[Axis[int]]]:
    """`x` in the float type it is averaged in, and the windows of its pooling."""
    x = np.asarray(x)
    axes = pooling(spatial_shape(x), size, stride, padding, dilation, ceil_mode)
    return widen(x.astype(mean_dtype(x.dtype), copy=False)), axes


def divisors(
    spatial: Position,
    size: PerAxis,
    stride: PerAxis | None,
    padding: Padding,
    dilation: PerAxis,
    ceil_mode: bool,
    count_include_pad: bool,
) -> list[list[int]]:
    """How many taps count, for each output of each axis: those on real elements.

    With `count_include_pad`, those on the input and its (low, high) padding. What `ceil_mode` lets hang over beyond
    that never counts.

    >>> divisors((4,), 3, 2, 1, 1, True, False), divisors((4,), 3, 2, 1, 1, True, True)
    ([[2, 3, 1]], [[3, 3, 2]])
    """
    axes = pooling(spatial, size, stride, padding, dilation, ceil_mode)
    if not count_include_pad:
        return [[len(seen) for seen in axis] for axis in axes]
    rank = len(spatial)
    sizes, dilations = per_axis(size, rank), per_axis(dilation, rank)
    strides = sizes if stride is None else per_axis(stride, rank)
    counts = []
    for axis, n, k, s, d, (low, high) in zip(
        axes,
        spatial,
        sizes,
        strides,
        dilations,
        pads(padding, spatial, sizes, strides, dilations),
        strict=True,
    ):
        ends = [[o * s + t * d for t in range(k)] for o in range(len(axis))]
        counts.append([sum(end < low + n + high for end in window) for window in ends])
    return counts


def avg_pool(
    x: ArrayLike,
    size: PerAxis,
    stride: PerAxis | None = None,
    *,
    padding: Padding = "VALID",
    dilation: PerAxis = 1,
    ceil_mode: bool = False,
    count_include_pad: bool = False,
) -> Array:
    """The mean of each window.

        y[n, o, c] = (sum over taps t of x[n, o * stride + t * dilation - low, c]) / count[o]

    The count is the number of taps on real elements, or with `count_include_pad` on the input and its padding. Integers
    give float32.

    Shapes: x (N, *spatial, C) -> (N, *out, C). Raises ValueError if a window sees only padding.
    Reference: Fukushima 1980; LeCun et al. 1998 (subsampling).

    >>> x = np.array([1.0, 2, 3, 4]).reshape(1, 4, 1)
    >>> avg_pool(x, 3, 2, padding=1)[0, :, 0]
    array([1.5, 3. ])
    >>> avg_pool(x, 3, 2, padding=1, count_include_pad=True)[0, :, 0]
    array([1., 3.])
    """
    dtype = mean_dtype(np.asarray(x).dtype)
    x, axes = averaged(x, size, stride, padding, dilation, ceil_mode)
    counts = divisors(x.shape[1:-1], size, stride, padding, dilation, ceil_mode, count_include_pad)
    y = np.zeros((x.shape[0], *output_of(axes), x.shape[-1]), x.dtype)
    for o, taps in windows(axes):
        for _, p in taps:
            y[at(o)] += x[at(p)]
        y[at(o)] /= math.prod(count[i] for count, i in zip(counts, o, strict=True))
    return cast(y, dtype)
