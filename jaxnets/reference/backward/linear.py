"""The chain rule through linear rearrangements: whatever weight carried x[p] to y[o] carries dy[o] back to dx[p]."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from jaxnets.reference.dtypes import Array, cast, widen
from jaxnets.reference.padding import pad_windows
from jaxnets.reference.patches import fold, unfold
from jaxnets.reference.pixels import depth_to_space, space_to_depth
from jaxnets.reference.resize import axis_weights
from jaxnets.reference.windows import Padding, PaddingMode, PerAxis, at, per_axis, spatial_shape, windows


def pad_backward(dy: ArrayLike, x: ArrayLike, pads: Sequence[tuple[int, int]], mode: PaddingMode = "zeros") -> Array:
    """The gradient of `pad`: every element collects the gradients of all its copies.

        dx[n, p, c] = sum over the positions o that show p of dy[n, o, c]

    Shapes: dy (N, *(low + n + high), C), x (N, *spatial, C) -> (N, *spatial, C).

    >>> pad_backward(np.ones((1, 5, 1)), np.zeros((1, 3, 1)), [(1, 1)], "replicate")[0, :, 0]
    array([2., 1., 2.])
    """
    x, dy = np.asarray(x), widen(dy)
    dx = np.zeros(x.shape, dy.dtype)
    for o, taps in windows(pad_windows(spatial_shape(x), pads, mode)):
        for _, p in taps:
            dx[at(p)] += dy[at(o)]
    return cast(dx, x.dtype)


def unfold_backward(
    dy: ArrayLike,
    x: ArrayLike,
    size: PerAxis,
    stride: PerAxis = 1,
    *,
    padding: Padding = "VALID",
    dilation: PerAxis = 1,
) -> Array:
    """The gradient of `unfold` is `fold`: an element collects the gradients of all patches that it is in.

    Shapes: dy (N, *out, taps * C), x (N, *spatial, C) -> (N, *spatial, C).

    >>> unfold_backward(np.ones((1, 2, 3)), np.zeros((1, 4, 1)), 3)[0, :, 0]
    array([1., 2., 2., 1.])
    """
    spatial = spatial_shape(np.asarray(x))
    return cast(fold(dy, spatial, size, stride, padding=padding, dilation=dilation), np.asarray(x).dtype)


def fold_backward(
    dx: ArrayLike,
    y: ArrayLike,
    output_size: PerAxis,
    size: PerAxis,
    stride: PerAxis = 1,
    *,
    padding: Padding = "VALID",
    dilation: PerAxis = 1,
) -> Array:
    """The gradient of `fold` is `unfold`: each patch reads the gradient of what it was added to.

    Shapes: dx (N, *output_size, C), y (N, *out, taps * C) -> (N, *out, taps * C).

    >>> fold_backward(np.array([[[1.0], [2.0], [3.0]]]), np.zeros((1, 2, 2)), 3, 2)[0]
    array([[1., 2.],
           [2., 3.]])
    """
    dx = np.asarray(dx)
    if dx.shape[1:-1] != per_axis(output_size, dx.ndim - 2):
        raise ValueError(f"the gradient {dx.shape} is not that of an output of {output_size}")
    return cast(unfold(dx, size, stride, padding=padding, dilation=dilation), np.asarray(y).dtype)


def space_to_depth_backward(dy: ArrayLike, x: ArrayLike, block: PerAxis) -> Array:
    """The gradient of `space_to_depth`, a permutation, is its inverse.

    Shapes: dy (N, *(spatial / block), prod(block) * C), x (N, *spatial, C) -> (N, *spatial, C).

    >>> space_to_depth_backward(np.array([[[1.0, 2.0]]]), np.zeros((1, 2, 1)), 2)[0, :, 0]
    array([1., 2.])
    """
    return cast(depth_to_space(dy, block), np.asarray(x).dtype)


def depth_to_space_backward(dy: ArrayLike, x: ArrayLike, block: PerAxis) -> Array:
    """The gradient of `depth_to_space`, a permutation, is its inverse.

    Shapes: dy (N, *(spatial * block), C), x (N, *spatial, prod(block) * C) -> (N, *spatial, prod(block) * C).

    >>> depth_to_space_backward(np.array([[[1.0], [2.0]]]), np.zeros((1, 1, 2)), 2)[0]
    array([[1., 2.]])
    """
    return cast(space_to_depth(dy, block), np.asarray(x).dtype)


def resize_backward(
    dy: ArrayLike,
    x: ArrayLike,
    output_size: PerAxis,
    method: str = "linear",
    *,
    align_corners: bool = False,
) -> Array:
    """The gradient of `resize`: dx[p] += weight dy[o] for every neighbor p, clipped to the image, of output pixel o.

    Shapes: dy (N, *output_size, C), x (N, *spatial, C) -> (N, *spatial, C).

    >>> resize_backward(np.ones((1, 4, 1)), np.zeros((1, 2, 1)), 4)[0, :, 0]
    array([2., 2.])
    """
    x, dy = np.asarray(x), widen(dy)
    spatial = spatial_shape(x)
    sizes = per_axis(output_size, len(spatial))
    axes = [axis_weights(n, out, method, align_corners) for n, out in zip(spatial, sizes, strict=True)]
    dx = np.zeros(x.shape, dy.dtype)
    for o, neighbors in windows(axes):
        for weights, p in neighbors:
            dx[at(p)] += dy[at(o)] * math.prod(weights)
    return cast(dx, x.dtype)
