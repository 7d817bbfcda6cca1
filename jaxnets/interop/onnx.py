"""A network as an ONNX file, by jax2onnx."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax

from jaxnets import compat
from jaxnets.combine import LayerLike, abstract, as_layer
from jaxnets.core import Tree
from jaxnets.extras import require
from jaxnets.ops.kernels import families, reduce
from jaxnets.ops.kernels.family import conv_p
from jaxnets.ops.kernels.pool_family import pool_p
from jaxnets.train.files import write

FAMILIES = {each.primitive: each for each in families.FAMILIES}
LOWERINGS = {conv_p.name: "lax", pool_p.name: "shifts"}
"""What our primitives become where they can: a convolution of lax; of a pool, maxima or sums of slices."""


def to_onnx(
    path: str | os.PathLike[str],
    layer: LayerLike,
    params: Mapping[str, Any],
    state: Mapping[str, Any],
    x: Any,
    *,
    batch: str | None = "B",
) -> Path:
    """Write a network's predictor as an ONNX file, whole or not at all, with its weights in it.

    Arguments: `path`, where to; `layer`, `params` and `state`, the network; `x`, one example array or its
    `jax.ShapeDtypeStruct`; `batch`, the name of the number of samples, None for that of `x` alone. ONNX Runtime runs
    the file: `InferenceSession(path).run(None, {input: x})`, channels last as here.

    What can be converted is what jax2onnx can (https://github.com/enpasos/jax2onnx); our own primitives become slices
    and convolutions of lax first. Raises `NotImplementedError` for a network with anything else in it, `OSError` if the
    file cannot be written, and `MissingExtra` without jax2onnx.
    """
    converter = require("jax2onnx", extra="onnx")
    layer, spec = as_layer("to_onnx", "layer", layer), abstract(x)

    def predict(x: Tree) -> Tree:
        return layer.apply(dict(params), dict(state), x)[0]

    shape = spec.shape if batch is None else (batch, *spec.shape[1:])
    model = converter.to_onnx(plain(predict), [shape])
    return write(path, model.SerializeToString())


def plain(fn: Callable[..., Tree]) -> Callable[..., Tree]:
    """The same function without a primitive of ours: what other tools can read."""

    def run(*args: Any) -> Tree:
        closed, out = jax.make_jaxpr(fn, return_shape=True)(*args)
        values = compat.evaluate(_plain(closed.jaxpr), closed.consts, jax.tree.leaves(args))
        return jax.tree.unflatten(jax.tree.structure(out), values)

    return run


def _plain(jaxpr: Any) -> Any:
    """The jaxpr, open or closed, with other equations for ours, also in what it calls."""
    equations: list[Any] = []
    for equation in jaxpr.eqns:
        function = _function(equation)
        if function is None:
            with compat.inside(equation):
                inner = {name: compat.with_jaxprs(value, _plain) for name, value in equation.params.items()}
            equations.append(equation.replace(params=inner))
        elif not compat.unused(equation):
            made = compat.in_place_of(equation, function)
            assert made is not None, equation
            equations += made
    return compat.with_equations(jaxpr, equations)


def _function(equation: Any) -> Callable[..., jax.Array] | None:
    """What one of our equations computes, in JAX's own primitives; None for any other."""
    name, how = equation.primitive.name, equation.params
    if name == reduce.spread_p.name:
        return lambda *operands: reduce._spread(*operands, **how)
    if name not in FAMILIES:
        return None
    family = FAMILIES[name]

    def compute(*operands: jax.Array) -> jax.Array:
        problem = family.pose(*operands, **how).but(lowering=LOWERINGS[name])
        return family.compute(problem, *operands, "other")

    return compute
