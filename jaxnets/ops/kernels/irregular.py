"""Maxima over windows that do not slide evenly: each axis has a table of the positions its windows hold."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import jax
import jax.numpy as jnp
from jax import lax


def _gather(x: jax.Array, table: jax.Array, axis: int) -> jax.Array:
    """x along `axis` at the positions of `table`, (N or 1, out, k, C or 1) → out and k in the place of `axis`."""
    rows, out, k, columns = table.shape
    around = [1] * (x.ndim - axis - 2)
    at = table.reshape(rows, *[1] * (axis - 1), out * k, *around, columns)
    taken = jnp.take_along_axis(x, at, axis=axis, mode="promise_in_bounds")
    return taken.reshape(*taken.shape[:axis], out, k, *taken.shape[axis + 1 :])


def first_maxima(x: jax.Array, tables: Sequence[jax.Array]) -> jax.Array:
    """Where each window's maximum is: flat row-major positions in the spatial axes of (N, *spatial, C), int32.

    `tables` holds per axis the positions of every window, (N, out, k, C), rising along k; a batch or channel axis of 1
    stands for all, and a window of fewer than k elements repeats its last. The first maximum in row-major order wins,
    and the first NaN beats every number: the last axis is searched first, then the one before it for the first row
    that holds the maximum. Not differentiable, being an integer: `kernels.pool.take` is, at these positions.
    """
    x = lax.stop_gradient(x)
    spatial = x.shape[1:-1]
    at = jnp.arange(prod(spatial), dtype=jnp.int32).reshape(1, *spatial, 1)
    at = jnp.broadcast_to(at, x.shape)
    for axis in range(len(spatial), 0, -1):
        values, places = (_gather(v, tables[axis - 1], axis) for v in (x, at))
        best = jnp.argmax(values, axis=axis + 1, keepdims=True)
        x, at = (jnp.take_along_axis(v, best, axis=axis + 1).squeeze(axis + 1) for v in (values, places))
    return at
