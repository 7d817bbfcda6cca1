"""Flax's linen layers: channels last, kernels as ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax

from benchmarks.cases import Case
from benchmarks.cost import window
from benchmarks.peers import on_jax
from benchmarks.peers.guest import Arrays, Columns, Unsupported

PACKAGES = ("flax", "jax")


def native(case: Case) -> on_jax.Native:
    """`nn.Conv`, `nn.ConvTranspose`, `nn.max_pool`, `nn.avg_pool`."""
    if case.form == "channels first":
        raise Unsupported("channels last only")
    if case.op in ("max_pool", "avg_pool"):
        if "dilation" in case.options:
            raise Unsupported("no dilation")
        sliding = window(case)
        pool = nn.max_pool if case.op == "max_pool" else nn.avg_pool
        more = {} if case.op == "max_pool" else {"count_include_pad": False}
        return on_jax.Native(lambda x: pool(x, sliding.size, sliding.stride, sliding.pads, **more))
    if not case.w:
        raise Unsupported("no such pool")
    size, options = case.kernel[:-2], case.options
    rank = len(size)
    padding = options.get("padding", "SAME")
    strides = (options.get("stride", 1),) * rank
    layer: Any
    if case.op == "conv_transpose":
        layer = nn.ConvTranspose(
            case.kernel[-2], size, strides=strides, padding=padding, use_bias=False, transpose_kernel=True
        )
    else:
        layer = nn.Conv(
            case.kernel[-1],
            size,
            strides=strides,
            padding=padding,
            kernel_dilation=options.get("dilation", 1),
            feature_group_count=case.groups,
            use_bias=False,
        )

    def fn(x: jax.Array, w: jax.Array) -> jax.Array:
        return layer.apply({"params": {"kernel": w}}, x)

    return on_jax.Native(fn)


def columns(spec: Mapping[str, Any], arrays: Arrays) -> Columns:
    """One column, compiled."""
    return on_jax.columns("flax", spec, arrays, native)
