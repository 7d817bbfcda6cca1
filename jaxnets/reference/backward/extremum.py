"""The chain rule through maxima and minima: the whole gradient goes to the first extremum of each window."""

import math

import numpy as np
from numpy.typing import ArrayLike

from jaxnets.reference.adaptive import OutputSize, adaptive_windows
from jaxnets.reference.dtypes import Array, cast, widen
from jaxnets.reference.extremum import first_extremum
from jaxnets.reference.fractional import fractional_max_pool_with_indices
from jaxnets.reference.unpool import unpooled_shape
from jaxnets.reference.windows import Padding, PerAxis, Position, at, pooling, spatial_shape


def route(dy: Array, indices: Array, spatial: Position) -> Array:
    """dx[n, indices[n, o, c], c] += dy[n, o, c] for all o: (N, *out, C) twice -> (N, *spatial, C).

    Windows that overlap may share their extremum: its gradients add up.
    """
    n, c = dy.shape[0], dy.shape[-1]
    dx = np.zeros((n, math.prod(spatial), c), dy.dtype)
    sample, channel = np.arange(n)[:, None], np.arange(c)[None, :]
    for o in np.ndindex(*dy.shape[1:-1]):  # within one o no two (sample, channel) meet, so += adds each once
        dx[sample, indices[at(o)], channel] += dy[at(o)]
    return dx.reshape(n, *spatial, c)


def max_pool_backward(
    dy: ArrayLike,
    x: ArrayLike,
    size: PerAxis,
    stride: PerAxis | None = None,
    *,
    padding: Padding = "VALID",
    dilation: PerAxis = 1,
    ceil_mode: bool = False,
) -> Array:
    """The gradient of `max_pool`: dx[first argmax of window o] += dy[o]. In ties, first means first in row-major order.

    Shapes: dy (N, *out, C), x (N, *spatial, C) -> (N, *spatial, C).

    >>> max_pool_backward(np.ones((1, 2, 1)), np.array([1.0, 3, 3, 2]).reshape(1, 4, 1), 3, 1)[0, :, 0]
    array([0., 2., 0., 0.])
    """
    x = np.asarray(x)
    axes = pooling(spatial_shape(x), size, stride, padding, dilation, ceil_mode)
    return cast(route(widen(dy), first_extremum(x, axes)[1], x.shape[1:-1]), x.dtype)


def min_pool_backward(
    dy: ArrayLike,
    x: ArrayLike,
    size: PerAxis,
    stride: PerAxis | None = None,
    *,
    padding: Padding = "VALID",
    dilation: PerAxis = 1,
    ceil_mode: bool = False,
) -> Array:
    """The gradient of `min_pool`: dx[first argmin of window o] += dy[o].

    Shapes: dy (N, *out, C), x (N, *spatial, C) -> (N, *spatial, C).

    >>> min_pool_backward(np.ones((1, 2, 1)), np.array([4.0, 3, 3, 5]).reshape(1, 4, 1), 3, 1)[0, :, 0]
    array([0., 2., 0., 0.])
    """
    x = np.asarray(x)
    axes = pooling(spatial_shape(x), size, stride, padding, dilation, ceil_mode)
    return cast(route(widen(dy), first_extremum(x, axes, sign=-1)[1], x.shape[1:-1]), x.dtype)


def adaptive_max_pool_backward(dy: ArrayLike, x: ArrayLike, output_size: OutputSize) -> Array:
    """The gradient of `adaptive_max_pool`: dx[first argmax of window o] += dy[o].

    Shapes: dy (N, *output_size, C), x (N, *spatial, C) -> (N, *spatial, C).

    >>> adaptive_max_pool_backward(np.ones((1, 2, 1)), np.array([0.0, 7, 0]).reshape(1, 3, 1), 2)[0, :, 0]
    array([0., 2., 0.])
    """
    x = np.asarray(x)
    axes = adaptive_windows(spatial_shape(x), output_size)
    return cast(route(widen(dy), first_extremum(x, axes)[1], x.shape[1:-1]), x.dtype)


def global_max_pool_backward(dy: ArrayLike, x: ArrayLike) -> Array:
    """The gradient of `global_max_pool`: all of dy goes to the first maximum of each channel.

    Shapes: dy (N, C) or (N, 1, .., 1, C), x (N, *spatial, C) -> (N, *spatial, C).

    >>> global_max_pool_backward(np.array([[5.0]]), np.array([1.0, 2, 2]).reshape(1, 3, 1))[0, :, 0]
    array([0., 5., 0.])
    """
    x = np.asarray(x)
    rank = len(spatial_shape(x))
    return adaptive_max_pool_backward(np.reshape(dy, (x.shape[0], *(1,) * rank, x.shape[-1])), x, 1)


def fractional_max_pool_backward(
    dy: ArrayLike, x: ArrayLike, size: PerAxis, output_size: PerAxis, *, samples: ArrayLike
) -> Array:
    """The gradient of `fractional_max_pool`: dx[first argmax of window o] += dy[o].

    Shapes: dy (N, *output_size, C), x (N, *spatial, C), samples (N, C, rank) -> (N, *spatial, C).

    >>> x, samples = np.array([1.0, 2, 1, 3]).reshape(1, 4, 1), np.zeros((1, 1, 1))
    >>> fractional_max_pool_backward(np.ones((1, 3, 1)), x, 2, 3, samples=samples)[0, :, 0]
    array([0., 2., 0., 1.])
    """
    x = np.asarray(x)
    _, indices = fractional_max_pool_with_indices(x, size, output_size, samples=samples)
    return cast(route(widen(dy), indices, x.shape[1:-1]), x.dtype)


def max_unpool_backward(
    dy: ArrayLike,
    y: ArrayLike,
    indices: ArrayLike,
    size: PerAxis,
    stride: PerAxis | None = None,
    *,
    padding: Padding = "VALID",
    output_size: PerAxis | None = None,
) -> Array:
    """The gradient of `max_unpool` in `y`: what was put at indices[o] reads its gradient there.

        d(y)[n, o, c] = dy[n, indices[n, o, c], c]

    Where several o share an index, each of them reads it, as in PyTorch (though only one of them was kept). The options
    give the output's shape, which dy must have.

    Shapes: dy (N, *output_size, C), y and indices (N, *out, C) -> (N, *out, C).

    >>> y, indices = np.array([3.0, 9.0]).reshape(1, 2, 1), np.array([1, 2]).reshape(1, 2, 1)
    >>> max_unpool_backward(np.array([1.0, 2, 3, 4]).reshape(1, 4, 1), y, indices, 2)[0, :, 0]
    array([2., 3.])
    """
    dy, y, indices = np.asarray(dy), np.asarray(y), np.asarray(indices)
    shape = unpooled_shape(spatial_shape(y), size, stride, padding, output_size)
    if dy.shape[1:-1] != shape:
        raise ValueError(f"the gradient {dy.shape} does not fit an unpooled output of {shape}")
    n, c = y.shape[0], y.shape[-1]
    flat = dy.reshape(n, math.prod(shape), c)
    sample, channel = np.arange(n)[:, None], np.arange(c)[None, :]
    result = np.zeros_like(y)
    for o in np.ndindex(*y.shape[1:-1]):
        result[at(o)] = flat[sample, indices[at(o)], channel]
    return result
