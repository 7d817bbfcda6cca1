"""Grouped convolution as fewer, larger ones: groups merged into block-diagonal kernels, or taken one by one."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxnets.ops.kernels.alone import held
from jaxnets.ops.kernels.lowerings import shapes
from jaxnets.ops.kernels.problem import Problem

_WIDTH = 16  # channels that a merged group should have at least: a vector register holds 16 numbers
_MOST = 4  # groups to write out one by one; more are looped over, which compiles in a fourth of the time


def factor(problem: Problem) -> int:
    """How many neighboring groups to merge: the least divisor that makes both sides `_WIDTH` channels wide."""
    narrow = min(problem.per_group)
    for merged in range(1, problem.groups + 1):
        if problem.groups % merged == 0 and narrow * merged >= _WIDTH:
            return merged
    return problem.groups


def merged_fits(problem: Problem) -> bool:
    """More than one group."""
    return problem.groups > 1 and factor(problem) > 1


def _wide(problem: Problem) -> Problem:
    return problem.but(groups=problem.groups // factor(problem), lowering=None)


def merged(problem: Problem, a: jax.Array, b: jax.Array, compute: Any) -> jax.Array:
    """Neighboring groups as one whose kernel is block-diagonal: zeros are multiplied, but in long rows.

    The weight gradient of the merged kernel is computed whole, and its diagonal blocks kept.
    """
    m, wide = factor(problem), _wide(problem)
    c, k = problem.per_group
    size, groups = problem.window.size, wide.groups
    if problem.member == "weight_gradient":
        blocks = compute(wide, a, b).reshape(*size, m, c, groups, m, k)
        kept = jnp.stack([blocks[..., i, :, :, i, :] for i in range(m)], axis=-2)  # (*size, c, groups, m, k)
        return kept.reshape(problem.w_shape)
    eye = np.eye(m, dtype=bool).reshape(*(1,) * len(size), m, 1, 1, m, 1)
    parts = b.reshape(*size, 1, c, groups, m, k)
    block = jnp.where(eye, parts, jnp.zeros((), b.dtype)).reshape(*size, m * c, problem.filters)
    return compute(wide, a, block)


def each_fits(problem: Problem) -> bool:
    """More than one group."""
    return problem.groups > 1


def each(problem: Problem, a: jax.Array, b: jax.Array, compute: Any) -> jax.Array:
    """Each group by itself, its channels cut out."""
    c, k = problem.per_group
    one = problem.but(groups=1, channels=c, filters=k, lowering=None)
    widths = {"forward": (c, k), "input_gradient": (k, k), "weight_gradient": (c, k)}[problem.member]
    if problem.groups > _MOST or problem.member != "forward":
        return _looped(problem, one, a, b, widths, compute)
    parts = []
    for g in range(problem.groups):
        pair = (
            lax.slice_in_dim(v, g * width, (g + 1) * width, axis=v.ndim - 1)
            for v, width in zip((a, b), widths, strict=True)
        )
        parts.append(compute(one, *pair))
    return lax.concatenate(parts, parts[0].ndim - 1)


def _looped(
    problem: Problem, one: Problem, a: jax.Array, b: jax.Array, widths: tuple[int, int], compute: Any
) -> jax.Array:
    """A loop over the groups, each cut out and its result put in its place: one after the other they share memory, and
    the program stays small.

    What is cut out is held: a few channels of each position are a cache line each, and patches would fetch them anew
    for every tap.
    """
    last = len(problem.result) - 1

    def put(g: jax.Array, result: jax.Array) -> jax.Array:
        pair = (
            held(shapes.some(v, g * np.int32(width), width, v.ndim - 1))
            for v, width in zip((a, b), widths, strict=True)
        )
        part = compute(one, *pair)
        return shapes.put(result, part, g * np.int32(part.shape[-1]), last)

    return shapes.loop(problem.groups, put, shapes.zeros(problem.result, a))
