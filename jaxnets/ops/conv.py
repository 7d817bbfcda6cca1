"""Convolutions, arrays in, arrays out, for 1, 2 and 3 spatial axes."""

from __future__ import annotations

from collections.abc import Sequence

import jax

from jaxnets.ops import check
from jaxnets.ops.geometry import Ints, Padding, Window, pads, transpose_window
from jaxnets.ops.kernels import conv as kernel
from jaxnets.ops.kernels import switch
from jaxnets.ops.kernels.problem import Problem
from jaxnets.ops.pad import modes_per_axis, pad
from jaxnets.ops.precision import widen_narrow


def _kernel(op: str, x: jax.Array, w: jax.Array, channels: int, axis: int, groups: int) -> tuple[jax.Array, int]:
    """Check `w` against `x`, whose `channels` must be what w's `axis` asks for, and `groups` against both."""
    w = check.array(op, w, "w")
    check.same_dtype(op, x, w, "w")
    groups = check.whole(op, groups, "groups")
    if w.ndim != x.ndim:
        raise ValueError(
            f"{op}: w has shape {w.shape}, rank {w.ndim}, but x {x.shape} has rank {x.ndim}; w is (*size, C // groups, "
            f"K), with {x.ndim - 2} sizes"
        )
    if 0 in w.shape:
        raise ValueError(f"{op}: w has shape {w.shape}; no axis of a kernel may be empty")
    if w.shape[-1] % groups:
        raise ValueError(
            f"{op}: groups={groups} does not divide the {w.shape[-1]} filters of w {w.shape}; use a divisor"
        )
    expected = w.shape[-2] * groups if axis == -2 else w.shape[-1]
    if channels != expected:
        what = f"{w.shape[-2]} per group x {groups} groups" if axis == -2 else "w's filters, its last axis"
        raise ValueError(
            f"{op}: x {x.shape} has {channels} channels but w {w.shape} takes {expected} ({what}); "
            f"pass x with {expected} channels (the last axis), or a w made for {channels}"
        )
    return w, groups


def _plus_bias(op: str, y: jax.Array, b: jax.Array | None) -> jax.Array:
    if b is None:
        return y
    b = check.vector(op, b, y.shape[-1], y, "b").reshape((1,) * (y.ndim - 1) + (-1,))
    # In float32 at least: the gradient of b is a sum over the batch and space, which bfloat16 would lose.
    return (widen_narrow(y) + widen_narrow(b)).astype(y.dtype)


def conv(
    x: jax.Array,
    w: jax.Array,
    b: jax.Array | None = None,
    *,
    stride: Ints = 1,
    padding: Padding = "SAME",
    dilation: Ints = 1,
    groups: int = 1,
    padding_mode: str | Sequence[str] = "zeros",
    lowering: str | None = None,
) -> jax.Array:
    """Convolution (cross-correlation) of feature maps with filters.

    `y[n, i, k] = b[k] + Σ_t Σ_c x[n, i * stride - low + t * dilation, c] w[t, c, k]`, zeros outside.

    Shapes: x (N, *spatial, C), w (*size, C // groups, K), b (K,) → (N, *out, K), with 1, 2 or 3 spatial axes and
    `out = floor((n + low + high - extent) / stride) + 1`. Output channel k reads the input channels of its group.

    Arguments: `stride` and `dilation` in elements, an int or one per axis. `padding` is `"SAME"` or `"VALID"` as XLA
    means them, `"CAUSAL"`, an int, one int per axis, or one (low, high) pair per axis; `padding_mode` fills it with
    `"zeros"`, `"reflect"`, `"replicate"` or `"circular"`, or one of them per axis. `lowering` names what computes it,
    and its gradients where that can, as `jaxnets.explain` prints it (`"lax"`: XLA's own); None leaves the choice to
    `jaxnets.lowering` or else the planner.

    Raises `ValueError` for a wrong rank, channels that do not match, groups that do not divide, a window larger than
    the padded input, or a lowering that cannot compute this, and `TypeError` for bool, complex or mixed dtypes.
    Integers wrap round on overflow.
    Gradient: to x by the transposed convolution, to w by a correlation of x with the output's gradient, to b by
    a sum. Cost: `geometry.multiply_adds`. LeCun et al., 1989, Backpropagation Applied to Handwritten Zip Code
    Recognition, https://doi.org/10.1162/neco.1989.1.4.541.

    >>> import jax.numpy as jnp
    >>> x = jnp.array([1., 2., 4.]).reshape(1, 3, 1)
    >>> conv(x, jnp.array([1., -1.]).reshape(2, 1, 1), padding="VALID").ravel()
    Array([-1., -2.], dtype=float32)
    """
    op = "conv"
    x = check.images(op, x)
    w, groups = _kernel(op, x, w, x.shape[-1], -2, groups)
    rank, size = x.ndim - 2, w.shape[:-2]
    modes = modes_per_axis(op, padding_mode, rank)
    if any(mode != "zeros" for mode in modes):
        x = pad(x, pads(padding, x.shape[1:-1], size, stride, dilation, op=op), modes, op=op)
        padding = "VALID"
    window = Window.of(op, x.shape[1:-1], size, stride, padding, dilation)
    asked = switch.require_fitting(op, lowering, Problem.of("forward", window, groups, x, w))
    return _plus_bias(op, kernel.conv(x, w, window, groups, asked), b)


