"""Winograd's minimal filtering for 3×3 convolutions at stride 1: fewer products for more sums.

F(2, 3) makes two outputs of a row of four inputs with four products instead of six (Winograd, 1980; Lavin & Gray, 2016,
https://arxiv.org/abs/1509.09308). Its sums and differences cost about twice the rounding error of the direct form in
float32; an infinity becomes NaN in the neighbor that shares its four inputs.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxnets.ops.geometry import Window
from jaxnets.ops.kernels.lowerings import shapes
from jaxnets.ops.kernels.lowerings.matmul import product
from jaxnets.ops.kernels.problem import Problem, exact

_KERNEL = np.asarray([[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]])
_FOUR = range(4)


def _inputs(a: jax.Array, b: jax.Array, c: jax.Array, d: jax.Array) -> tuple[jax.Array, ...]:
    return a - c, b + c, c - b, b - d


def _outputs(a: jax.Array, b: jax.Array, c: jax.Array, d: jax.Array) -> tuple[jax.Array, jax.Array]:
    return a + b + c, b - c - d


def fits(problem: Problem) -> bool:
    """The forward pass over two axes, one group, 3×3 at stride 1, in float32 or wider."""
    window = problem.window
    return (
        problem.member == "forward"
        and problem.groups == 1
        and window.size == (3, 3)
        and window.stride == (1, 1)
        and window.dilation == (1, 1)
        and jnp.issubdtype(problem.dtype, jnp.floating)
        and problem.dtype.itemsize >= 4
    )


def tiles(window: Window) -> list[int]:
    """Pairs of outputs per axis."""
    return [-(-o // 2) for o in window.out]


def _grown(x: jax.Array, window: Window, axes: int) -> jax.Array:
    """x padded, on the first `axes` axes to whole tiles of four inputs every two."""
    pads = shapes.exact_pads(window)
    odd = [(low, high + o % 2) for (low, high), o in zip(pads, window.out, strict=True)]
    return shapes.resized(x, [*odd[:axes], *((0, 0) for _ in pads[axes:])])


def _every_second(x: jax.Array, start: int, count: int, axis: int) -> jax.Array:
    return lax.slice_in_dim(x, start, start + 2 * count - 1, stride=2, axis=axis)


def run(problem: Problem, x: jax.Array, w: jax.Array, compute: Any) -> jax.Array:
    """F(2×2, 3×3): sixteen products over a quarter of the positions each, 2.25 times fewer multiply-adds."""
    window = problem.window
    high, wide = tiles(window)
    xp = _grown(x, window, 2)
    transform = jnp.asarray(_KERNEL, w.dtype)
    kernels = jnp.einsum("ai,bj,ijck->abck", transform, transform, w, precision=lax.Precision.HIGHEST)
    by_rows = _inputs(*(_every_second(xp, i, high, 1) for i in _FOUR))
    tile = [_inputs(*(_every_second(v, j, wide, 2) for j in _FOUR)) for v in by_rows]
    made = [[product(shapes.rows(tile[a][b]), kernels[a, b], (1, 0), problem) for b in _FOUR] for a in _FOUR]
    down = [_outputs(*(made[a][b] for a in _FOUR)) for b in _FOUR]
    out = [_outputs(*(down[b][i] for b in _FOUR)) for i in range(2)]
    shape = (problem.batch, high, wide, problem.filters)
    y = jnp.stack([jnp.stack([v.reshape(shape) for v in row], axis=3) for row in out], axis=2)
    y = y.reshape(problem.batch, 2 * high, 2 * wide, problem.filters)
    return lax.slice(y, [0] * 4, problem.y_shape)


def rows(problem: Problem, x: jax.Array, w: jax.Array, compute: Any) -> jax.Array:
    """F(2, 3) along the first axis alone, 1.5 times fewer multiply-adds: four convolutions of 1×3 on half the rows."""
    window = problem.window
    high = tiles(window)[0]
    xp = _grown(x, window, 1)
    kernels = jnp.einsum("ai,ijck->ajck", jnp.asarray(_KERNEL, w.dtype), w, precision=lax.Precision.HIGHEST)
    by_rows = _inputs(*(_every_second(xp, i, high, 1) for i in _FOUR))
    low = (0, window.full_pads[1][0])
    flat = exact((high, window.spatial[1]), (1, 3), (1, 1), (1, 1), low, (high, window.out[1]))
    part = problem.but(window=flat, lowering="lax")
    y = jnp.stack(_outputs(*(compute(part, by_rows[a], kernels[a : a + 1]) for a in _FOUR)), axis=2)
    y = y.reshape(problem.batch, 2 * high, window.out[1], problem.filters)
    return lax.slice(y, [0] * 4, problem.y_shape)
