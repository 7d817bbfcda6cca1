"""The chain rule through averages: every element of a window gets its share of the window's gradient."""

import math

import numpy as np
from numpy.typing import ArrayLike

from jaxnets.reference.adaptive import OutputSize, adaptive_windows
from jaxnets.reference.average import divisors
from jaxnets.reference.blur import blur_windows, tap_weight
from jaxnets.reference.dtypes import Array, cast, widen
from jaxnets.reference.windows import Padding, PaddingMode, PerAxis, at, pooling, spatial_shape, windows


def avg_pool_backward(
    dy: ArrayLike,
    x: ArrayLike,
    size: PerAxis,
    stride: PerAxis | None = None,
    *,
    padding: Padding = "VALID",
    dilation: PerAxis = 1,
    ceil_mode: bool = False,
    count_include_pad: bool = False,
) -> Array:
    """The gradient of `avg_pool`: dx[p] += dy[o] / count[o] for every position p under window o.

    Shapes: dy (N, *out, C), x (N, *spatial, C), of which only the shape and dtype matter -> (N, *spatial, C).

    >>> avg_pool_backward(np.ones((1, 2, 1)), np.zeros((1, 3, 1)), 2, 1)[0, :, 0]
    array([0.5, 1. , 0.5])
    """
    x, dy = np.asarray(x), widen(dy)
    spatial = spatial_shape(x)
    axes = pooling(spatial, size, stride, padding, dilation, ceil_mode)
    counts = divisors(spatial, size, stride, padding, dilation, ceil_mode, count_include_pad)
    dx = np.zeros(x.shape, dy.dtype)
    for o, taps in windows(axes):
        for _, p in taps:
            dx[at(p)] += dy[at(o)] / math.prod(count[i] for count, i in zip(counts, o, strict=True))
    return cast(dx, x.dtype)


def adaptive_avg_pool_backward(dy: ArrayLike, x: ArrayLike, output_size: OutputSize) -> Array:
    """The gradient of `adaptive_avg_pool`: dx[p] += dy[o] / (size of window o) for every position p under it.

    Shapes: dy (N, *output_size, C), x (N, *spatial, C) -> (N, *spatial, C).

    >>> adaptive_avg_pool_backward(np.ones((1, 2, 1)), np.zeros((1, 3, 1)), 2)[0, :, 0]
    array([0.5, 1. , 0.5])
    """
    x, dy = np.asarray(x), widen(dy)
    dx = np.zeros(x.shape, dy.dtype)
    for o, taps in windows(adaptive_windows(spatial_shape(x), output_size)):
        for _, p in taps:
            dx[at(p)] += dy[at(o)] / len(taps)
    return cast(dx, x.dtype)


def global_avg_pool_backward(dy: ArrayLike, x: ArrayLike) -> Array:
    """The gradient of `global_avg_pool`: dx[n, p, c] = dy[n, c] / (number of positions).

    Shapes: dy (N, C) or (N, 1, .., 1, C), x (N, *spatial, C) -> (N, *spatial, C).

    >>> global_avg_pool_backward(np.array([[6.0]]), np.zeros((1, 3, 1)))[0, :, 0]
    array([2., 2., 2.])
    """
    x = np.asarray(x)
    rank = len(spatial_shape(x))
    return adaptive_avg_pool_backward(np.reshape(dy, (x.shape[0], *(1,) * rank, x.shape[-1])), x, 1)


def blur_pool_backward(
    dy: ArrayLike,
    x: ArrayLike,
    size: PerAxis = 3,
    stride: PerAxis = 2,
    *,
    padding_mode: PaddingMode = "reflect",
) -> Array:
    """The gradient of `blur_pool`: dx[p] += weight[t] dy[o] for each tap t of window o, at the element p that it read.

    Shapes: dy (N, *out, C), x (N, *spatial, C) -> (N, *spatial, C).

    >>> blur_pool_backward(np.ones((1, 2, 1)), np.zeros((1, 4, 1)))[0, :, 0]
    array([0.5 , 0.75, 0.5 , 0.25])
    """
    x, dy = np.asarray(x), widen(dy)
    filters, axes = blur_windows(spatial_shape(x), size, stride, padding_mode)
    dx = np.zeros(x.shape, dy.dtype)
    for o, taps in windows(axes):
        for t, p in taps:
            dx[at(p)] += dy[at(o)] * tap_weight(filters, t)
    return cast(dx, x.dtype)
