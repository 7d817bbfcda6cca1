"""Where a token stands: turned into its query and key (rotary), or a vector to be added to it (sinusoidal)."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from jaxnets.ops import check
from jaxnets.ops.precision import widen


def _positions(op: str, positions: Any) -> jax.Array:
    positions = check.array(op, positions, "positions")
    if not jnp.issubdtype(positions.dtype, jnp.integer):
        raise TypeError(f"{op}: positions has dtype {positions.dtype}; pass integers, counted from 0")
    return positions


def _angles(positions: jax.Array, channels: int, base: float) -> jax.Array:
    """(…) positions → (…, channels // 2) angles: pair i turns by `base ** (-2 i / channels)` a step."""
    turns = jnp.asarray([base ** (-2 * i / channels) for i in range(channels // 2)], jnp.float32)
    return positions[..., None].astype(jnp.float32) * turns.reshape((1,) * positions.ndim + (-1,))


def rotary(x: jax.Array, positions: jax.Array | None = None, *, base: float = 10000.0) -> jax.Array:
    """Each pair of channels turned by an angle in proportion to the position: products then tell the distance alone.

    Pair i is the channels i and i + D/2, `y[i] = x[i] cos a - x[i + D/2] sin a` and
    `y[i + D/2] = x[i + D/2] cos a + x[i] sin a`, with `a = position * base ** (-2 i / D)`.

    Shapes: x (N, T, heads, D), D even → the same. Arguments: `positions`, integers (T,) or (N, T), by default 0, 1, …;
    `base` sets the slowest turn. Apply it to q and k, not to v. Raises `ValueError` for an odd D or positions of
    another shape, `TypeError` for integers in x (cast it). Gradient: to x, turned back. Cost: one pass, in float32.
    Su et al., 2021, https://arxiv.org/abs/2104.09864; the pairs are as in Llama, the paper's being neighbors.

    >>> rotary(jnp.array([1., 0.]).reshape(1, 1, 1, 2), jnp.array([0]))[0, 0, 0]
    Array([1., 0.], dtype=float32)
    """
    op = "rotary"
    x = check.floating(op, x)
    if x.ndim != 4 or x.shape[-1] % 2:
        raise ValueError(f"{op}: x has shape {x.shape}; pass (N, T, heads, D) with an even D, for channels are paired")
    n, t, _, d = x.shape
    at = _positions(op, jnp.arange(t) if positions is None else positions)
    if at.shape not in ((t,), (1, t), (n, t)):
        raise ValueError(f"{op}: positions has shape {at.shape}; for x {x.shape} pass ({t},) or ({n}, {t})")
    angles = _angles(at.reshape(-1, t), d, base)[:, :, None, :]
    first, second = jnp.split(widen(x), 2, axis=-1)
    cos, sin = (fn(angles).astype(first.dtype) for fn in (jnp.cos, jnp.sin))
    return jnp.concatenate([first * cos - second * sin, second * cos + first * sin], axis=-1).astype(x.dtype)


def sinusoidal(positions: jax.Array, channels: int, *, base: float = 10000.0) -> jax.Array:
    """A vector for each position: sines in the even channels, cosines in the odd ones, from fast to slow.

    `y[p, 2i] = sin(p base ** (-2i / channels))` and `y[p, 2i + 1]` the cosine. Shapes: (…) integers → (…, channels),
    float32. Raises `TypeError` for positions that are no integers, `ValueError` for an odd number of channels.
    Gradient: none, positions are integers. Cost: `channels` sines a position. Vaswani et al., 2017,
    https://arxiv.org/abs/1706.03762.

    >>> sinusoidal(jnp.array([0]), 4)
    Array([[0., 1., 0., 1.]], dtype=float32)
    """
    op = "sinusoidal"
    channels = check.whole(op, channels, "channels")
    if channels % 2:
        raise ValueError(f"{op}: channels is {channels}; pass an even number, for each sine has its cosine")
    angles = _angles(_positions(op, positions), channels, base)
    return jnp.stack([jnp.sin(angles), jnp.cos(angles)], axis=-1).reshape(*angles.shape[:-1], channels)
