"""Attention and positions: one query after another, one pair of channels after another."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from jaxnets.reference.dtypes import Array, cast, widen


def softmax(logits: Array) -> Array:
    """exp(logits) / sum of exp(logits).

    >>> softmax(np.zeros(2))
    array([0.5, 0.5])
    """
    e = np.exp(logits - np.max(logits))
    return e / np.sum(e)


def broadcast_mask(mask: ArrayLike | None, shape: Sequence[int]) -> Array:
    """`mask` for every batch, head, query and key: (N, S) is for all heads and queries alike."""
    allowed = np.ones((1, 1, 1, 1), bool) if mask is None else np.asarray(mask)
    allowed = allowed[:, None, None, :] if allowed.ndim == 2 else allowed
    return np.broadcast_to(allowed, shape)


def attention_weights(
    q: ArrayLike,
    k: ArrayLike,
    *,
    mask: ArrayLike | None = None,
    bias: ArrayLike | None = None,
    causal: bool = False,
    scale: float | None = None,
) -> Array:
    """What each query takes of each key.

        w[n, h, t, :] = softmax over the allowed s of scale q[n, t, h]·k[n, s, g] + bias[n, h, t, s],  g = h // (H / G)

    and 0 for s that are not allowed: by the mask, or, if causal, after t.

    Shapes: q (N, T, H, D), k (N, S, G, D) -> (N, H, T, S).
    Reference: Vaswani et al. 2017.

    >>> attention_weights(np.ones((1, 2, 1, 4)), np.ones((1, 2, 1, 4)), causal=True)[0, 0]
    array([[1. , 0. ],
           [0.5, 0.5]])
    """
    q, k = widen(q), widen(k)
    (n, t, heads, d), (s, groups) = q.shape, k.shape[1:3]
    allowed = broadcast_mask(mask, (n, heads, t, s))
    added = np.zeros((1, 1, 1, 1), q.dtype) if bias is None else widen(bias)
    added = np.broadcast_to(added, (n, heads, t, s))
    factor = q.dtype.type(d**-0.5 if scale is None else scale)
    w = np.zeros((n, heads, t, s), q.dtype)
    for i, h, j in np.ndindex(n, heads, t):
        seen = [m for m in range(s) if allowed[i, h, j, m] and not (causal and m > j)]
        if seen:
            group = h // (heads // groups)
            w[i, h, j, seen] = softmax(factor * (k[i, seen, group] @ q[i, j, h]) + added[i, h, j, seen])
    return w


def attention(
    q: ArrayLike,
    k: ArrayLike,
    v: ArrayLike,
    *,
    mask: ArrayLike | None = None,
    bias: ArrayLike | None = None,
    causal: bool = False,
    scale: float | None = None,
) -> Array:
    """The mean of the values, weighted for each query by `attention_weights`.

        y[n, t, h] = sum over s of w[n, h, t, s] v[n, s, g],   g = h // (H / G)

    Shapes: q (N, T, H, D), k and v (N, S, G, D) -> (N, T, H, D).
    Reference: Vaswani et al. 2017.

    >>> attention(np.zeros((1, 1, 1, 1)), np.zeros((1, 2, 1, 1)), np.array([2.0, 4.0]).reshape(1, 2, 1, 1)).ravel()
    array([3.])
    """
    dtype, v = np.asarray(q).dtype, widen(v)
    w = attention_weights(q, k, mask=mask, bias=bias, causal=causal, scale=scale)
    y = np.zeros(np.shape(q), v.dtype)
    for h in range(w.shape[1]):
        y[:, :, h] = w[:, h] @ v[:, :, h // (w.shape[1] // v.shape[2])]
    return cast(y, dtype)


def rotary(x: ArrayLike, positions: ArrayLike | None = None, *, base: float = 10000.0) -> Array:
    """Turn channels i and i + D/2 of the token at position p by the angle p / base^(2 i / D).

    Shapes: x (N, T, heads, D), positions (T,) or (N, T), by default 0, 1, ... -> as x.
    Reference: Su et al. 2021, in the order of channels of Llama.

    >>> rotary(np.array([1.0, 0.0]).reshape(1, 1, 1, 2), np.array([0]))[0, 0, 0]
    array([1., 0.])
    """
    dtype, x = np.asarray(x).dtype, widen(x)
    n, t, _, d = x.shape
    at = np.broadcast_to(np.arange(t) if positions is None else np.asarray(positions), (n, t))
    y = np.empty_like(x)
    for i in range(d // 2):
        angle = (at * base ** (-2 * i / d))[:, :, None]
        a, b = x[..., i], x[..., i + d // 2]
        y[..., i] = a * np.cos(angle) - b * np.sin(angle)
        y[..., i + d // 2] = b * np.cos(angle) + a * np.sin(angle)
    return cast(y, dtype)


def sinusoidal(positions: ArrayLike, channels: int, *, base: float = 10000.0) -> Array:
    """Sines in the even channels, cosines in the odd: channel 2i has sin(p / base^(2 i / channels)).

    Shapes: (...) -> (..., channels), float32.
    Reference: Vaswani et al. 2017.

    >>> sinusoidal(np.array([0]), 4)
    array([[0., 1., 0., 1.]], dtype=float32)
    """
    positions = np.asarray(positions)
    y = np.empty((*positions.shape, channels), np.float32)
    for i in range(channels // 2):
        angle = positions * base ** (-2 * i / channels)
        y[..., 2 * i], y[..., 2 * i + 1] = np.sin(angle), np.cos(angle)
    return y
