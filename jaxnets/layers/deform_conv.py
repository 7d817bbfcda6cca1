"""Convolution that learns where to look."""

from __future__ import annotations

from math import prod
from typing import Any

import jax

from jaxnets import ops
from jaxnets.combine import child_key
from jaxnets.core import Layer, Params, pure, require_key
from jaxnets.layers import arguments
from jaxnets.layers.conv import conv
from jaxnets.layers.initializers import Initializer
from jaxnets.layers.leaves import HE_NORMAL, ZEROS, Example, Shapes, draw, example, fit, floating_images, read
from jaxnets.ops import check
from jaxnets.ops.geometry import Ints, Padding


def deform_conv(
    channels: int,
    size: Ints,
    stride: Ints = 1,
    *,
    padding: Padding = "SAME",
    dilation: Ints = 1,
    groups: int = 1,
    offset_groups: int = 1,
    mask: bool = True,
    bias: bool = True,
    w_init: Initializer = HE_NORMAL,
    b_init: Initializer = ZEROS,
) -> Layer:
    """Convolution whose taps move by offsets that a convolution of the input finds: `ops.deform_conv`, learned.

    Shapes: (N, *spatial, C) → (N, *out, channels), 1, 2 or 3 spatial axes. Parameters, float32: w (*size, C // groups,
    channels), b (channels,), and offset/w and offset/b of the convolution with the same window, which begins with
    zeros, so that at first nothing moves. With `mask` (the paper's version 2) it finds a weight for each tap too,
    between 0 and 1, to begin with 1/2.
    Arguments: those of `conv`, and `offset_groups`, a divisor of C: parts of the channels with offsets of their own.
    Raises as `conv` does. Gradient and cost: those of the op, and of a convolution to `offset_groups * taps * (rank +
    mask)` channels. Dai et al., 2017, https://arxiv.org/abs/1703.06211; Zhu, Hu, Lin & Dai, 2019,
    https://arxiv.org/abs/1811.11168.

    >>> import jax.numpy as jnp
    >>> params, _ = deform_conv(8, 3).init(jax.random.key(0), jnp.ones((1, 8, 8, 4)))
    >>> params["w"].shape, params["offset"]["w"].shape
    ((3, 3, 4, 8), (3, 3, 4, 27))
    """
    op = "deform_conv"
    channels, groups = check.whole(op, channels, "channels"), check.whole(op, groups, "groups")
    offset_groups = check.whole(op, offset_groups, "offset_groups")
    arguments.divides(op, groups, channels, "it makes")
    size = arguments.ints(op, size, "size")
    window: dict[str, Any] = {
        "stride": arguments.ints(op, stride, "stride"),
        "padding": arguments.padding(op, padding),
        "dilation": arguments.ints(op, dilation, "dilation"),
    }
    for name, initializer in {"w_init": w_init, "b_init": b_init}.items():
        arguments.function(op, initializer, name)

    def shapes(x: Example) -> Shapes:
        share = arguments.divides(op, groups, x.shape[-1], f"of x {x.shape}")
        sizes = check.per_axis(op, size, x.ndim - 2, "size")
        return {"w": (*sizes, share, channels)} | ({"b": (channels,)} if bias else {})

    def where(x: Example) -> Layer:
        """The convolution that finds the offsets, and after them the mask."""
        rank = x.ndim - 2
        taps = prod(check.per_axis(op, size, rank, "size"))
        return conv(offset_groups * taps * (rank + bool(mask)), size, w_init=ZEROS, **window)

    def init(key: jax.Array, x: Example) -> Params:
        x = example(op, x, floating_images)
        own = draw(op, key, shapes(x), {"w": w_init, "b": b_init})
        found, _ = where(x).init(child_key(require_key(op, key), "offset"), x)  # type: ignore[arg-type]
        return own | {"offset": found}

    def apply(params: Params, x: jax.Array) -> jax.Array:
        x = floating_images(op, x)
        own = {name: leaf for name, leaf in params.items() if name != "offset"}
        leaves = read(op, own, shapes(x), x.dtype)
        found, _ = where(x).apply(params.get("offset", {}), {}, x)
        moves = found.shape[-1] * (x.ndim - 2) // (x.ndim - 2 + bool(mask))
        weights = jax.nn.sigmoid(found[..., moves:]) if mask else None
        y = ops.deform_conv(
            x, found[..., :moves], **leaves, mask=weights, groups=groups, offset_groups=offset_groups, **window
        )
        fit(op, leaves, shapes(x), x)
        return y

    return pure(init, apply)
