"""Layers among channels that learn nothing: `ops.local_response_norm` and `ops.channel_shuffle`."""

from __future__ import annotations

from functools import partial

from jaxnets import ops
from jaxnets.core import Layer, lift
from jaxnets.layers import arguments
from jaxnets.ops import check


def local_response_norm(size: int = 5, *, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> Layer:
    """Each channel divided by a power of the mean square of the `size` channels around it: `ops.local_response_norm`.

    Shapes: (N, …, C) → (N, …, C). Arguments, errors, gradient and cost: those of the op; alpha is divided by `size`, as
    PyTorch has it. Krizhevsky, Sutskever & Hinton, 2012, https://papers.nips.cc/paper/4824.

    >>> import jax.numpy as jnp
    >>> local_response_norm(3, alpha=3, beta=1).apply({}, {}, jnp.array([[2.]]))[0]
    Array([[0.4]], dtype=float32)
    """
    op = "local_response_norm"
    size = check.whole(op, size, "size")
    alpha, beta, k = (arguments.number(op, v, name) for name, v in (("alpha", alpha), ("beta", beta), ("k", k)))
    return lift(partial(ops.local_response_norm, size=size, alpha=alpha, beta=beta, k=k))


def channel_shuffle(groups: int) -> Layer:
    """The channels of all groups dealt out in turn: `ops.channel_shuffle`.

    Shapes: (…, C) → (…, C), any dtype of numbers, `groups` a divisor of C. Errors, gradient and cost: those of the op.
    Zhang, Zhou, Lin & Sun, 2018, https://arxiv.org/abs/1707.01083.

    >>> import jax.numpy as jnp
    >>> channel_shuffle(2).apply({}, {}, jnp.array([[0, 1, 10, 11]]))[0]
    Array([[ 0, 10,  1, 11]], dtype=int32)
    """
    return lift(partial(ops.channel_shuffle, groups=check.whole("channel_shuffle", groups, "groups")))
