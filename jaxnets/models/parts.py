"""What more than one family is made of. Padding and initial values are torchvision's, so that its weights fit."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from functools import partial, wraps
from typing import Any, ParamSpec

import jax
import jax.numpy as jnp

from jaxnets.combine import LayerLike, parallel, serial
from jaxnets.core import Layer
from jaxnets.layers import conv, depthwise_conv, initializers
from jaxnets.ops import check

P = ParamSpec("P")

FAN_OUT = initializers.variance_scaling(2.0, "fan_out", "normal")
"""Variance 2 / fan-out: keeps the second moment of gradients through a ReLU. He et al., 2015,
https://arxiv.org/abs/1502.01852."""


def variant(family: Callable[P, Layer], **defaults: Any) -> Callable[P, Layer]:
    """`family` with other defaults, which `help` and `inspect.signature` show.

    >>> def family(num_classes: int = 1000, *, depth: int = 1) -> Layer: ...
    >>> inspect.signature(variant(family, depth=3)).parameters["depth"].default
    3
    """
    chosen = partial(family, **defaults)

    @wraps(family)
    def make(*args: P.args, **kwargs: P.kwargs) -> Layer:
        return chosen(*args, **kwargs)

    make.__signature__ = inspect.signature(chosen)  # type: ignore[attr-defined]
    return make


def identity(x: jax.Array) -> jax.Array:
    """The skip connection."""
    return x


def block(main: Layer, residual: bool) -> Layer:
    """`main`, plus its input if `residual`: the same tree either way."""
    return parallel(jnp.add, main=main, skip=identity) if residual else serial(main=main)


def centered_conv(channels: int, size: int, stride: int = 1, *, groups: int = 1, dilation: int = 1) -> Layer:
    """A convolution before a norm, which has its bias. The padding is as much on either side, unlike "SAME"'s."""
    padding = (size - 1) // 2 * dilation
    return conv(channels, size, stride, padding=padding, dilation=dilation, groups=groups, bias=False, w_init=FAN_OUT)


def centered_depthwise(size: int, stride: int = 1) -> Layer:
    """As `centered_conv`, each channel by itself."""
    return depthwise_conv(size, stride, padding=(size - 1) // 2, bias=False, w_init=FAN_OUT)


def unit(conv: Layer, norm: Layer, act: LayerLike | None = None) -> Layer:
    """A convolution, its norm, and unless the map is to stay linear an activation."""
    return serial(conv=conv, norm=norm) if act is None else serial(conv=conv, norm=norm, act=act)


def divisible(channels: float, by: int = 8) -> int:
    """The multiple of `by` nearest to `channels`, the next one up where that would take away over a tenth.

    Sandler et al., 2018, https://arxiv.org/abs/1801.04381, in their published code.

    >>> divisible(32 * 0.75), divisible(12), divisible(11.9), divisible(1)
    (24, 16, 16, 8)
    """
    nearest = max(by, int(channels + by / 2) // by * by)
    return nearest + by if nearest < 0.9 * channels else nearest


def per_stage(model: str, depths: Sequence[int], channels: Sequence[int]) -> list[tuple[int, int]]:
    """How many blocks and how many channels each stage has, checked: at least one stage, and one of each.

    >>> per_stage("resnet", [2, 2], [64, 128])
    [(2, 64), (2, 128)]
    """
    if len(depths) != len(channels) or not len(depths):
        raise ValueError(
            f"{model}: depths is {tuple(depths)} and channels {tuple(channels)}; pass one of each for every stage"
        )
    for name, values in (("depths", depths), ("channels", channels)):
        for i, value in enumerate(values):
            check.whole(model, value, f"{name}[{i}]")
    return list(zip(depths, channels, strict=True))


def at_least(model: str, size: int) -> Callable[[jax.Array], jax.Array]:
    """The identity, for images that the network does not shrink to nothing; a `ValueError` for others."""

    def image(x: jax.Array) -> jax.Array:
        if any(n < size for n in x.shape[1:-1]):
            raise ValueError(
                f"{model}: x has shape {x.shape}, but the smallest image this network takes is {size}×{size}; "
                f"resize it (jaxnets.ops.resize) or pad it"
            )
        return x

    return image
