"""A computation that XLA compiles for itself, whatever else the program does with its operands and its result."""

from __future__ import annotations

from collections.abc import Callable
from math import prod

import jax
from jax import lax
from jax.experimental.xla_metadata import set_xla_metadata


def alone(name: str, function: Callable[..., jax.Array], *operands: jax.Array) -> jax.Array:
    """`function(*operands)`, (N, *spatial, C), as a computation that XLA compiles for itself.

    Inlined, its loop would be cut up wherever another computation of the program reads the same elements, or would
    compute what makes its operands over again for every tap. It must hold `lax` operations only: the mark that keeps it
    apart would also keep the jitted functions of `jax.numpy` inside it apart.
    """

    def rows(*operands: jax.Array) -> jax.Array:
        # As a matrix, or XLA would return it with its axes in the order that the last gather found convenient, and copy
        # it into ours outside.
        y = function(*operands)
        return lax.reshape(y, (prod(y.shape[:-1]), y.shape[-1]))

    rows.__name__ = rows.__qualname__ = f"jaxnets_{name}"
    with set_xla_metadata(inlineable="false"):
        y = jax.jit(rows)(*operands)
    return lax.reshape(y, jax.eval_shape(function, *operands).shape)
