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
from jaxnets.ops.kernels.lowerings import shapes
from jaxnets.ops.kernels.problem import Problem

Total = tuple[jax.Array, ...]  # for each tap of the last axis, the sums for each tap of the others

LONG, STRIP = 65536, 16384  # elements: rows beyond the one are taken in strips of up to the other, 64 KB a tap


def rows_fit(problem: Problem) -> bool:
    """The weight gradient where each filter reads one channel."""
    return problem.member == "weight_gradient" and problem.channels == problem.groups


def rows(problem: Problem, x: jax.Array, y: jax.Array, compute: Any) -> jax.Array:
    """One row of outputs at a time against each of the input rows under it, elementwise in cache.

    The taps along a row are taken at once; what is left, (taps, W, C), is summed over W at the end. Long rows are taken
    in strips, so that this fits in cache; several strips in a step, so that it is read and written less often.

    Images are framed with zeros one by one, so that the copy stays in cache too.
    """
    window, multiplier = problem.window, problem.per_group[1]
    if multiplier > 1:
        y = y.reshape(*y.shape[:-1], problem.channels, multiplier)
        one = problem.but(filters=problem.channels)
        parts = [rows(one, x, y[..., m], compute) for m in range(multiplier)]
        return jnp.stack(parts, axis=-1).reshape(problem.w_shape)

    width, channels, flat = window.out[-1], problem.channels, _is_flat(problem)
    strips = _strips(width, channels)
    frame, corner, fill = _framing(x, window)
    if flat:
        y = y.reshape(problem.batch, *window.out[:-1], width * channels)

    def of_image(index: jax.Array, carry: tuple[jax.Array, list[Total]]) -> tuple[jax.Array, list[Total]]:
        framed, totals = carry
        framed = lax.dynamic_update_slice(framed, fill(index), corner, allow_negative_indices=False)
        image, of = _rowwise(framed, problem), lax.squeeze(shapes.some(y, index, 1), (0,))
        pairs = zip(totals, strips, strict=True)
        return framed, [_of_strips(image, of, total, problem, *strip) for total, strip in pairs]

    outer, inner = prod(window.size[:-1]), window.size[-1]
    totals = []
    for _, wide, _ in strips:
        zero = shapes.zeros((outer, wide * channels) if flat else (outer, wide, channels), x)
        totals.append((zero,) * inner)
    _, totals = shapes.loop(problem.batch, of_image, (frame, totals))
    sums = [
        lax.concatenate([each.reshape(outer, 1, -1, channels) for each in total], 1).sum(2, dtype=x.dtype)
        for total in totals
    ]
    return sum(sums[1:], start=sums[0]).reshape(problem.w_shape)


def _framing(x: jax.Array, window: Window) -> tuple[jax.Array, list[np.int32], Callable[[jax.Array], jax.Array]]:
    """Zeros in the shape of one padded image, rows long enough for whole strides; where in them an image begins; and
    what of image i belongs there.

    The zeros stay from image to image, and only the inside is written: to pad each one anew takes up to three times as
    long, for XLA asks of each element whether it is padding.
    """
    pads = shapes.exact_pads(window)
    low, high = pads[-1]
    pads[-1] = (low, high + -(x.shape[-2] + low + high) % window.stride[-1])
    starts = [max(-low, 0) for low, _ in pads]
    stops = [n + min(high, 0) for n, (_, high) in zip(x.shape[1:-1], pads, strict=True)]
    within = [(start, max(stop, start)) for start, stop in zip(starts, stops, strict=True)]
    whole = [n + low + high for n, (low, high) in zip(x.shape[1:-1], pads, strict=True)]

    def fill(index: jax.Array) -> jax.Array:
        return lax.slice(
            shapes.some(x, index, 1),
            (0, *(start for start, _ in within), 0),
            (1, *(stop for _, stop in within), x.shape[-1]),
        )

    frame = shapes.zeros((1, *whole, x.shape[-1]), x)
    return frame, [np.int32(at) for at in (0, *(max(low, 0) for low, _ in pads), 0)], fill


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
    return image.reshape(*rows, -1, stride * channels)


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
    image: jax.Array, y: jax.Array, total: Total, problem: Problem, begin: int, wide: int, count: int
) -> Total:
    """Add what the strips of one image contribute to each tap.

    A step takes one tap of the outer axes, and every tap of the last: written out, all taps of a 7×7 window in each
    layer were half of what XLA had to compile of a network.
    """
    window, flat = problem.window, _is_flat(problem)
    outer, strides, dilations = (each[:-1] for each in (window.out, window.stride, window.dilation))
    scale = problem.channels if flat else 1
    strip = total[0].shape[1:]
    one = (*(1 for _ in outer), *strip)
    taps, steps = total[0].shape[0], prod(outer) * count
    most = 4 if prod(strip) <= 4096 else 2  # each is code to compile
    together = next((n for n in (4, 2) if n <= most and steps % n == 0 and n * len(total) <= 28), 1)

    def position(index: jax.Array) -> list[jax.Array]:
        """Of a step, the row of outputs on each outer axis and the strip's first element."""
        along, rest = shapes.parted(index, count)
        where = [shapes.scaled(along, wide * scale, begin * scale)]
        for o in reversed(outer[1:]):
            at, rest = shapes.parted(rest, o)
            where.insert(0, at)
        return [rest, *where] if outer else where

    def offsets(tap: jax.Array) -> list[jax.Array]:
        """How far a tap of the outer axes lies from the window's first element on each."""
        away: list[jax.Array] = []
        for size, d in zip(reversed(window.size[:-1]), reversed(dilations), strict=True):
            at, tap = shapes.parted(tap, size)
            away.insert(0, shapes.scaled(at, d))
        return away

    def step(index: jax.Array, total: Total) -> Total:
        tap, index = shapes.parted(index, taps)
        away, starts = offsets(tap), _starts(problem)
        sums = [each[0] if taps == 1 else lax.squeeze(shapes.some(each, tap, 1), (0,)) for each in total]
        for u in range(together):
            where = position(shapes.scaled(index, together, u))
            dy = shapes.cut(y, (*where, *(np.int32(0) for _ in strip[1:])), one).reshape(strip)
            rows = [shapes.scaled(at, s) + by for at, s, by in zip(where, strides, away, strict=False)]
            for t, (first, *rest) in enumerate(starts):
                under = shapes.cut(image, (*rows, where[-1] + first, *rest), one).reshape(strip)
                sums[t] = sums[t] + under * dy
        if taps == 1:
            return tuple(each[None] for each in sums)
        return tuple(shapes.put(each, new[None], tap) for each, new in zip(total, sums, strict=True))

    turns = steps // together * taps
    return step(jnp.int32(0), total) if turns == 1 else shapes.loop(turns, step, total)
