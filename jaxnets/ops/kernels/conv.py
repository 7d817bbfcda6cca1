"""Convolution and its adjoint, one window, explicit numbers: the members of one family."""

from __future__ import annotations

import jax

from jaxnets.ops.geometry import Window
from jaxnets.ops.kernels import switch
from jaxnets.ops.kernels.family import bind


def conv(x: jax.Array, w: jax.Array, window: Window, groups: int, lowering: str | None = None) -> jax.Array:
    """Cross-correlate (N, *spatial, C) with w: (*size, C // groups, K) → (N, *window.out, K)."""
    return bind("forward", x, w, window, groups, lowering=lowering or switch.asked())


def conv_transpose(x: jax.Array, w: jax.Array, window: Window, groups: int, lowering: str | None = None) -> jax.Array:
    """The adjoint of `conv` in its input: (N, *window.out, K) with the same w → (N, *window.spatial, C)."""
    return bind("input_gradient", x, w, window, groups, lowering=lowering or switch.asked())
