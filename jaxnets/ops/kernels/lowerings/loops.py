"""Loops over rows that keep their working set in cache: the depthwise weight gradient."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxnets import compat
from jaxnets.ops.geometry import Window
from jaxnets.ops.kernels.lowerings import chunks, shapes
from jaxnets.ops.kernels.problem import Problem

Total = tuple[jax.Array, ...]  # for each tap of the last axis, the sums for each tap of the others

LONG, STRIP = 65536, 16384  # elements: rows beyond the one are taken in strips of up to the other, 64 KB a tap
TABLE = 8192  # turns of a loop whose places are written out
SOME = 2 << 20  # bytes of padded images at a time, where all together are beyond the cache


def rows_fit(problem: Problem) -> bool:
    """The weight gradient where each filter reads one channel."""
    return problem.member == "weight_gradient" and problem.channels == problem.groups


def rows(problem: Problem, x: jax.Array, y: jax.Array, compute: Any) -> jax.Array:
    """One row of outputs at a time against each of the input rows under it, elementwise in cache.

    The taps along a row are taken at once; what is left, (taps, W, C), is summed over W at the end. Long rows are taken
    in strips, so that this fits in cache; several strips in a step, so that it is read and written less often.
    """
    window, multiplier = problem.window, problem.per_group[1]
    if multiplier > 1:
        y = y.reshape(*y.shape[:-1], problem.channels, multiplier)
        one = problem.but(filters=problem.channels)
        parts = [rows(one, x, y[..., m], compute) for m in range(multiplier)]
        return jnp.stack(parts, axis=-1).reshape(problem.w_shape)

    width, channels, outer, inner = window.out[-1], problem.channels, prod(window.size[:-1]), window.size[-1]
    flat, strips = _is_flat(problem), _strips(width, channels)

    def of_images(padded: jax.Array, y: jax.Array, totals: list[Total]) -> list[Total]:
        images = _rowwise(padded, problem)
        of = y.reshape(-1, width * channels) if flat else y.reshape(-1, width, channels)
        pairs = zip(totals, strips, strict=True)
        return [_of_strips(images, padded.shape[:-2], of, total, problem, *strip) for total, strip in pairs]

    each = [(outer, wide * channels) if flat else (outer, wide, channels) for _, wide, _ in strips]
    totals = _padded_images(of_images, x, y, [(shapes.zeros(shape, x),) * inner for shape in each], window)
    sums = [[each.reshape(outer, -1, channels).sum(1, dtype=x.dtype) for each in total] for total in totals]
    taps = [sum(parts[1:], start=parts[0]) for parts in zip(*sums, strict=True)]
    return lax.concatenate(taps, 1).reshape(problem.w_shape)


def _padded_images(of_images: Callable[..., Any], x: jax.Array, y: jax.Array, carry: Any, window: Window) -> Any:
    """`of_images(padded x, y, carry)` over all images: all at once, or some at a time where their padded copy is large.

    Some at a time lie in a frame of zeros that stays, and only the inside is written: to pad them anew takes up to
    three times as long, for XLA asks of each element whether it is padding.
    """
    pads = shapes.exact_pads(window)
    low, high = pads[-1]
    pads[-1] = (low, high + -(x.shape[-2] + low + high) % window.stride[-1])  # rows of whole strides
    one = jax.eval_shape(lambda x: shapes.resized(x, pads), x[:1])
    size = one.size * one.dtype.itemsize
    cut = [(min(low, 0), min(high, 0)) for low, high in pads]
    left = all(n + low + high > 0 for n, (low, high) in zip(window.spatial, cut, strict=True))
    if x.shape[0] * size <= chunks.CACHE or not left:
        return of_images(shapes.resized(x, pads), y, carry)
    n = chunks.images(x.shape[0], size, SOME)
    corner = [np.int32(at) for at in (0, *(max(low, 0) for low, _ in pads), 0)]

    def step(index: jax.Array, carry: tuple[jax.Array, Any]) -> tuple[jax.Array, Any]:
        frame, inner = carry
        first = shapes.scaled(index, n)
        inside = shapes.resized(shapes.some(x, first, n), cut)
        frame = lax.dynamic_update_slice(frame, inside, corner, allow_negative_indices=False)
        return frame, of_images(frame, shapes.some(y, first, n), inner)

    return shapes.loop(x.shape[0] // n, step, (shapes.zeros((n, *one.shape[1:]), x), carry))[1]


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


def _rowwise(padded: jax.Array, problem: Problem) -> jax.Array:
    """The rows of padded images as `_starts` counts in them: (rows, W * C), or (rows, W / stride, stride * C)."""
    *_, wide, channels = padded.shape
    stride = problem.window.stride[-1]
    row = (wide * channels,) if _is_flat(problem) else (wide // stride, stride * channels)
    return padded.reshape(-1, *row)


def _starts(problem: Problem) -> list[tuple[Any, ...]]:
    """Per tap of the last axis, where in a row of the image the elements under it begin, were the strip the first."""
    window, channels = problem.window, problem.channels
    starts = []
    for tap in range(window.size[-1]):
        at = tap * window.dilation[-1]
        skip, phase = divmod(at, window.stride[-1])
        starts.append((at * channels,) if _is_flat(problem) else (skip, phase * channels))
    return list(zip(*map(_hidden, zip(*starts, strict=True)), strict=True))


def _hidden(numbers: Sequence[int]) -> list[Any]:
    """Numbers that XLA does not know, where that makes what adds up one tap the same program as what adds up any other,
    to be compiled once: nine times for nine taps took longer than all else of a depthwise network."""
    known = [np.int32(n) for n in numbers]
    return list(lax.optimization_barrier(known)) if compat.COMPILES_EQUAL_LOOPS_ONCE else known


def _of_strips(
    x: jax.Array,
    whole: tuple[int, ...],
    y: jax.Array,
    total: Total,
    problem: Problem,
    begin: int,
    wide: int,
    count: int,
) -> Total:
    """Add what the strips of the rows of y contribute to each tap; `whole`, how many rows x has along N and each outer
    axis.

    A step takes one tap of the outer axes, and every tap of the last: written out, all taps of a 7×7 window in each
    layer were half of what XLA had to compile of a network. Which rows it takes stands in tables, which what adds them
    up reads itself: computed of the step's number, each division was a kernel to launch.
    """
    window, scale = problem.window, problem.channels if _is_flat(problem) else 1
    sizes, outer, strides, dilations = (
        (first, *each[:-1])
        for first, each in ((1, window.size), (whole[0], window.out), (1, window.stride), (1, window.dilation))
    )
    strip = total[0].shape[1:]
    taps, steps = total[0].shape[0], prod(outer) * count
    most = 4 if prod(strip) <= 4096 else 2  # each is code to compile
    together = next((n for n in (4, 2) if n <= most and steps % n == 0 and n * len(total) <= 28), 1)

    def under(index: Any, lengths: tuple[int, ...], by: tuple[int, ...]) -> Any:
        """Which row of x lies there: `index` counts through axes of these lengths, whose elements are so far apart."""
        row, inside = index * np.int32(0), 1
        for length, apart, all_rows in zip(reversed(lengths), reversed(by), reversed(whole), strict=True):
            at, index = shapes.parted(index, length)
            row, inside = row + shapes.scaled(at, apart * inside), inside * all_rows
        return row

    turns = steps // together * taps
    index = np.arange(turns, dtype=np.int32) if turns <= TABLE else lax.iota(np.int32, turns)
    tap, at = shapes.parted(index, taps)
    pieces = []
    for u in range(together):
        along, row = shapes.parted(shapes.scaled(at, together, u), count)
        below = under(row, outer, strides) + under(tap, sizes, dilations)
        pieces.append((row, below, along))
    starts = _starts(problem)

    def step(index: jax.Array, total: Total) -> Total:
        def now(each: Any) -> jax.Array:
            return lax.squeeze(shapes.some(jnp.asarray(each), index, 1), (0,))

        sums = [each[0] if taps == 1 else lax.squeeze(shapes.some(each, now(tap), 1), (0,)) for each in total]
        for row, below, along in pieces:
            row, below = now(row), now(below)
            first = np.int32(begin * scale) if count == 1 else shapes.scaled(now(along), wide * scale, begin * scale)
            dy = shapes.cut(y, (row, first, *(np.int32(0) for _ in strip[1:])), (1, *strip)).reshape(strip)
            for t, (skip, *rest) in enumerate(starts):
                sums[t] = sums[t] + dy * shapes.cut(x, (below, first + skip, *rest), (1, *strip)).reshape(strip)
        if taps == 1:
            return tuple(each[None] for each in sums)
        return tuple(shapes.put(each, new[None], now(tap)) for each, new in zip(total, sums, strict=True))

    return step(jnp.int32(0), total) if turns == 1 else shapes.loop(turns, step, total)
