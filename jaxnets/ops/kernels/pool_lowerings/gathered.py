"""Elements at flat positions, and their transpose: a gather and a scatter."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import jax
import jax.numpy as jnp
from jax import lax

from jaxnets.ops.precision import widen_narrow


def take(x: jax.Array, positions: jax.Array) -> jax.Array:
    """The elements of (N, *spatial, C) at flat spatial positions (N, *out, C); the gradient is a scatter-add."""
    n, c = x.shape[0], x.shape[-1]
    flat = x.reshape(n, prod(x.shape[1:-1]), c)
    at = positions.reshape(n, prod(positions.shape[1:-1]), c)
    # In float32 at least, for the sake of the scatter-add.
    taken = jnp.take_along_axis(widen_narrow(flat), at, axis=1, mode="promise_in_bounds")
    return taken.astype(x.dtype).reshape(positions.shape)


def put(y: jax.Array, positions: jax.Array, spatial: Sequence[int]) -> jax.Array:
    """The elements of (N, *out, C) added up at flat positions of (N, *spatial, C); what is outside is dropped."""
    n, c = y.shape[0], y.shape[-1]
    samples = jnp.arange(n, dtype=jnp.int32)[:, None, None]
    channels = jnp.arange(c, dtype=jnp.int32)[None, None, :]
    flat = (n, prod(y.shape[1:-1]), c)
    zeros = lax.full_like(y, 0, shape=(n, prod(spatial), c))
    return (
        zeros.at[samples, positions.reshape(flat), channels].add(y.reshape(flat), mode="drop").reshape(n, *spatial, c)
    )
