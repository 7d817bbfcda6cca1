"""Convolutions that are matrix products: of single taps, of windows that tile the map, and of each tap in turn."""

from __future__ import annotations

from math import prod
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jaxnets.ops.geometry import Window
from jaxnets.ops.kernels.lowerings import shapes
from jaxnets.ops.kernels.problem import Problem


def product(a: jax.Array, b: jax.Array, axes: tuple[int, int], precision: Any) -> jax.Array:
    """Two matrices, contracted over one axis of each."""
    dims = (((axes[0],), (axes[1],)), ((), ()))
    return lax.dot_general(a, b, dims, precision=precision, preferred_element_type=a.dtype)


TALL = 4096  # rows from which on two halves are multiplied apart


def gram(a: jax.Array, b: jax.Array, precision: Any = None) -> jax.Array:
    """`aᵀ · b` of (M, A) and (M, B), or its transpose, whichever has the longer rows: XLA's CPU library is up to 1.7
    times as fast on that one. `upright` turns it back.

    Of many rows the two halves are multiplied apart and added: the library parts a product by its result, which is
    small here, and is up to 1.5 times as fast on a batch of two.
    """
    if a.shape[1] > b.shape[1]:
        a, b = b, a
    if a.shape[0] < TALL or a.shape[0] % 2:
        return product(a, b, (0, 0), precision)
    a, b = (v.reshape(2, -1, v.shape[1]) for v in (a, b))
    return stacked_product(a, b, (1, 1), precision).sum(0, dtype=a.dtype)


def stacked_product(a: jax.Array, b: jax.Array, axes: tuple[int, int], precision: Any) -> jax.Array:
    """Two stacks of matrices, contracted pair by pair over one axis of each."""
    dims = (((axes[0],), (axes[1],)), ((0,), (0,)))
    return lax.dot_general(a, b, dims, precision=precision, preferred_element_type=a.dtype)


