"""Winograd's minimal filtering for 3×3 convolutions at stride 1: fewer products for more sums.

F(2, 3) makes two outputs of a row of four inputs with four products instead of six (Winograd, 1980; Lavin & Gray, 2016,
https://arxiv.org/abs/1509.09308). Its sums and differences cost about twice the rounding error of the direct form in
float32; an infinity becomes NaN in the neighbors that share its four inputs, of a kernel in all outputs of its filter,
and in the weight gradient in all taps.

The sixteen products are four calls of XLA's CPU library, of four each: what is done to the rows is stacked, so that
what is done to the columns is one loop for all four, which halves the code to compile. Each step is sums of whole
slices: as a contraction with a 4×4 matrix it took longer than the products.
"""

from __future__ import annotations

from functools import partial
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxnets.ops.geometry import Window
from jaxnets.ops.kernels.alone import held
from jaxnets.ops.kernels.lowerings import chunks, shapes
from jaxnets.ops.kernels.lowerings.matmul import product, stacked_product, upright
from jaxnets.ops.kernels.problem import Problem

_FOUR = range(4)
_KERNELS = np.array([[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]])  # three taps to four factors
WHOLE = 18 << 20  # bytes of transformed maps up to which the weight gradient takes all images at once

Tiles = list[jax.Array]  # for each column of a tile a stack of matrices, one for each row


def _inputs(a: jax.Array, b: jax.Array, c: jax.Array, d: jax.Array) -> tuple[jax.Array, ...]:
    """Four inputs to four factors."""
    return a - c, b + c, c - b, b - d


def _column_factors(j: int) -> np.ndarray:
    """Of column j of a tile, the nine taps to the factors of its four rows."""
    return np.einsum("ri,c->ric", _KERNELS, _KERNELS[j]).reshape(4, 9)


def _outputs(made: Tiles, images: int, high: int, wide: int) -> jax.Array:
    """The products of all tiles to outputs (N, 2 * high, 2 * wide, K): of four products a + b + c and b - c - d.

    Both are one expression along a new axis, ±1 and a choice: stacked, each place in the stack is a loop of its own,
    which is up to four times the code.
    """
    filters = made[0].shape[-1]
    full = (4, images, high, wide, 2, filters)
    sign = jnp.asarray([1, -1], made[0].dtype)
    first = lax.broadcast_in_dim(np.array([True, False]), full, (4,))
    a, b, c, d = (lax.broadcast_in_dim(v.reshape(*full[:4], filters), full, (0, 1, 2, 3, 5)) for v in made)
    across = lax.select(first, a, -d) + (b + c * lax.broadcast_in_dim(sign, full, (4,)))
    sign = lax.broadcast_in_dim(sign, (2, *full[1:]), (0,))
    outer, b, c = across[::3], across[1:2], across[2:3]  # a and d, which is subtracted
    both = outer * sign + (b + c * sign)
    return jnp.transpose(both, (1, 2, 0, 3, 4, 5)).reshape(images, 2 * high, 2 * wide, filters)


def _from_outputs(y: jax.Array, z: jax.Array) -> tuple[jax.Array, ...]:
    """Two outputs to four products: the transpose of `_outputs`."""
    return y, y + z, y - z, -z


