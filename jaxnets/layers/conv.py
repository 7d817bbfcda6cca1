"""Convolutions with learned kernels: `ops.conv` and its depthwise and separable forms as layers."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import jax

from jaxnets import ops
from jaxnets.core import Layer, Params, pure
from jaxnets.layers import arguments
from jaxnets.layers.initializers import Initializer
from jaxnets.layers.leaves import (
    HE_NORMAL,
    LECUN_NORMAL,
    ZEROS,
    Example,
    Shapes,
    draw,
    example,
    floating_images,
    linear,
    run,
)
from jaxnets.ops import check
from jaxnets.ops.geometry import Ints, Padding
from jaxnets.ops.kernels import switch


def _window(
    op: str, stride: Any, padding: Any, dilation: Any, padding_mode: Any, lowering: Any, initializers: dict[str, Any]
) -> dict[str, Any]:
    """The keyword arguments that go on to the op as they are, checked; and the initializers looked at."""
    for name, initializer in initializers.items():
        arguments.function(op, initializer, name)
    return {
        "stride": arguments.ints(op, stride, "stride"),
        "padding": arguments.padding(op, padding),
        "dilation": arguments.ints(op, dilation, "dilation"),
        "padding_mode": arguments.padding_mode(op, padding_mode),
        "lowering": switch.require_known(op, lowering),
    }


def conv(
    channels: int,
    size: Ints,
    stride: Ints = 1,
    *,
    padding: Padding = "SAME",
    dilation: Ints = 1,
    groups: int = 1,
    bias: bool = True,
    padding_mode: str | Sequence[str] = "zeros",
    lowering: str | None = None,
    w_init: Initializer = HE_NORMAL,
    b_init: Initializer = ZEROS,
) -> Layer:
    """Convolution to `channels` channels: `ops.conv` with learned w and b.

    Shapes: (N, *spatial, C) → (N, *out, channels), 1, 2 or 3 spatial axes. Parameters, float32: w (*size, C // groups,
    channels), b (channels,).
    Arguments: `size`, `stride` and `dilation` in elements, an int or one per axis; `padding`, `padding_mode`, `groups`
    and `lowering` as in `ops.conv`; `bias=False` leaves b out; `w_init` and `b_init` are `initializer(key, shape,
    dtype)`, by default He's normal with the fan-in of one group (He et al., 2015) and zeros.
    Raises `ValueError` or `TypeError` for a bad argument when the layer is made, and for an integer input (cast it),
    groups that do not divide C, no key in `init`, or params made for another input. Gradient and cost: those of
    `ops.conv`.

    >>> import jax.numpy as jnp
    >>> layer = conv(8, 3, 2)
    >>> params, state = layer.init(jax.random.key(0), jnp.ones((1, 28, 28, 3)))
    >>> params["w"].shape, layer.apply(params, state, jnp.ones((1, 28, 28, 3)))[0].shape
    ((3, 3, 3, 8), (1, 14, 14, 8))
    """
    op = "conv"
    channels = check.whole(op, channels, "channels")
    groups = check.whole(op, groups, "groups")
    arguments.divides(op, groups, channels, "it makes")
    size = arguments.ints(op, size, "size")
    window = _window(op, stride, padding, dilation, padding_mode, lowering, {"w_init": w_init, "b_init": b_init})

    def shapes(x: Example) -> Shapes:
        sizes = check.per_axis(op, size, x.ndim - 2, "size")
        share = arguments.divides(op, groups, x.shape[-1], f"of x {x.shape}")
        return {"w": (*sizes, share, channels)} | ({"b": (channels,)} if bias else {})

    def init(key: jax.Array, x: Example) -> Params:
        return draw(op, key, shapes(example(op, x, floating_images)), {"w": w_init, "b": b_init})

    def apply(params: Params, x: jax.Array) -> jax.Array:
        x = floating_images(op, x)
        return run(op, partial(ops.conv, groups=groups, **window), params, shapes(x), x)

    def with_bias() -> Layer:
        return conv(channels, size, groups=groups, w_init=w_init, b_init=b_init, **window)

    return linear(pure(init, apply), with_bias)


def depthwise_conv(
    size: Ints,
    stride: Ints = 1,
    *,
    multiplier: int = 1,
    padding: Padding = "SAME",
    dilation: Ints = 1,
    bias: bool = True,
    padding_mode: str | Sequence[str] = "zeros",
    lowering: str | None = None,
    w_init: Initializer = HE_NORMAL,
    b_init: Initializer = ZEROS,
) -> Layer:
    """Each channel convolved by itself, into `multiplier` channels: `ops.depthwise_conv` with learned w and b.

    Shapes: (N, *spatial, C) → (N, *out, C * multiplier). Parameters, float32: w (*size, 1, C * multiplier),
    b (C * multiplier,). Other arguments, errors and gradient are those of `conv`; the fan-in is the number of taps.
    Cost: that of `ops.depthwise_conv`. Sifre, 2014, Rigid-Motion Scattering for Image Classification.

    >>> import jax.numpy as jnp
    >>> params, _ = depthwise_conv(3, multiplier=2).init(jax.random.key(0), jnp.ones((1, 8, 8, 4)))
    >>> params["w"].shape
    (3, 3, 1, 8)
    """
    op = "depthwise_conv"
    size = arguments.ints(op, size, "size")
    multiplier = check.whole(op, multiplier, "multiplier")
    window = _window(op, stride, padding, dilation, padding_mode, lowering, {"w_init": w_init, "b_init": b_init})

    def shapes(x: Example) -> Shapes:
        channels = x.shape[-1] * multiplier
        w = (*check.per_axis(op, size, x.ndim - 2, "size"), 1, channels)
        return {"w": w} | ({"b": (channels,)} if bias else {})

    def init(key: jax.Array, x: Example) -> Params:
        return draw(op, key, shapes(example(op, x, floating_images)), {"w": w_init, "b": b_init})

    def apply(params: Params, x: jax.Array) -> jax.Array:
        x = floating_images(op, x)
        return run(op, partial(ops.depthwise_conv, **window), params, shapes(x), x)

    def with_bias() -> Layer:
        return depthwise_conv(size, multiplier=multiplier, w_init=w_init, b_init=b_init, **window)

    return linear(pure(init, apply), with_bias)


def separable_conv(
    channels: int,
    size: Ints,
    stride: Ints = 1,
    *,
    multiplier: int = 1,
    padding: Padding = "SAME",
    dilation: Ints = 1,
    bias: bool = True,
    padding_mode: str | Sequence[str] = "zeros",
    lowering: str | None = None,
    depthwise_init: Initializer = LECUN_NORMAL,
    pointwise_init: Initializer = HE_NORMAL,
    b_init: Initializer = ZEROS,
) -> Layer:
    """A depthwise convolution, then a 1×1 convolution to `channels`: `ops.separable_conv` with learned kernels.

    Shapes: (N, *spatial, C) → (N, *out, channels). Parameters, float32, with m the `multiplier`: depthwise_w
    (*size, 1, C * m), pointwise_w (1, …, 1, C * m, channels), b (channels,). Other arguments, errors and gradient are
    those of `conv`. Nothing rectifies between the two, so depthwise_w begins with LeCun's normal, which keeps the
    variance, and pointwise_w with He's. Cost: that of `ops.separable_conv`. Chollet, 2017, https://arxiv.org/abs/1610.02357.

    >>> import jax.numpy as jnp
    >>> params, _ = separable_conv(5, 3).init(jax.random.key(0), jnp.ones((1, 8, 8, 4)))
    >>> {name: leaf.shape for name, leaf in params.items()}
    {'depthwise_w': (3, 3, 1, 4), 'pointwise_w': (1, 1, 4, 5), 'b': (5,)}
    """
    op = "separable_conv"
    channels = check.whole(op, channels, "channels")
    size = arguments.ints(op, size, "size")
    multiplier = check.whole(op, multiplier, "multiplier")
    named = {"depthwise_init": depthwise_init, "pointwise_init": pointwise_init, "b_init": b_init}
    window = _window(op, stride, padding, dilation, padding_mode, lowering, named)
    initializers = {"depthwise_w": depthwise_init, "pointwise_w": pointwise_init, "b": b_init}

    def shapes(x: Example) -> Shapes:
        rank, middle = x.ndim - 2, x.shape[-1] * multiplier
        depthwise_w = (*check.per_axis(op, size, rank, "size"), 1, middle)
        pointwise_w = (*(1,) * rank, middle, channels)
        return {"depthwise_w": depthwise_w, "pointwise_w": pointwise_w} | ({"b": (channels,)} if bias else {})

    def init(key: jax.Array, x: Example) -> Params:
        return draw(op, key, shapes(example(op, x, floating_images)), initializers)

    def apply(params: Params, x: jax.Array) -> jax.Array:
        x = floating_images(op, x)
        return run(op, partial(ops.separable_conv, **window), params, shapes(x), x)

    return pure(init, apply)
