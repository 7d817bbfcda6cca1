"""Naive under jit: each operation by its formula, one output position at a time, in `jax.numpy`.

The signatures are those of `jaxnets.ops`. A compiled loop visits the output positions; each cuts out its window and
contracts it; `jax.grad` differentiates the loop. The loop is `lax.map` rather than `lax.fori_loop`: the gradient of
a `fori_loop` that fills an output copies the whole of it at every position (60 times slower on a 7×7 stem), and would
flatter us.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from itertools import starmap
from math import prod

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxnets.ops.geometry import Ints, Padding, Window, extent, transpose_window


def _over_windows(
    x: jax.Array, window: Window, fill: float, reduce_window: Callable[[jax.Array], jax.Array]
) -> jax.Array:
    """`reduce_window` of the taps (N, *size, C) of each window of x: (N, *spatial, C) → (N, *out, K)."""
    x = jnp.pad(x, [(0, 0), *window.full_pads, (0, 0)], constant_values=np.asarray(fill, x.dtype))
    reach = tuple(starmap(extent, zip(window.size, window.dilation, strict=True)))
    every = tuple(slice(None, None, d) for d in window.dilation)

    def at(position: jax.Array) -> jax.Array:
        start = [p * s for p, s in zip(jnp.unravel_index(position, window.out), window.stride, strict=True)]
        zero = jnp.zeros((), position.dtype)
        taps = lax.dynamic_slice(x, (zero, *start, zero), (x.shape[0], *reach, x.shape[-1]))
        return reduce_window(taps[:, *every])

    y = lax.map(at, jnp.arange(prod(window.out), dtype=jnp.int32))
    return jnp.moveaxis(y, 0, 1).reshape(x.shape[0], *window.out, -1)


def _conv(x: jax.Array, w: jax.Array, window: Window, groups: int) -> jax.Array:
    n, c, k = x.shape[0], x.shape[-1], w.shape[-1]
    w = w.reshape(-1, c // groups, groups, k // groups)

    def contract(taps: jax.Array) -> jax.Array:
        return jnp.einsum("ntgc,tcgk->ngk", taps.reshape(n, -1, groups, c // groups), w).reshape(n, k)

    return _over_windows(x, window, 0, contract)


def conv(
    x: jax.Array,
    w: jax.Array,
    *,
    stride: Ints = 1,
    padding: Padding = "SAME",
    dilation: Ints = 1,
    groups: int = 1,
) -> jax.Array:
    """Σ over the taps of a window and the channels of a group, for each output position."""
    return _conv(x, w, Window.of("conv", x.shape[1:-1], w.shape[:-2], stride, padding, dilation), groups)


def depthwise_conv(
    x: jax.Array, w: jax.Array, *, stride: Ints = 1, padding: Padding = "SAME", dilation: Ints = 1
) -> jax.Array:
    """`conv` with as many groups as channels."""
    return conv(x, w, stride=stride, padding=padding, dilation=dilation, groups=x.shape[-1])


def conv_transpose(
    x: jax.Array,
    w: jax.Array,
    *,
    stride: Ints = 1,
    padding: Padding = "SAME",
    output_padding: Ints = 0,
    dilation: Ints = 1,
    groups: int = 1,
) -> jax.Array:
    """The adjoint of the naive `conv` in its input, taken by JAX: that is the definition."""
    window = transpose_window("conv_transpose", x.shape[1:-1], w.shape[:-2], stride, padding, output_padding, dilation)
    large = jax.ShapeDtypeStruct((x.shape[0], *window.spatial, w.shape[-2] * groups), x.dtype)
    (y,) = jax.linear_transpose(lambda a: _conv(a, w, window, groups), large)(x)
    return y


def _pooling(
    op: str, x: jax.Array, size: Ints, stride: Ints | None, padding: Padding, dilation: Ints, ceil_mode: bool
) -> Window:
    return Window.of(op, x.shape[1:-1], size, size if stride is None else stride, padding, dilation, ceil_mode)


def _spatial(taps: jax.Array) -> tuple[int, ...]:
    return tuple(range(1, taps.ndim - 1))


def max_pool(
    x: jax.Array,
    size: Ints,
    stride: Ints | None = None,
    *,
    padding: Padding = "VALID",
    dilation: Ints = 1,
    ceil_mode: bool = False,
) -> jax.Array:
    """The largest tap of each window; ties share the gradient, which the benchmark's inputs do not have."""
    window = _pooling("max_pool", x, size, stride, padding, dilation, ceil_mode)
    return _over_windows(x, window, -np.inf, lambda taps: jnp.max(taps, _spatial(taps)))


def avg_pool(
    x: jax.Array,
    size: Ints,
    stride: Ints | None = None,
    *,
    padding: Padding = "VALID",
    dilation: Ints = 1,
    ceil_mode: bool = False,
) -> jax.Array:
    """The sum of each window's taps over the number of those that are real."""
    window = _pooling("avg_pool", x, size, stride, padding, dilation, ceil_mode)
    count = jnp.asarray(reduce(np.multiply.outer, window.real_taps()), x.dtype)
    return _over_windows(x, window, 0, lambda taps: jnp.sum(taps, _spatial(taps))) / count[None, ..., None]


def lp_pool(
    x: jax.Array,
    size: Ints,
    stride: Ints | None = None,
    *,
    padding: Padding = "VALID",
    dilation: Ints = 1,
    ceil_mode: bool = False,
    p: float = 2,
) -> jax.Array:
    """(Σ |x|^p)^(1/p) of each window's taps."""
    window = _pooling("lp_pool", x, size, stride, padding, dilation, ceil_mode)
    return _over_windows(x, window, 0, lambda taps: jnp.sum(jnp.abs(taps) ** p, _spatial(taps)) ** (1 / p))


def adaptive_avg_pool(x: jax.Array, output_size: int) -> jax.Array:
    """The mean of x over each window `[floor(i n / out), ceil((i + 1) n / out))`, chosen by a mask."""
    masks = []
    for axis, n in enumerate(x.shape[1:-1]):
        i, p = np.arange(output_size)[:, None], np.arange(n)[None, :]
        inside = (p >= i * n // output_size) & (p < -(-(i + 1) * n // output_size))
        masks.append(jnp.asarray(inside.reshape(output_size, *(-1 if a == axis else 1 for a in range(x.ndim - 2)))))
    out = (output_size,) * len(masks)

    def at(position: jax.Array) -> jax.Array:
        chosen = (mask[i] for mask, i in zip(masks, jnp.unravel_index(position, out), strict=True))
        inside = reduce(jnp.multiply, chosen).astype(x.dtype)[None, ..., None]
        return jnp.sum(x * inside, _spatial(x)) / jnp.sum(inside)

    y = lax.map(at, jnp.arange(prod(out), dtype=jnp.int32))
    return jnp.moveaxis(y, 0, 1).reshape(x.shape[0], *out, -1)
