"""Feature pyramids: maps of all sizes that all have seen the whole of the image.

Lin, Dollár, Girshick, He, Hariharan and Belongie (2017), Feature Pyramid Networks for Object Detection,
https://arxiv.org/abs/1612.03144
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets.combine import LayerLike, serial
from jaxnets.core import Layer, Params, State
from jaxnets.layers import conv, initializers
from jaxnets.models.mapping import Rule
from jaxnets.models.maps import Maps, around, by_name, named
from jaxnets.models.parts import unit

UNIFORM = initializers.variance_scaling(1.0, "fan_in", "uniform")
"""torchvision's for pyramids: Kaiming's, without a gain."""


def feature_pyramid(
    stages: Mapping[str, str],
    channels: int = 256,
    *,
    extra: str = "",
    norm: Callable[[], Layer] | None = None,
) -> Layer:
    """Maps by name to a pyramid by name, "p3" and so on; level l has strides of 2**l pixels.

    Each map is brought to `channels` by a 1×1 convolution, the level above it is added, twice as large, and a 3×3
    convolution makes the output. `stages`: levels and the maps they are made of, finest first. `extra`: "pool", one
    level more, every other pixel of the last; or the name of a level or map, from which two more levels are
    convolved. `norm`: makes a norm after each convolution, which then has no bias; not in extra levels.
    """

    def one(size: int) -> Layer:
        made = conv(channels, size, padding=size // 2, bias=norm is None, w_init=UNIFORM)
        return made if norm is None else unit(made, norm())

    lateral: dict[str, LayerLike] = {level: _on(stage, one(1)) for level, stage in stages.items()}
    output: dict[str, LayerLike] = {level: _on(level, one(3)) for level in stages}
    if extra in stages.values():
        lateral["source"] = lambda maps: named(maps, extra)
        output["source"] = lambda maps: maps["source"]
    parts: dict[str, LayerLike] = {
        "lateral": by_name(**lateral),
        "down": _down(list(stages)),
        "output": by_name(**output),
    }
    last = int(list(stages)[-1][1:])
    if extra == "pool":
        parts["extra"] = lambda maps: maps | {f"p{last + 1}": maps[f"p{last}"][:, ::2, ::2]}
    elif extra:
        source = extra if extra in stages else "source"
        parts["extra"] = _two_more(last, source, channels)
    return serial(**parts)


def _on(path: str, layer: Layer) -> Layer:
    return around(layer, take=lambda maps: named(maps, path))


def _nearest(x: jax.Array, like: jax.Array) -> jax.Array:
    """x at the size of `like`, each pixel that of the corner below: PyTorch's "nearest", in its arithmetic."""
    for axis in (1, 2):
        n, out = x.shape[axis], like.shape[axis]
        if out != n:
            at = (np.arange(out, dtype=np.float32) * (np.float32(n) / np.float32(out))).astype(np.int32)
            x = jnp.take(x, np.minimum(at, n - 1), axis=axis)
    return x


def _down(levels: Sequence[str]) -> Callable[[Maps], Maps]:
    def down(maps: Maps) -> Maps:
        found = dict(maps)
        for level, above in reversed(list(pairwise(levels))):
            found[level] = maps[level] + _nearest(found[above], maps[level])
        return found

    return down


def _two_more(last: int, source: str, channels: int) -> Layer:
    def half() -> Layer:
        return conv(channels, 3, 2, padding=1, w_init=UNIFORM)

    first, second = f"p{last + 1}", f"p{last + 2}"
    return serial(
        **{
            first: around(half(), take=lambda maps: maps[source], give=lambda maps, y: maps | {first: y}),
            second: around(
                half(),
                take=lambda maps: jax.nn.relu(maps[first]),
                give=lambda maps, y: {name: x for name, x in maps.items() if name != "source"} | {second: y},
            ),
        }
    )


def each_level(layer: Layer) -> Layer:
    """One layer, its weights shared, on every level; its outputs `(N, rows, K)` one after the other, finest first."""

    def init(key: jax.Array, maps: Maps, /) -> tuple[Params, State]:
        return layer.init(key, maps[min(maps)])

    def apply(
        params: Params, state: State, maps: Maps, /, *, train: bool = False, key: jax.Array | None = None
    ) -> tuple[jax.Array, State]:
        rows = [layer.apply(params, state, maps[name], train=train, key=key)[0] for name in sorted(maps)]
        return jnp.concatenate(rows, axis=1), state  # the heads remember nothing

    return Layer(init, apply)


def rows(numbers: int) -> Callable[[jax.Array], jax.Array]:
    """(N, H, W, A * numbers) as (N, H * W * A, numbers): place by place, row by row, a row for each anchor."""

    def reshape(y: jax.Array) -> jax.Array:
        n, height, width, channels = y.shape
        return y.reshape(n, height * width * (channels // numbers), numbers)

    return reshape


def pyramid_rules(first: int, normed: bool = False) -> tuple[Rule, ...]:
    """torchvision's names of a pyramid whose finest level is `first`."""
    inner, layer = f"backbone.fpn.inner_blocks.{{l-{first}}}", f"backbone.fpn.layer_blocks.{{l-{first}}}"
    extra = (Rule("pyramid/extra/p{l}", "backbone.fpn.extra_blocks.p{l}"),)
    if not normed:
        return (Rule("pyramid/lateral/p{l}", f"{inner}.0"), Rule("pyramid/output/p{l}", f"{layer}.0"), *extra)
    return tuple(
        Rule(f"pyramid/{ours}/p{{l}}/{leaf}", f"{theirs}.{i}")
        for ours, theirs in (("lateral", inner), ("output", layer))
        for i, leaf in enumerate(("conv", "norm"))
    )
