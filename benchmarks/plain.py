"""Plain lax: what one writes in JAX today, with `jax.lax` and Flax's pools. Signatures are those of `jaxnets.ops`."""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

LETTERS = {1: "W", 2: "HW", 3: "DHW"}


def _numbers(rank: int, first: bool = False) -> tuple[str, str, str]:
    data = f"NC{LETTERS[rank]}" if first else f"N{LETTERS[rank]}C"
    return data, f"{LETTERS[rank]}IO", data


def _pads(padding: Any, rank: int) -> Any:
    """An int is as many zeros on every side; names and pairs are lax's own."""
    return [(padding, padding)] * rank if isinstance(padding, int) else padding


def conv(
    x: jax.Array,
    w: jax.Array,
    *,
    stride: int = 1,
    padding: Any = "SAME",
    dilation: int = 1,
    groups: int = 1,
    first: bool = False,
) -> jax.Array:
    """`lax.conv_general_dilated`; causal padding is that of Flax's `Conv`. With `first`, x and y are channels first."""
    rank = x.ndim - 2
    if padding == "CAUSAL":
        padding = [((k - 1) * dilation, 0) for k in w.shape[:-2]]
    return lax.conv_general_dilated(
        x,
        w,
        (stride,) * rank,
        _pads(padding, rank),
        rhs_dilation=(dilation,) * rank,
        dimension_numbers=_numbers(rank, first),
        feature_group_count=groups,
    )


def depthwise_conv(x: jax.Array, w: jax.Array, *, first: bool = False, **options: Any) -> jax.Array:
    """`feature_group_count` as many as channels."""
    return conv(x, w, groups=x.shape[1 if first else -1], first=first, **options)


def conv_transpose(x: jax.Array, w: jax.Array, *, stride: int = 1, padding: Any = "SAME") -> jax.Array:
    """`lax.conv_transpose` with the kernel as the convolution has it."""
    rank = x.ndim - 2
    return lax.conv_transpose(x, w, (stride,) * rank, padding, dimension_numbers=_numbers(rank), transpose_kernel=True)


def _windows(x: jax.Array, size: int, stride: int | None, padding: Any) -> tuple[tuple[int, ...], tuple[int, ...], Any]:
    rank = x.ndim - 2
    return (size,) * rank, (size if stride is None else stride,) * rank, _pads(padding, rank)


def max_pool(
    x: jax.Array, size: int, stride: int | None = None, *, padding: Any = "VALID", dilation: int = 1
) -> jax.Array:
    """Flax's, or `lax.reduce_window` where the window is dilated, which Flax lacks."""
    window, strides, padding = _windows(x, size, stride, padding)
    if dilation == 1:
        return nn.max_pool(x, window, strides, padding)
    return lax.reduce_window(
        x,
        np.asarray(-np.inf, x.dtype),
        lax.max,
        (1, *window, 1),
        (1, *strides, 1),
        padding,
        window_dilation=(1, *(dilation for _ in window), 1),
    )


def avg_pool(x: jax.Array, size: int, stride: int | None = None, *, padding: Any = "VALID") -> jax.Array:
    """Flax's."""
    return nn.avg_pool(x, *_windows(x, size, stride, padding), count_include_pad=False)


def lp_pool(x: jax.Array, size: int, stride: int | None = None, *, padding: str = "VALID", p: float = 2) -> jax.Array:
    """A power, `lax.reduce_window`, a root."""
    window, strides, _ = _windows(x, size, stride, padding)
    powers = jnp.abs(x) ** p
    total = lax.reduce_window(powers, np.zeros((), x.dtype), lax.add, (1, *window, 1), (1, *strides, 1), padding)
    return total ** (1 / p)


def adaptive_avg_pool(x: jax.Array, output_size: int) -> jax.Array:
    """Means of slices, one axis after the other."""
    for axis, n in enumerate(x.shape[1:-1], start=1):
        bounds = [(i * n // output_size, -(-(i + 1) * n // output_size)) for i in range(output_size)]
        means = [lax.slice_in_dim(x, low, high, axis=axis).mean(axis) for low, high in bounds]
        x = jnp.stack(means, axis)
    return x
