"""Batch norm that has stopped learning."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from jaxnets import ops
from jaxnets.core import Layer, Params, State
from jaxnets.layers import arguments
from jaxnets.layers.leaves import Example, example, read
from jaxnets.layers.norm import BEGIN
from jaxnets.ops import check


def frozen_batch_norm(*, eps: float = 1e-5) -> Layer:
    """Each channel normalized by statistics that stay as they were loaded: `batch_norm` in evaluation, always.

    For fine-tuning with few images at a time, as detectors do. Shapes: (N, …, C) → (N, …, C). Parameters: none; state:
    scale, shift, mean and var (C,), float32, that nothing changes: ones and zeros to begin with. `eps`, at least 0, is
    added to the variance. Raises as `batch_norm` does. Gradient: to x alone. Cost: one pass. torchvision's
    `FrozenBatchNorm2d`; Ioffe & Szegedy, 2015, https://arxiv.org/abs/1502.03167.

    >>> layer = frozen_batch_norm()
    >>> params, state = layer.init(jax.random.key(0), jnp.ones((2, 3)))
    >>> params, list(state)
    ({}, ['scale', 'shift', 'mean', 'var'])
    """
    op = "frozen_batch_norm"
    eps = arguments.number(op, eps, "eps")
    if not 0 <= eps < float("inf"):
        raise ValueError(f"{op}: eps is {eps}; it must be at least 0 and finite")

    def init(key: jax.Array, x: Example, /) -> tuple[Params, State]:
        channels = example(op, x).shape[-1:]
        return {}, {name: jnp.full(channels, value, jnp.float32) for name, value in BEGIN.items()}

    def apply(
        params: Params, state: State, x: jax.Array, /, *, train: bool = False, key: jax.Array | None = None
    ) -> tuple[jax.Array, State]:
        x = check.floating(op, x)
        leaves = jax.lax.stop_gradient(read(op, state, BEGIN, jnp.float32, what="state"))
        return ops.batch_norm(x, **leaves, eps=eps), state

    return Layer(init, apply)
