"""Networks that look at several feature maps at once: dicts of maps by name, as `collect` gives them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxnets import ops
from jaxnets.combine import LayerLike, collect, parallel, serial
from jaxnets.core import Layer, Params, State, Tree
from jaxnets.models.parts import identity

Maps = dict[str, jax.Array]
"""Feature maps by name."""


def around(
    layer: Layer, *, take: Callable[[Tree], Tree] = identity, give: Callable[[Tree, Tree], Tree] | None = None
) -> Layer:
    """`layer` on `take(x)`, its output y made `give(x, y)`. The tree is the layer's own: neither has parameters.

    >>> from jaxnets.layers import dense
    >>> net = around(dense(2), take=lambda maps: maps["a"], give=lambda maps, y: maps | {"b": y})
    >>> params, state = net.init(jax.random.key(0), {"a": jnp.ones((1, 3))})
    >>> list(params), list(net.apply(params, state, {"a": jnp.ones((1, 3))})[0])
    (['w', 'b'], ['a', 'b'])
    """

    def init(key: jax.Array, x: Tree, /) -> tuple[Params, State]:
        return layer.init(key, jax.eval_shape(take, x))

    def apply(
        params: Params, state: State, x: Tree, /, *, train: bool = False, key: jax.Array | None = None
    ) -> tuple[Tree, State]:
        y, state = layer.apply(params, state, take(x), train=train, key=key)
        return y if give is None else give(x, y), state

    return Layer(init, apply)


def backbone_maps(stages: Mapping[str, LayerLike]) -> Layer:
    """`collect` of the stages, and the image itself as "image": its size is what predictions are resized to."""
    return collect(image=identity, **stages)


def named(maps: Tree, path: str) -> jax.Array:
    """The map of that name, or path: "stage3/0" is inside of "stage3", and "" all of them."""
    for name in filter(None, path.split("/")):
        maps = maps[name]
    return maps


def on(path: str, layer: Layer) -> Layer:
    """`layer` on the map of that name."""
    return around(layer, take=lambda maps: named(maps, path))


def tapped(stages: Mapping[str, Sequence[Layer]], inside: str) -> dict[str, Layer]:
    """Each stage a `serial` of its blocks, save that the one called `inside` gives the maps of all its blocks.

    The one after it takes the last of them. The tree is that of the plain stages.
    """
    found: dict[str, Layer] = {}
    before = ""
    for name, blocks in stages.items():
        numbered = {str(i): block for i, block in enumerate(blocks)}
        found[name] = collect(**numbered) if name == inside else serial(*blocks)
        if before == inside:
            found[name] = on(str(len(stages[inside]) - 1), found[name])
        before = name
    return found


def by_name(**branches: LayerLike) -> Layer:
    """`parallel`, its outputs a dict by name."""
    return parallel(lambda *ys: dict(zip(branches, ys, strict=True)), **branches)


def resized(x: jax.Array, like: jax.Array) -> jax.Array:
    """x, interpolated to the sides of `like`."""
    return ops.resize(x, like.shape[1:-1], "linear")


def everywhere(layer: Layer) -> Layer:
    """What `layer` makes of a map, (N, 1, 1, K) of the whole of it, at every place of the map."""
    return around(layer, give=lambda x, y: jnp.broadcast_to(y, (*x.shape[:-1], y.shape[-1])))


def joined(*maps: Any) -> jax.Array:
    """All channels of maps of one size."""
    return jnp.concatenate(maps, axis=-1)