def upright(made: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """What `gram` made, (..., A, B) or (..., B, A), in the shape (*size, A, B) of a kernel.

    The barrier keeps XLA from folding the transpose into the product, which would turn it round again.
    """
    *_, rows, columns = shape
    if prod(made.shape[-2:]) != rows * columns:
        rows = made.size // prod(made.shape[:-2]) // columns
    if made.shape[-2:] != (rows, columns):
        made = jnp.swapaxes(lax.optimization_barrier(made), -1, -2)
    return made.reshape(shape)


def upright_gram(a: jax.Array, b: jax.Array, precision: Any = None) -> jax.Array:
    """`aᵀ · b`, (A, B), of (M, A) and (M, B). Of few rows in that order at once: to turn a large result takes longer
    than what the other order gains."""
    if a.shape[0] < TALL:
        return product(a, b, (0, 0), precision)
    return upright(gram(a, b, precision), (a.shape[1], b.shape[1]))


def fits(problem: Problem) -> bool:
    """One tap, one group."""
    return problem.taps == 1 and problem.groups == 1


def run(problem: Problem, a: jax.Array, b: jax.Array, compute: Any) -> jax.Array:
    """One product over all positions; a stride picks positions before it, or zeros stand between them after it."""
    window = problem.window
    if problem.member == "input_gradient":
        dx = product(shapes.rows(a), b.reshape(problem.w_shape[-2:]), (1, 1), problem.precision)
        return _spread(dx.reshape(*problem.y_shape[:-1], -1), problem)
    x = shapes.tap(shapes.padded(a, window), window, (0,) * window.rank)
    if problem.member == "forward":
        y = product(shapes.rows(x), b.reshape(problem.w_shape[-2:]), (1, 0), problem.precision)
        return y.reshape(problem.y_shape)
    return upright_gram(shapes.rows(x), shapes.rows(b), problem.precision).reshape(problem.w_shape)


def _spread(y: jax.Array, problem: Problem) -> jax.Array:
    """Elements at their strides in the input, zeros between and around them."""
    window = problem.window
    inner = [(0, 0, 0), *((0, 0, s - 1) for s in window.stride), (0, 0, 0)]
    if any(s > 1 for s in window.stride):
        y = lax.pad(y, jnp.zeros((), y.dtype), inner)
    return shapes.resized(y, [(-low, -high) for low, high in shapes.exact_pads(window)])


def blocks_fit(problem: Problem) -> bool:
    """Windows that tile the map: stride equal to size, no dilation, one group; not the weight gradient, whose patches
    these are anyway."""
    window = problem.window
    if problem.member == "weight_gradient":
        return False
    return problem.groups == 1 and window.stride == window.size and set(window.dilation) == {1} and problem.taps > 1


def blocks(problem: Problem, a: jax.Array, b: jax.Array, compute: Any) -> jax.Array:
    """Each window a row of one matrix, (N * windows, taps * C): no element is in two."""
    window = problem.window
    if problem.member == "input_gradient":
        flat = product(shapes.rows(a), b.reshape(-1, problem.filters), (1, 1), problem.precision)
        tiles = _from_rows(flat, problem)
        return shapes.resized(tiles, [(-low, -high) for low, high in shapes.exact_pads(window)])
    x = _to_rows(shapes.padded(a, window), problem)
    return product(x, b.reshape(-1, problem.filters), (1, 0), problem.precision).reshape(problem.y_shape)


def _order(rank: int) -> tuple[int, ...]:
    """(N, out, size, out, size, ..., C) to (N, out, out, ..., size, size, ..., C)."""
    return (0, *range(1, 2 * rank, 2), *range(2, 2 * rank + 1, 2), 2 * rank + 1)


def _to_rows(x: jax.Array, problem: Problem) -> jax.Array:
    window = problem.window
    parted = [n for pair in zip(window.out, window.size, strict=True) for n in pair]
    x = x.reshape(problem.batch, *parted, problem.channels)
    return jnp.transpose(x, _order(window.rank)).reshape(-1, problem.taps * problem.channels)


def _from_rows(flat: jax.Array, problem: Problem) -> jax.Array:
    window, order = problem.window, _order(problem.window.rank)
    inverse = tuple(order.index(i) for i in range(len(order)))
    x = flat.reshape(problem.batch, *window.out, *window.size, problem.channels)
    whole = [o * k for o, k in zip(window.out, window.size, strict=True)]
    return jnp.transpose(x, inverse).reshape(problem.batch, *whole, problem.channels)


def wide_fits(problem: Problem) -> bool:
    """The forward pass of one group."""
    return problem.member == "forward" and problem.groups == 1


def wide(problem: Problem, x: jax.Array, w: jax.Array, compute: Any) -> jax.Array:
    """One product of all patches with all taps (Chellapilla et al., 2006), where maps are so small that patches fit in
    cache."""
    patches = shapes.rows(_patches(shapes.padded(x, problem.window), problem.window))
    return product(patches, w.reshape(-1, problem.filters), (1, 0), problem.precision).reshape(problem.y_shape)


def _patches(xp: jax.Array, window: Window) -> jax.Array:
    """(N, *out, taps * C) of padded x, axis after axis, the last first: a slice for each tap of each axis, where one
    for each tap of the window is more code to compile."""
    for axis in range(window.rank, 0, -1):
        d, s, o = (each[axis - 1] for each in (window.dilation, window.stride, window.out))
        starts = [t * d for t in range(window.size[axis - 1])]
        under = [lax.slice_in_dim(xp, at, at + (o - 1) * s + 1, stride=s, axis=axis) for at in starts]
        xp = lax.concatenate(under, xp.ndim - 1)
    return xp


def taps_fit(problem: Problem) -> bool:
    """One group; the input gradient is left to the convolution it turns into."""
    return problem.groups == 1 and problem.member != "input_gradient"


def taps(problem: Problem, a: jax.Array, b: jax.Array, compute: Any) -> jax.Array:
    """A product for each tap, with the elements it lies on: summed, or in the weight gradient side by side."""
    window = problem.window
    xp = shapes.padded(a, window)
    lie_on = [shapes.rows(shapes.tap(xp, window, at)) for at in shapes.taps(window)]
    if problem.member == "forward":
        kernels = b.reshape(problem.taps, *problem.w_shape[-2:])
        terms = [product(x, kernels[t], (1, 0), problem.precision) for t, x in enumerate(lie_on)]
        return sum(terms[1:], start=terms[0]).reshape(problem.y_shape)
    flat = shapes.rows(b)
    return upright(jnp.stack([gram(x, flat, problem.precision) for x in lie_on]), problem.w_shape)


def positions(problem: Problem) -> int:
    """Rows of the matrices: outputs of all images."""
    return problem.batch * prod(problem.window.out)
