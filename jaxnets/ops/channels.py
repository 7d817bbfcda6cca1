"""Channels among themselves: normalized by their neighbors, and dealt out to other groups."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import lax

from jaxnets.ops import check
from jaxnets.ops.precision import widen


def local_response_norm(
    x: jax.Array, size: int = 5, *, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> jax.Array:
    """Each channel divided by a power of the mean square of the channels around it.

    `y[..., c] = x[..., c] / (k + alpha / size Σ_d x[..., d]²) ** beta`, d from `c - size // 2` to
    `c + (size - 1) // 2`, as far as there are channels. That is PyTorch's; Krizhevsky's and TensorFlow's alpha has the
    division by `size` in it already.
    Shapes: (N, …, C) → (N, …, C), in float32 at least and rounded at the end. Arguments: `size` in channels. Raises
    `TypeError` for integers, `ValueError` for size below 1. Gradient: to x, and to what it divides. Cost: `size`
    additions an element. Krizhevsky, Sutskever & Hinton, 2012, ImageNet Classification with Deep Convolutional Neural
    Networks, https://papers.nips.cc/paper/4824, with size 5, alpha 5e-4, beta 0.75 and k 2.

    >>> local_response_norm(jnp.array([[1., 2., 2.]]), 3, alpha=3, beta=1)
    Array([[0.16666667, 0.2       , 0.22222222]], dtype=float32)
    """
    op = "local_response_norm"
    x, size = check.floating(op, x), check.whole(op, size, "size")
    if x.ndim < 2:
        raise ValueError(f"{op}: x has shape {x.shape}; pass (N, ..., C), batched, channels last")
    wide, channels = widen(x), x.shape[-1]
    low, high = size // 2, (size - 1) // 2
    squares = lax.pad(jnp.square(wide), jnp.zeros((), wide.dtype), [(0, 0, 0)] * (x.ndim - 1) + [(low, high, 0)])
    total = sum(
        (lax.slice_in_dim(squares, d, d + channels, axis=-1) for d in range(1, size)),
        start=lax.slice_in_dim(squares, 0, channels, axis=-1),
    )
    return (wide * jnp.power(k + alpha / size * total, -beta)).astype(x.dtype)


def channel_shuffle(x: jax.Array, groups: int) -> jax.Array:
    """The channels of all groups dealt out in turn: the first of each group, then the second of each, and so on.

    Between two convolutions in groups it hands each group something of every other. `y[..., i * groups + g] =
    x[..., g * C / groups + i]`, PyTorch's order.
    Shapes: (…, C) → (…, C), every real dtype. Raises `ValueError` unless `groups` divides C. Gradient: each element's,
    in its place. Cost: a copy. Zhang, Zhou, Lin & Sun, 2018, https://arxiv.org/abs/1707.01083.

    >>> channel_shuffle(jnp.array([[0, 1, 2, 10, 11, 12]]), 2)
    Array([[ 0, 10,  1, 11,  2, 12]], dtype=int32)
    """
    op = "channel_shuffle"
    x, groups = check.array(op, x), check.whole(op, groups, "groups")
    if not x.ndim or x.shape[-1] % groups:
        raise ValueError(f"{op}: groups={groups} does not divide the channels (last axis) of x {x.shape}")
    return x.reshape(*x.shape[:-1], groups, x.shape[-1] // groups).swapaxes(-1, -2).reshape(x.shape)
