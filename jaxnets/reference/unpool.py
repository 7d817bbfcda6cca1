"""Unpooling: put every maximum back where it came from, zeros elsewhere."""

import math

import numpy as np
from numpy.typing import ArrayLike

from jaxnets.reference.dtypes import Array
from jaxnets.reference.windows import Padding, PerAxis, Position, pads, per_axis, spatial_shape


def unpooled_shape(
    out: Position, size: PerAxis, stride: PerAxis | None, padding: Padding, output_size: PerAxis | None
) -> Position:
    """The spatial shape that was pooled: `output_size`, or along each axis (out - 1) * stride + size - low - high.

    >>> unpooled_shape((3,), 3, 2, 1, None), unpooled_shape((3,), 3, 2, 1, 6)
    ((5,), (6,))
    """
    rank = len(out)
    if output_size is not None:
        return per_axis(output_size, rank)
    sizes = per_axis(size, rank)
    strides = sizes if stride is None else per_axis(stride, rank)
    if padding == "SAME":
        raise ValueError('with padding "SAME" the pooled shape is ambiguous: give output_size')
    pairs = pads(padding, out, sizes, strides, (1,) * rank)
    return tuple((o - 1) * s + k - low - high for o, k, s, (low, high) in zip(out, sizes, strides, pairs, strict=True))


def max_unpool(
    y: ArrayLike,
    indices: ArrayLike,
    size: PerAxis,
    stride: PerAxis | None = None,
    *,
    padding: Padding = "VALID",
    output_size: PerAxis | None = None,
) -> Array:
    """The partial inverse of `max_pool_with_indices`: its maxima at their places, zeros elsewhere.

        x[n, indices[n, o, c], c] = y[n, o, c]   for all o in row-major order: of several on one place the last stays

    Shapes: y and indices (N, *out, C) -> (N, *output_size, C); `output_size` defaults to
    (out - 1) * stride + size - low - high along each axis. Raises ValueError for an index beyond the output.
    Reference: Zeiler et al. 2011; Noh et al. 2015.

    >>> y, indices = np.array([3.0, 9.0]).reshape(1, 2, 1), np.array([1, 2]).reshape(1, 2, 1)
    >>> max_unpool(y, indices, 2)[0, :, 0]
    array([0., 3., 9., 0.])
    """
    y, indices = np.asarray(y), np.asarray(indices)
    shape = unpooled_shape(spatial_shape(y), size, stride, padding, output_size)
    if indices.size and (indices.min() < 0 or indices.max() >= math.prod(shape)):
        raise ValueError(f"an index from {indices.min()} to {indices.max()} is outside of {shape}")
    n, c = y.shape[0], y.shape[-1]
    x = np.zeros((n, math.prod(shape), c), y.dtype)
    sample, channel = np.arange(n)[:, None], np.arange(c)[None, :]
    for o in np.ndindex(*y.shape[1:-1]):
        x[sample, indices[(slice(None), *o)], channel] = y[(slice(None), *o)]
    return x.reshape(n, *shape, c)
