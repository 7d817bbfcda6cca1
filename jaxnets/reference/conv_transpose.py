"""Transposed convolution: every input element stamps the kernel onto the output."""

import numpy as np
from numpy.typing import ArrayLike

from jaxnets.reference.channels import product_input
from jaxnets.reference.conv import conv_windows
from jaxnets.reference.dtypes import Array, cast, widen
from jaxnets.reference.windows import (
    Axis,
    Padding,
    PerAxis,
    Position,
    at,
    extent,
    output_of,
    pads,
    per_axis,
    spatial_shape,
    windows,
)


def transpose_windows(
    spatial: Position,
    w: Array,
    stride: PerAxis,
    padding: Padding,
    output_padding: PerAxis,
    dilation: PerAxis,
) -> tuple[Position, list[Axis[int]]]:
    """The output shape m and the windows of the convolution m -> `spatial` whose adjoint is wanted.

    Several m may give the same `spatial` when the stride is over 1; `output_padding` chooses among them. It
    counts up from the smallest, except with "SAME", where it counts down from the largest, stride * n.
    """
    rank = len(spatial)
    size, strides, dilations = w.shape[:rank], per_axis(stride, rank), per_axis(dilation, rank)
    extra = per_axis(output_padding, rank, least=1 - max(strides))
    if padding == "SAME":
        out = tuple(n * s + e for n, s, e in zip(spatial, strides, extra, strict=True))
    else:
        spans = [extent(k, d) for k, d in zip(size, dilations, strict=True)]
        pairs = pads(padding, spatial, size, strides, dilations)
        out = tuple(
            (n - 1) * s + span - low - high + e
            for n, s, span, (low, high), e in zip(spatial, strides, spans, pairs, extra, strict=True)
        )
    if min(out) < 1:
        raise ValueError(f"the output would have the shape {out}")
    axes = conv_windows(out, w, stride, padding, dilation)
    if output_of(axes) != spatial:
        raise ValueError(f"a convolution of {out} gives {output_of(axes)}, not {spatial}: output_padding is illegal")
    return out, axes


def conv_transpose(
    x: ArrayLike,
    w: ArrayLike,
    b: ArrayLike | None = None,
    *,
    stride: PerAxis = 1,
    padding: Padding = "SAME",
    output_padding: PerAxis = 0,
    dilation: PerAxis = 1,
    groups: int = 1,
) -> Array:
    """The adjoint of `conv` with the same weights: <conv(a, w), x> = <a, conv_transpose(x, w)> for all a and x.

        y[n, o * stride + t * dilation - low, c] += sum over k of x[n, o, k] w[t, c, k]   for all o and t

    Shapes: x (N, *spatial, K), w (*size, C // groups, K), b (C,) -> (N, *out, C), where along each axis
    out = (n - 1) * stride + (size - 1) * dilation + 1 - low - high + output_padding;
    for "SAME", out = stride * n + output_padding.
    Raises ValueError unless a convolution of `out` elements gives back n.
    Reference: Zeiler et al. 2010; Dumoulin and Visin 2016.

    >>> x = np.array([1.0, 10.0]).reshape(1, 2, 1)
    >>> conv_transpose(x, np.array([1.0, 2, 3]).reshape(3, 1, 1), stride=2, padding="VALID")[0, :, 0]
    array([ 1.,  2., 13., 20., 30.])
    """
    x, w = np.asarray(x), np.asarray(w)
    if w.shape[-1] != x.shape[-1] or groups < 1 or w.shape[-1] % groups:
        raise ValueError(f"weights of shape {w.shape} do not fit {x.shape[-1]} channels in {groups} groups")
    out, axes = transpose_windows(spatial_shape(x), w, stride, padding, output_padding, dilation)
    dtype, x, w = x.dtype, widen(x), widen(w)
    y = np.zeros((x.shape[0], *out, w.shape[-2] * groups), x.dtype)
    for o, taps in windows(axes):
        for t, p in taps:
            y[at(p)] += product_input(x[at(o)], w[t], groups)
    if b is not None:
        y += widen(b)
    return cast(y, dtype)
