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


def widen_narrow(x: jax.Array) -> jax.Array:
    """`x` with floats narrower than float32 cast to it, everything else as it is: what is added up, forward or in the
    gradient, is then added up in float32, and cast back it has been rounded once.

    >>> import jax.numpy as jnp
    >>> widen_narrow(jnp.ones(2, jnp.float16)).dtype, widen_narrow(jnp.ones(2, jnp.int8)).dtype
    (dtype('float32'), dtype('int8'))
    """
    return widen(x) if jnp.issubdtype(x.dtype, jnp.floating) else x
