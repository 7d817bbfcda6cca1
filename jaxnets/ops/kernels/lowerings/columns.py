"""The strided input gradient: one product makes what every tap gives, then each element sums what reaches it."""

from __future__ import annotations

from math import prod
from typing import Any

import jax
import numpy as np

from jaxnets.ops.kernels.lowerings import chunks, shapes
from jaxnets.ops.kernels.lowerings.matmul import product
from jaxnets.ops.kernels.lowerings.turned import counts_of, interleaved
from jaxnets.ops.kernels.problem import Problem


def fits(problem: Problem) -> bool:
    """The input gradient of one group."""
    return problem.member == "input_gradient" and problem.groups == 1


def run(problem: Problem, y: jax.Array, w: jax.Array, compute: Any) -> jax.Array:
    """`columns = y · wᵀ`, (positions, taps, C), then the sum over taps of shifted columns, for each residue of the
    stride by itself: no zero is multiplied. Some images at a time, so that columns stay in cache."""
    channels = problem.channels
    flat = w.reshape(problem.taps * channels, problem.filters)
    positions = prod(problem.window.out)

    def some(y: jax.Array) -> jax.Array:
        part = problem.but(batch=y.shape[0])
        columns = product(shapes.rows(y), flat, (1, 1), problem.precision)
        return _summed(part, columns.reshape(part.batch, *problem.window.out, problem.taps, channels))

    n = chunks.images(problem.batch, positions * problem.taps * channels * problem.dtype.itemsize)
    return chunks.each(some, y, n)


def _summed(problem: Problem, columns: jax.Array) -> jax.Array:
    window = problem.window
    counts = counts_of(window)
    lows = [low for low, _ in window.full_pads]
    made = {}
    for phase in np.ndindex(*window.stride):
        total = shapes.zeros((problem.batch, *counts, problem.channels), columns)
        for index, tap in enumerate(np.ndindex(*window.size)):
            # Element phase + j * stride lies under this tap of output j + offset, if that is a whole number.
            places = zip(phase, lows, tap, window.dilation, window.stride, strict=True)
            offsets = [divmod(p + low - t * d, s) for p, low, t, d, s in places]
            if any(rest for _, rest in offsets):
                continue
            pads = [(-o, c + o - out) for (o, _), c, out in zip(offsets, counts, window.out, strict=True)]
            if any(-low >= out or -high >= out for (low, high), out in zip(pads, window.out, strict=True)):
                continue  # wholly beside the map
            total = total + shapes.resized(columns[..., index, :], pads)
        made[phase] = total
    return interleaved(made, problem)
