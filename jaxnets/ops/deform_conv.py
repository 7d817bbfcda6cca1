"""Convolution whose taps lie where the input says, between pixels too."""

from __future__ import annotations

from itertools import product
from math import prod

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets.ops import check
from jaxnets.ops.geometry import Ints, Padding, Window
from jaxnets.ops.precision import widen, widen_narrow


def _samples(x: jax.Array, at: jax.Array, groups: int) -> jax.Array:
    """x (N, *spatial, C) read at (N, P, groups, rank) coordinates, linearly between pixels, zero beyond the edges:
    (N, P, C), in float32 at least. Each of `groups` equal parts of the channels has coordinates of its own."""
    n, spatial, channels = x.shape[0], x.shape[1:-1], x.shape[-1]
    pixels = widen(x).reshape(n, prod(spatial), groups, channels // groups)
    below = jnp.floor(at)
    total = jnp.zeros((), pixels.dtype)
    for corner in product((0, 1), repeat=len(spatial)):
        pixel = below.astype(jnp.int32) + np.asarray(corner, np.int32).reshape(1, 1, 1, -1)
        inside = ((pixel >= 0) & (pixel < np.asarray(spatial, np.int32).reshape(1, 1, 1, -1))).all(-1)
        share = jnp.where(np.asarray(corner, bool).reshape(1, 1, 1, -1), at - below, 1 - (at - below)).prod(-1)
        flat = jnp.zeros(pixel.shape[:-1], jnp.int32)
        for axis, length in enumerate(spatial):
            flat = flat * length + jnp.clip(pixel[..., axis], 0, max(length - 1, 0))
        # Each group reads its own channels: (N, P, groups) pixels of (N, pixels, groups, channels).
        read = jax.vmap(jax.vmap(lambda p, i: p[i], in_axes=(1, 1), out_axes=1))(pixels, flat)
        total = total + read * jnp.where(inside, share, 0).astype(pixels.dtype)[..., None]
    return total.reshape(n, at.shape[1], channels)


def deform_conv(
    x: jax.Array,
    offset: jax.Array,
    w: jax.Array,
    b: jax.Array | None = None,
    mask: jax.Array | None = None,
    *,
    stride: Ints = 1,
    padding: Padding = "SAME",
    dilation: Ints = 1,
    groups: int = 1,
    offset_groups: int = 1,
) -> jax.Array:
    """Convolution, each tap moved by an offset of its own at each output, and weighted by a mask.

    `y[n, o, k] = b[k] + Σ_t,c mask[n, o, t] x[n, o * stride - low + t * dilation + offset[n, o, t], c] w[t, c, k]`,
    x between pixels by linear interpolation on each axis, and zero beyond the edges.

    Shapes: x (N, *spatial, C), w (*size, C // groups, K), b (K,), offset (N, *out, offset_groups * taps * rank), mask
    (N, *out, offset_groups * taps) → (N, *out, K), 1, 2 or 3 spatial axes. Along the last axis of offset, group by
    group and in it tap by tap in row-major order, stands one number an axis, in pixels: torchvision's order.
    Arguments: `stride`, `padding`, `dilation` and `groups` as in `conv`; `offset_groups`, a divisor of C: equal parts
    of the channels, each with offsets and mask of its own. Offsets and mask are read in float32 at least.

    Raises `ValueError` for shapes that do not fit and `TypeError` for integers or mixed dtypes of x, w and b. Gradient:
    to all arguments; to an offset that leads to a pixel exactly it is that of the cell above. Cost: that of `conv` by
    `unfold`, and two gathers a tap and axis. Dai et al., 2017, https://arxiv.org/abs/1703.06211; the mask is Zhu, Hu,
    Lin & Dai, 2019, https://arxiv.org/abs/1811.11168.

    >>> x, w = jnp.array([0., 10., 20.]).reshape(1, 3, 1), jnp.ones((1, 1, 1))
    >>> deform_conv(x, jnp.array([0.5, 0., 0.5]).reshape(1, 3, 1), w).ravel()
    Array([ 5., 10., 10.], dtype=float32)
    """
    op = "deform_conv"
    x, w = check.floating(op, check.images(op, x)), check.floating(op, w, "w")
    check.same_dtype(op, x, w, "w")
    offset = widen(check.floating(op, offset, "offset"))
    groups, parts = check.whole(op, groups, "groups"), check.whole(op, offset_groups, "offset_groups")
    rank, channels = x.ndim - 2, x.shape[-1]
    if w.ndim != x.ndim or w.shape[-2] * groups != channels or w.shape[-1] % groups or channels % parts:
        raise ValueError(
            f"{op}: x {x.shape} and w {w.shape} with groups={groups} and offset_groups={parts} do not fit; w is "
            f"(*size, C // groups, K), groups divides C and K, and offset_groups divides C"
        )
    window = Window.of(op, x.shape[1:-1], w.shape[:-2], stride, padding, dilation)
    taps, places = prod(window.size), prod(window.out)
    ahead = (x.shape[0], *window.out)
    if offset.shape != (*ahead, parts * taps * rank):
        raise ValueError(
            f"{op}: offset has shape {offset.shape}; for x {x.shape} it is {(*ahead, parts * taps * rank)}"
        )
    grids = [np.arange(o) * s - low for o, s, (low, _) in zip(window.out, window.stride, window.pads, strict=True)]
    steps = [np.arange(k) * d for k, d in zip(window.size, window.dilation, strict=True)]
    output, tap = (np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, rank) for axes in (grids, steps))
    still = (output[:, None] + tap[None])[None, :, None].astype(offset.dtype)  # (1, places, 1, taps, rank)
    at = offset.reshape(x.shape[0], places, parts, taps, rank) + still
    rows = at.swapaxes(2, 3).reshape(x.shape[0], places * taps, parts, rank)
    read = _samples(x, rows, parts).reshape(x.shape[0], places, taps, parts, channels // parts)
    if mask is not None:
        mask = widen(check.floating(op, mask, "mask"))
        if mask.shape != (*ahead, parts * taps):
            raise ValueError(f"{op}: mask has shape {mask.shape}; for x {x.shape} it is {(*ahead, parts * taps)}")
        read = read * mask.reshape(x.shape[0], places, parts, taps).swapaxes(2, 3)[..., None].astype(read.dtype)
    patches = read.astype(x.dtype).reshape(x.shape[0], places, taps, groups, channels // groups)
    kernel = w.reshape(taps, channels // groups, groups, w.shape[-1] // groups)
    y = jnp.einsum("nptgc,tcgk->npgk", patches, kernel).reshape(*ahead, w.shape[-1])
    if b is None:
        return y
    b = check.vector(op, b, w.shape[-1], x, "b")
    return (widen_narrow(y) + widen_narrow(b).reshape((1,) * (y.ndim - 1) + (-1,))).astype(x.dtype)
