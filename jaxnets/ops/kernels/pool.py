"""Sums, extrema and their positions over sliding windows, one window, explicit numbers."""

from __future__ import annotations

from functools import partial
from math import prod
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxnets.ops.geometry import Window, extent
from jaxnets.ops.pad import pad
from jaxnets.ops.precision import widen_narrow

Extremum = Literal["max", "min"]

_MOST_SLICES = 32
_NOWHERE = np.iinfo(np.int32).max


def window_sum(x: jax.Array, window: Window) -> jax.Array:
    """Sum over each window, zeros outside: (N, *spatial, C) → (N, *window.out, C), in the dtype of `x`.

    The sum separates: one axis after the other, whose gradients are pads of slices. That is quicker than
    `reduce_window`'s, and asks for no base dilation, which XLA on CPU can get wrong (openxla/xla issue 48714).
    """
    for axis in range(window.rank):
        x = _axis_sum(x, window, axis)
    return x


def _axis_sum(x: jax.Array, window: Window, axis: int) -> jax.Array:
    """The windows' sums along one spatial axis."""
    k, s, d, o = (v[axis] for v in (window.size, window.stride, window.dilation, window.out))
    low, high = window.full_pads[axis]
    at = axis + 1
    if k <= _MOST_SLICES:
        x = pad(x, [(low, high) if a == axis else (0, 0) for a in range(window.rank)])
        # Sum at stride 1, then thin out: the backward pass spreads the gradient once instead of once a tap, and the
        # forward pass is the same, for XLA fuses the slices.
        reach = (o - 1) * s + 1
        taps = [lax.slice_in_dim(x, t * d, t * d + reach, axis=at) for t in range(k)]
        return lax.slice_in_dim(sum(taps[1:], start=taps[0]), 0, reach, stride=s, axis=at)

    # Many taps would be a large program: one window along this axis alone.
    ones, pads = [1] * x.ndim, [(0, 0)] * x.ndim
    pads[at] = (low, (o - 1) * s + extent(k, d) - window.spatial[axis] - low)

    def along(value: int) -> list[int]:
        return [*ones[:at], value, *ones[at + 1 :]]

    # The barriers, one for the gradient, keep XLA from folding a neighbor's zeros into this window (issue 48714 again).
    zero, x = np.zeros((), x.dtype), lax.optimization_barrier(x)
    y = lax.reduce_window(x, zero, lax.add, along(k), along(s), pads, window_dilation=along(d))
    return lax.optimization_barrier(y)


def _lowest(dtype: np.dtype, kind: Extremum) -> np.ndarray:
    """The identity of the extremum: every real element is at least as good."""
    sign = -1 if kind == "max" else 1
    if jnp.issubdtype(dtype, jnp.floating):
        return np.asarray(sign * np.inf, dtype)
    info = jnp.iinfo(dtype)
    return np.asarray(info.min if kind == "max" else info.max, dtype)


def _reduce(operands, inits, computation, window: Window):  # type: ignore[no-untyped-def]
    """`lax.reduce_window` over the spatial axes of one array, or of a tuple of arrays."""
    if 1 in window.size:  # where XLA on CPU would fold elements inserted by the caller into the window, wrongly
        operands = lax.optimization_barrier(operands)
    return lax.reduce_window(
        operands,
        inits,
        computation,
        (1, *window.size, 1),
        (1, *window.stride, 1),
        ((0, 0), *window.full_pads, (0, 0)),
        window_dilation=(1, *window.dilation, 1),
    )


def window_argextremum(x: jax.Array, window: Window, kind: Extremum) -> jax.Array:
    """Where each window's maximum (minimum) is: flat row-major positions in the unpadded spatial axes, int32.

    The first one wins a tie, and the first NaN beats every number, so it is the position of what
    `window_extremum` returns. Each window must see a real element. Not differentiable, being an integer.
    """
    x = lax.stop_gradient(x)
    shape = (1, *window.spatial, 1)
    positions = jnp.arange(prod(window.spatial), dtype=jnp.int32).reshape(shape)
    better = lax.gt if kind == "max" else lax.lt

    def first_best(a, b):  # type: ignore[no-untyped-def]
        (value_a, at_a), (value_b, at_b) = a, b
        nan_a, nan_b = value_a != value_a, value_b != value_b
        wins = better(value_a, value_b) & ~nan_b | nan_a & ~nan_b
        ties = (value_a == value_b) | (nan_a & nan_b)
        take_a = wins | ties & (at_a < at_b)
        return lax.select(take_a, value_a, value_b), lax.select(take_a, at_a, at_b)

    inits = (_lowest(x.dtype, kind), np.asarray(_NOWHERE, np.int32))  # padding loses every tie
    _, at = _reduce((x, jnp.broadcast_to(positions, x.shape)), inits, first_best, window)
    return at


def take(x: jax.Array, positions: jax.Array) -> jax.Array:
    """The elements of (N, *spatial, C) at flat spatial positions (N, *out, C); the gradient is a scatter-add."""
    n, c = x.shape[0], x.shape[-1]
    flat = x.reshape(n, prod(x.shape[1:-1]), c)
    at = positions.reshape(n, prod(positions.shape[1:-1]), c)
    # In float32 at least, for the sake of the scatter-add.
    taken = jnp.take_along_axis(widen_narrow(flat), at, axis=1, mode="promise_in_bounds")
    return taken.astype(x.dtype).reshape(positions.shape)


@partial(jax.custom_jvp, nondiff_argnums=(1, 2))
def window_extremum(x: jax.Array, window: Window, kind: Extremum) -> jax.Array:
    """The maximum (minimum) of each window: (N, *spatial, C) → (N, *window.out, C).

    The derivative is that of the first extremum in row-major order, dilated windows included (JAX has none for
    those): positions by `window_argextremum`, then a gather, whose transpose is a scatter-add.
    """
    return _reduce(x, _lowest(x.dtype, kind), lax.max if kind == "max" else lax.min, window)


@window_extremum.defjvp
def _window_extremum_jvp(window: Window, kind: Extremum, primals, tangents):  # type: ignore[no-untyped-def]
    (x,), (dx,) = primals, tangents
    positions = window_argextremum(x, window, kind)
    return take(x, positions), take(dx, positions)
