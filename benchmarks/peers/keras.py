"""Keras's layers on the JAX backend, called without their own state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import keras
import numpy as np

from benchmarks.cases import Case
from benchmarks.peers import on_jax
from benchmarks.peers.guest import Arrays, Columns, Unsupported

PACKAGES = ("keras", "jax")


def _layer(case: Case, rank: int) -> Any:
    """The layer of a case, not yet built."""
    options = dict(case.options)
    padding = options.get("padding", "SAME" if case.w else "VALID")
    if not isinstance(padding, str):
        raise Unsupported("no padding by number")
    order = "channels_first" if case.form == "channels first" else "channels_last"
    if case.op in ("max_pool", "avg_pool"):
        if "dilation" in options:
            raise Unsupported("no dilation")
        kind = "MaxPooling" if case.op == "max_pool" else "AveragePooling"
        pool = getattr(keras.layers, f"{kind}{rank}D")
        return pool(options["size"], strides=options.get("stride"), padding=padding.lower(), dtype=case.dtype)
    if case.op == "adaptive_avg_pool" and hasattr(keras.layers, f"AdaptiveAveragePooling{rank}D"):
        return getattr(keras.layers, f"AdaptiveAveragePooling{rank}D")(options["output_size"])
    if not case.w:
        raise Unsupported("no such pool")
    common: dict[str, Any] = {
        "kernel_size": case.kernel[:-2],
        "strides": options.get("stride", 1),
        "padding": padding.lower(),
        "dilation_rate": options.get("dilation", 1),
        "data_format": order,
        "use_bias": False,
        "dtype": case.dtype,
    }
    if case.op == "depthwise_conv":
        if padding == "CAUSAL":
            raise Unsupported("no causal depthwise")
        return getattr(keras.layers, f"DepthwiseConv{rank}D")(**common)
    if case.op == "conv_transpose":
        return getattr(keras.layers, f"Conv{rank}DTranspose")(case.kernel[-2], **common)
    return getattr(keras.layers, f"Conv{rank}D")(case.kernel[-1], groups=case.groups, **common)


def native(case: Case) -> on_jax.Native:
    """`layer.stateless_call`, as its own training loop has it."""
    batch, *spatial, channels = case.channels_last
    if not case.differentiable:
        raise Unsupported("floats only")
    layer = _layer(case, len(spatial))
    layer.build((batch, channels, *spatial) if case.form == "channels first" else (batch, *spatial, channels))

    def fn(x: jax.Array, *w: jax.Array) -> jax.Array:
        return layer.stateless_call(list(w), [], x)[0]

    if case.op != "depthwise_conv":
        return on_jax.Native(fn)

    def swap(w: np.ndarray) -> np.ndarray:  # (*size, 1, C) and Keras's (*size, C, 1)
        return np.swapaxes(w, -1, -2)

    return on_jax.Native(fn, kernels=(swap, swap))


def columns(spec: Mapping[str, Any], arrays: Arrays) -> Columns:
    """One column, compiled."""
    if spec["kind"] == "model":
        from benchmarks.peers import keras_models

        return keras_models.columns(spec, arrays)
    return on_jax.columns("keras", spec, arrays, native)
