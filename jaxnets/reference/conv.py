"""Convolution: every output position is a weighted sum of the inputs under its window."""

import numpy as np
from numpy.typing import ArrayLike

from jaxnets.reference.channels import product
from jaxnets.reference.dtypes import Array, cast, widen
from jaxnets.reference.windows import (
    Axis,
    Padding,
    PaddingMode,
    PerAxis,
    Position,
    at,
    output_of,
    sliding,
    spatial_shape,
    windows,
)


def check_channels(c: int, w: Array, groups: int) -> None:
    """Raise unless `w`, (*size, C // groups, K), reads `c` channels in `groups` groups."""
    if groups < 1 or w.shape[-2] * groups != c or w.shape[-1] % groups:
        raise ValueError(f"weights of shape {w.shape} do not fit {c} channels in {groups} groups")


def conv_windows(
    spatial: Position,
    w: Array,
    stride: PerAxis,
    padding: Padding,
    dilation: PerAxis,
    padding_mode: PaddingMode = "zeros",
) -> list[Axis[int]]:
    """The windows of a convolution of `spatial` elements with `w`, (*size, C // groups, K)."""
    if w.ndim != len(spatial) + 2:
        raise ValueError(f"weights of shape {w.shape} do not fit the spatial axes {spatial}")
    return sliding(spatial, w.shape[:-2], stride, padding, dilation, mode=padding_mode)


def conv(
    x: ArrayLike,
    w: ArrayLike,
    b: ArrayLike | None = None,
    *,
    stride: PerAxis = 1,
    padding: Padding = "SAME",
    dilation: PerAxis = 1,
    groups: int = 1,
    padding_mode: PaddingMode = "zeros",
) -> Array:
    """Convolve (without flipping the kernel: cross-correlate), add the bias.

        y[n, o, k] = b[k] + sum over taps t and channels c of x[n, o * stride + t * dilation - low, c] w[t, c, k]

    c runs over the input channels of the group of k; x outside its bounds is what `padding_mode` says.

    Shapes: x (N, *spatial, C), w (*size, C // groups, K), b (K,) -> (N, *out, K).
    Reference: Fukushima 1980; LeCun et al. 1989; dilation, Yu and Koltun 2016; groups, Krizhevsky et al. 2012.

    >>> x = np.array([1.0, 2, 3, 4]).reshape(1, 4, 1)
    >>> conv(x, np.array([1.0, 0, -1]).reshape(3, 1, 1))[0, :, 0]
    array([-2., -2., -2.,  3.])
    """
    x, w = np.asarray(x), np.asarray(w)
    check_channels(x.shape[-1], w, groups)
    axes = conv_windows(spatial_shape(x), w, stride, padding, dilation, padding_mode)
    dtype, x, w = x.dtype, widen(x), widen(w)
    y = np.zeros((x.shape[0], *output_of(axes), w.shape[-1]), x.dtype)
    for o, taps in windows(axes):
        for t, p in taps:
            y[at(o)] += product(x[at(p)], w[t], groups)
    if b is not None:
        y += widen(b)
    return cast(y, dtype)


def depthwise_conv(
    x: ArrayLike,
    w: ArrayLike,
    b: ArrayLike | None = None,
    *,
    stride: PerAxis = 1,
    padding: Padding = "SAME",
    dilation: PerAxis = 1,
    padding_mode: PaddingMode = "zeros",
) -> Array:
    """Convolve every channel on its own: `conv` with as many groups as channels.

        y[n, o, c * multiplier + j] = b[...] + sum over taps t of x[n, o * stride + t * dilation - low, c] w[t, 0, ...]

    Shapes: x (N, *spatial, C), w (*size, 1, C * multiplier), b (C * multiplier,) -> (N, *out, C * multiplier).
    Reference: Sifre 2014; Howard et al. 2017 (MobileNet).

    >>> x = np.array([[[1.0, 10.0], [2.0, 20.0]]])
    >>> depthwise_conv(x, np.ones((2, 1, 2)), padding="VALID")
    array([[[ 3., 30.]]])
    """
    groups = np.shape(x)[-1]
    return conv(
        x,
        w,
        b,
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
        padding_mode=padding_mode,
    )


def separable_conv(
    x: ArrayLike,
    depthwise_w: ArrayLike,
    pointwise_w: ArrayLike,
    b: ArrayLike | None = None,
    *,
    stride: PerAxis = 1,
    padding: Padding = "SAME",
    dilation: PerAxis = 1,
    padding_mode: PaddingMode = "zeros",
) -> Array:
    """First space, then channels: a depthwise convolution, then a convolution of size 1 that mixes the channels.

    Shapes: x (N, *spatial, C), depthwise_w (*size, 1, C * multiplier), pointwise_w (1, .., 1, C * multiplier, K),
    b (K,) -> (N, *out, K).
    Reference: Chollet 2017 (Xception).

    >>> x = np.array([[[1.0, 10.0], [2.0, 20.0]]])
    >>> separable_conv(x, np.ones((2, 1, 2)), np.ones((1, 2, 1)), padding="VALID")
    array([[[33.]]])
    """
    y = depthwise_conv(x, depthwise_w, stride=stride, padding=padding, dilation=dilation, padding_mode=padding_mode)
    return conv(y, pointwise_w, b, padding="VALID")
