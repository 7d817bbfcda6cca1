"""Space written as channels and back: windows as rows, blocks of pixels as one pixel."""

from __future__ import annotations

from math import prod

import jax
import jax.numpy as jnp
from jax import lax

from jaxnets.ops import check
from jaxnets.ops.geometry import Ints, Padding, Window
from jaxnets.ops.pad import pad
from jaxnets.ops.precision import widen_narrow


def unfold(
    x: jax.Array,
    size: Ints,
    stride: Ints = 1,
    *,
    padding: Padding = "VALID",
    dilation: Ints = 1,
) -> jax.Array:
    """Each window as a row (im2col), so that `unfold(x, size) @ w.reshape(-1, K)` is `conv(x, w)`.

    `y[n, i, t * C + c] = x[n, i * stride - low + t * dilation, c]`, the taps t in row-major order, zero on padding.
    Shapes: (N, *spatial, C) → (N, *out, taps * C), every real dtype kept. Arguments: `size`, `stride` and `dilation` in
    elements, an int or one per axis; `padding` as in `conv`. Raises `ValueError` for a window larger than the padded
    input. Gradient: `fold`. Cost: a copy for each axis, taps times the input in the end. Chellapilla, Puri & Simard,
    2006, High Performance Convolutional Neural Networks for Document Processing,
    https://inria.hal.science/inria-00112631.

    >>> import jax.numpy as jnp
    >>> unfold(jnp.array([1, 2, 3, 4]).reshape(1, 4, 1), 3)[0]
    Array([[1, 2, 3],
           [2, 3, 4]], dtype=int32)
    """
    op = "unfold"
    x = check.images(op, x)
    window = Window.of(op, x.shape[1:-1], size, stride, padding, dilation)
    y = pad(widen_narrow(x), window.pads)  # for the gradient, a sum over the windows that hold an element
    # One axis after the other: a slice for each tap of the axis, not for each tap of the window.
    for axis, (k, s, d, out) in enumerate(
        zip(window.size, window.stride, window.dilation, window.out, strict=True), start=1
    ):
        taps = [lax.slice_in_dim(y, t * d, t * d + (out - 1) * s + 1, stride=s, axis=axis) for t in range(k)]
        y = jnp.stack(taps, axis=-2)
    return y.astype(x.dtype).reshape(x.shape[0], *window.out, prod(window.size) * x.shape[-1])


def _zeros(like: jax.Array, count: int, axis: int) -> jax.Array:
    return jnp.zeros((*like.shape[:axis], count, *like.shape[axis + 1 :]), like.dtype)


def _spread(x: jax.Array, axis: int, start: int, stride: int, length: int) -> jax.Array:
    """Zeros of `length` along `axis` with the elements of x at `start`, `start + stride`, …

    The adjoint of a strided slice, by concatenation: the gradient of lax.pad would carry negative amounts (see `pad`).
    """
    out = x.shape[axis]
    if stride > 1:
        apart = jnp.expand_dims(x, axis + 1)
        apart = lax.concatenate([apart, _zeros(apart, stride - 1, axis + 1)], axis + 1)
        x = apart.reshape(*x.shape[:axis], out * stride, *x.shape[axis + 1 :])
        x = lax.slice_in_dim(x, 0, (out - 1) * stride + 1, axis=axis)
    return lax.concatenate([_zeros(x, start, axis), x, _zeros(x, length - start - x.shape[axis], axis)], axis)


