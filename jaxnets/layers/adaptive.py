"""Pools that are told their output's size, or have one window for all: adaptive, global, blur, fractional."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxnets import ops
from jaxnets.core import Layer, Params, State, lift, require_key
from jaxnets.layers import arguments
from jaxnets.ops import check
from jaxnets.ops.geometry import Ints

OutputSize = int | tuple[int | None, ...]


def adaptive_avg_pool(output_size: OutputSize) -> Layer:
    """Means of as many windows as asked for, whatever the input's size: `ops.adaptive_avg_pool` as a layer.

    Shapes: (N, *spatial, C) → (N, *output_size, C). `output_size` in elements, an int or one per axis, None to keep
    an axis. Errors, gradient and cost: those of `ops.adaptive_avg_pool`.

    >>> adaptive_avg_pool((2, None)).apply({}, {}, jnp.ones((1, 7, 5, 3)))[0].shape
    (1, 2, 5, 3)
    """
    output_size = arguments.output_size("adaptive_avg_pool", output_size)
    return lift(lambda x: ops.adaptive_avg_pool(x, output_size))


def adaptive_max_pool(output_size: OutputSize) -> Layer:
    """Maxima of as many windows as asked for, whatever the input's size: `ops.adaptive_max_pool` as a layer.

    Shapes, arguments and errors are those of `adaptive_avg_pool`; gradient and cost those of the op.

    >>> adaptive_max_pool(2).apply({}, {}, jnp.ones((1, 7, 5, 3)))[0].shape
    (1, 2, 2, 3)
    """
    output_size = arguments.output_size("adaptive_max_pool", output_size)
    return lift(lambda x: ops.adaptive_max_pool(x, output_size))


def global_avg_pool(*, keepdims: bool = False) -> Layer:
    """The mean over all spatial axes: `ops.global_avg_pool` as a layer.

    Shapes: (N, *spatial, C) → (N, C), or (N, 1, …, C) with `keepdims`. Errors, gradient and cost: those of the op.
    Lin, Chen & Yan, 2014, Network in Network, https://arxiv.org/abs/1312.4400.

    >>> global_avg_pool().apply({}, {}, jnp.ones((2, 7, 5, 3)))[0].shape
    (2, 3)
    """
    return lift(lambda x: ops.global_avg_pool(x, keepdims=keepdims))


def global_max_pool(*, keepdims: bool = False) -> Layer:
    """The maximum over all spatial axes: `ops.global_max_pool` as a layer.

    Shapes: (N, *spatial, C) → (N, C), or (N, 1, …, C) with `keepdims`. Errors, gradient and cost: those of the op.

    >>> global_max_pool().apply({}, {}, jnp.ones((2, 7, 5, 3)))[0].shape
    (2, 3)
    """
    return lift(lambda x: ops.global_max_pool(x, keepdims=keepdims))


def blur_pool(size: Ints = 3, stride: Ints = 2, *, padding_mode: str | Sequence[str] = "reflect") -> Layer:
    """A binomial blur before subsampling, against aliasing: `ops.blur_pool` as a layer.

    Shapes: (N, *spatial, C) → (N, *out, C). `size` taps and `stride` elements, an int or one per axis. Errors,
    gradient and cost: those of `ops.blur_pool`. Zhang, 2019, https://arxiv.org/abs/1904.11486.

    >>> blur_pool().apply({}, {}, jnp.ones((1, 8, 8, 3)))[0].shape
    (1, 4, 4, 3)
    """
    op = "blur_pool"
    size = arguments.ints(op, size, "size")
    stride = arguments.ints(op, stride, "stride")
    mode = arguments.padding_mode(op, padding_mode)
    return lift(lambda x: ops.blur_pool(x, size, stride, padding_mode=mode))


def fractional_max_pool(size: Ints, output_size: Ints) -> Layer:
    """Maxima of windows that stand at random places in training, at fixed ones otherwise: `ops.fractional_max_pool`.

    Shapes: (N, *spatial, C) → (N, *output_size, C). `size` and `output_size` in elements, an int or one per axis.
    With `train=True` it needs `key`, and each sample, channel and axis draws its own places; otherwise all take those
    of the sample u = 0.5, so the predictor is a function of its input alone. Raises `ValueError` for no key where it
    draws; other errors, gradient and cost: those of the op. Graham, 2014, https://arxiv.org/abs/1412.6071.

    >>> fractional_max_pool(2, 5).apply({}, {}, jnp.ones((1, 8, 8, 3)))[0].shape
    (1, 5, 5, 3)
    """
    op = "fractional_max_pool"
    size = arguments.ints(op, size, "size")
    output_size = arguments.ints(op, output_size, "output_size")

    def init(key: jax.Array, x: Any, /) -> tuple[Params, State]:
        return {}, {}

    def apply(
        params: Params, state: State, x: jax.Array, /, *, train: bool = False, key: jax.Array | None = None
    ) -> tuple[jax.Array, State]:
        x = check.images(op, x)
        if train:
            return ops.fractional_max_pool(x, size, output_size, key=require_key(op, key)), state
        samples = jnp.full((x.shape[0], x.shape[-1], x.ndim - 2), 0.5, jnp.float32)
        return ops.fractional_max_pool(x, size, output_size, samples=samples), state

    return Layer(init, apply)
