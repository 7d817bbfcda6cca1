"""Deformable convolution: every tap is read where its offset leads, between pixels by linear interpolation."""

import itertools
import math

import numpy as np
from numpy.typing import ArrayLike

from jaxnets.reference.dtypes import Array, cast, widen
from jaxnets.reference.windows import Padding, PerAxis, extent, output_length, pads, per_axis, spatial_shape


def between(image: Array, at: Array) -> Array:
    """`image`, (*spatial, C), at real coordinates: each of the pixels around counts 1 - distance on each axis.

    >>> between(np.array([[0.0], [10.0], [20.0]]), np.array([1.25])), between(np.array([[8.0]]), np.array([-0.5]))
    (array([12.5]), array([4.]))
    """
    total = np.zeros(image.shape[-1], image.dtype)
    for pixel in itertools.product(*((math.floor(a), math.floor(a) + 1) for a in at)):
        if all(0 <= p < n for p, n in zip(pixel, image.shape, strict=False)):
            total += math.prod(1 - abs(a - p) for a, p in zip(at, pixel, strict=True)) * image[pixel]
    return total


def deform_conv(
    x: ArrayLike,
    offset: ArrayLike,
    w: ArrayLike,
    b: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    stride: PerAxis = 1,
    padding: Padding = "SAME",
    dilation: PerAxis = 1,
    groups: int = 1,
    offset_groups: int = 1,
) -> Array:
    """Convolve with taps moved by offsets and weighted by a mask.

        y[n, o, k] = b[k] + sum over t, c of mask[n, o, t] x[n, p, c] w[t, c, k]
        with p = o * stride - low + t * dilation + offset[n, o, t]

    Along the last axis of offset: group of channels, tap, spatial axis; of mask: group of channels, tap.

    Shapes: x (N, *spatial, C), offset (N, *out, offset_groups * taps * rank), w (*size, C // groups, K), b (K,), mask
    (N, *out, offset_groups * taps) -> (N, *out, K).
    Reference: Dai et al. 2017; the mask, Zhu et al. 2019; the order of the offsets is torchvision's.

    >>> x = np.array([0.0, 10.0, 20.0]).reshape(1, 3, 1)
    >>> deform_conv(x, np.array([0.5, 0.0, 0.5]).reshape(1, 3, 1), np.ones((1, 1, 1))).ravel()
    array([ 5., 10., 10.])
    """
    dtype, x, offset, w = np.asarray(x).dtype, widen(x), widen(offset), widen(w)
    spatial, size = spatial_shape(x), w.shape[:-2]
    rank, taps = len(spatial), list(np.ndindex(*size))
    strides, dilations = per_axis(stride, rank), per_axis(dilation, rank)
    low_high = pads(padding, spatial, size, strides, dilations)
    out = tuple(
        output_length(n, extent(k, d), s, low, high)
        for n, k, s, d, (low, high) in zip(spatial, size, strides, dilations, low_high, strict=True)
    )
    width, part, filters = x.shape[-1] // offset_groups, x.shape[-1] // groups, w.shape[-1] // groups
    offset = offset.reshape(len(x), *out, offset_groups, len(taps), rank)
    weight = np.ones(offset.shape[:-1]) if mask is None else widen(mask).reshape(offset.shape[:-1])
    y = np.zeros((len(x), *out, w.shape[-1]), x.dtype)
    for n, *o in np.ndindex(len(x), *out):
        for t, tap in enumerate(taps):
            still = [
                p * s - low + i * d for p, s, (low, _), i, d in zip(o, strides, low_high, tap, dilations, strict=True)
            ]
            read = np.concatenate(
                [
                    weight[(n, *o, g, t)]
                    * between(x[n, ..., g * width : (g + 1) * width], still + offset[(n, *o, g, t)])
                    for g in range(offset_groups)
                ]
            )
            for g in range(groups):
                mine = slice(g * filters, (g + 1) * filters)
                y[(n, *o)][mine] += read[g * part : (g + 1) * part] @ w[tap][:, mine]
    return cast(y if b is None else y + widen(b), dtype)
