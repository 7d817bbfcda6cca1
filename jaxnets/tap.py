"""Feature maps from any named place of a network that is already there."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Any

import jax

from jaxnets import compat
from jaxnets.combine import OUTPUT, LayerLike, as_layer
from jaxnets.core import Layer, Params, State, Tree


def tap(layer: LayerLike, *places: str) -> Layer:
    """The same network, which returns the outputs of the layers at these places instead of its own.

    Shapes: those of the outputs, `{path: output}` in the order of the network. `init` is the network's, so its
    parameters, state and pretrained weights fit.
    Arguments: `places` are paths such as `"stage3"` or `"stage1/0/main/conv1"`, as `summary` lists them, or globs such
    as `"stage?"`. An output that is a tree of arrays comes as a list of them.

    Under `jax.jit` XLA leaves out what no tapped output depends on: of a classifier tapped at `"stage1"` the later
    stages cost nothing, and weigh nothing if they are left out of `params`' gradient.
    Raises `ValueError` without places, for one that is no layer's, and for one inside a `repeat` or a `remat`, whose
    outputs stay there: tap the whole of it. Gradient: through the outputs, as through `collect`. Cost: a trace of the
    network, every time it is called outside `jax.jit`.

    >>> import jax.numpy as jnp
    >>> from jaxnets import models
    >>> features = tap(models.resnet18(depths=(1, 1), channels=(8, 16)), "stage?")
    >>> params, state = features.init(jax.random.key(0), jnp.ones((1, 32, 32, 3)))
    >>> maps, _ = jax.jit(features.apply)(params, state, jnp.ones((1, 32, 32, 3)))
    >>> {path: y.shape for path, y in maps.items()}
    {'stage1': (1, 8, 8, 8), 'stage2': (1, 4, 4, 16)}
    """
    layer = as_layer("tap", "layer", layer)
    if not places:
        raise ValueError("tap: no places given; pass at least one, such as 'stage3', as jaxnets.summary lists them")

    def init(key: jax.Array, x: Tree, /) -> tuple[Params, State]:
        return layer.init(key, x)

    def apply(
        params: Params, state: State, x: Tree, /, *, train: bool = False, key: jax.Array | None = None
    ) -> tuple[Tree, State]:
        def run(*args: Any) -> tuple[Tree, State]:
            return layer.apply(*args[:3], train=train, key=args[3])

        args = (params, state, x, key)
        closed, (y, new) = jax.make_jaxpr(run, return_shape=True)(*args)
        found = _outputs(closed.jaxpr, places)
        chosen = [variable for variables in found.values() for variable in variables]
        kept = closed.jaxpr.outvars[len(jax.tree.leaves(y)) :]
        jaxpr = closed.jaxpr.replace(outvars=[*chosen, *kept])
        values = iter(compat.evaluate(jaxpr, closed.consts, jax.tree.leaves(args)))
        maps = {path: [next(values) for _ in variables] for path, variables in found.items()}
        return (
            {path: own[0] if len(own) == 1 else own for path, own in maps.items()},
            jax.tree.unflatten(jax.tree.structure(new), list(values)),
        )

    return Layer(init, apply)


def _outputs(jaxpr: Any, places: tuple[str, ...]) -> dict[str, list[Any]]:
    """The variables that hold the outputs of the layers at these places, by path."""
    top = {variable for equation in jaxpr.eqns for variable in equation.outvars}
    every: dict[str, list[Any]] = {}
    for path, equation, _ in compat.equations(jaxpr):
        if equation.primitive.name == "name" and equation.params["name"] == OUTPUT:
            every.setdefault(path, []).extend(equation.outvars)
    for place in places:
        matching = [path for path in every if fnmatchcase(path, place)]
        if not matching:
            raise ValueError(f"tap: {place!r} is no layer of this network; the layers are {', '.join(every)}")
        inside = [path for path in matching if not set(every[path]) <= top]
        if inside:
            raise ValueError(
                f"tap: {inside[0]!r} is inside a repeat or a remat, and its output stays there; tap the whole of it"
            )
    return {path: own for path, own in every.items() if any(fnmatchcase(path, place) for place in places)}
