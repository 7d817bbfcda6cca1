"""The chain rule through convolutions: every product x[p] w[t] that went into y[o] sends dy[o] back both ways."""

import numpy as np
from numpy.typing import ArrayLike

from jaxnets.reference.channels import product, product_input, product_weights
from jaxnets.reference.conv import check_channels, conv_windows, depthwise_conv
from jaxnets.reference.conv_transpose import transpose_windows
from jaxnets.reference.dtypes import Array, cast, widen
from jaxnets.reference.windows import Padding, PaddingMode, PerAxis, at, spatial_shape, windows


def bias_gradient(dy: Array, dtype: np.dtype) -> Array:
    """The bias was added everywhere, so its gradient is the sum of dy over everything but the channels."""
    return cast(np.sum(dy, axis=tuple(range(dy.ndim - 1)), dtype=dy.dtype), dtype)


def conv_backward(
    dy: ArrayLike,
    x: ArrayLike,
    w: ArrayLike,
    *,
    stride: PerAxis = 1,
    padding: Padding = "SAME",
    dilation: PerAxis = 1,
    groups: int = 1,
    padding_mode: PaddingMode = "zeros",
) -> tuple[Array, Array, Array]:
    """The gradients of `conv`, from y[n, o, k] = b[k] + sum over t and c of x[n, p(o, t), c] w[t, c, k]:

        dx[n, p(o, t), c] += sum over k of dy[n, o, k] w[t, c, k]       for all o and t
        dw[t, c, k]       += sum over n of dy[n, o, k] x[n, p(o, t), c] for all o and t
        db[k]              = sum over n and o of dy[n, o, k]

    Shapes: dy (N, *out, K), x (N, *spatial, C), w (*size, C // groups, K) -> dx, dw, db as x, w, b.
    Reference: LeCun et al. 1989.

    >>> dx, dw, db = conv_backward(np.ones((1, 2, 1)), np.ones((1, 3, 1)), np.ones((2, 1, 1)), padding="VALID")
    >>> dx[0, :, 0], dw[:, 0, 0], db
    (array([1., 2., 1.]), array([2., 2.]), array([2.]))
    """
    x, w = np.asarray(x), np.asarray(w)
    check_channels(x.shape[-1], w, groups)
    axes = conv_windows(spatial_shape(x), w, stride, padding, dilation, padding_mode)
    dy, wide_x, wide_w = widen(dy), widen(x), widen(w)
    dx, dw = np.zeros_like(wide_x), np.zeros_like(wide_w)
    for o, taps in windows(axes):
        for t, p in taps:
            dx[at(p)] += product_input(dy[at(o)], wide_w[t], groups)
            dw[t] += product_weights(wide_x[at(p)], dy[at(o)], groups)
    return cast(dx, x.dtype), cast(dw, w.dtype), bias_gradient(dy, w.dtype)


def depthwise_conv_backward(
    dy: ArrayLike,
    x: ArrayLike,
    w: ArrayLike,
    *,
    stride: PerAxis = 1,
    padding: Padding = "SAME",
    dilation: PerAxis = 1,
    padding_mode: PaddingMode = "zeros",
) -> tuple[Array, Array, Array]:
    """The gradients of `depthwise_conv`: `conv_backward` with as many groups as channels.

    Shapes: dy (N, *out, C * multiplier), x (N, *spatial, C), w (*size, 1, C * multiplier) -> dx, dw, db as x, w, b.

    >>> depthwise_conv_backward(np.ones((1, 1, 2)), np.array([[[3.0, 5.0]]]), np.ones((1, 1, 2)))[1]
    array([[[3., 5.]]])
    """
    return conv_backward(
        dy,
        x,
        w,
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=np.shape(x)[-1],
        padding_mode=padding_mode,
    )


