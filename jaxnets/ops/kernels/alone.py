"""Ends to what XLA fuses: a computation that it compiles for itself, and an array that it makes once."""

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
    shapes = []  # of the result, noted when it is traced: asking for it before would trace all of it twice

    def rows(*operands: jax.Array) -> jax.Array:
        y = function(*operands)
        shapes.append(y.shape)
        return _rows(y)

    rows.__name__ = rows.__qualname__ = f"jaxnets_{name}"
    y = _apart(jax.jit(rows), *operands)
    return lax.reshape(y, shapes[0])


def _rows(y: jax.Array) -> jax.Array:
    """As a matrix, or XLA would return it with its axes in the order that the last gather found convenient, and copy it
    into ours outside."""
    return lax.reshape(y, (prod(y.shape[:-1]), y.shape[-1]))


def _apart(program: Callable[..., jax.Array], *operands: jax.Array) -> jax.Array:
    with set_xla_metadata(inlineable="false"):
        return program(*operands)


def held(x: jax.Array) -> jax.Array:
    """x, (N, *spatial, C), in memory once for all that read it: no copy, only an end to what XLA fuses.

    XLA computes what makes x over again for each operation it fuses it into, and each shape in which a product reads x
    is another: of a ResNet's activations and their gradients it made two or three copies, each by a loop of its own.
    """
    return lax.reshape(_apart(_operand, x), x.shape)


@jax.jit
def _operand(x: jax.Array) -> jax.Array:
    return _rows(x)
