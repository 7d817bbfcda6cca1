"""What the lowerings of pools are made of: elements under a tap, and the better of two."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxnets.ops.kernels.pool_lowerings.along import Axis


def elements(x: jax.Array, at: np.ndarray, axis: int) -> jax.Array:
    """The elements of x at these positions of an axis: a slice of it where they are evenly spaced, else a gather,
    which XLA fuses into the loop that uses it just as well."""
    step = int(at[1] - at[0]) if len(at) > 1 else 1
    if step > 0 and (np.diff(at) == step).all():
        return lax.slice_in_dim(x, int(at[0]), int(at[-1]) + 1, step, axis)
    offset = tuple(a for a in range(x.ndim) if a != axis)
    numbers = lax.GatherDimensionNumbers(offset, (axis,), (axis,))
    size = tuple(1 if a == axis else n for a, n in enumerate(x.shape))
    index = at.astype(np.int32)[:, None]
    ordered = bool((np.diff(at) >= 0).all())
    return lax.gather(x, index, numbers, size, indices_are_sorted=ordered, mode="promise_in_bounds")


def along(vector: np.ndarray, shape: Sequence[int], axis: int, dtype: Any) -> jax.Array:
    """A vector along one axis as an array of this shape."""
    vector = vector.astype(dtype)
    if (vector == vector[0]).all():
        return lax.full(tuple(shape), vector[0])
    return lax.broadcast_in_dim(vector, tuple(shape), (axis,))


def every(conditions: Sequence[tuple[np.ndarray, int]], shape: Sequence[int]) -> jax.Array | None:
    """Where all of these hold, each a vector along its axis; None where they hold everywhere."""
    each = [along(condition, shape, axis, bool) for condition, axis in conditions if not condition.all()]
    return reduce(lax.bitwise_and, each) if each else None


def where(condition: jax.Array | None, x: jax.Array, otherwise: Any) -> jax.Array:
    """x, or one number where the condition does not hold."""
    return x if condition is None else lax.select(condition, x, lax.full(x.shape, np.asarray(otherwise, x.dtype)))


def scaled(x: jax.Array, by: float) -> jax.Array:
    """x times a number."""
    return x if by == 1 else lax.mul(x, lax.full(x.shape, np.asarray(by, x.dtype)))


def better(new: jax.Array, old: jax.Array, kind: str) -> jax.Array:
    """Whether a later element replaces the best so far: strictly better, or the first NaN."""
    if not jnp.issubdtype(new.dtype, jnp.floating):
        return lax.gt(new, old) if kind == "max" else lax.lt(new, old)
    no_better = lax.le(new, old) if kind == "max" else lax.ge(new, old)
    return lax.bitwise_and(lax.bitwise_not(no_better), lax.eq(old, old))


def extreme(values: Sequence[jax.Array], kind: str) -> jax.Array:
    """The extremum of all, in pairs: a short chain of instructions, not a long one."""
    bound = lax.max if kind == "max" else lax.min
    level = list(values)
    while len(level) > 1:
        level = [bound(*level[i : i + 2]) if i + 1 < len(level) else level[i] for i in range(0, len(level), 2)]
    return level[0]


def added(values: Sequence[jax.Array]) -> jax.Array:
    """The sum of all, one after the other."""
    return reduce(lax.add, values)


def alive(axes: Sequence[Axis], shape: Sequence[int]) -> jax.Array | None:
    """Which windows see a real element, None where all do."""
    return every([(axis.alive(), axis.axis) for axis in axes], shape)
