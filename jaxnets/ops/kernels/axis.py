"""Linear maps of one spatial axis, static maps: a weight matrix, or the elements at given positions."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

_FEW = 4  # the taps of cubic interpolation


def _matrix_product(x: jax.Array, matrix: np.ndarray, axis: int) -> jax.Array:
    y = jnp.tensordot(x, matrix, axes=((axis,), (1,)), precision=lax.Precision.HIGHEST)
    return jnp.moveaxis(y, -1, axis)


def _gathered(x: jax.Array, matrix: np.ndarray, axis: int) -> jax.Array:
    """The same from the elements whose weight is not zero alone: 0 * inf is NaN, but they are not in the sum."""
    some = matrix != 0
    out, taps = len(matrix), int(some.sum(1).max())
    at = np.argsort(~some, axis=1, kind="stable")[:, :taps]  # those of the most taps; fewer are filled up with zeros
    weights = np.take_along_axis(matrix, at, axis=1)

    def weigh(elements: jax.Array, weight: np.ndarray, where: int) -> jax.Array:
        shape = (*[1] * where, *weight.shape, *[1] * (elements.ndim - where - weight.ndim))
        weight = weight.reshape(shape)
        weighted = elements * weight
        return jnp.where(weight != 0, weighted, jnp.zeros_like(weighted)) if (weight == 0).any() else weighted

    if taps <= _FEW:  # a gather each fuses with the sum; one gather of all is an array that is written and read
        terms = [weigh(jnp.take(x, at[:, t], axis=axis, mode="clip"), weights[:, t], axis) for t in range(taps)]
        return sum(terms[1:], start=terms[0])
    every = jnp.take(x, at.ravel(), axis=axis, mode="clip")
    return weigh(every.reshape(*x.shape[:axis], out, taps, *x.shape[axis + 1 :]), weights, axis).sum(axis + 1)


def product(x: jax.Array, matrix: np.ndarray, axis: int) -> jax.Array:
    """`axis` of x, n elements, mapped by `matrix`, (out, n) with few weights a row, in the dtype of `x`.

    The value is gathered, so that what is not finite stays where it belongs; the derivative is the product with the
    whole matrix, whose transpose is a product again and not a scatter.
    """
    weights = np.asarray(matrix, x.dtype)

    @jax.custom_jvp
    def mapped(x: jax.Array) -> jax.Array:
        return _gathered(x, weights, axis)

    @mapped.defjvp
    def _jvp(primals, tangents):  # type: ignore[no-untyped-def]
        (x,), (dx,) = primals, tangents
        return mapped(x), _matrix_product(dx, weights, axis)

    return mapped(x)


def select(x: jax.Array, positions: np.ndarray, axis: int) -> jax.Array:
    """The elements of x at `positions`, rising, along `axis`."""
    n, out = x.shape[axis], len(positions)
    if np.array_equal(positions, np.arange(n)):
        return x
    if out % n == 0 and np.array_equal(positions, np.arange(out) // (out // n)):
        # Each element repeated equally often: the gradient of a broadcast is a sum, that of a gather a scatter.
        before, after = x.shape[:axis], x.shape[axis + 1 :]
        repeated = jnp.broadcast_to(jnp.expand_dims(x, axis + 1), (*before, n, out // n, *after))
        return repeated.reshape(*before, out, *after)
    return jnp.take(x, positions, axis=axis, mode="clip", indices_are_sorted=True)
