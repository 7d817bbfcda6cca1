"""A layer as a module of Flax, linen or nnx, and back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
from flax import linen, nnx

from jaxnets.combine import LayerLike, as_layer, child_key
from jaxnets.core import Layer, Params, State, Tree, require_key

Mode = Callable[[bool], Mapping[str, Any]]
"""The keyword arguments that tell a module of Flax whether it is trained: `lambda train: {"train": train}`."""

NAME = "layer"


class _Linen(linen.Module):
    layer_init: Any
    layer_apply: Any

    @linen.compact
    def __call__(self, x: Tree, *, train: bool = False) -> Tree:
        params = self.param(NAME, lambda key: self.layer_init(key, x)[0])
        state = self.variable("state", NAME, lambda: self.layer_init(self.make_rng("params"), x)[1])
        key = self.make_rng("dropout") if train and self.has_rng("dropout") else None
        y, new = self.layer_apply(params, state.value, x, train=train, key=key)
        if train and self.is_mutable_collection("state") and not self.is_initializing():
            state.value = new
        return y


def to_linen(layer: LayerLike) -> linen.Module:
    """The layer as a linen module, called as `module.apply(variables, x, train=False)`.

    Its parameters are `variables["params"]["layer"]` and its state `variables["state"]["layer"]`, the trees that the
    layer's own `init` makes, pretrained ones too. In training pass `mutable=["state"]` for the new state, and
    `rngs={"dropout": key}` to a layer that draws random numbers. Raises `TypeError` for what is no layer.

    >>> import jax.numpy as jnp
    >>> from jaxnets import dense
    >>> module = to_linen(dense(3))
    >>> variables = module.init(jax.random.key(0), jnp.ones((1, 2)))
    >>> variables["params"]["layer"]["w"].shape, module.apply(variables, jnp.ones((4, 2))).shape
    ((2, 3), (4, 3))
    """
    layer = as_layer("to_linen", "layer", layer)
    return _Linen(layer.init, layer.apply)


def from_linen(module: linen.Module, *, mode: Mode = lambda train: {}) -> Layer:
    """A linen module as a layer: `params` its collection of that name, `state` its other collections by name.

    Arguments: `mode` says what to pass it in training and in evaluation, as
    `lambda train: {"use_running_average": not train}`; by default nothing. The key goes to its "dropout" draws.
    Gradient and cost: those of the module.

    >>> import jax.numpy as jnp
    >>> layer = from_linen(linen.Dense(3))
    >>> params, state = layer.init(jax.random.key(0), jnp.ones((1, 2)))
    >>> params["kernel"].shape, layer.apply(params, state, jnp.ones((4, 2)))[0].shape
    ((2, 3), (4, 3))
    """

    def init(key: jax.Array, x: Tree, /) -> tuple[Params, State]:
        key = require_key("from_linen", key)
        rngs = {name: child_key(key, name) for name in ("params", "dropout")}
        zeros = jax.tree.map(lambda a: jax.numpy.zeros(a.shape, a.dtype), x)
        variables = dict(jax.jit(lambda rngs: module.init(rngs, zeros, **mode(False)))(rngs))
        return dict(variables.pop("params", {})), variables

    def apply(
        params: Params, state: State, x: Tree, /, *, train: bool = False, key: jax.Array | None = None
    ) -> tuple[Tree, State]:
        variables = {"params": params, **state}
        rngs = None if key is None else {"dropout": key}
        if not train:
            return module.apply(variables, x, rngs=rngs, **mode(False)), state
        y, new = module.apply(variables, x, rngs=rngs, mutable=list(state), **mode(True))
        return y, {**state, **new}

    return Layer(init, apply)


class _Nnx(nnx.Module):
    def __init__(self, layer: Layer, params: Params, state: State, rngs: nnx.Rngs | None):
        self.layer_apply = layer.apply
        self.params = nnx.data(jax.tree.map(nnx.Param, params))
        self.state = nnx.data(jax.tree.map(nnx.BatchStat, state))
        self.rngs = rngs
        self.deterministic = True  # what nnx's train() and eval() set

    def __call__(self, x: Tree) -> Tree:
        is_variable = {"is_leaf": lambda node: isinstance(node, nnx.Variable)}
        params, state = (jax.tree.map(lambda v: v[...], t, **is_variable) for t in (self.params, self.state))
        train = not self.deterministic
        key = self.rngs.dropout() if train and self.rngs is not None else None
        y, new = self.layer_apply(params, state, x, train=train, key=key)
        if train:
            jax.tree.map(lambda variable, value: variable.set_value(value), self.state, new, **is_variable)
        return y


def to_nnx(
    layer: LayerLike, params: Params | None = None, state: State | None = None, *, x: Any = None, rngs: Any = None
) -> nnx.Module:
    """The layer as an nnx module, called as `module(x)`, in training after `module.train()`.

    Arguments: `params` and `state`, as from the layer's `init` or pretrained; or `x`, an example input, and `rngs`,
    from whose "params" stream `init` then draws them. The "dropout" stream of `rngs` is for a layer that draws random
    numbers in training. The leaves are `nnx.Param` and `nnx.BatchStat` variables, below `module.params` and
    `module.state`. Raises `ValueError` with neither.

    >>> import jax.numpy as jnp
    >>> from jaxnets import dense
    >>> module = to_nnx(dense(3), x=jnp.ones((1, 2)), rngs=nnx.Rngs(0))
    >>> module.params["w"].shape, module(jnp.ones((4, 2))).shape
    ((2, 3), (4, 3))
    """
    layer = as_layer("to_nnx", "layer", layer)
    if params is None:
        if x is None or rngs is None:
            raise ValueError("to_nnx: pass params and state, or an example x and rngs=nnx.Rngs(seed) to make them")
        params, state = layer.init(rngs.params(), x)
    return _Nnx(layer, params, state or {}, rngs)


def from_nnx(make: Callable[[nnx.Rngs], nnx.Module]) -> Layer:
    """An nnx module as a layer: `params` its `nnx.Param` variables, `state` all its others but those of its keys.

    Arguments: `make(rngs)` builds the module. In training it is put in that mode by its `train()`, and its random
    streams begin at the key. Gradient and cost: those of the module.

    >>> import jax.numpy as jnp
    >>> layer = from_nnx(lambda rngs: nnx.Linear(2, 3, rngs=rngs))
    >>> params, state = layer.init(jax.random.key(0), jnp.ones((1, 2)))
    >>> params["kernel"].shape, layer.apply(params, state, jnp.ones((4, 2)))[0].shape
    ((2, 3), (4, 3))
    """

    def init(key: jax.Array, x: Tree, /) -> tuple[Params, State]:
        module = make(nnx.Rngs(require_key("from_nnx", key)))
        _, params, _, state = nnx.split(module, nnx.Param, nnx.RngState, ...)
        return nnx.to_pure_dict(params), nnx.to_pure_dict(state)

    def apply(
        params: Params, state: State, x: Tree, /, *, train: bool = False, key: jax.Array | None = None
    ) -> tuple[Tree, State]:
        module = make(nnx.Rngs(jax.random.key(0) if key is None else key))
        _, own, _, rest = nnx.split(module, nnx.Param, nnx.RngState, ...)
        nnx.replace_by_pure_dict(own, params)
        nnx.replace_by_pure_dict(rest, state)
        nnx.update(module, own, rest)
        if train:
            module.train()
        else:
            module.eval()
        y = module(x)
        if not train:
            return y, state
        return y, nnx.to_pure_dict(nnx.split(module, nnx.Param, nnx.RngState, ...)[3])

    return Layer(init, apply)
