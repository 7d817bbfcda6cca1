"""How many elements a mean divides by, as arithmetic in the loop that uses it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import reduce

import jax
import numpy as np
from jax import lax

from jaxnets.ops.kernels.pool_lowerings import along, steps
from jaxnets.ops.kernels.pool_problem import PoolProblem


def per_axis(problem: PoolProblem) -> list[np.ndarray]:
    """How many elements each window counts along each axis: 1 for a sum, which divides by nothing."""
    axes = along.axes(problem.window)
    if problem.kind == "sum":
        return [np.ones(axis.out, int) for axis in axes]
    if problem.kind == "padded_mean":
        asked = zip(axes, problem.window.pads, strict=True)
        axes = [replace(axis, live=(-low, axis.n - 1 + high)) for axis, (low, high) in asked]
    return [np.maximum(axis.counts(), 1) for axis in axes]  # a window of padding alone has a sum of 0


def uniform(counts: Sequence[np.ndarray]) -> float | None:
    """What every window's sum is multiplied by, None where they differ."""
    if any((each != each[0]).any() for each in counts):
        return None
    return 1 / float(np.prod([each[0] for each in counts]))


def shared(x: jax.Array, counts: Sequence[np.ndarray]) -> jax.Array:
    """x divided by the product of the counts along its spatial axes, as a product with a quotient of each row."""
    one = uniform(counts)
    if one is not None:
        return steps.scaled(x, one)
    product = reduce(lax.mul, [steps.along(each, x.shape, axis, x.dtype) for axis, each in enumerate(counts, start=1)])
    return lax.mul(x, lax.div(lax.full_like(product, 1), product))
