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

Total = tuple[jax.Array, ...]  # a sum for each tap

LONG, STRIP = 65536, 16384  # elements: rows beyond the one are taken in strips of up to the other, 64 KB a tap


def rows_fit(problem: Problem) -> bool:
    """The weight gradient where each filter reads one channel."""
    return problem.member == "weight_gradient" and problem.channels == problem.groups


def rows(problem: Problem, x: jax.Array, y: jax.Array, compute: Any) -> jax.Array:
    """One row of outputs at a time against the input rows under it, all taps at once, elementwise in cache.

    What is left, (taps, W, C), is summed over W once at the end. Long rows are taken in strips, so that this fits in
    cache; several strips in a step, so that it is read and written less often.

    Images are padded one by one, so that the padded copy stays in cache too.
    """
    window, multiplier = problem.window, problem.per_group[1]
    if multiplier > 1:
        y = y.reshape(*y.shape[:-1], problem.channels, multiplier)
        one = problem.but(filters=problem.channels)
        parts = [rows(one, x, y[..., m], compute) for m in range(multiplier)]
        return jnp.stack(parts, axis=-1).reshape(problem.w_shape)

    width, channels, flat = window.out[-1], problem.channels, _is_flat(problem)
    strips = _strips(width, channels)
    if flat:
        y = y.reshape(problem.batch, *window.out[:-1], width * channels)

    def of_image(index: jax.Array, totals: list[Total]) -> list[Total]:
        image = _rowwise(shapes.padded(lax.dynamic_slice_in_dim(x, index, 1), window), problem)
        of = lax.dynamic_index_in_dim(y, index, keepdims=False)
        return [_of_strips(image, of, total, problem, *strip) for total, strip in zip(totals, strips, strict=True)]

    start = [
        tuple(shapes.zeros((wide * channels,) if flat else (wide, channels), x) for _ in range(problem.taps))
        for _, wide, _ in strips
    ]
    totals = lax.fori_loop(0, problem.batch, of_image, start)
    sums = [jnp.stack(total).reshape(problem.taps, -1, channels).sum(1) for total in totals]
    return sum(sums[1:], start=sums[0]).reshape(problem.w_shape)


def _strips(width: int, channels: int) -> list[tuple[int, int, int]]:
    """How a row of outputs is taken in strips: where the first begins, how wide they are, how many there are.

    What is left of a long row is a strip by itself.
    """
    if width * channels <= LONG:
        return [(0, width, 1)]
    most = max(1, STRIP // channels)
    wide = next((n for n in range(most, most // 4, -1) if width % n == 0), most)
    count, rest = divmod(width, wide)
    return [(0, wide, count), *([(count * wide, rest, 1)] if rest else [])]


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
    starts = [tuple(map(np.int32, start)) for start in starts]
    if not compat.COMPILES_EQUAL_LOOPS_ONCE:
        return starts
    distinct = sorted({place for start in starts for place in enumerate(start)})
    hidden = lax.optimization_barrier([number for _, number in distinct])
    named = dict(zip(distinct, hidden, strict=True))
    return [tuple(named[place] for place in enumerate(start)) for start in starts]


def _of_strips(
    image: jax.Array, y: jax.Array, total: Total, problem: Problem, begin: int, wide: int, count: int
) -> Total:
    """Add what the strips of one image contribute to each tap."""
    outer, flat = problem.window.out[:-1], _is_flat(problem)
    scale = problem.channels if flat else 1
    strip = total[0].shape
    one = (*(1 for _ in outer), *strip)
    steps = prod(outer) * count
    most = 4 if prod(strip) <= 4096 else 2  # each is code to compile
    together = next(n for n in (4, 2, 1) if n <= most and steps % n == 0 and n * problem.taps <= 50)

    def products(index: jax.Array, starts: list[tuple[Any, ...]]) -> list[jax.Array]:
        index = lax.convert_element_type(index, jnp.int32)  # also where integers have 64 bits, as the starts are
        where, rest = [(begin + index % count * wide) * scale], index // count
        for o in reversed(outer):
            where.insert(0, rest % o)
            rest = rest // o
        dy = lax.dynamic_slice(y, (*where, *(np.int32(0) for _ in strip[1:])), one).reshape(strip)
        first = [*(at * step for at, step in zip(where, problem.window.stride[:-1], strict=False)), where[-1]]
        parts = []
        for start in starts:
            at = [a + b for a, b in zip(first, start, strict=False)]
            parts.append(lax.dynamic_slice(image, (*at, *start[len(at) :]), one).reshape(strip) * dy)
        return parts

    def step(index: jax.Array, total: Total) -> Total:
        starts = _starts(problem)
        for u in range(together):
            total = tuple(a + b for a, b in zip(total, products(index * together + u, starts), strict=True))
        return total

    if steps == together:
        return step(jnp.zeros((), jnp.int32), total)
    return lax.fori_loop(0, steps // together, step, total)