def conv_transpose(
    x: jax.Array,
    w: jax.Array,
    b: jax.Array | None = None,
    *,
    stride: Ints = 1,
    padding: Padding = "SAME",
    output_padding: Ints = 0,
    dilation: Ints = 1,
    groups: int = 1,
    lowering: str | None = None,
) -> jax.Array:
    """Transposed convolution, the adjoint of `conv`.

    With the same w, stride, padding, dilation and groups, `<conv(a, w), x> == <a, conv_transpose(x, w)>`.

    Shapes: x (N, *spatial, K), w (*size, C // groups, K) as the convolution has it, b (C,) → (N, *out, C); `out` is
    `n * stride` for `"SAME"`, otherwise `(n - 1) * stride + extent - low - high`, plus `output_padding`.

    `output_padding` says which of the `stride` inputs that give the same output is meant: 0 to stride - 1, the
    smallest being 0; for `"SAME"`, whose default is the largest, 1 - stride to 0. `lowering` is as in `conv`.

    Raises as `conv` does, and `ValueError` for an `output_padding` no convolution has. Gradient: to x by `conv`, to w
    by a correlation, to b by a sum. Cost: the multiply-adds of the convolution it is the adjoint of. Zeiler et al.,
    2010, Deconvolutional Networks, https://doi.org/10.1109/CVPR.2010.5539957.

    >>> import jax.numpy as jnp
    >>> x = jnp.array([1., 10.]).reshape(1, 2, 1)
    >>> conv_transpose(x, jnp.array([1., 2., 3.]).reshape(3, 1, 1), stride=2, padding="VALID").ravel()
    Array([ 1.,  2., 13., 20., 30.], dtype=float32)
    """
    op = "conv_transpose"
    x = check.images(op, x)
    w, groups = _kernel(op, x, w, x.shape[-1], -1, groups)
    window = transpose_window(op, x.shape[1:-1], w.shape[:-2], stride, padding, output_padding, dilation)
    asked = switch.require_fitting(op, lowering, Problem.of("input_gradient", window, groups, x, w))
    return _plus_bias(op, kernel.conv_transpose(x, w, window, groups, asked), b)


def depthwise_conv(
    x: jax.Array,
    w: jax.Array,
    b: jax.Array | None = None,
    *,
    stride: Ints = 1,
    padding: Padding = "SAME",
    dilation: Ints = 1,
    padding_mode: str | Sequence[str] = "zeros",
    lowering: str | None = None,
) -> jax.Array:
    """Each channel convolved by itself: `conv` with as many groups as channels.

    Shapes: x (N, *spatial, C), w (*size, 1, C * multiplier), b (C * multiplier,) → (N, *out, C * multiplier);
    output channel k reads input channel `k // multiplier`. Arguments, errors and gradient are those of `conv`.
    Cost: `taps * multiplier` multiply-adds an output element and channel. Sifre, 2014, Rigid-Motion Scattering for
    Image Classification.

    >>> import jax.numpy as jnp
    >>> depthwise_conv(jnp.ones((1, 3, 2)), jnp.ones((3, 1, 2))).shape
    (1, 3, 2)
    """
    x = check.images("depthwise_conv", x)
    return conv(
        x,
        w,
        b,
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=x.shape[-1],
        padding_mode=padding_mode,
        lowering=lowering,
    )


def separable_conv(
    x: jax.Array,
    depthwise_w: jax.Array,
    pointwise_w: jax.Array,
    b: jax.Array | None = None,
    *,
    stride: Ints = 1,
    padding: Padding = "SAME",
    dilation: Ints = 1,
    padding_mode: str | Sequence[str] = "zeros",
    lowering: str | None = None,
) -> jax.Array:
    """A depthwise convolution, then a 1×1 convolution that mixes the channels.

    Shapes: x (N, *spatial, C), depthwise_w (*size, 1, C * m), pointwise_w (1, …, 1, C * m, K), b (K,) → (N, *out, K).
    Arguments, errors and gradient are those of `conv`; `lowering` is that of the depthwise convolution, `"lax"` of
    both. Cost: `taps * C * m + C * m * K` multiply-adds an output position, against `taps * C * K`. Chollet, 2017,
    Xception, https://arxiv.org/abs/1610.02357.

    >>> import jax.numpy as jnp
    >>> separable_conv(jnp.ones((1, 4, 4, 2)), jnp.ones((3, 3, 1, 2)), jnp.ones((1, 1, 2, 5)), stride=2).shape
    (1, 2, 2, 5)
    """
    y = depthwise_conv(
        x,
        depthwise_w,
        stride=stride,
        padding=padding,
        dilation=dilation,
        padding_mode=padding_mode,
        lowering=lowering,
    )
    return conv(y, pointwise_w, b, padding="VALID", lowering=lowering if lowering == "lax" else None)
