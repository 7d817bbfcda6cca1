"""A sequence read from both ends."""

from __future__ import annotations

from collections.abc import Mapping

import jax
import jax.numpy as jnp

from jaxnets import ops
from jaxnets.combine import LayerLike, as_layer, parallel
from jaxnets.core import Layer, Params, State, Tree
from jaxnets.layers.recurrent import parts
from jaxnets.ops.recurrent import sequence


def bidirectional(layer: LayerLike) -> Layer:
    """Two copies of a recurrent layer, one reading each sample forward and one backward, their outputs side by side.

    Shapes: those of `layer`, with twice the channels: the forward copy's first. Padding, given by the lengths in the
    input's dict, stays at the end for both; so with `last` the backward copy has read from a sample's last step to its
    first. A "state" in the dict has two entries, forward and backward, each a state of `layer`.

    Parameters: those of `layer`, under forward and under backward. Raises what `layer` raises, and `ValueError` for a
    state without these entries. Gradient: to both. Cost: twice that of `layer`, and two copies that reverse time.
    Schuster & Paliwal, 1997, https://doi.org/10.1109/78.650093.

    >>> from jaxnets.layers import lstm
    >>> layer = bidirectional(lstm(3))
    >>> params, state = layer.init(jax.random.key(0), jnp.ones((2, 5, 4)))
    >>> sorted(params), layer.apply(params, state, jnp.ones((2, 5, 4)))[0].shape
    (['backward', 'forward'], (2, 5, 6))
    """
    child = as_layer("bidirectional", "layer", layer)
    return parallel(_side_by_side, forward=_reading(child, "forward"), backward=_reading(child, "backward"))


def _reading(layer: Layer, way: str) -> Layer:
    """`layer` given its own part of the state, and for "backward" time reversed before it and after it."""

    def own(x: Tree) -> Tree:
        given = parts("bidirectional", x)
        if "state" in given:
            if not isinstance(given["state"], Mapping) or set(given["state"]) != {"forward", "backward"}:
                raise ValueError(
                    "bidirectional: the input's state must be a dict of forward and backward, a state for each way; "
                    f"it is {given['state']!r}"
                )
            given["state"] = given["state"][way]
        return given if isinstance(x, Mapping) else x

    def turned(x: Tree, lengths: jax.Array | None) -> Tree:
        if isinstance(x, Mapping):
            return {**x, "x": turned(x["x"], lengths)}
        return x if way == "forward" or x.ndim < 3 else ops.reverse(x, lengths)  # what is last has no time

    def init(key: jax.Array, x: Tree, /) -> tuple[Params, State]:
        return layer.init(key, own(x))

    def apply(
        params: Params, state: State, x: Tree, /, *, train: bool = False, key: jax.Array | None = None
    ) -> tuple[Tree, State]:
        given = parts("bidirectional", x)
        sequence("bidirectional", given["x"])
        lengths = given.get("lengths")
        y, state = layer.apply(params, state, turned(own(x), lengths), train=train, key=key)
        return turned(y, lengths), state

    return Layer(init, apply)


def _side_by_side(forward: Tree, backward: Tree) -> Tree:
    if not isinstance(forward, Mapping):
        return jnp.concatenate([forward, backward], -1)
    joined = {**forward, "x": _side_by_side(forward["x"], backward["x"])}
    return joined | (
        {"state": {"forward": forward["state"], "backward": backward["state"]}} if "state" in joined else {}
    )
