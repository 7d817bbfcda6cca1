"""Pools over sliding windows as layers; what they compute, and at what cost, stands with the op of the same name."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from jaxnets import ops
from jaxnets.core import Layer, Params, lift, pure
from jaxnets.layers import arguments
from jaxnets.layers.leaves import Example, example, floating_images, read
from jaxnets.ops.geometry import Ints, Padding
from jaxnets.ops.kernels import switch


def _window(
    op: str, size: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool, lowering: Any
) -> dict[str, Any]:
    """The window's arguments, checked, as the op takes them."""
    return {
        "size": arguments.ints(op, size, "size"),
        "stride": None if stride is None else arguments.ints(op, stride, "stride"),
        "padding": arguments.padding(op, padding),
        "dilation": arguments.ints(op, dilation, "dilation"),
        "ceil_mode": ceil_mode,
        "lowering": switch.require_known(op, lowering),
    }


def max_pool(
    size: Ints,
    stride: Ints | None = None,
    *,
    padding: Padding = "VALID",
    dilation: Ints = 1,
    ceil_mode: bool = False,
    lowering: str | None = None,
) -> Layer:
    """The largest element of each window: `ops.max_pool` as a layer.

    Shapes: (N, *spatial, C) → (N, *out, C), any real dtype. Arguments, errors, gradient and cost: those of
    `ops.max_pool`; `size` and `stride` (default `size`) in elements, an int or one per axis.

    >>> max_pool(2).apply({}, {}, jnp.ones((1, 8, 8, 3)))[0].shape
    (1, 4, 4, 3)
    """
    window = _window("max_pool", size, stride, padding, dilation, ceil_mode, lowering)
    return lift(lambda x: ops.max_pool(x, **window))


def min_pool(
    size: Ints,
    stride: Ints | None = None,
    *,
    padding: Padding = "VALID",
    dilation: Ints = 1,
    ceil_mode: bool = False,
    lowering: str | None = None,
) -> Layer:
    """The smallest element of each window: `ops.min_pool` as a layer.

    Shapes: (N, *spatial, C) → (N, *out, C), any real dtype. Arguments, errors, gradient and cost: those of
    `ops.max_pool`.

    >>> min_pool(2).apply({}, {}, jnp.ones((1, 8, 8, 3)))[0].shape
    (1, 4, 4, 3)
    """
    window = _window("min_pool", size, stride, padding, dilation, ceil_mode, lowering)
    return lift(lambda x: ops.min_pool(x, **window))


def avg_pool(
    size: Ints,
    stride: Ints | None = None,
    *,
    padding: Padding = "VALID",
    dilation: Ints = 1,
    ceil_mode: bool = False,
    count_include_pad: bool = False,
    lowering: str | None = None,
) -> Layer:
    """The mean of each window: `ops.avg_pool` as a layer.

    Shapes: (N, *spatial, C) → (N, *out, C); integers give float32. Arguments, errors, gradient and cost: those of
    `ops.avg_pool`.

    >>> avg_pool(2).apply({}, {}, jnp.ones((1, 8, 8, 3)))[0].shape
    (1, 4, 4, 3)
    """
    window = _window("avg_pool", size, stride, padding, dilation, ceil_mode, lowering)
    return lift(lambda x: ops.avg_pool(x, **window, count_include_pad=count_include_pad))


def lp_pool(
    size: Ints,
    stride: Ints | None = None,
    *,
    padding: Padding = "VALID",
    dilation: Ints = 1,
    ceil_mode: bool = False,
    p: float = 2,
    lowering: str | None = None,
) -> Layer:
    """The Lp norm of each window: `ops.lp_pool` as a layer.

    Shapes: (N, *spatial, C) → (N, *out, C), floating point. `p` is a number above 0, infinity allowed. Other
    arguments, errors, gradient and cost: those of `ops.lp_pool`.

    >>> lp_pool(2).apply({}, {}, 3 * jnp.ones((1, 2, 2, 1)))[0]
    Array([[[[6.]]]], dtype=float32)
    """
    op = "lp_pool"
    window = _window(op, size, stride, padding, dilation, ceil_mode, lowering)
    arguments.positive(op, p, "p", infinite=True)  # and kept as it is: an int makes an integer power, which is cheaper
    return lift(lambda x: ops.lp_pool(x, **window, p=p))


def gem_pool(
    size: Ints,
    stride: Ints | None = None,
    *,
    padding: Padding = "VALID",
    dilation: Ints = 1,
    ceil_mode: bool = False,
    p: float = 3.0,
    eps: float = 1e-6,
    lowering: str | None = None,
) -> Layer:
    """The generalized mean of each window, its power learned: `ops.gem_pool` with p as a parameter.

    Shapes: (N, *spatial, C) → (N, *out, C), floating point. Parameters: p (), float32, one power for all windows and
    channels, which begins at the argument `p`, finite and above 0, where training must keep it. Other arguments, errors
    and cost: those of `ops.gem_pool`. Gradient: to x and p. Radenović, Tolias & Chum, 2018,
    https://arxiv.org/abs/1711.02512.

    >>> layer = gem_pool(2)
    >>> params, state = layer.init(jax.random.key(0), jnp.ones((1, 2, 2, 1)))
    >>> params, layer.apply(params, state, jnp.ones((1, 2, 2, 1)))[0].shape
    ({'p': Array(3., dtype=float32)}, (1, 1, 1, 1))
    """
    op = "gem_pool"
    window = _window(op, size, stride, padding, dilation, ceil_mode, lowering)
    p = arguments.positive(op, p, "p")
    eps = arguments.positive(op, eps, "eps")

    def init(key: jax.Array | None, x: Example) -> Params:
        example(op, x, floating_images)
        return {"p": jnp.asarray(p, jnp.float32)}

    def apply(params: Params, x: jax.Array) -> jax.Array:
        x = floating_images(op, x)
        return ops.gem_pool(x, **window, **read(op, params, ("p",), jnp.float32), eps=eps)

    return pure(init, apply)
