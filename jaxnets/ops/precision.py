"""The precision that sums, statistics and powers are computed in."""

from __future__ import annotations

import jax
import jax.numpy as jnp


def widen(x: jax.Array) -> jax.Array:
    """`x` in float32 at least: float64 stays, every narrower or integer dtype is cast.

    >>> import jax.numpy as jnp
    >>> widen(jnp.ones(2, jnp.bfloat16)).dtype
    dtype('float32')
    """
    return x if x.dtype == jnp.float64 else x.astype(jnp.float32)
