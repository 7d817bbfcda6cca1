"""Attention with learned queries, keys and values; and the memory that lets it decode one token at a time."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from jaxnets import ops
from jaxnets.combine import child_key, inside
from jaxnets.core import Layer, Params, State, Tree, require_key
from jaxnets.layers import arguments
from jaxnets.layers.dense import dense
from jaxnets.layers.initializers import Initializer
from jaxnets.layers.leaves import LECUN_NORMAL, Example, example
from jaxnets.layers.sequence import entries, replace, tokens
from jaxnets.ops import check
from jaxnets.ops.attention import Cache


def _remember(op: str, cache: Any, k: jax.Array, v: jax.Array, mask: Any) -> tuple[Cache, Any]:
    """The cache with the new keys and values in it, and which of its places each new token may look at."""
    n, t, *rest = k.shape
    if cache is None:
        return {"k": k, "v": v, "length": jnp.asarray(t, jnp.int32)}, mask
    kept = cache["k"]
    if kept.shape != (n, kept.shape[1], *rest) or kept.dtype != k.dtype:
        raise ValueError(
            f"{op}: the cache holds keys {kept.dtype}{list(kept.shape)}, but the new ones are "
            f"{k.dtype}{list(k.shape)}; make it with "
            f"ops.attention_cache({n}, length, {', '.join(map(str, rest))}, {k.dtype})"
        )
    length, room = cache["length"], kept.shape[1]
    taken = t if isinstance(length, jax.core.Tracer) else int(length) + t
    if taken > room:
        raise ValueError(f"{op}: {taken} tokens do not fit a cache of {room}; make it longer")
    begin = (0, length, 0, 0)
    new = {name: jax.lax.dynamic_update_slice(cache[name], a, begin) for name, a in (("k", k), ("v", v))}
    places = jnp.arange(room, dtype=jnp.int32)[None, None, None, :]
    mine = length + jnp.arange(t, dtype=jnp.int32)[None, None, :, None]
    allowed = places <= mine
    return {**new, "length": length + t}, allowed if mask is None else allowed & mask[:, None, None, :]


def attention(
    heads: int,
    *,
    kv_heads: int | None = None,
    head_dim: int | None = None,
    causal: bool = False,
    rotary: float | None = None,
    bias: bool = True,
    rate: float = 0.0,
    w_init: Initializer = LECUN_NORMAL,
) -> Layer:
    """Multi-head self-attention: each token takes from the tokens it agrees with. `ops.attention`, with learned maps.

    Shapes: (N, T, D) → (N, T, D), or a dict with it as "x" and any of "mask", "positions" and "cache" → the same dict
    (jaxnets/layers/sequence.py says what they are). Parameters: q, k, v and out, each w and b as those of `dense`:
    q/w (D, heads * head_dim), k/w and v/w (D, kv_heads * head_dim), out/w (heads * head_dim, D).

    Arguments: `kv_heads`, by default `heads`, of which several share keys and values where they are fewer; `head_dim`,
    by default D / heads; `causal`: a token looks at none after it; `rotary`: turn queries and keys by their position,
    with this base (10000 in the paper); `bias=False` leaves all four b out; `rate`, the fraction of the weights
    *dropped* in training, which then needs a key; `w_init` of all four.

    A token of mask False is looked at by nobody; one that may look at nobody gets the bias of `out`. With a cache, for
    causal attention, the T tokens come after those in it, and look at them too; it must have room, which is checked
    where its length is known, so not under `jit` (`ops.attention_cache` makes one).

    Raises `ValueError` for heads that do not divide D, kv_heads that do not divide heads, shapes that do not fit, a
    cache without `causal`, and `TypeError` for integers (cast them). Gradient: to x and all parameters, save that the
    softmax takes away what k/b adds, unless keys are turned. Cost: four matrix products of `N T D²` multiply-adds, and
    `2 N T² D`. Vaswani et al., 2017, https://arxiv.org/abs/1706.03762.

    >>> layer = attention(2)
    >>> x = jnp.ones((1, 3, 8))
    >>> params, state = layer.init(jax.random.key(0), x)
    >>> list(params), params["q"]["w"].shape
    (['q', 'k', 'v', 'out'], (8, 8))
    >>> layer.apply(params, state, {"x": x, "mask": jnp.array([[True, True, False]])})[0]["x"].shape
    (1, 3, 8)
    """
    op = "attention"
    heads = check.whole(op, heads, "heads")
    groups = heads if kv_heads is None else check.whole(op, kv_heads, "kv_heads")
    if heads % groups:
        raise ValueError(f"{op}: kv_heads={groups} does not divide heads={heads}; use a divisor")
    if head_dim is not None:
        head_dim = check.whole(op, head_dim, "head_dim")
    base = None if rotary is None else arguments.positive(op, rotary, "rotary")
    rate = arguments.rate(op, rate)
    arguments.function(op, w_init, "w_init")

    def width(x: Example) -> int:
        if head_dim is not None:
            return head_dim
        if x.shape[-1] % heads:
            raise ValueError(
                f"{op}: heads={heads} does not divide the {x.shape[-1]} channels of x {x.shape}; use a divisor, or "
                f"pass head_dim"
            )
        return x.shape[-1] // heads

    def maps(x: Example) -> dict[str, Layer]:
        sizes = {"q": heads * width(x), "k": groups * width(x), "v": groups * width(x), "out": x.shape[-1]}
        return {name: dense(size, bias=bias, w_init=w_init) for name, size in sizes.items()}

    def rows(op: str, x: Any) -> jax.Array:
        x = check.floating(op, x)
        if x.ndim != 3:
            raise ValueError(f"{op}: x has shape {x.shape}, rank {x.ndim}; pass (N, T, D), tokens batched")
        return x

    def init(key: jax.Array, x: Tree, /) -> tuple[Params, State]:
        entries(op, x)
        a = example(op, tokens(x), rows)
        inner = jax.ShapeDtypeStruct((*a.shape[:2], heads * width(a)), a.dtype)
        key = require_key(op, key)
        parts = maps(a).items()
        return {name: part.init(_key(key, name), inner if name == "out" else a)[0] for name, part in parts}, {}

    def apply(
        params: Params, state: State, x: Tree, /, *, train: bool = False, key: jax.Array | None = None
    ) -> tuple[Tree, State]:
        given = entries(op, x)
        a = rows(op, given["x"])
        parts, (n, t, _), d = maps(a), a.shape, width(a)
        if set(params) != set(parts):
            raise ValueError(f"{op}: params has {list(params)}, not q, k, v and out; pass what its own init returned")

        def mapped(name: str, of: jax.Array) -> jax.Array:
            with inside(name):
                return parts[name].apply(params[name], {}, of)[0]  # type: ignore[no-any-return]

        q = mapped("q", a).reshape(n, t, heads, d)
        k, v = (mapped(name, a).reshape(n, t, groups, d) for name in ("k", "v"))
        cache = given.get("cache")
        if cache is not None and not (causal and len(cache)):
            raise ValueError(f"{op}: there is a cache of {len(cache)}; it takes causal=True and one for each attention")
        if base is not None:
            at = given.get("positions")
            if at is None:
                at = jnp.arange(t, dtype=jnp.int32) + (cache[0]["length"] if cache and cache[0] else jnp.int32(0))
            q, k = ops.rotary(q, at, base=base), ops.rotary(k, at, base=base)
        mask, others = given.get("mask"), {}
        if cache is not None:
            mine, mask = _remember(op, cache[0], k, v, mask)
            k, v, others = mine["k"], mine["v"], {"cache": (*cache[1:], mine)}
        drop = rate if train else 0.0
        salted = child_key(key, "weights") if drop else None
        y = ops.attention(q, k, v, mask=mask, causal=causal and not (cache and cache[0]), rate=drop, key=salted)
        return replace(x, mapped("out", y.reshape(n, t, heads * d)), **others), state

    return Layer(init, apply)


def _key(key: jax.Array, name: str) -> jax.Array:
    return child_key(key, name)  # type: ignore[return-value]