def fits(problem: Problem) -> bool:
    """The forward pass and the weight gradient over two axes, one group, 3×3 at stride 1, in float32 or wider."""
    window = problem.window
    return (
        problem.member != "input_gradient"
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


def _grown(x: jax.Array, window: Window) -> jax.Array:
    """x padded to whole tiles of four inputs every two."""
    pads = shapes.exact_pads(window)
    return shapes.resized(x, [(low, high + o % 2) for (low, high), o in zip(pads, window.out, strict=True)])


def _every_second(x: jax.Array, start: int, count: int, axis: int) -> jax.Array:
    return lax.slice_in_dim(x, start, start + 2 * count - 1, stride=2, axis=axis)


def _tiles(x: jax.Array, window: Window) -> Tiles:
    """Every tile of 4×4 inputs in its factors: (row of the tile, tiles, C) for each column of it."""
    high, wide = tiles(window)
    xp = _grown(x, window)
    by_rows = jnp.stack(_inputs(*(_every_second(xp, i, high, 1) for i in _FOUR)))
    by_both = _inputs(*(_every_second(by_rows, j, wide, 3) for j in _FOUR))
    return [v.reshape(4, -1, x.shape[-1]) for v in by_both]


def run(problem: Problem, a: jax.Array, b: jax.Array, compute: Any) -> jax.Array:
    """F(2×2, 3×3): sixteen products over a quarter of the positions each, 2.25 times fewer multiply-adds.

    As many images at a time as keep within cache.
    """
    if problem.member == "weight_gradient":
        return _weight_gradient(problem, a, b)
    window = problem.window
    high, wide = tiles(window)
    flat = b.reshape(9, -1)
    kernels = [_combined(_column_factors(j), flat, problem).reshape(4, *b.shape[2:]) for j in _FOUR]

    def some(x: jax.Array) -> jax.Array:
        pairs = zip(_tiles(x, window), kernels, strict=True)
        made = [stacked_product(v, w, (2, 1), problem.precision) for v, w in pairs]
        y = _outputs(made, x.shape[0], high, wide)
        return held(lax.slice(y, [0] * 4, (x.shape[0], *problem.y_shape[1:])))

    each = transformed(problem, max(problem.channels, problem.filters))
    return chunks.each(some, a, chunks.images(problem.batch, each))


def transformed(problem: Problem, channels: int) -> int:
    """Bytes that the tiles of so many channels of one image come to in their factors."""
    return prod(tiles(problem.window)) * 16 * channels * problem.dtype.itemsize


def _weight_gradient(problem: Problem, x: jax.Array, y: jax.Array) -> jax.Array:
    """The transpose of the forward pass in the kernel, as many images at a time as keep within cache.

    The barrier ties x to y: left to itself, XLA would keep the tiles of the forward pass, four times as large as x,
    until now.
    """
    x, y = lax.optimization_barrier((x, y))
    n, each = problem.batch, transformed(problem, problem.channels + problem.filters)
    if n * each > WHOLE:
        n = chunks.images(n, each)
    if n == problem.batch:
        return _taps(problem, _products(problem, x, y))

    def part(index: jax.Array, total: Tiles) -> Tiles:
        images = (shapes.some(v, index * np.int32(n), n) for v in (x, y))
        return jax.tree.map(jnp.add, total, _products(problem, *images))

    made = jax.eval_shape(partial(_products, problem), x[:n], y[:n])
    start = jax.tree.map(lambda each: shapes.zeros(each.shape, x), made)
    return _taps(problem, shapes.loop(problem.batch // n, part, start))


def _products(problem: Problem, x: jax.Array, y: jax.Array) -> Tiles:
    """Of every place in the tiles, the factors of x by those of y, summed over the tiles, the wider of the two last as
    in `matmul.gram`."""
    high, wide = tiles(problem.window)
    yp = shapes.resized(y, [(0, o % 2) for o in problem.window.out])
    by_rows = jnp.stack(_from_outputs(*(_every_second(yp, i, high, 1) for i in range(2))))
    by_both = _from_outputs(*(_every_second(by_rows, j, wide, 3) for j in range(2)))
    pairs = zip(_tiles(x, problem.window), (v.reshape(4, -1, problem.filters) for v in by_both), strict=True)
    ordered = (pair[::-1] if problem.channels > problem.filters else pair for pair in pairs)
    return [stacked_product(*pair, (1, 1), problem.precision) for pair in ordered]


def _taps(problem: Problem, made: Tiles) -> jax.Array:
    parts = [_combined(_column_factors(j).T, v.reshape(4, -1), problem) for j, v in enumerate(made)]
    return upright(sum(parts[1:], start=parts[0]).reshape(9, *made[0].shape[1:]), problem.w_shape)


def _combined(factors: np.ndarray, rows: jax.Array, problem: Problem) -> jax.Array:
    """Sums of a few long rows. As a product: it is a call, where elementwise each sum is code to compile."""
    return product(jnp.asarray(factors, rows.dtype), rows, (1, 0), problem.precision)
