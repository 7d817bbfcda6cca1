"""What the transformers of text share: how tokens become vectors, and vectors numbers for each token.

They take the numbers of the tokens, an integer array (N, T), or a dict that has it as "ids", beside any of

- "mask": booleans (N, T), False for tokens that only fill the batch up, and that nobody is to look at; with a cache
  (N, S), for all its places;
- "types": integers (N, T), which of the sentences a token belongs to, by default the first;
- "positions": integers (N, T), where each token stands, by default 0, 1, …, after what the cache holds;
- "cache": the keys and values of earlier tokens, see `jaxnets.models.generate`.

They return logits, or, given a cache, the dict of "logits" and "cache".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from jaxnets import ops
from jaxnets.combine import LayerLike, child_key, from_walk, init_and_output, inside, serial
from jaxnets.core import Layer, Params, State, Tree, require_key
from jaxnets.layers import initializers
from jaxnets.layers.embed import embed
from jaxnets.layers.sequence import tokens
from jaxnets.ops import check

EXAMPLE = jax.ShapeDtypeStruct((1, 8), jnp.int32)
NORMAL = initializers.normal(0.02)
"""What BERT and its descendants begin with. Devlin et al., 2019, https://arxiv.org/abs/1810.04805."""

ENTRIES = ("ids", "mask", "types", "positions", "cache")


def entries(model: str, x: Tree, known: Sequence[str]) -> dict[str, Any]:
    """`x` as a dict of no other than the `known` entries, its arrays checked."""
    given = dict(x) if isinstance(x, Mapping) else {"ids": x}
    if "ids" not in given or set(given) - set(known):
        raise ValueError(
            f"{model}: the input has the entries {list(given)}; pass the numbers of tokens (N, T), or a dict with them "
            f"as 'ids' and any of {', '.join(map(repr, known[1:]))}"
        )
    if given.get("mask") is not None and given["mask"].dtype != jnp.bool_:
        raise TypeError(f"{model}: mask has dtype {given['mask'].dtype}; pass booleans: mask != 0")
    for name in ("ids", "types", "positions"):
        if name not in given:
            continue
        if not jnp.issubdtype(given[name].dtype, jnp.integer):
            raise TypeError(f"{model}: {name} has dtype {given[name].dtype}; pass integers, the numbers of tokens")
        if given[name].ndim != 2 or given[name].shape != given["ids"].shape:
            raise ValueError(
                f"{model}: {name} has shape {given[name].shape}; pass (N, T), the same as that of ids, batched"
            )
    return given


def embeddings(
    model: str, vocabulary: int, channels: int, length: int, *, types: int = 0, dtype: DTypeLike = jnp.float32
) -> Layer:
    """The sum of a vector for the token, one for its position and, if there are `types`, one for its type.

    From what the models of this module take to a sequence as those of jaxnets/layers/sequence.py, always a dict.
    Parameters: words/w, positions/w and types/w. The sum is taken in float32 and cast to `dtype`.
    """
    length = check.whole(model, length, "length")
    known = [name for name in ENTRIES if types or name != "types"]
    tables = {"words": embed(vocabulary, channels, w_init=NORMAL), "positions": embed(length, channels, w_init=NORMAL)}
    if types:
        tables["types"] = embed(types, channels, w_init=NORMAL)
    dtype = jnp.dtype(dtype)

    def numbers(given: dict[str, Any]) -> dict[str, jax.Array]:
        ids, cache = given["ids"], given.get("cache")
        begin = cache[0]["length"] if cache and cache[0] is not None else jnp.int32(0)
        last = cache[0]["k"].shape[1] if cache and cache[0] is not None else ids.shape[1]
        if last > length:
            raise ValueError(
                f"{model}: {last} tokens but {length} positions; cut them, or pass length= for as many positions"
            )
        at = given.get("positions")
        if at is None:
            at = jnp.broadcast_to(jnp.arange(ids.shape[1], dtype=jnp.int32) + begin, ids.shape)
        found = {"words": ids, "positions": at}
        return found | ({"types": given.get("types", jnp.zeros_like(ids))} if types else {})

    def init(key: jax.Array, x: Tree, /) -> tuple[Params, State]:
        given, key = entries(model, x, known), require_key(model, key)
        own = {name: child_key(key, name) for name in tables}
        return {name: table.init(own[name], given["ids"])[0] for name, table in tables.items()}, {}  # type: ignore[arg-type]

    def apply(
        params: Params, state: State, x: Tree, /, *, train: bool = False, key: jax.Array | None = None
    ) -> tuple[Tree, State]:
        given, total = entries(model, x, known), None
        for name, number in numbers(given).items():
            with inside(name):
                vectors, _ = tables[name].apply(params[name], {}, number)
            total = vectors if total is None else total + vectors
        others = {name: given[name] for name in ("mask", "positions", "cache") if name in given}
        return {"x": total.astype(dtype), **others}, state  # type: ignore[union-attr]

    return Layer(init, apply)


def first_token(x: Tree) -> jax.Array:
    """(N, D): that of the token which stands for the whole."""
    return tokens(x)[:, 0]  # type: ignore[no-any-return]


def last_token(x: Tree) -> jax.Array:
    """(N, D): that of the last token which is there; it has seen all others."""
    rows = tokens(x)
    if x.get("mask") is None:
        return rows[:, -1]  # type: ignore[no-any-return]
    at = jnp.max(jnp.where(x["mask"], jnp.arange(rows.shape[1])[None], 0), axis=1)
    return jnp.take_along_axis(rows, at[:, None, None], axis=1)[:, 0]


def over_vocabulary(vocabulary: int, *, bias: bool, **parts: LayerLike) -> Layer:
    """`serial(**parts)`, and logits over the vocabulary: the product with the vectors that the words begin as.

    The parts begin with `embeddings`, whose words/w is the matrix of the last product too, once in the tree; with
    `bias` there is logits/b. Press and Wolf, 2017, https://arxiv.org/abs/1608.05859.
    """
    net = serial(**parts)
    own = {"logits": {"b": jnp.zeros((vocabulary,), jnp.float32)}} if bias else {}

    def walk(key: jax.Array, x: Tree) -> tuple[Params, State, Tree]:
        params, state, y = init_and_output(net, key, x)
        shape = (*y["x"].shape[:-1], vocabulary)
        return params | own, state, _result(y, jax.ShapeDtypeStruct(shape, y["x"].dtype))

    def apply(
        params: Params, state: State, x: Tree, /, *, train: bool = False, key: jax.Array | None = None
    ) -> tuple[Tree, State]:
        below = {name: leaves for name, leaves in params.items() if name not in own}
        y, state = net.apply(below, state, x, train=train, key=key)
        with inside("logits"):
            w = params["embeddings"]["words"]["w"].astype(y["x"].dtype).T
            b = params["logits"]["b"].astype(y["x"].dtype) if bias else None
            return _result(y, ops.dense(y["x"], w, b)), state

    return Layer(from_walk(walk), apply)


def _result(y: dict[str, Any], logits: Any) -> Tree:
    return {"logits": logits, "cache": y["cache"]} if "cache" in y else logits
