"""Text continued token by token, the keys and values of what has been read kept in a cache."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from jaxnets import tree
from jaxnets.core import Layer, Params, State
from jaxnets.ops import check


def sample(
    logits: jax.Array,
    key: jax.Array | None = None,
    *,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
) -> jax.Array:
    """One number for each row of logits, drawn by its softmax, or the likeliest at temperature 0.

    Shapes: (…, K) → (…) int32. Arguments: `temperature` divides the logits: 0 takes the largest, the first of equals,
    and needs no key; `top_k` leaves the k largest; `top_p`, above 0 and at most 1, of what is left the fewest that
    together have at least this probability. Raises `ValueError` for other values, and no key where one is drawn.
    Gradient: none. Cost: a sort of each row with `top_p`. Holtzman et al., 2020 (top-p),
    https://arxiv.org/abs/1904.09751; Fan et al., 2018 (top-k), https://arxiv.org/abs/1805.04833.

    >>> int(sample(jnp.array([0., 2., 1.]), temperature=0))
    1
    """
    op = "sample"
    logits = check.floating(op, logits, "logits").astype(jnp.float32)
    if not temperature >= 0:
        raise ValueError(f"{op}: temperature is {temperature}; it is at least 0")
    if top_p is not None and not 0 < top_p <= 1:
        raise ValueError(f"{op}: top_p is {top_p}; it is a probability above 0 and at most 1")
    if temperature == 0:
        return jnp.argmax(logits, axis=-1).astype(jnp.int32)
    if key is None:
        raise ValueError(f"{op}: key is None, but temperature {temperature} draws; pass key=jax.random.key(seed), or 0")
    logits = logits / temperature
    if top_k is not None:
        k = min(check.whole(op, top_k, "top_k"), logits.shape[-1])
        logits = jnp.where(logits < jax.lax.top_k(logits, k)[0][..., -1:], -jnp.inf, logits)
    if top_p is not None:
        down = -jnp.sort(-logits, axis=-1)
        p = jax.nn.softmax(down, axis=-1)
        needed = jnp.cumsum(p, axis=-1) - p < top_p  # what stands before has not enough yet
        least = jnp.min(jnp.where(needed, down, jnp.inf), axis=-1, keepdims=True)
        logits = jnp.where(logits < least, -jnp.inf, logits)
    return jax.random.categorical(key, logits, axis=-1).astype(jnp.int32)


def generate(
    model: Layer,
    params: Params,
    state: State,
    ids: jax.Array,
    steps: int,
    *,
    key: jax.Array | None = None,
    mask: jax.Array | None = None,
    temperature: float = 0.0,
    top_k: int | None = None,
    top_p: float | None = None,
    stop: int | None = None,
) -> jax.Array:
    """`steps` more tokens after each text: the prompt is read once, then one token at a time, in one `jax.lax.scan`.

    Shapes: ids (N, T) → (N, T + steps) int32, the prompts first. Shapes are static: `jax.jit` it with `model`, `steps`
    and the options closed over.

    Args:
        model: one that takes "ids", "mask", "positions" and "cache" and returns "logits" and "cache", as `gpt2`.
        params, state: its own.
        ids: the prompts, the shorter ones filled up in front.
        steps: how many tokens to add.
        key: random key; the token of step i draws from `fold_in(key, i)`.
        mask: booleans (N, T), False for what fills a prompt up.
        temperature, top_k, top_p: as in `sample`, but by default the likeliest token.
        stop: the number of a token after which a text ends; it is repeated up to the last step.

    Raises `ValueError` for no steps, more tokens than the model has positions, and what `sample` raises. Gradient:
    none. Cost: each step reads all parameters once, and the keys and values so far.

    >>> from jaxnets.models import gpt2
    >>> model = gpt2(depth=1, channels=8, heads=2, vocabulary=50, length=16)
    >>> prompt = jnp.array([[3, 1, 4]])
    >>> params, state = model.init(jax.random.key(0), prompt)
    >>> generate(model, params, state, prompt, steps=5).shape
    (1, 8)
    """
    op = "generate"
    steps = check.whole(op, steps, "steps")
    ids = check.array(op, ids, "ids").astype(jnp.int32)
    if ids.ndim != 2 or not ids.shape[1]:
        raise ValueError(f"{op}: ids has shape {ids.shape}; pass (N, T), at least one token each")
    there = jnp.ones(ids.shape, bool) if mask is None else jnp.asarray(mask)
    if there.shape != ids.shape or there.dtype != jnp.bool_:
        raise ValueError(f"{op}: mask is {there.dtype}{list(there.shape)}; pass booleans of {ids.shape}, as ids")
    room = jnp.pad(there, ((0, 0), (0, steps)), constant_values=True)
    lengths = there.sum(1, dtype=jnp.int32)
    positions = jnp.maximum(jnp.cumsum(there, axis=1, dtype=jnp.int32) - 1, 0)

    def choose(logits: jax.Array, step: Any, ended: jax.Array) -> tuple[jax.Array, jax.Array]:
        own = None if key is None else jax.random.fold_in(key, step)
        token = sample(logits[:, -1], own, temperature=temperature, top_k=top_k, top_p=top_p)
        if stop is None:
            return token, ended
        token = jnp.where(ended, jnp.int32(stop), token)
        return token, ended | (token == stop)

    # Each attention has one matrix for keys, and begins a cache of its own where it is given None.
    caches = sum(path == "k/w" or path.endswith("/k/w") for path in tree.flatten(params))
    prompt = {"ids": ids, "mask": there, "positions": positions, "cache": (None,) * caches}
    y, _ = model.apply(params, state, prompt)
    cache = jax.tree.map(lambda a: jnp.pad(a, ((0, 0), (0, steps), (0, 0), (0, 0))) if a.ndim else a, y["cache"])
    token, ended = choose(y["logits"], 0, jnp.zeros(ids.shape[0], bool))

    def step(carry: Any, i: jax.Array) -> tuple[Any, jax.Array]:
        token, ended, cache = carry
        at = (lengths + i - 1)[:, None]
        x = {"ids": token[:, None], "mask": room, "positions": at, "cache": cache}
        y, _ = model.apply(params, state, x)
        after, ended = choose(y["logits"], i, ended)
        return (after, ended, y["cache"]), token

    carry, tokens = jax.lax.scan(step, (token, ended, cache), jnp.arange(1, steps, dtype=jnp.int32))
    return jnp.concatenate([ids, tokens.T, carry[0][:, None]], axis=1)
