"""The strided input gradient where stride divides size: a product with patches that all phases of the stride share."""

from __future__ import annotations

from math import prod
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxnets.ops.kernels.lowerings import chunks, shapes
from jaxnets.ops.kernels.lowerings.matmul import product
from jaxnets.ops.kernels.lowerings.turned import counts_of, interleaved, phases_of
from jaxnets.ops.kernels.problem import Problem


def fits(problem: Problem) -> bool:
    """The input gradient of one group at a stride that divides the size, without dilation."""
    window = problem.window
    return (
        problem.member == "input_gradient"
        and problem.groups == 1
        and max(window.stride) > 1
        and set(window.dilation) == {1}
        and all(k % s == 0 for k, s in zip(window.size, window.stride, strict=True))
    )


def run(problem: Problem, y: jax.Array, w: jax.Array, compute: Any) -> jax.Array:
    """Every phase is reached by size / stride neighbors on each axis, the same for all phases but for a shift by one.

    So a patch of so many neighbors is made once for all phases, and its product with the kernel has a column for each
    phase and channel; no zero is multiplied. Some images at a time, so that patches and columns stay in cache.
    """
    window = problem.window
    per_axis, counts = phases_of(window), counts_of(window)
    wide = [len(axis[0].taps) for axis in per_axis]
    first = [max(phase.low for phase in axis) for axis in per_axis]
    shifts = [[low - phase.low for phase in axis] for axis, low in zip(per_axis, first, strict=True)]
    places = [count + max(shift) for count, shift in zip(counts, shifts, strict=True)]
    pads = [(low, n + m - 1 - low - o) for low, n, m, o in zip(first, places, wide, window.out, strict=True)]
    kernel = _kernel(problem, w, wide)

    def some(y: jax.Array) -> jax.Array:
        yp = shapes.resized(y, pads)
        corners = ([slice(at, at + n) for at, n in zip(corner, places, strict=True)] for corner in np.ndindex(*wide))
        patches = jnp.concatenate([yp[(slice(None), *corner)] for corner in corners], axis=-1)
        columns = product(shapes.rows(patches), kernel, (1, 0), problem.precision)
        columns = columns.reshape(y.shape[0], *places, prod(window.stride), problem.channels)
        made = {}
        for index, at in enumerate(np.ndindex(*window.stride)):
            starts = [shift[p] for shift, p in zip(shifts, at, strict=True)]
            made[at] = columns[(slice(None), *(slice(s, s + n) for s, n in zip(starts, counts, strict=True)), index)]
        return interleaved(made, problem.but(batch=y.shape[0]))

    wider = max(prod(wide) * problem.filters, prod(window.stride) * problem.channels)
    n = chunks.images(problem.batch, prod(places) * wider * problem.dtype.itemsize)
    return chunks.each(some, y, n)


def _kernel(problem: Problem, w: jax.Array, wide: list[int]) -> jax.Array:
    """w (*size, C, K) as (neighbors * K, phases * C): tap t of an axis is neighbor wide - 1 - t // stride of the phase
    whose first tap is t % stride."""
    rank, strides = problem.window.rank, problem.window.stride
    apart = w.reshape(*(n for pair in zip(wide, strides, strict=True) for n in pair), *w.shape[-2:])
    near, rest = range(0, 2 * rank, 2), range(1, 2 * rank, 2)
    apart = lax.rev(apart, tuple(near))
    for axis, phases in zip(rest, phases_of(problem.window), strict=True):
        apart = jnp.take(apart, np.asarray([phase.taps[0] for phase in phases]), axis=axis)
    apart = jnp.transpose(apart, (*near, 2 * rank + 1, *rest, 2 * rank))
    return apart.reshape(prod(wide) * problem.filters, prod(strides) * problem.channels)