def fold(
    y: jax.Array,
    output_size: Ints,
    size: Ints,
    stride: Ints = 1,
    *,
    padding: Padding = "VALID",
    dilation: Ints = 1,
) -> jax.Array:
    """The adjoint of `unfold` (col2im): every window put back where it was, summed where they overlap.

    `<unfold(a), y> == <a, fold(y)>` for every a of `output_size`. Shapes: (N, *out, taps * C) → (N, *output_size, C).
    Arguments: `output_size` in elements, an int or one per axis; the others as `unfold` has them. Every real dtype is
    kept; half precision is summed in float32, and integers wrap round. Raises `ValueError` where `unfold` of that
    output has another shape than y. Gradient: `unfold`. Cost: one addition for each tap of each axis.

    >>> import jax.numpy as jnp
    >>> fold(jnp.ones((1, 2, 3)), 4, 3).ravel()
    Array([1., 2., 2., 1.], dtype=float32)
    """
    op = "fold"
    y = check.images(op, y)
    rank = y.ndim - 2
    spatial = check.per_axis(op, output_size, rank, "output_size")
    window = Window.of(op, spatial, size, stride, padding, dilation)
    if window.out != y.shape[1:-1]:
        raise ValueError(
            f"{op}: y has spatial shape {y.shape[1:-1]}, but windows of size {window.size}, stride {window.stride}, "
            f"dilation {window.dilation} and padding {window.pads} are {window.out} on an output_size of {spatial}; "
            f"pass what unfold was given"
        )
    if y.shape[-1] % prod(window.size):
        raise ValueError(
            f"{op}: y {y.shape} has {y.shape[-1]} channels, which the {prod(window.size)} taps of size {window.size} "
            f"do not divide; pass taps * C channels, as unfold makes them"
        )
    x = widen_narrow(y)
    x = x.reshape(*y.shape[:-1], *window.size, y.shape[-1] // prod(window.size))
    for axis in range(rank, 0, -1):
        k, s, d, n = (v[axis - 1] for v in (window.size, window.stride, window.dilation, spatial))
        low, high = window.pads[axis - 1]
        taps = [lax.index_in_dim(x, t, axis=x.ndim - 2, keepdims=False) for t in range(k)]
        parts = [_spread(tap, axis, t * d, s, low + n + high) for t, tap in enumerate(taps)]
        x = lax.slice_in_dim(sum(parts[1:], start=parts[0]), low, low + n, axis=axis)
    return x.astype(y.dtype)


def space_to_depth(x: jax.Array, block: Ints) -> jax.Array:
    """Each block of pixels becomes one pixel that carries all their channels.

    Channel `b * C + c` is channel c of the block's pixel b, counted in row-major order, as TensorFlow has it.
    Shapes: (N, *spatial, C) → (N, *(spatial / block), prod(block) * C), every real dtype kept. Argument: `block` in
    elements, an int or one per axis. Raises `ValueError` where a block does not divide its axis. Gradient:
    `depth_to_space`. Cost: a copy. Shi et al., 2016, https://arxiv.org/abs/1609.05158.

    >>> import jax.numpy as jnp
    >>> space_to_depth(jnp.array([1, 2, 3, 4]).reshape(1, 4, 1), 2)[0]
    Array([[1, 2],
           [3, 4]], dtype=int32)
    """
    op = "space_to_depth"
    x = check.images(op, x)
    rank, spatial = x.ndim - 2, x.shape[1:-1]
    blocks = check.per_axis(op, block, rank, "block")
    if any(n % b for n, b in zip(spatial, blocks, strict=True)):
        raise ValueError(
            f"{op}: block {blocks} does not divide the spatial shape {spatial} of x {x.shape}; use divisors, or pad x"
        )
    out = [n // b for n, b in zip(spatial, blocks, strict=True)]
    split = [part for pair in zip(out, blocks, strict=True) for part in pair]
    outer, inner = range(1, 2 * rank, 2), range(2, 2 * rank + 1, 2)
    y = x.reshape(x.shape[0], *split, x.shape[-1]).transpose(0, *outer, *inner, 2 * rank + 1)
    return y.reshape(x.shape[0], *out, prod(blocks) * x.shape[-1])


def depth_to_space(x: jax.Array, block: Ints) -> jax.Array:
    """Each pixel becomes a block of pixels with a share of its channels: the inverse of `space_to_depth`.

    Shapes: (N, *spatial, prod(block) * C) → (N, *(spatial * block), C), every real dtype kept; the channel order and
    `block` are those of `space_to_depth`. Raises `ValueError` where prod(block) does not divide the channels.
    Gradient: `space_to_depth`. Cost: a copy. Shi et al., 2016, https://arxiv.org/abs/1609.05158.

    >>> import jax.numpy as jnp
    >>> depth_to_space(jnp.array([[[1, 2], [3, 4]]]), 2).ravel()
    Array([1, 2, 3, 4], dtype=int32)
    """
    op = "depth_to_space"
    x = check.images(op, x)
    rank, spatial = x.ndim - 2, x.shape[1:-1]
    blocks = check.per_axis(op, block, rank, "block")
    if x.shape[-1] % prod(blocks):
        raise ValueError(
            f"{op}: x {x.shape} has {x.shape[-1]} channels, which the {prod(blocks)} pixels of block {blocks} do not "
            f"divide; pass prod(block) * C channels"
        )
    channels = x.shape[-1] // prod(blocks)
    order = [a for pair in zip(range(1, rank + 1), range(rank + 1, 2 * rank + 1), strict=True) for a in pair]
    y = x.reshape(x.shape[0], *spatial, *blocks, channels).transpose(0, *order, 2 * rank + 1)
    return y.reshape(x.shape[0], *(n * b for n, b in zip(spatial, blocks, strict=True)), channels)
