"""Attention to channels: each scaled by what the others say of it."""

from __future__ import annotations

from collections.abc import Callable

import jax

from jaxnets.combine import serial
from jaxnets.core import Layer, Params, pure
from jaxnets.layers import arguments
from jaxnets.layers.adaptive import global_avg_pool
from jaxnets.layers.dense import dense
from jaxnets.layers.initializers import Initializer
from jaxnets.layers.leaves import HE_NORMAL, Example, example, floating_images
from jaxnets.ops import check


def squeeze_excite(
    channels: int,
    *,
    act: Callable[[jax.Array], jax.Array] = jax.nn.relu,
    gate: Callable[[jax.Array], jax.Array] = jax.nn.sigmoid,
    w_init: Initializer = HE_NORMAL,
) -> Layer:
    """Each channel times a number between 0 and 1 that a small network finds from the means of all channels.

    Shapes: (N, *spatial, C) → (N, *spatial, C), 1, 2 or 3 spatial axes. Parameters: reduce/w (C, channels), reduce/b
    (channels,), expand/w (channels, C), expand/b (C,), float32.
    Arguments: `channels` between the two matrices, in the paper C / 16; `act` follows the first of them and `gate`
    the second; `w_init` draws both.
    Raises `ValueError` for channels below 1, an empty spatial axis, no key in `init`, or params made for another C,
    and `TypeError` for an integer input (cast it). Gradient: to x, through the means too, and to all parameters.
    Cost: `2 * C * channels` multiply-adds a sample, and two passes over x.
    Hu, Shen & Sun, 2018, https://arxiv.org/abs/1709.01507.

    >>> import jax.numpy as jnp
    >>> layer = squeeze_excite(2)
    >>> params, state = layer.init(jax.random.key(0), jnp.ones((1, 8, 8, 6)))
    >>> params["reduce"]["w"].shape, layer.apply(params, state, jnp.ones((1, 8, 8, 6)))[0].shape
    ((6, 2), (1, 8, 8, 6))
    """
    op = "squeeze_excite"
    channels = check.whole(op, channels, "channels")
    arguments.function(op, w_init, "w_init")

    def gates(x: Example) -> Layer:
        return serial(
            pool=global_avg_pool(keepdims=True),
            reduce=dense(channels, w_init=w_init),
            act=act,
            expand=dense(x.shape[-1], w_init=w_init),
            gate=gate,
        )

    def init(key: jax.Array, x: Example) -> Params:
        x = example(op, x, floating_images)
        return gates(x).init(key, x)[0]

    def apply(params: Params, x: jax.Array) -> jax.Array:
        x = floating_images(op, x)
        return x * gates(x).apply(params, {}, x)[0]

    return pure(init, apply)
