"""A learned factor for each channel."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from jaxnets.core import Layer, Params, pure
from jaxnets.layers import arguments
from jaxnets.layers.leaves import Example, example, fit, read
from jaxnets.ops import check


def layer_scale(begin: float = 1e-6) -> Layer:
    """Each channel times a learned number, small to begin with: what ends a residual branch, so that it starts small.

    Shapes: (…, C) → (…, C). Parameters: scale (C,), float32, `begin` to begin with.
    Raises `TypeError` for an integer input (cast it) and `ValueError` for params made for another C. Gradient: to x
    and scale. Cost: one multiplication an element. Touvron et al., 2021, https://arxiv.org/abs/2103.17239.

    >>> layer = layer_scale(0.5)
    >>> params, state = layer.init(jax.random.key(0), jnp.ones((2, 3)))
    >>> layer.apply(params, state, jnp.ones((1, 3)))[0]
    Array([[0.5, 0.5, 0.5]], dtype=float32)
    """
    op = "layer_scale"
    begin = arguments.number(op, begin, "begin")

    def init(key: jax.Array, x: Example) -> Params:
        return {"scale": jnp.full(example(op, x).shape[-1:], begin, jnp.float32)}

    def apply(params: Params, x: jax.Array) -> jax.Array:
        x = check.floating(op, x)
        if not x.ndim:
            raise ValueError(f"{op}: x has shape (); pass (..., C), channels last")
        leaves = read(op, params, ("scale",), x.dtype)
        fit(op, leaves, {"scale": x.shape[-1:]}, x)
        return x * leaves["scale"].reshape((1,) * (x.ndim - 1) + (-1,))

    return pure(init, apply)
