"""Layers whose kernel w is computed from what is learned: standardized, given a length, or a largest stretch of 1.

Each takes a layer with a leaf w, such as `conv` or `dense`, and hands it another w.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jaxnets.combine import LayerLike, as_layer, child_key
from jaxnets.core import Layer, Params, State, Tree, require_key
from jaxnets.layers import arguments
from jaxnets.ops import check
from jaxnets.ops.norm import normalize_batch


def _kernel(op: str, params: Any) -> jax.Array:
    """The leaf w, in float32, with axes (..., K)."""
    if not isinstance(params, dict) or not hasattr(params.get("w"), "shape"):
        found = sorted(params) if isinstance(params, dict) else type(params).__name__
        raise ValueError(f"{op}: the layer's params are {found}, without a leaf w; wrap one that has it, such as conv")
    w = check.floating(op, params["w"], "w").astype(jnp.float32)
    if w.ndim < 2:
        raise ValueError(f"{op}: w has shape {w.shape}; wrap a layer whose w is (..., K), such as conv or dense")
    return w


def _computed(
    op: str, layer: LayerLike, leaves: tuple[str, ...], kernel: Callable[[Params], jax.Array], extra: Any
) -> Layer:
    """`layer` with w replaced by `kernel(params)`; `extra(w)` makes the `leaves` that stand beside its own."""
    child = as_layer(op, "layer", layer)

    def init(key: jax.Array, x: Tree, /) -> tuple[Params, State]:
        params, state = child.init(key, x)
        return params | extra(_kernel(op, params)), state

    def apply(
        params: Params, state: State, x: Tree, /, *, train: bool = False, key: jax.Array | None = None
    ) -> tuple[Tree, State]:
        missing = [name for name in leaves if not isinstance(params, dict) or name not in params]
        if missing:
            raise ValueError(f"{op}: params has no {missing[0]}; pass what this layer's own init returned")
        own = {name: leaf for name, leaf in params.items() if name not in leaves}
        _kernel(op, own)
        return child.apply(own | {"w": kernel(params)}, state, x, train=train, key=key)

    return Layer(init, apply)


def weight_standardization(layer: LayerLike, *, eps: float = 1e-5) -> Layer:
    """A layer, each of its filters less its mean and divided by its deviation: `w[..., k]` over all axes but the last.

    Shapes, parameters and errors: those of `layer`, `conv` for example. `eps`, above 0, is added to the variance. The
    output no longer depends on the size of w: follow it with a norm. Raises `ValueError` for a layer without a w.
    Gradient: through the mean and the deviation. Cost: three passes over w a call. Qiao, Wang, Liu, Shen & Yuille,
    2019, https://arxiv.org/abs/1903.10520.

    >>> from jaxnets.layers import conv
    >>> layer = weight_standardization(conv(8, 3, bias=False))
    >>> params, state = layer.init(jax.random.key(0), jnp.ones((1, 8, 8, 4)))
    >>> moved, _ = layer.apply({"w": 7 * params["w"] + 5}, state, jnp.ones((1, 8, 8, 4)))
    >>> bool(jnp.allclose(moved, layer.apply(params, state, jnp.ones((1, 8, 8, 4)))[0], atol=1e-3))
    True
    """
    op = "weight_standardization"
    eps = arguments.positive(op, eps, "eps")
    return _computed(op, layer, (), lambda params: normalize_batch(_kernel(op, params), eps=eps)[0], lambda w: {})


def weight_norm(layer: LayerLike, *, axis: int = -1) -> Layer:
    """A layer, the length of its filters learned apart from their direction: `scale w / |w|`.

    Shapes and errors: those of `layer`. Parameters: those of `layer` and scale, one number for each index of `axis` of
    w, to begin with the length of w there, so that wrapping changes nothing. `axis`: by default the last, the filters;
    the length is over all the others. Raises `ValueError` for a layer without a w, or with none of that axis. Gradient:
    to scale and w, whose own length does not matter. Cost: two passes over w a call. Salimans & Kingma, 2016,
    https://arxiv.org/abs/1602.07868.

    >>> from jaxnets.layers import dense
    >>> params, _ = weight_norm(dense(3)).init(jax.random.key(0), jnp.ones((1, 4)))
    >>> {name: leaf.shape for name, leaf in params.items()}
    {'w': (4, 3), 'b': (3,), 'scale': (3,)}
    """
    op = "weight_norm"

    def length(w: jax.Array) -> jax.Array:
        if not -w.ndim <= axis < w.ndim:
            raise ValueError(f"{op}: axis is {axis}, but w has shape {w.shape}; pass one of its axes")
        others = tuple(i for i in range(w.ndim) if i != axis % w.ndim)
        return jnp.sqrt(jnp.square(w).sum(others, keepdims=True))

    def kernel(params: Params) -> jax.Array:
        w = _kernel(op, params)
        lengths = length(w)
        if params["scale"].shape != (lengths.size,):
            raise ValueError(
                f"{op}: scale has shape {params['scale'].shape}; for w {w.shape} it needs {(lengths.size,)}"
            )
        return w * (params["scale"].astype(jnp.float32).reshape(lengths.shape) / lengths)

    return _computed(op, layer, ("scale",), kernel, lambda w: {"scale": length(w).ravel()})


def spectral_norm(layer: LayerLike, *, iterations: int = 1, eps: float = 1e-12) -> Layer:
    """A layer, its w divided by its largest singular value, as a matrix from all axes but the last to the last.

    Shapes, parameters and errors: those of `layer`. State: that of `layer`, and u (K,) and v, unit vectors that are
    turned towards the singular ones, `iterations` times a call in training and 15 times to begin with; in evaluation
    they stay. `eps`, above 0: a shorter vector is left shorter. Raises `ValueError` for a layer without a w. Gradient:
    to w through the singular value, u and v held fixed. Cost: two products of w and a vector an iteration, and one.
    Miyato, Kataoka, Koyama & Yoshida, 2018, https://arxiv.org/abs/1802.05957.

    >>> from jaxnets.layers import dense
    >>> layer = spectral_norm(dense(2, bias=False))
    >>> params, state = layer.init(jax.random.key(0), jnp.ones((1, 2)))
    >>> first = jnp.array([1., 0.])
    >>> layer.apply({"w": jnp.array([[8., 0.], [0., 2.]])}, {"u": first, "v": first}, jnp.ones((1, 2)))[0]
    Array([[1.  , 0.25]], dtype=float32)
    """
    op = "spectral_norm"
    iterations = check.whole(op, iterations, "iterations")
    eps = arguments.positive(op, eps, "eps")
    child = as_layer(op, "layer", layer)

    def unit(v: jax.Array) -> jax.Array:
        return v / jnp.maximum(jnp.sqrt(jnp.square(v).sum()), eps)

    def turn(w: jax.Array, v: jax.Array, times: int) -> tuple[jax.Array, jax.Array]:
        for _ in range(times):
            u = unit(v @ w)
            v = unit(w @ u)
        return u, v

    def init(key: jax.Array, x: Tree, /) -> tuple[Params, State]:
        params, state = child.init(key, x)
        w = _kernel(op, params)
        w = w.reshape(-1, w.shape[-1])
        v = jax.random.normal(child_key(require_key(op, key), "v"), w.shape[:1], jnp.float32)  # type: ignore[arg-type]
        u, v = lax.fori_loop(0, 15, lambda _, uv: turn(w, uv[1], 1), (jnp.zeros(w.shape[1], jnp.float32), unit(v)))
        return params, state | {"u": u, "v": v}

    def apply(
        params: Params, state: State, x: Tree, /, *, train: bool = False, key: jax.Array | None = None
    ) -> tuple[Tree, State]:
        w = _kernel(op, params)
        matrix = w.reshape(-1, w.shape[-1])
        if not {"u", "v"} <= set(state) or (state["v"].shape, state["u"].shape) != (matrix.shape[:1], matrix.shape[1:]):
            raise ValueError(f"{op}: state has {sorted(state)}, but w {w.shape} needs u and v; pass what init returned")
        own = {name: leaf for name, leaf in state.items() if name not in ("u", "v")}
        u, v = state["u"], state["v"]
        if train:
            u, v = turn(lax.stop_gradient(matrix), v, iterations)
        y, own = child.apply(params | {"w": w / (v @ matrix @ u)}, own, x, train=train, key=key)
        return y, own | {"u": u, "v": v}

    return Layer(init, apply)
