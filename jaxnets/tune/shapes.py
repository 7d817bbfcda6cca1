"""Shapes that are common in networks: what `jaxnets tune` measures if it is given no model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import jax
import jax.numpy as jnp

from jaxnets import ops
from jaxnets.tune.program import problems

# x without its batch, w, and the arguments of the convolution: of ResNet, ResNeXt, MobileNetV2, ConvNeXt and others.
CONVOLUTIONS: tuple[tuple[tuple[int, ...], tuple[int, ...], dict[str, Any]], ...] = (
    ((224, 224, 3), (7, 7, 3, 64), {"stride": 2}),
    ((224, 224, 3), (3, 3, 3, 32), {"stride": 2}),
    ((56, 56, 64), (3, 3, 64, 64), {}),
    ((28, 28, 128), (3, 3, 128, 128), {}),
    ((14, 14, 256), (3, 3, 256, 256), {}),
    ((7, 7, 512), (3, 3, 512, 512), {}),
    ((56, 56, 128), (3, 3, 128, 128), {"stride": 2}),
    ((56, 56, 256), (1, 1, 256, 64), {}),
    ((56, 56, 256), (1, 1, 256, 512), {"stride": 2}),
    ((56, 56, 128), (3, 3, 4, 128), {"groups": 32}),
    ((14, 14, 512), (3, 3, 16, 512), {"groups": 32}),
    ((56, 56, 144), (3, 3, 1, 144), {"groups": 144}),
    ((56, 56, 144), (3, 3, 1, 144), {"groups": 144, "stride": 2}),
    ((14, 14, 480), (5, 5, 1, 480), {"groups": 480}),
    ((56, 56, 96), (7, 7, 1, 96), {"groups": 96}),
    ((1024, 256), (4, 1, 256), {"groups": 256, "padding": "CAUSAL"}),
)
TRANSPOSED: tuple[tuple[tuple[int, ...], tuple[int, ...], dict[str, Any]], ...] = (
    ((28, 28, 64), (4, 4, 64, 64), {"stride": 2}),
    ((28, 28, 64), (2, 2, 64, 64), {"stride": 2}),
)
POOLS: tuple[tuple[Any, tuple[int, ...], dict[str, Any]], ...] = (
    (ops.max_pool, (112, 112, 64), {"size": 3, "stride": 2, "padding": 1}),
    (ops.max_pool, (56, 56, 64), {"size": 2}),
    (ops.max_pool, (56, 56, 64), {"size": 3, "stride": 1, "padding": "SAME"}),
    (ops.max_pool, (14, 14, 256), {"size": 5, "stride": 1, "padding": "SAME"}),
    (ops.avg_pool, (56, 56, 64), {"size": 3, "stride": 1, "padding": "SAME"}),
    (ops.avg_pool, (56, 56, 64), {"size": 2}),
)


def programs(shapes: Literal["all", "conv", "pool"], batch: int, dtype: Any) -> Iterator[tuple[Any, tuple[Any, ...]]]:
    """Functions with the gradients in all their operands, and what to call them with."""

    def with_gradients(op: Any, how: dict[str, Any]) -> Any:
        def run(*operands: jax.Array) -> Any:
            y, pull = jax.vjp(lambda *a: op(*a, **how), *operands[:-1])
            return y, pull(operands[-1])

        return run

    def call(op: Any, how: dict[str, Any], *shapes: tuple[int, ...]) -> tuple[Any, tuple[Any, ...]]:
        operands = tuple(jax.ShapeDtypeStruct(shape, dtype) for shape in shapes)
        y = jax.eval_shape(lambda *a: op(*a, **how), *operands)
        return with_gradients(op, how), (*operands, y)

    if shapes != "pool":
        for op, table in ((ops.conv, CONVOLUTIONS), (ops.conv_transpose, TRANSPOSED)):
            for x, w, how in table:
                yield call(op, how, (batch, *x), w)
    if shapes != "conv":
        for op, x, how in POOLS:
            yield call(op, how, (batch, *x))


def common(shapes: Literal["all", "conv", "pool"] = "all", batch: int = 8, dtype: Any = jnp.float32) -> list[Any]:
    """The problems of the common shapes, gradients and what the lowerings rest on included."""
    found = []
    for fn, args in programs(shapes, batch, dtype):
        found += problems(fn, *args)
    return found
