"""Equinox's layers: one image at a time, channels first, batched by `vmap`; kernels (K, C // groups, *size)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.cases import Case
from benchmarks.cost import window
from benchmarks.peers import on_jax
from benchmarks.peers.guest import Arrays, Columns, Unsupported

PACKAGES = ("equinox", "jax")


def _layer(case: Case) -> Any:
    """The layer of a case, whose weights are yet to be put in."""
    rank = len(case.channels_last) - 2
    key, options = jax.random.key(0), dict(case.options)
    if case.op == "adaptive_avg_pool":
        return getattr(eqx.nn, f"AdaptiveAvgPool{rank}d")(options["output_size"])
    if case.op == "lp_pool" or (case.op == "max_pool" and "dilation" in options):
        raise Unsupported("no such pool")
    sliding = window(case)
    pads = tuple(sliding.pads)
    if case.op == "avg_pool" and any(low or high for low, high in pads):
        raise Unsupported("counts the padding")
    if case.op in ("max_pool", "avg_pool"):
        pool = getattr(eqx.nn, f"{'Max' if case.op == 'max_pool' else 'Avg'}Pool{rank}d")
        return pool(sliding.size, sliding.stride, pads)
    common: dict[str, Any] = {
        "num_spatial_dims": rank,
        "kernel_size": sliding.size,
        "stride": sliding.stride,
        "dilation": sliding.dilation,
        "groups": case.groups,
        "use_bias": False,
        "dtype": jnp.dtype(case.dtype),
        "key": key,
    }
    if case.op == "conv_transpose":
        padding = options.get("padding", "SAME")
        # "SAME" of Equinox is a layer's whose output is stride times its input, as ours.
        return eqx.nn.ConvTranspose(
            in_channels=case.kernel[-1], out_channels=case.kernel[-2], padding=padding, **common
        )
    return eqx.nn.Conv(in_channels=case.kernel[-2] * case.groups, out_channels=case.kernel[-1], padding=pads, **common)


def native(case: Case) -> on_jax.Native:
    """The layer under `vmap`, as Equinox would have it."""
    rank = len(case.channels_last) - 2
    if not case.differentiable:
        raise Unsupported("floats only")
    layer = _layer(case)

    def fn(x: jax.Array, *w: jax.Array) -> jax.Array:
        holding = eqx.tree_at(lambda layer: layer.weight, layer, w[0]) if w else layer
        return jax.vmap(holding)(x)

    def first(a: np.ndarray) -> np.ndarray:
        return np.moveaxis(a, -1, -1 - rank)

    def last(a: np.ndarray) -> np.ndarray:
        return np.moveaxis(a, -1 - rank, -1)

    flipped = tuple(range(-rank - 2, -2))

    # (*size, C // groups, K) to (K, C // groups, *size); of a transposed one to (C // groups, K, *size), turned round.
    def into(w: np.ndarray) -> np.ndarray:
        if case.op == "conv_transpose":
            return np.moveaxis(np.flip(w, flipped), (-2, -1), (-2 - rank, -1 - rank))
        return np.moveaxis(w, (-1, -2), (-2 - rank, -1 - rank))

    def back(w: np.ndarray) -> np.ndarray:
        if case.op == "conv_transpose":
            return np.flip(np.moveaxis(w, (-2 - rank, -1 - rank), (-2, -1)), flipped)
        return np.moveaxis(w, (-2 - rank, -1 - rank), (-1, -2))

    maps = (lambda a: a, lambda a: a) if case.form == "channels first" else (first, last)
    return on_jax.Native(fn, maps, (into, back))


def columns(spec: Mapping[str, Any], arrays: Arrays) -> Columns:
    """One column, compiled."""
    return on_jax.columns("equinox", spec, arrays, native)
