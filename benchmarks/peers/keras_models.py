"""Whole models by `keras.applications`: the same architectures from their own initial weights, a training step alike.

Other weights give other numbers, so what is held against ours is the number of parameters, to one in a hundred: Keras's
ResNet has biases before its normalizations.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import keras

from benchmarks.peers.guest import Arrays, Columns, Guest, Unsupported
from benchmarks.timing import compile_apart
from benchmarks.training import MOMENTUM, RATE
from benchmarks.whole import CLASSES
from jaxnets import losses

NAMES = {
    "mobilenet_v2": "MobileNetV2",
    "efficientnet_b0": "EfficientNetB0",
    "convnext_tiny": "ConvNeXtTiny",
    "resnet50": "ResNet50",
}


def columns(spec: Mapping[str, Any], arrays: Arrays) -> Columns:
    """One column, the step compiled as a whole."""
    if spec["model"] not in NAMES:
        raise Unsupported("no such model")

    def make() -> Guest:
        x, labels = jnp.asarray(arrays["x"]), jnp.asarray(arrays["labels"], jnp.int32)
        build = getattr(keras.applications, NAMES[spec["model"]])
        net = build(weights=None, classes=CLASSES, input_shape=x.shape[1:], classifier_activation=None)
        params = [v.value for v in net.trainable_variables]
        count = sum(p.size for p in params)
        if abs(count - spec["parameters"]) > spec["parameters"] / 100:
            raise Unsupported(f"{count:,} parameters, ours {spec['parameters']:,}")

        def step(params: Any, velocity: Any, rest: Any, x: jax.Array, labels: jax.Array) -> Any:
            def objective(params: Any) -> Any:
                logits, rest_now = net.stateless_call(params, rest, x, training=True)
                return losses.cross_entropy(logits, labels), rest_now

            (loss, now), gradients = jax.value_and_grad(objective, has_aux=True)(params)
            velocity = [MOMENTUM * v + g for v, g in zip(velocity, gradients, strict=True)]
            return [p - RATE * v for p, v in zip(params, velocity, strict=True)], velocity, now, loss

        rest = [v.value for v in net.non_trainable_variables]
        program = compile_apart(step, (params, [jnp.zeros_like(p) for p in params], rest, x, labels))
        call = program.call
        return Guest(lambda: jax.block_until_ready(call()), lambda made: None, program.compile, program.memory)

    return {"keras": make}
