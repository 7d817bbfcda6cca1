"""A sequence and what is known of it: what passes from one layer of a transformer to the next.

It is an array (N, T, D), or a dict that has it as "x", beside any of

- "mask": booleans (N, S), the tokens that are there, True, and those that only fill the batch up, False; S is T, or
  with a cache the length of the cache;
- "positions": integers (N, T), where each token stands, if not at 0, 1, … (after what the cache holds);
- "cache": the keys and values of earlier tokens, one `ops.attention_cache` for each attention layer, in a tuple. Each
  layer takes the first and puts it back, the new tokens added, as the last. Where there is None, it begins one, with
  room for these tokens alone.

A layer returns what it was given, an array or a dict, and leaves in the dict what it does not change.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax

from jaxnets.combine import LayerLike, as_layer, from_walk, init_and_output, serial
from jaxnets.core import Layer, Params, State, Tree

ENTRIES = ("x", "mask", "positions", "cache")


def entries(op: str, x: Tree) -> dict[str, Any]:
    """`x` as a dict, whichever it is; `ValueError` for a dict with other entries."""
    if not isinstance(x, Mapping):
        return {"x": x}
    strange = [name for name in x if name not in ENTRIES]
    if strange or "x" not in x:
        raise ValueError(
            f"{op}: the sequence has the entries {list(x)}; pass an array (N, T, D), or a dict with it as 'x' and any "
            f"of 'mask', 'positions' and 'cache'"
        )
    return dict(x)


def tokens(x: Tree) -> Any:
    """The array of `x`."""
    return x["x"] if isinstance(x, Mapping) else x


def replace(x: Tree, y: Any, **others: Any) -> Tree:
    """`x` with the array `y` instead of its own, and these other entries."""
    return {**x, "x": y, **others} if isinstance(x, Mapping) else y


def of_shape(build: Callable[[Tree], Layer]) -> Layer:
    """`build(x)`, a layer whose parts depend on the shape of its input."""

    def apply(
        params: Params, state: State, x: Tree, /, *, train: bool = False, key: jax.Array | None = None
    ) -> tuple[Tree, State]:
        return build(x).apply(params, state, x, train=train, key=key)

    return Layer(from_walk(lambda key, x: init_and_output(build(x), key, x)), apply)


def on_tokens(layer: LayerLike) -> Layer:
    """A layer of arrays as one of sequences: it sees the array, and the rest of the dict passes by. Same tree."""
    child = as_layer("on_tokens", "layer", layer)

    def walk(key: jax.Array, x: Tree) -> tuple[Params, State, Tree]:
        params, state, y = init_and_output(child, key, tokens(x))
        return params, state, replace(x, y)

    def apply(
        params: Params, state: State, x: Tree, /, *, train: bool = False, key: jax.Array | None = None
    ) -> tuple[Tree, State]:
        y, state = child.apply(params, state, tokens(x), train=train, key=key)
        return replace(x, y), state

    return Layer(from_walk(walk), apply)


def residual(**named: LayerLike) -> Layer:
    """`x + serial(**named)(x)` of sequences. The tree is that of the `serial`."""
    main = serial(**named)

    def apply(
        params: Params, state: State, x: Tree, /, *, train: bool = False, key: jax.Array | None = None
    ) -> tuple[Tree, State]:
        y, state = main.apply(params, state, x, train=train, key=key)
        return replace(y, tokens(x) + tokens(y)), state

    return Layer(main.init, apply)
