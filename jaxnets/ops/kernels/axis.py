"""Linear maps of one spatial axis, static maps: a matrix of few weights a row, or the elements at given positions."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

from jaxnets import compat

_MOST = 64  # taps that are summed in one loop, a gather each; beyond them the program would be long

along_p = Primitive("jaxnets_along")


@dataclasses.dataclass(frozen=True)
class _Sparse:
    """A matrix by its rows' weights that are not zero: (out, taps) positions of n elements, and their weights.

    Rows of fewer taps than others are filled up with zeros. Compared and hashed by content, as a static argument.
    """

    n: int
    at: tuple[tuple[int, ...], ...]
    weights: tuple[tuple[float, ...], ...]

    @classmethod
    def of(cls, matrix: np.ndarray) -> _Sparse:
        some = matrix != 0
        at = np.argsort(~some, axis=1, kind="stable")[:, : max(int(some.sum(1).max(initial=0)), 1)]
        weights = np.take_along_axis(matrix, at, axis=1)
        return cls(matrix.shape[1], tuple(map(tuple, at.tolist())), tuple(map(tuple, weights.tolist())))

    @property
    def transposed(self) -> _Sparse:
        matrix = np.zeros((self.n, len(self.at)))
        at, weights = np.array(self.at), np.array(self.weights)
        np.add.at(matrix, (at, np.arange(len(at))[:, None]), weights)
        return _Sparse.of(matrix)


def _gathered(x: jax.Array, *, matrix: _Sparse, axis: int) -> jax.Array:
    """The product from the elements whose weight is not zero alone: 0 * inf is NaN, but they are not in the sum."""
    at, weights = np.array(matrix.at), np.array(matrix.weights, x.dtype)
    out, taps = at.shape

    def weigh(elements: jax.Array, weight: np.ndarray) -> jax.Array:
        weight = weight.reshape(*[1] * axis, *weight.shape, *[1] * (elements.ndim - axis - weight.ndim))
        weighted = elements * weight
        return jnp.where(weight != 0, weighted, jnp.zeros_like(weighted)) if (weight == 0).any() else weighted

    if taps <= _MOST:  # a gather each fuses with the sum; one gather of all is an array that is written and read
        terms = [weigh(jnp.take(x, at[:, t], axis=axis, mode="clip"), weights[:, t]) for t in range(taps)]
        return sum(terms[1:], start=terms[0])
    every = jnp.take(x, at.ravel(), axis=axis, mode="clip")
    return weigh(every.reshape(*x.shape[:axis], out, taps, *x.shape[axis + 1 :]), weights).sum(axis + 1)


def product(x: jax.Array, matrix: np.ndarray, axis: int) -> jax.Array:
    """`axis` of x, n elements, mapped by `matrix`, (out, n) with few weights a row, in the dtype of `x`.

    Elements are gathered, so that what is not finite stays where it belongs, and so are cotangents: what of `take` is
    a scatter is the same map by the transposed matrix.

    >>> product(jnp.array([[1.], [3.]]), np.array([[.5, .5]]), 0)
    Array([[2.]], dtype=float32)
    """
    return along_p.bind(x, matrix=_Sparse.of(matrix), axis=axis)


@along_p.def_abstract_eval
def _abstract(x: Any, *, matrix: _Sparse, axis: int) -> Any:
    return compat.aval_along(x, axis, len(matrix.at))


def _batch(operands: Any, dims: Any, *, matrix: _Sparse, axis: int) -> Any:
    (x,), (at,) = operands, dims
    return along_p.bind(jnp.moveaxis(x, at, 0), matrix=matrix, axis=axis + 1), 0


def _transpose(cotangent: Any, x: Any, *, matrix: _Sparse, axis: int) -> Any:
    return [along_p.bind(cotangent, matrix=matrix.transposed, axis=axis)]


ad.deflinear2(along_p, _transpose)
batching.primitive_batchers[along_p] = _batch
along_p.def_impl(jax.jit(_gathered, static_argnames=("matrix", "axis")))
mlir.register_lowering(along_p, mlir.lower_fun(_gathered, multiple_results=False))


def select(x: jax.Array, positions: np.ndarray, axis: int) -> jax.Array:
    """The elements of x at `positions`, rising, along `axis`."""
    n, out = x.shape[axis], len(positions)
    if np.array_equal(positions, np.arange(n)):
        return x
    if out % n == 0 and np.array_equal(positions, np.arange(out) // (out // n)):
        # Each element repeated equally often: a broadcast is up to 1.8 times as fast as a gather.
        before, after = x.shape[:axis], x.shape[axis + 1 :]
        repeated = jnp.broadcast_to(jnp.expand_dims(x, axis + 1), (*before, n, out // n, *after))
        return repeated.reshape(*before, out, *after)
    if jnp.issubdtype(x.dtype, jnp.floating):
        return product(x, np.asarray(positions)[:, None] == np.arange(n), axis)  # whose transpose is no scatter
    return jnp.take(x, positions, axis=axis, mode="clip", indices_are_sorted=True)
