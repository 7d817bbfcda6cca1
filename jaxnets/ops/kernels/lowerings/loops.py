"""Loops over rows that keep their working set in cache: the depthwise weight gradient."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxnets.ops.geometry import Window
from jaxnets.ops.kernels.lowerings import chunks, shapes
from jaxnets.ops.kernels.problem import Problem

LONG, STRIP = 65536, 16384  # elements: rows beyond the one are taken in strips of up to the other, 64 KB a tap
TABLE = 8192  # turns of a loop whose places are written out
TOGETHER = 8  # strips of rows in a turn
SOME = 2 << 20  # bytes of padded images at a time, where all together are beyond the cache


def rows_fit(problem: Problem) -> bool:
    """The weight gradient where each filter reads one channel."""
    return problem.member == "weight_gradient" and problem.channels == problem.groups


def rows(problem: Problem, x: jax.Array, y: jax.Array, compute: Any) -> jax.Array:
    """One tap at a time against some rows of outputs, elementwise in cache.

    The sums, (taps, W, C), are summed over W at the end. Long rows are taken in strips, so that a tap's sum fits in
    cache; several rows or strips in a turn, so that it is read and written less often.
    """
    window, multiplier = problem.window, problem.per_group[1]
    if multiplier > 1:
        y = y.reshape(*y.shape[:-1], problem.channels, multiplier)
        one = problem.but(filters=problem.channels)
        parts = [rows(one, x, y[..., m], compute) for m in range(multiplier)]
        return jnp.stack(parts, axis=-1).reshape(problem.w_shape)

    width, channels = window.out[-1], problem.channels
    flat, strips = _is_flat(problem), _strips(width, channels)

    def of_images(padded: jax.Array, y: jax.Array, totals: list[jax.Array]) -> list[jax.Array]:
        images = _rowwise(padded, problem)
        of = y.reshape(-1, width * channels) if flat else y.reshape(-1, width, channels)
        pairs = zip(totals, strips, strict=True)
        return [_of_strips(images, padded.shape[:-2], of, total, problem, *strip) for total, strip in pairs]

    each = [(wide * channels,) if flat else (wide, channels) for _, wide, _ in strips]
    totals = _padded_images(of_images, x, y, [shapes.zeros((problem.taps, *strip), x) for strip in each], window)
    sums = [total.reshape(problem.taps, -1, channels).sum(1, dtype=x.dtype) for total in totals]
    return sum(sums[1:], start=sums[0]).reshape(problem.w_shape)


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
    """The rows of padded images as `_of_strips` counts in them: (rows, W * C), or (rows, W / stride, stride * C)."""
    *_, wide, channels = padded.shape
    stride = problem.window.stride[-1]
    row = (wide * channels,) if _is_flat(problem) else (wide // stride, stride * channels)
    return padded.reshape(-1, *row)


def _of_strips(
    x: jax.Array,
    whole: tuple[int, ...],
    y: jax.Array,
    total: jax.Array,
    problem: Problem,
    begin: int,
    wide: int,
    count: int,
) -> jax.Array:
    """Add what the strips of the rows of y contribute to each tap; `whole`, how many rows x has along N and each outer
    axis.

    A turn is one kernel, for one tap; a turn of all taps, or of all along a row, is as many kernels to compile. Where
    it reads stands in tables, which the kernel reads itself: computed of the turn's number, each division was another
    kernel to launch.
    """
    window, scale = problem.window, problem.channels if _is_flat(problem) else 1
    sizes, outer, strides, dilations = (
        (first, *each[:-1])
        for first, each in ((1, window.size), (whole[0], window.out), (1, window.stride), (1, window.dilation))
    )
    strip, steps = total.shape[1:], prod(outer) * count
    together = max(n for n in range(1, TOGETHER + 1) if steps % n == 0)

    def under(index: Any, lengths: tuple[int, ...], by: tuple[int, ...]) -> Any:
        """Which row of x lies there: `index` counts through axes of these lengths, whose elements are so far apart."""
        row, inside = index * np.int32(0), 1
        for length, apart, all_rows in zip(reversed(lengths), reversed(by), reversed(whole), strict=True):
            at, index = shapes.parted(index, length)
            row, inside = row + shapes.scaled(at, apart * inside), inside * all_rows
        return row

    turns = steps // together * problem.taps
    index = np.arange(turns, dtype=np.int32) if turns <= TABLE else lax.iota(np.int32, turns)
    tap, block = shapes.parted(index, problem.taps)
    inner, outer_tap = shapes.parted(tap, window.size[-1])
    phase, skip = shapes.parted(shapes.scaled(inner, window.dilation[-1]), window.stride[-1])
    beside, phase = shapes.scaled(skip, scale, begin * scale), shapes.scaled(phase, problem.channels)
    row_length = y.shape[1]
    if count == 1:  # the rows of a turn lie one behind the other
        y = y.reshape(-1, together * row_length, *y.shape[2:])
    pieces: list[tuple[tuple[Any, Any], tuple[Any, Any]]] = []
    for u in range(together):
        along, row = shapes.parted(shapes.scaled(block, together, u), count)
        below = under(row, outer, strides) + under(outer_tap, sizes, dilations)
        if count == 1:
            pieces.append(((block, np.int32(u * row_length + begin * scale)), (below, beside)))
        else:
            first = shapes.scaled(along, wide * scale)
            pieces.append(((row, shapes.scaled(first, 1, begin * scale)), (below, first + beside)))

    def step(index: jax.Array, total: jax.Array) -> jax.Array:
        found: dict[int, jax.Array] = {}

        def now(places: Any) -> Any:
            if np.ndim(places) == 0:
                return places
            if id(places) not in found:
                found[id(places)] = lax.squeeze(shapes.some(jnp.asarray(places), index, 1), (0,))
            return found[id(places)]

        def cut(rows: jax.Array, at: tuple[Any, ...], channel: Any) -> jax.Array:
            return shapes.cut(rows, (*map(now, at), channel)[: rows.ndim], (1, *strip))

        at, channel = now(tap), now(phase)
        new = shapes.some(total, at, 1)
        for of, under_it in pieces:
            new = new + cut(y, of, np.int32(0)) * cut(x, under_it, channel)
        return shapes.put(total, new, at)

    return step(jnp.int32(0), total) if turns == 1 else shapes.loop(turns, step, total)
