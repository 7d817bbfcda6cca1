"""The one idea: a layer is two pure functions.

Everything learned is in `params`, everything remembered is in `state`, and nothing is anywhere else. Both are
plain nested dicts, `{}` where there is nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import jax

Tree = Any
"""A pytree of arrays: `params`, `state`, or what goes in and comes out of a layer."""

Params = dict[str, Any]
State = dict[str, Any]


class Init(Protocol):
    """`init(key, x) -> (params, state)`; `x` is an example input, or its `jax.ShapeDtypeStruct`."""

    def __call__(self, key: jax.Array, x: Tree, /) -> tuple[Params, State]: ...


class Apply(Protocol):
    """`apply(params, state, x, *, train=False, key=None) -> (y, state)`."""

    def __call__(
        self, params: Params, state: State, x: Tree, /, *, train: bool = False, key: jax.Array | None = None
    ) -> tuple[Tree, State]: ...


class Layer(NamedTuple):
    """Two pure functions: `init(key, x) -> (params, state)` and `apply(params, state, x, *, train, key) -> (y, state)`.

    `train` is a Python bool and False by default, so `jax.jit(layer.apply)` is the predictor. `state` comes back
    unchanged unless `train`. `key` is needed only by layers that draw random numbers, and only when they do.

    >>> import jax, jax.numpy as jnp
    >>> scale = pure(lambda key, x: {"scale": jnp.ones(x.shape[-1])}, lambda params, x: x * params["scale"][None, :])
    >>> params, state = scale.init(jax.random.key(0), jnp.ones((2, 3)))
    >>> y, state = scale.apply(params, state, jnp.ones((2, 3)))
    >>> y.shape, state
    ((2, 3), {})
    """

    init: Init
    apply: Apply


def pure(init: Callable[[jax.Array, Tree], Params], apply: Callable[[Params, Tree], Tree]) -> Layer:
    """A layer without state, key or mode, from `init(key, x) -> params` and `apply(params, x) -> y`.

    Raises `TypeError` for what is not callable. Gradient: that of `apply`. Cost: that of `apply`.
    The pair is stax's (Bradbury et al., 2018, JAX, https://github.com/jax-ml/jax).

    >>> import jax, jax.numpy as jnp
    >>> shift = pure(lambda key, x: {"shift": jnp.zeros(x.shape[-1])}, lambda params, x: x + params["shift"])
    >>> shift.init(jax.random.key(0), jnp.ones(2))
    ({'shift': Array([0., 0.], dtype=float32)}, {})
    """
    for name, fn in (("init", init), ("apply", apply)):
        if not callable(fn):
            raise TypeError(f"pure: {name} is {fn!r} ({type(fn).__name__}); pass a function")

    def init_layer(key: jax.Array, x: Tree, /) -> tuple[Params, State]:
        return init(key, x), {}

    def apply_layer(
        params: Params, state: State, x: Tree, /, *, train: bool = False, key: jax.Array | None = None
    ) -> tuple[Tree, State]:
        return apply(params, x), state

    return Layer(init_layer, apply_layer)


def lift(fn: Callable[[Tree], Tree]) -> Layer:
    """A layer without parameters from a plain function of arrays. Combinators lift functions by themselves.

    Raises `TypeError` for what is not callable.

    >>> import jax, jax.numpy as jnp
    >>> y, _ = lift(jnp.tanh).apply({}, {}, jnp.zeros(2))
    >>> y
    Array([0., 0.], dtype=float32)
    """
    if not callable(fn):
        raise TypeError(f"lift: {fn!r} ({type(fn).__name__}) is not a function of arrays")
    return pure(lambda key, x: {}, lambda params, x: fn(x))


def require_key(layer: str, key: jax.Array | None) -> jax.Array:
    """`key`, or a `ValueError` that says which layer draws random numbers and how to pass one."""
    if key is None:
        raise ValueError(
            f"{layer}: key is None, but this layer draws random numbers here; pass key=jax.random.key(seed)"
        )
    return key
