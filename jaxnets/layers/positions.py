"""Positions added to what stands there."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from jaxnets import ops
from jaxnets.core import Layer, Params, pure
from jaxnets.layers import arguments, initializers
from jaxnets.layers.initializers import Initializer
from jaxnets.layers.leaves import Example, Shapes, draw, example, fit, read
from jaxnets.ops import check

SMALL_NORMAL = initializers.normal(0.02)
"""As the vectors of positions begin in BERT and its descendants. Devlin et al., 2019, https://arxiv.org/abs/1810.04805."""


def _rows(op: str, x: Any) -> jax.Array:
    x = check.floating(op, x)
    if x.ndim != 3:
        raise ValueError(f"{op}: x has shape {x.shape}, rank {x.ndim}; pass (N, T, D), tokens batched")
    return x


def sinusoidal_positions(*, base: float = 10000.0) -> Layer:
    """Each token plus the sines and cosines of its position: `x + ops.sinusoidal(0 … T-1, D)`.

    Shapes: (N, T, D) → (N, T, D), D even. Argument: `base` sets the slowest sine. Raises `ValueError` for an odd D and
    other ranks, `TypeError` for integers (cast them). Gradient: to x, as it is. Cost: one addition an element.
    Vaswani et al., 2017, https://arxiv.org/abs/1706.03762.

    >>> sinusoidal_positions().apply({}, {}, jnp.zeros((1, 2, 2)))[0][0, 0]
    Array([0., 1.], dtype=float32)
    """
    op = "sinusoidal_positions"
    base = arguments.positive(op, base, "base")

    def apply(params: Params, x: jax.Array) -> jax.Array:
        x = _rows(op, x)
        vectors = ops.sinusoidal(jnp.arange(x.shape[1]), x.shape[2], base=base)
        return x + vectors.astype(x.dtype)[None]

    def init(key: jax.Array, x: Example) -> Params:
        example(op, x, _rows)
        return {}

    return pure(init, apply)


def learned_positions(length: int | None = None, *, w_init: Initializer = SMALL_NORMAL) -> Layer:
    """Each token plus a learned vector for its position.

    Shapes: (N, T, D) → (N, T, D), T at most `length`. Parameters: w (length, D), float32.
    Arguments: `length`, by default the T that `init` sees; `w_init` draws w, by default normal of deviation 0.02.
    Raises `ValueError` for more tokens than `length`, other ranks and no key in `init`, and `TypeError` for integers
    (cast them). Gradient: to x as it is, and to the vectors of the positions there are. Cost: one addition an element.
    Gehring et al., 2017, https://arxiv.org/abs/1705.03122.

    >>> layer = learned_positions(512)
    >>> params, state = layer.init(jax.random.key(0), jnp.zeros((1, 10, 4)))
    >>> params["w"].shape
    (512, 4)
    """
    op = "learned_positions"
    if length is not None:
        length = check.whole(op, length, "length")
    arguments.function(op, w_init, "w_init")

    def shapes(x: Example, rows: int) -> Shapes:
        return {"w": (rows, x.shape[-1])}

    def init(key: jax.Array, x: Example) -> Params:
        x = example(op, x, _rows)
        return draw(op, key, shapes(x, x.shape[1] if length is None else length), {"w": w_init})

    def apply(params: Params, x: jax.Array) -> jax.Array:
        x = _rows(op, x)
        leaves = read(op, params, ("w",), jnp.float32)
        known = leaves["w"].shape[0] if length is None else length
        fit(op, leaves, shapes(x, known), x)
        if x.shape[1] > known:
            raise ValueError(f"{op}: x has {x.shape[1]} tokens but there are {known} positions; pass fewer, or length=")
        return x + leaves["w"][: x.shape[1]].astype(x.dtype)[None]

    return pure(init, apply)
