"""Loops over rows that keep their working set in cache: the depthwise weight gradient."""

from __future__ import annotations

from math import prod
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxnets import compat
from jaxnets.ops.kernels.lowerings import shapes
from jaxnets.ops.kernels.problem import Problem


def rows_fit(problem: Problem) -> bool:
    """The weight gradient where each filter reads one channel."""
    return problem.member == "weight_gradient" and problem.channels == problem.groups


def rows(problem: Problem, x: jax.Array, y: jax.Array, compute: Any) -> jax.Array:
    """One row of outputs at a time against the input rows under it, all taps at once, elementwise in cache.

    What is left, (taps, W, C), is summed over W once at the end.

    Images are padded one by one, so that the padded copy stays in cache too.
    """
    window, multiplier = problem.window, problem.per_group[1]
    if multiplier > 1:
        y = y.reshape(*y.shape[:-1], problem.channels, multiplier)
        one = problem.but(filters=problem.channels)
        parts = [rows(one, x, y[..., m], compute) for m in range(multiplier)]
        return jnp.stack(parts, axis=-1).reshape(problem.w_shape)

    width, channels = window.out[-1], problem.channels
    flat = _is_flat(problem)
    y = y.reshape(problem.batch, *window.out[:-1], width * channels) if flat else y

    def of_image(index: jax.Array, total: tuple[jax.Array, ...]) -> tuple[jax.Array, ...]:
        image = _rowwise(shapes.padded(lax.dynamic_slice_in_dim(x, index, 1), window), problem)
        return _of_rows(image, lax.dynamic_index_in_dim(y, index, keepdims=False), total, problem)

    shape = (width * channels,) if flat else (width, channels)
    start = tuple(shapes.zeros(shape, x) for _ in range(problem.taps))
    total = lax.fori_loop(0, problem.batch, of_image, start)
    return jnp.stack(total).reshape(problem.taps, width, channels).sum(1).reshape(problem.w_shape)


def _is_flat(problem: Problem) -> bool:
    """Whether rows are taken as one vector: where channels are few, loops over them are too short to be fast."""
    return problem.window.stride[-1] == 1 and problem.channels <= 64


def _rowwise(image: jax.Array, problem: Problem) -> jax.Array:
    """A padded image (1, *rows, W, C) with rows as `_starts` counts in them: (W * C,), or (W / stride, stride * C)."""
    *rows, wide, channels = image.shape[1:]
    stride = problem.window.stride[-1]
    if _is_flat(problem):
        return image.reshape(*rows, wide * channels)
    image = shapes.resized(image[0], [(0, -wide % stride)], first=len(rows))
    return image.reshape(*rows, -1, stride * channels)


def _starts(problem: Problem) -> list[tuple[Any, ...]]:
    """Per tap, where in the image the elements under it begin, were the row of outputs the first.

    XLA is kept from knowing the numbers where that makes what adds up one tap the same program as what adds up any
    other, to be compiled once: nine times for nine taps took longer than all else of a depthwise network.
    """
    window, channels = problem.window, problem.channels
    starts = []
    for tap in np.ndindex(*window.size):
        *outer, at = (t * d for t, d in zip(tap, window.dilation, strict=True))
        skip, phase = divmod(at, window.stride[-1])
        starts.append((*outer, at * channels) if _is_flat(problem) else (*outer, skip, phase * channels))
    if not compat.COMPILES_EQUAL_LOOPS_ONCE:
        return starts
    distinct = sorted({place for start in starts for place in enumerate(start)})
    hidden = lax.optimization_barrier([np.int32(number) for _, number in distinct])
    named = dict(zip(distinct, hidden, strict=True))
    return [tuple(named[place] for place in enumerate(start)) for start in starts]


def _of_rows(image: jax.Array, y: jax.Array, total: tuple[jax.Array, ...], problem: Problem) -> tuple[jax.Array, ...]:
    """Add what the rows of one image contribute to each tap."""
    outer = problem.window.out[:-1]
    row = y.shape[len(outer) :]

    def at_row(index: jax.Array, total: tuple[jax.Array, ...]) -> tuple[jax.Array, ...]:
        where: list[jax.Array] = []
        rest = index
        for o in reversed(outer):
            where.insert(0, rest % o)
            rest = rest // o
        one = (*(1 for _ in outer), *row)
        dy = lax.dynamic_slice(y, (*where, *(0 for _ in row)), one).reshape(row)
        first = [at * step for at, step in zip(where, problem.window.stride, strict=False)]
        sums = []
        for start in _starts(problem):
            at = [a + b for a, b in zip(first, start, strict=False)]
            sums.append(lax.dynamic_slice(image, (*at, *start[len(outer) :]), one).reshape(row) * dy)
        return tuple(a + b for a, b in zip(total, sums, strict=True))

    if not outer:
        return at_row(jnp.zeros((), jnp.int32), total)
    return lax.fori_loop(0, prod(outer), at_row, total)
