"""Depthwise and narrowly grouped convolution as a sum of shifted slices: no matrix product, one pass over memory."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Any

import jax
import numpy as np
from jax import lax

from jaxnets.ops.geometry import Window, extent
from jaxnets.ops.kernels.alone import alone, held
from jaxnets.ops.kernels.lowerings import shapes
from jaxnets.ops.kernels.problem import Problem, exact


def fits(problem: Problem) -> bool:
    """The forward pass where each filter reads one channel."""
    return problem.member == "forward" and problem.channels == problem.groups


SHORT = 9  # taps up to which they are one chain of additions, where each waits for the one before


def run(problem: Problem, x: jax.Array, w: jax.Array, compute: Any) -> jax.Array:
    """`Σ_t x[shifted by t] * w[t]` over a padded copy of x, one loop over the outputs.

    A computation by itself, or XLA gives the sum to a library together with a norm that follows, and writes the slices
    out one by one: a seventh of a ConvNeXt's step. The padding is left outside: each tap would ask of each
    element whether it is padding, and the sum takes 1.6 to 2.2 times as long.
    """
    xp, window = shapes.padded(x, problem.window), problem.window
    return alone("slices", lambda xp, w: _sum(xp, w, window), xp, w)


def _added(terms: Iterator[jax.Array]) -> jax.Array:
    """The sum as a chain."""
    return sum(terms, start=next(terms))


def _sum(xp: jax.Array, w: jax.Array, window: Window) -> jax.Array:
    """The sum over padded x. A filter multiplier makes as many, of every multiplier-th filter each, side by side."""
    channels = xp.shape[-1]
    kernels = lax.reshape(w, (prod(window.size) * channels, w.shape[-1] // channels))
    shape = (xp.shape[0], *window.out, channels)

    def filtered(which: int) -> jax.Array:
        own = lax.index_in_dim(kernels, which, axis=1, keepdims=False)  # flat, or each tap would be reshaped
        terms = [
            lax.mul(
                shapes.tap(xp, window, at),
                lax.broadcast_in_dim(lax.slice_in_dim(own, t * channels, (t + 1) * channels), shape, (len(shape) - 1,)),
            )
            for t, at in enumerate(shapes.taps(window))
        ]
        long = window.size[-1] if len(terms) > SHORT else len(terms)
        return _added(_added(iter(terms[i : i + long])) for i in range(0, len(terms), long))

    parts = [filtered(m) for m in range(kernels.shape[-1])]
    if len(parts) == 1:
        return parts[0]
    apart = [lax.expand_dims(part, (part.ndim,)) for part in parts]
    return lax.reshape(lax.concatenate(apart, len(shape)), (*shape[:-1], channels * len(parts)))


def grouped_fits(problem: Problem) -> bool:
    """The forward pass of more than one group of more than one channel."""
    return problem.member == "forward" and problem.groups > 1 and problem.channels > problem.groups


def grouped(problem: Problem, x: jax.Array, w: jax.Array, compute: Any) -> jax.Array:
    """The same where a group has several channels: each in turn, spread over the filters of its group.

    The innermost loop is over those filters, one vector of 4 or 8, for which a processor spreads a number for free.
    """
    window, groups, (c, k) = problem.window, problem.groups, problem.per_group
    xp = shapes.padded(x, window)

    def total(xp: jax.Array, w: jax.Array) -> jax.Array:
        apart = lax.reshape(xp, (*xp.shape[:-1], groups, c))
        kernels = lax.reshape(w, (problem.taps * c * groups, k))
        shape = (xp.shape[0], *window.out, groups, k)
        rank = len(shape)

        def term(under: jax.Array, which: int, channel: int) -> jax.Array:
            each = lax.index_in_dim(under, channel, axis=rank - 1, keepdims=False)
            first = (which * c + channel) * groups
            return lax.mul(
                lax.broadcast_in_dim(each, shape, range(rank - 1)),
                lax.broadcast_in_dim(lax.slice_in_dim(kernels, first, first + groups), shape, (rank - 2, rank - 1)),
            )

        under = (shapes.tap(apart, window, at) for at in shapes.taps(window))
        terms = (term(each, t, i) for t, each in enumerate(under) for i in range(c))
        return lax.reshape(_added(terms), (*shape[:-2], groups * k))

    return alone("grouped_slices", total, xp, w)


def framed_fits(problem: Problem) -> bool:
    """As `fits`, where some windows lie wholly inside the map."""
    return fits(problem) and all(stop > start for start, stop in _inside(problem.window))


def _inside(window: Window) -> list[tuple[int, int]]:
    """Per axis, the range of outputs whose windows lie wholly on real elements."""
    ranges = []
    for n, k, s, d, (low, _), o in shapes.axes(window):
        start = -(-max(low, 0) // s)
        stop = min(o, (n + low - extent(k, d)) // s + 1)
        ranges.append((start, stop))
    return ranges


def _pieces(window: Window) -> Iterator[tuple[tuple[int, int], ...]]:
    """The inside of the map and the strips that frame it: ranges of outputs per axis that tile them all."""
    inside = _inside(window)
    yield tuple(inside)
    for axis, (start, stop) in enumerate(inside):
        for strip in ((0, start), (stop, window.out[axis])):
            if strip[0] < strip[1]:
                yield (*inside[:axis], strip, *((0, o) for o in window.out[axis + 1 :]))


def framed(problem: Problem, x: jax.Array, w: jax.Array, compute: Any) -> jax.Array:
    """The same, the inside of the map straight from x; only the strips along its edges are padded.

    A padded copy of x costs more than the sum itself where taps are few.
    """
    y = shapes.zeros(problem.y_shape, x)
    for ranges in _pieces(problem.window):
        part = _sum(*_cut(x, w, problem.window, ranges))
        y = lax.dynamic_update_slice(
            y, part, [np.int32(at) for at in (0, *(start for start, _ in ranges), 0)], allow_negative_indices=False
        )
    return held(y)  # or what reads y would ask of each element of which piece it is


def _cut(
    x: jax.Array, w: jax.Array, window: Window, ranges: tuple[tuple[int, int], ...]
) -> tuple[jax.Array, jax.Array, Window]:
    """x under a range of outputs, padded where they reach beyond it, the taps that meet it, and the window that makes
    those outputs of them."""
    starts, stops, low, out, sizes = [], [], [], [], []
    for axis, ((first, last), (n, k, s, d, (pad, _), _)) in enumerate(zip(ranges, shapes.axes(window), strict=True)):
        meets = [t for t in range(k) if any(0 <= o * s - pad + t * d < n for o in range(first, last))] or [0]
        w = lax.slice_in_dim(w, meets[0], meets[-1] + 1, axis=axis)
        sizes.append(meets[-1] + 1 - meets[0])
        begin = first * s - pad + meets[0] * d
        end = (last - 1) * s - pad + meets[-1] * d + 1
        starts.append(min(max(begin, 0), n))
        stops.append(max(min(end, n), starts[-1]))
        low.append(starts[-1] - begin)
        out.append(last - first)
    cut = lax.slice(x, (0, *starts, 0), (x.shape[0], *stops, x.shape[-1]))
    part = exact(cut.shape[1:-1], sizes, window.stride, window.dilation, low, out)
    return shapes.padded(cut, part), w, part