def separable_conv_backward(
    dy: ArrayLike,
    x: ArrayLike,
    depthwise_w: ArrayLike,
    pointwise_w: ArrayLike,
    *,
    stride: PerAxis = 1,
    padding: Padding = "SAME",
    dilation: PerAxis = 1,
    padding_mode: PaddingMode = "zeros",
) -> tuple[Array, Array, Array, Array]:
    """The gradients of `separable_conv`: back through the pointwise, then through the depthwise convolution.

    Shapes: dy (N, *out, K), then as `separable_conv` -> dx, d(depthwise_w), d(pointwise_w), db.

    >>> x, w = np.array([[[3.0, 5.0]]]), np.ones((1, 1, 2))
    >>> separable_conv_backward(np.ones((1, 1, 1)), x, w, np.ones((1, 2, 1)))[1]
    array([[[3., 5.]]])
    """
    hidden = depthwise_conv(
        x, depthwise_w, stride=stride, padding=padding, dilation=dilation, padding_mode=padding_mode
    )
    dhidden, dpointwise, db = conv_backward(dy, hidden, pointwise_w, padding="VALID")
    dx, ddepthwise, _ = depthwise_conv_backward(
        dhidden, x, depthwise_w, stride=stride, padding=padding, dilation=dilation, padding_mode=padding_mode
    )
    return dx, ddepthwise, dpointwise, db


def conv_transpose_backward(
    dy: ArrayLike,
    x: ArrayLike,
    w: ArrayLike,
    *,
    stride: PerAxis = 1,
    padding: Padding = "SAME",
    output_padding: PerAxis = 0,
    dilation: PerAxis = 1,
    groups: int = 1,
) -> tuple[Array, Array, Array]:
    """The gradients of `conv_transpose`, from y[n, p(o, t), c] += sum over k of x[n, o, k] w[t, c, k]:

        dx[n, o, k] += sum over c of dy[n, p(o, t), c] w[t, c, k]       for all o and t
        dw[t, c, k] += sum over n of dy[n, p(o, t), c] x[n, o, k]       for all o and t
        db[c]        = sum over n and p of dy[n, p, c]

    Shapes: dy (N, *out, C), x (N, *spatial, K), w (*size, C // groups, K) -> dx, dw, db as x, w, b.

    >>> x, w = np.array([[[1.0], [2.0]]]), np.ones((2, 1, 1))
    >>> dx, dw, db = conv_transpose_backward(np.ones((1, 4, 1)), x, w, stride=2)
    >>> dx[0, :, 0], dw[:, 0, 0], db
    (array([2., 2.]), array([3., 3.]), array([4.]))
    """
    x, w = np.asarray(x), np.asarray(w)
    _, axes = transpose_windows(spatial_shape(x), w, stride, padding, output_padding, dilation)
    dy, wide_x, wide_w = widen(dy), widen(x), widen(w)
    dx, dw = np.zeros_like(wide_x), np.zeros_like(wide_w)
    for o, taps in windows(axes):
        for t, p in taps:
            dx[at(o)] += product(dy[at(p)], wide_w[t], groups)
            dw[t] += product_weights(dy[at(p)], wide_x[at(o)], groups)
    return cast(dx, x.dtype), cast(dw, w.dtype), bias_gradient(dy, w.dtype)


def dense_backward(dy: ArrayLike, x: ArrayLike, w: ArrayLike) -> tuple[Array, Array, Array]:
    """The gradients of `dense`, from y[..., k] = b[k] + sum over d of x[..., d] w[d, k]:

        dx[..., d] = sum over k of dy[..., k] w[d, k]
        dw[d, k]   = sum over everything before of x[..., d] dy[..., k]
        db[k]      = sum over everything before of dy[..., k]

    Shapes: dy (..., K), x (..., D), w (D, K) -> dx, dw, db as x, w, b.
    Reference: Rumelhart, Hinton and Williams 1986.

    >>> dense_backward(np.array([[1.0]]), np.array([[2.0, 3.0]]), np.array([[4.0], [5.0]]))[0]
    array([[4., 5.]])
    """
    x, w = np.asarray(x), np.asarray(w)
    dy, wide_x, wide_w = widen(dy), widen(x), widen(w)
    dx, dw = np.zeros_like(wide_x), np.zeros_like(wide_w)
    for row in np.ndindex(*x.shape[:-1]):
        for d in range(w.shape[0]):
            dx[(*row, d)] = np.sum(dy[row] * wide_w[d], dtype=dy.dtype)
            dw[d] += wide_x[(*row, d)] * dy[row]
    return cast(dx, x.dtype), cast(dw, w.dtype), bias_gradient(dy, w.dtype)
