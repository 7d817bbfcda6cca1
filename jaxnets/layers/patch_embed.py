"""An image as a sequence."""

from __future__ import annotations

from math import prod
from typing import Any

import jax

from jaxnets.core import Layer, Params, pure
from jaxnets.layers import arguments
from jaxnets.layers.conv import conv
from jaxnets.layers.initializers import Initializer
from jaxnets.layers.leaves import LECUN_NORMAL, Example, example, floating_images
from jaxnets.ops import check


def patch_embed(
    channels: int, size: int | tuple[int, ...], *, bias: bool = True, w_init: Initializer = LECUN_NORMAL
) -> Layer:
    """The image cut into patches, each mapped to a vector: a convolution whose stride is its size, its map unrolled.

    Shapes: (N, *spatial, C) → (N, T, channels), T patches in row-major order. Parameters: w (*size, C, channels),
    b (channels,), float32. Arguments: `size` of a patch, an int or one per spatial axis; `bias=False` leaves b out;
    `w_init` draws w.
    Raises `ValueError` for an image that the patches do not divide, and `TypeError` for integers (cast them).
    Gradient: to x, w and b. Cost: `C * channels` multiply-adds a pixel. Dosovitskiy et al., 2021,
    https://arxiv.org/abs/2010.11929.

    >>> import jax.numpy as jnp
    >>> layer = patch_embed(8, 16)
    >>> params, state = layer.init(jax.random.key(0), jnp.zeros((1, 32, 48, 3)))
    >>> params["w"].shape, layer.apply(params, state, jnp.zeros((1, 32, 48, 3)))[0].shape
    ((16, 16, 3, 8), (1, 6, 8))
    """
    op = "patch_embed"
    channels, sizes = check.whole(op, channels, "channels"), arguments.ints(op, size, "size")
    cut = conv(channels, sizes, sizes, padding=0, bias=bias, w_init=w_init)

    def images(op: str, x: Any) -> jax.Array:
        x = floating_images(op, x)
        each = check.per_axis(op, sizes, x.ndim - 2, "size")
        if any(n % s for n, s in zip(x.shape[1:-1], each, strict=True)):
            raise ValueError(f"{op}: x has shape {x.shape}, which patches of {each} do not divide; resize or pad it")
        return x

    def init(key: jax.Array, x: Example) -> Params:
        return cut.init(key, example(op, x, images))[0]

    def apply(params: Params, x: jax.Array) -> jax.Array:
        y = cut.apply(params, {}, images(op, x))[0]
        return y.reshape(y.shape[0], prod(y.shape[1:-1]), channels)

    return pure(init, apply)
