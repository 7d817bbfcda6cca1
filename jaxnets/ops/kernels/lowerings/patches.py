"""The weight gradient as products with patches of rows, a few images at a time so that the patches stay in cache."""

from __future__ import annotations

from math import prod
from typing import Any

import jax
import numpy as np
from jax import lax

from jaxnets.ops.kernels.lowerings import chunks, shapes
from jaxnets.ops.kernels.lowerings.matmul import gram, upright
from jaxnets.ops.kernels.problem import Problem

_ROWS = 784  # rows a product should have at least: a small contraction does not fill the machine
_NARROW = 64  # columns that a patch of a row should have more than: the rows of a window side by side otherwise


def fits(problem: Problem) -> bool:
    """The weight gradient of one group."""
    return problem.member == "weight_gradient" and problem.groups == 1


def run(problem: Problem, x: jax.Array, y: jax.Array, compute: Any) -> jax.Array:
    """`patchesᵀ · y`, the patches along the last axis alone: a tap of the other axes is the same patches some rows on.

    A patch is then written once for each tap of a row instead of once for each tap of the window; where that makes a
    narrow product, of a few channels, once for each tap of the window after all.
    """
    window = problem.window
    *outer, last = window.size
    narrow = last * problem.channels <= _NARROW
    width = (window.out[-1] - 1) * window.stride[-1] + 1

    def products(x: jax.Array, y: jax.Array) -> list[jax.Array]:
        xp, flat = shapes.padded(x, window), shapes.rows(y)
        axis = xp.ndim - 2
        starts = [t * window.dilation[-1] for t in range(last)]
        shifted = [lax.slice_in_dim(xp, s, s + width, stride=window.stride[-1], axis=axis) for s in starts]
        rows = lax.concatenate(shifted, xp.ndim - 1)
        under = [shapes.tap(rows, window, at) for at in np.ndindex(*outer)]
        if narrow:
            under = [lax.concatenate(under, xp.ndim - 1)]
        return [gram(shapes.rows(each), flat, problem.precision) for each in under]

    def whole(made: list[jax.Array]) -> jax.Array:
        """Side by side at last: what is stacked in each step of the loop is code for each place in the stack."""
        if narrow:
            return upright(made[0], problem.w_shape)
        return upright(lax.concatenate(made, 0).reshape(len(made), *made[0].shape), problem.w_shape)

    positions = prod(window.out)
    size = positions * (problem.taps if narrow else last) * problem.channels * problem.dtype.itemsize
    n = chunks.images(problem.batch, size, max(chunks.CACHE // 2, _ROWS // positions * size))
    return whole(chunks.summed(products, n, x, y))
