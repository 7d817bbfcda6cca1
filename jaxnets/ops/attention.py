"""Attention: each query's mean of the values, weighted by how well the keys agree with it."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from jaxnets.ops import check
from jaxnets.ops.precision import widen


def _heads(op: str, q: Any, k: Any, v: Any) -> tuple[jax.Array, jax.Array, jax.Array]:
    """The arguments as arrays of shapes that fit one another."""
    q, k, v = check.floating(op, q, "q"), check.floating(op, k, "k"), check.floating(op, v, "v")
    for name, a in (("q", q), ("k", k), ("v", v)):
        if a.ndim != 4:
            raise ValueError(f"{op}: {name} has shape {a.shape}, rank {a.ndim}; pass (N, T, heads, D)")
        if a.dtype != q.dtype:
            raise TypeError(f"{op}: q is {q.dtype} but {name} is {a.dtype}; cast one of them: {name}.astype(q.dtype)")
    if k.shape != v.shape:
        raise ValueError(f"{op}: k has shape {k.shape} and v {v.shape}; pass one value for each key, of its size")
    if q.shape[0] != k.shape[0] or q.shape[3] != k.shape[3]:
        raise ValueError(f"{op}: q {q.shape} does not fit k {k.shape}; N and D must be the same: (N, T, heads, D)")
    if not k.shape[2] or q.shape[2] % k.shape[2]:
        raise ValueError(
            f"{op}: q has {q.shape[2]} heads and k {k.shape[2]}; pass as many, or a number of key heads that divides "
            f"that of the query heads"
        )
    return q, k, v


def _allowed(op: str, mask: Any, causal: bool, q: jax.Array, k: jax.Array) -> jax.Array | None:
    """Which keys each query may look at, (N or 1, heads or 1, T or 1, S); None where that is all of them."""
    (n, t, heads, _), s = q.shape, k.shape[1]
    allowed = None
    if mask is not None:
        if getattr(mask, "dtype", None) != jnp.bool_:
            raise TypeError(
                f"{op}: mask is {getattr(mask, 'dtype', type(mask).__name__)}; pass booleans, True where a query may "
                f"look: mask != 0"
            )
        allowed = jnp.asarray(mask)
        if allowed.ndim == 2:
            allowed = allowed[:, None, None, :]
        fits = allowed.ndim == 4 and all(a in (1, b) for a, b in zip(allowed.shape, (n, heads, t, s), strict=True))
        if not fits or allowed.shape[-1] != s:
            raise ValueError(
                f"{op}: mask has shape {mask.shape}; pass ({n}, {s}), the keys that are there, or ({n}, {heads}, {t}, "
                f"{s}), which key each query may look at; every axis but the last may be 1"
            )
    if causal:
        before = jnp.arange(s)[None, None, None, :] <= jnp.arange(t)[None, None, :, None]
        allowed = before if allowed is None else allowed & before
    return allowed


def _bias(op: str, bias: Any, q: jax.Array, k: jax.Array) -> jax.Array | None:
    if bias is None:
        return None
    bias, wanted = check.floating(op, bias, "bias"), (q.shape[0], q.shape[2], q.shape[1], k.shape[1])
    if bias.ndim != 4 or any(a not in (1, b) for a, b in zip(bias.shape, wanted, strict=True)):
        raise ValueError(f"{op}: bias has shape {bias.shape}; pass {wanted}, (N, heads, T, S), where any axis may be 1")
    return widen(bias).astype(widen(q).dtype)


def _weights(q: jax.Array, k: jax.Array, allowed: jax.Array | None, bias: jax.Array | None, scale: float) -> jax.Array:
    """(N, heads, T, S), in float32 at least: 0 for keys that are not allowed, and all 0 where none is."""
    (n, t, heads, d), (_, s, groups, _) = q.shape, k.shape
    logits = jnp.einsum(
        "ntgrd,nsgd->ngrts",
        q.reshape(n, t, groups, heads // groups, d),
        k,
        preferred_element_type=widen(q).dtype,
    ).reshape(n, heads, t, s)
    logits = logits * jnp.asarray(scale, logits.dtype)
    logits = logits if bias is None else logits + bias
    if allowed is None:
        return jax.nn.softmax(logits, axis=-1)
    # Finite, so that a row of nothing else has a gradient; it is set to zero after.
    lowest = jnp.asarray(jnp.finfo(logits.dtype).min / 2, logits.dtype)
    return jnp.where(allowed, jax.nn.softmax(jnp.where(allowed, logits, lowest), axis=-1), jnp.zeros_like(logits))


def attention_weights(
    q: jax.Array,
    k: jax.Array,
    *,
    mask: jax.Array | None = None,
    bias: jax.Array | None = None,
    causal: bool = False,
    scale: float | None = None,
) -> jax.Array:
    """How much each query takes of each key's value in `attention`: the softmax over the keys.

    Shapes: q (N, T, H, D), k (N, S, G, D) → (N, H, T, S), float32 at least; each row sums to 1, or is all 0 where the
    mask allows no key. Arguments, errors and source: those of `attention`. Gradient: to q, k and bias.

    >>> q = k = jnp.ones((1, 2, 1, 4))
    >>> attention_weights(q, k, causal=True)
    Array([[[[1. , 0. ],
             [0.5, 0.5]]]], dtype=float32)
    """
    op = "attention_weights"
    q, k, _ = _heads(op, q, k, k)
    return _weights(q, k, _allowed(op, mask, causal, q, k), _bias(op, bias, q, k), _scale(q, scale))


def _scale(q: jax.Array, scale: float | None) -> float:
    return max(q.shape[-1], 1) ** -0.5 if scale is None else float(scale)


def attention(
    q: jax.Array,
    k: jax.Array,
    v: jax.Array,
    *,
    mask: jax.Array | None = None,
    bias: jax.Array | None = None,
    causal: bool = False,
    scale: float | None = None,
    rate: float = 0.0,
    key: jax.Array | None = None,
) -> jax.Array:
    """Scaled dot-product attention: `y[t] = Σ_s softmax_s(scale q[t]·k[s] + bias[t, s]) v[s]`, head by head.

    Shapes: q (N, T, H, D), k and v (N, S, G, D) → (N, T, H, D). G divides H: heads h of `H / G` consecutive ones share
    the keys and values of group `h // (H / G)` (grouped queries; one group is multi-query attention).

    Arguments: `mask`, booleans (N, S), the keys that are there, or (N, H, T, S), the keys each query may look at, any
    axis but the last of size 1 too. `causal`: query t looks at keys up to t. A query that may look at no key gets
    zero, and no gradient. `bias`, (N, H, T, S) or 1 on any axis, is added before the softmax. `scale` is by default
    `1 / sqrt(D)`. `rate` is the fraction of the weights *dropped*, drawn from `key`, for training.

    Raises `TypeError` for integers, mixed dtypes or a mask that is not boolean, and `ValueError` for shapes that do
    not fit, and a rate above 0 without a key. The softmax is in float32 at least. Gradient: to q, k, v and bias.
    Cost: `2 N H T S D` multiply-adds, and T × S weights a head, in float32 by `jax.nn.dot_product_attention`. Vaswani
    et al., 2017,
    https://arxiv.org/abs/1706.03762; Ainslie et al., 2023 (groups), https://arxiv.org/abs/2305.13245.

    >>> q = k = jnp.zeros((1, 2, 1, 1))
    >>> attention(q, k, jnp.array([2., 4.]).reshape(1, 2, 1, 1), causal=True).ravel()
    Array([2., 3.], dtype=float32)
    """
    op = "attention"
    q, k, v = _heads(op, q, k, v)
    allowed, added, factor = _allowed(op, mask, causal, q, k), _bias(op, bias, q, k), _scale(q, scale)
    if rate or q.dtype != jnp.float32 or not q.size or not k.size:
        # JAX's function drops no weights, takes the softmax of float64 in float32, and has no gradient in bfloat16
        # under strict promotion of dtypes. By XLA it computes as this does.
        weights = _weights(q, k, allowed, added, factor)
        if rate:
            if key is None:
                raise ValueError(
                    f"{op}: key is None, but a rate of {rate} drops weights; pass key=jax.random.key(seed)"
                )
            keep = jax.random.bernoulli(key, 1 - rate, weights.shape)
            weights = jnp.where(keep, weights / (1 - rate), jnp.zeros_like(weights))
        (n, heads, t, s), groups = weights.shape, k.shape[2]
        grouped = weights.astype(v.dtype).reshape(n, groups, heads // groups, t, s)
        return jnp.einsum("ngrts,nsgd->ntgrd", grouped, v).reshape(q.shape)
    given, before = (None, causal) if mask is None else (allowed, False)
    y = jax.nn.dot_product_attention(q, k, v, bias=added, mask=given, is_causal=before, scale=factor)
    if mask is None:  # nothing is masked but what comes after, and a query is not after itself
        return y
    some = allowed.any(-1, keepdims=True)  # type: ignore[union-attr]
    return jnp.where(jnp.moveaxis(some, 1, 2), y, jnp.zeros_like(y))


Cache = dict[str, jax.Array]
"""k and v (N, S, G, D), and how many of the S places are taken."""


def attention_cache(n: int, length: int, kv_heads: int, head_dim: int, dtype: DTypeLike = jnp.float32) -> Cache:
    """Room for the keys and values of `length` tokens of each of `n` sequences: what `attention` fills as it decodes.

    Returns {"k", "v": (n, length, kv_heads, head_dim) of `dtype`, that of the tokens, "length": 0}. Raises
    `ValueError` for sizes below 1 (n below 0).

    >>> cache = attention_cache(2, 16, kv_heads=4, head_dim=8)
    >>> cache["k"].shape, int(cache["length"])
    ((2, 16, 4, 8), 0)
    """
    op = "attention_cache"
    shape = (
        check.whole(op, n, "n", 0),
        check.whole(op, length, "length"),
        check.whole(op, kv_heads, "kv_heads"),
        check.whole(op, head_dim, "head_dim"),
    )
    return {"k": jnp.zeros(shape, dtype), "v": jnp.zeros(shape, dtype), "length": jnp.zeros((), jnp.int32)}
