"""Layers that only rearrange."""

from __future__ import annotations

from math import prod

import jax

from jaxnets.core import Layer, lift
from jaxnets.ops import check


def flatten() -> Layer:
    """All axes but the first as one, in row-major order: (N, H, W, C) → (N, H * W * C), any dtype of numbers.

    Raises `ValueError` for a scalar. Gradient: each element's, in its place. Cost: none; it is a view.

    >>> import jax.numpy as jnp
    >>> flatten().apply({}, {}, jnp.ones((2, 3, 3, 4)))[0].shape
    (2, 36)
    """

    def apply(x: jax.Array) -> jax.Array:
        x = check.array("flatten", x)
        if not x.ndim:
            raise ValueError("flatten: x has shape (); pass (N, ...), batched")
        return x.reshape(x.shape[0], prod(x.shape[1:]))  # not -1, which an empty batch leaves undefined

    return lift(apply)
