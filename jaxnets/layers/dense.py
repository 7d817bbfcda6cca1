"""The dense (fully connected) layer."""

from __future__ import annotations

import jax

from jaxnets import ops
from jaxnets.core import Layer, Params, pure
from jaxnets.layers import arguments
from jaxnets.layers.initializers import Initializer
from jaxnets.layers.leaves import HE_NORMAL, ZEROS, Example, Shapes, draw, example, linear, run
from jaxnets.ops import check


def dense(channels: int, *, bias: bool = True, w_init: Initializer = HE_NORMAL, b_init: Initializer = ZEROS) -> Layer:
    """A matrix product with the last axis, plus a bias: `ops.dense` with learned w and b.

    Shapes: (…, D) → (…, channels). Parameters: w (D, channels), b (channels,), float32.
    Arguments: `bias=False` leaves b out; `w_init` and `b_init` are `initializer(key, shape, dtype)`, by default He's
    normal (He et al., 2015) and zeros.
    Raises `ValueError` or `TypeError` for channels below 1, an integer input (cast it), no key in `init`, or params
    made for another D. Gradient: to x, w and b. Cost: `D * channels` multiply-adds a row.
    Rosenblatt, 1958, The Perceptron, https://doi.org/10.1037/h0042519.

    >>> import jax.numpy as jnp
    >>> layer = dense(10)
    >>> params, state = layer.init(jax.random.key(0), jnp.ones((2, 3)))
    >>> layer.apply(params, state, jnp.ones((2, 3)))[0].shape
    (2, 10)
    """
    op = "dense"
    channels = check.whole(op, channels, "channels")
    arguments.function(op, w_init, "w_init")
    arguments.function(op, b_init, "b_init")

    def shapes(x: Example) -> Shapes:
        return {"w": (x.shape[-1], channels)} | ({"b": (channels,)} if bias else {})

    def init(key: jax.Array, x: Example) -> Params:
        return draw(op, key, shapes(example(op, x)), {"w": w_init, "b": b_init})

    def apply(params: Params, x: jax.Array) -> jax.Array:
        x = check.floating(op, x)
        if not x.ndim:
            raise ValueError(f"{op}: x has shape (); pass (..., D), features last")
        return run(op, ops.dense, params, shapes(x), x)

    return linear(pure(init, apply), lambda: dense(channels, w_init=w_init, b_init=b_init))
