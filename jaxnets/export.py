"""A network as one file that runs without jaxnets: StableHLO with its weights in it, for any batch."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
from jax import export as jax_export

from jaxnets.combine import LayerLike, abstract, as_layer
from jaxnets.core import Tree
from jaxnets.extras import require
from jaxnets.train.files import write


def export(
    path: str | os.PathLike[str],
    layer: LayerLike,
    params: Mapping[str, Any],
    state: Mapping[str, Any],
    x: Tree,
    *,
    platforms: Sequence[str] | None = None,
    batch: str | None = "n",
) -> Path:
    """Write a network's predictor to a file, whole or not at all.

    Args:
        path: where to; missing folders are made, an older file is replaced.
        layer, params, state: the network and all that it holds, which goes into the file.
        x: an example input, or its `jax.ShapeDtypeStruct`, or a tree of them; every first axis is the batch.
        platforms: what it is to run on, of "cpu", "cuda", "rocm" and "tpu"; by default this machine's. Each gets the
            lowerings that its planner chooses.
        batch: name of the number of samples, which any number can then take; None for that of `x` alone.

    Returns:
        The path. To run the file, in a process with jax and flatbuffers alone:

        `jax.export.deserialize(pathlib.Path(path).read_bytes()).call(x)`

        What `layer.apply(params, state, x)[0]` is; jit it to compile it once.

    Raises:
        ValueError: a leaf of `x` has no batch axis, or the network needs to know how many samples there are; pass
            `batch=None`.
        OSError: the file cannot be written.
        MissingExtra: flatbuffers is not installed.

    JAX reads such a file for at least six months after it is written (its compatibility guarantees:
    https://docs.jax.dev/en/latest/export/export.html). Gradient: not in the file. Cost: a trace, and the weights once
    more in memory and on disk.

    >>> import tempfile, jax.numpy as jnp
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = export(f"{folder}/double.stablehlo", lambda x: 2 * x, {}, {}, jnp.ones((1, 2)))
    ...     program = jax.export.deserialize(path.read_bytes())
    >>> program.in_avals, program.call(jnp.ones((3, 2))).shape
    ((ShapedArray(float32[n,2]),), (3, 2))
    """
    require("flatbuffers", extra="export")  # which JAX writes and reads these files with
    layer = as_layer("export", "layer", layer)
    spec = abstract(x)
    if batch is not None:
        if any(not leaf.shape for leaf in jax.tree.leaves(spec)):
            raise ValueError("export: x has a leaf without axes, so none for the batch; pass batch=None")
        scope = jax_export.SymbolicScope()
        (size,) = jax_export.symbolic_shape(batch, scope=scope)
        spec = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct((size, *leaf.shape[1:]), leaf.dtype), spec)

    @jax.jit
    def predict(x: Tree) -> Tree:
        return layer.apply(dict(params), dict(state), x)[0]

    try:
        program = jax_export.export(predict, platforms=platforms)(spec)
    except (jax.errors.ConcretizationTypeError, jax.errors.InconclusiveDimensionOperation) as error:
        raise ValueError(
            f"export: the network does not compute every number of samples alike; pass batch=None ({error})"
        ) from error
    return write(path, bytes(program.serialize()))
