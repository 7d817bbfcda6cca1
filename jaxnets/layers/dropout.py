"""Noise that regularizes, in training alone: dropout of elements, and of whole samples' branches."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from jaxnets.core import Layer, Params, State, require_key
from jaxnets.layers import arguments
from jaxnets.ops import check


def _drop(op: str, rate: float, per_sample: bool) -> Layer:
    """`x`, in training with a fraction `rate` of its elements, or samples, set to zero and the rest scaled up."""
    rate = arguments.rate(op, rate)

    def init(key: jax.Array, x: Any, /) -> tuple[Params, State]:
        return {}, {}

    def apply(
        params: Params, state: State, x: jax.Array, /, *, train: bool = False, key: jax.Array | None = None
    ) -> tuple[jax.Array, State]:
        x = check.floating(op, x)
        if not train or rate == 0:
            return x, state
        key = require_key(op, key)
        if per_sample and not x.ndim:
            raise ValueError(f"{op}: x has shape (), so there are no samples; pass (N, ...)")
        shape = (x.shape[0],) + (1,) * (x.ndim - 1) if per_sample else x.shape
        keep = jnp.broadcast_to(jax.random.bernoulli(key, 1 - rate, shape), x.shape)
        return jnp.where(keep, x / (1 - rate), jnp.zeros_like(x)), state

    return Layer(init, apply)


def dropout(rate: float) -> Layer:
    """In training each element is zero with probability `rate`, otherwise divided by `1 - rate`; else the identity.

    `rate` is the fraction *dropped*, at least 0 and below 1; the expectation of the output is the input. Any shape is
    kept. Needs `key` where it draws: `train=True` and `rate` above 0. Raises `ValueError` for another rate or no
    key, `TypeError` for an integer input (cast it). Gradient: to the elements kept. Cost: a random number an element.
    Srivastava et al., 2014, https://jmlr.org/papers/v15/srivastava14a.html.

    >>> y, _ = dropout(0.5).apply({}, {}, jnp.ones(1000), train=True, key=jax.random.key(0))
    >>> sorted(set(y.tolist()))
    [0.0, 2.0]
    """
    return _drop("dropout", rate, per_sample=False)


def drop_path(rate: float) -> Layer:
    """In training each sample is all zero with probability `rate`, otherwise divided by `1 - rate`; else the identity.

    Put at the end of a residual branch, it drops the branch for that sample: stochastic depth. Shapes: (N, …) kept.
    `rate` is the fraction *dropped*; needs `key`, raises and has a gradient as `dropout`. Cost: a random number a
    sample. Huang et al., 2016, https://arxiv.org/abs/1603.09382, who scale when evaluating instead of when training.

    >>> y, _ = drop_path(0.5).apply({}, {}, jnp.ones((4, 2)), train=True, key=jax.random.key(0))
    >>> bool((y[:, 0] == y[:, 1]).all())
    True
    """
    return _drop("drop_path", rate, per_sample=True)
