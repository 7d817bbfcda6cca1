"""What every op asks of its arguments, and the words it says when they are wrong.

Each error names the op, the value seen and the remedy: the reader is three combinators away from here.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import index
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

AXES = {1: "(N, W, C)", 2: "(N, H, W, C)", 3: "(N, D, H, W, C)"}


def array(op: str, x: Any, name: str = "x") -> jax.Array:
    """`x` as a real JAX array; `TypeError` for what is no array, and for bool, complex and string dtypes."""
    dtype = getattr(x, "dtype", None)
    if dtype is None:
        raise TypeError(f"{op}: {name} is {x!r} ({type(x).__name__}), not an array; pass jax.numpy.asarray(...) of it")
    if not (jnp.issubdtype(dtype, jnp.floating) or jnp.issubdtype(dtype, jnp.integer)):
        raise TypeError(f"{op}: {name} has dtype {dtype}; cast it to a real dtype, such as float32, first")
    return jnp.asarray(x)


def images(op: str, x: Any) -> jax.Array:
    """`x` as an array (N, *spatial, C) with 1, 2 or 3 spatial axes."""
    x = array(op, x)
    if x.ndim not in (3, 4, 5):
        shapes = ", ".join(AXES.values())
        raise ValueError(f"{op}: x has shape {x.shape}, rank {x.ndim}; pass {shapes}: batched, channels last")
    return x


def floating(op: str, x: Any, name: str = "x") -> jax.Array:
    """`x` as a floating-point array; integers are an error that says to cast."""
    x = array(op, x, name)
    if not jnp.issubdtype(x.dtype, jnp.floating):
        raise TypeError(
            f"{op}: {name} has dtype {x.dtype}, but this is computed in floating point; "
            f"cast it first: {name}.astype(jax.numpy.float32)"
        )
    return x


def same_dtype(op: str, x: jax.Array, other: jax.Array, name: str) -> None:
    """`TypeError` unless `other` has `x`'s dtype: nothing is promoted in silence."""
    if other.dtype != x.dtype:
        raise TypeError(f"{op}: x is {x.dtype} but {name} is {other.dtype}; cast one of them: {name}.astype(x.dtype)")


def vector(op: str, v: Any, length: int, x: jax.Array, name: str) -> jax.Array:
    """`v` as an array of shape `(length,)` in `x`'s dtype: a bias, or a scale or shift per channel."""
    v = array(op, v, name)
    same_dtype(op, x, v, name)
    if v.shape != (length,):
        raise ValueError(f"{op}: {name} has shape {v.shape}; it needs ({length},), one number per channel")
    return v


def whole(op: str, value: Any, name: str, minimum: int = 1) -> int:
    """`value` as an int of at least `minimum`; bools and floats are refused."""
    if isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{op}: {name} is {value!r}; pass an int of at least {minimum}")
    try:
        number = index(value)
    except TypeError:
        raise TypeError(
            f"{op}: {name} is {value!r} ({type(value).__name__}); pass an int of at least {minimum}"
        ) from None
    if number < minimum:
        raise ValueError(f"{op}: {name} is {number}; it must be at least {minimum}")
    return number


def per_axis(op: str, value: Any, rank: int, name: str, minimum: int = 1) -> tuple[int, ...]:
    """`value`, an int or one per spatial axis, as a tuple of `rank` ints.

    >>> per_axis("conv", 3, 2, "size")
    (3, 3)
    >>> per_axis("conv", (3, 1), 2, "size")
    (3, 1)
    """
    if isinstance(value, (Sequence, np.ndarray)) and not isinstance(value, (str, bytes)) and np.ndim(value):
        if len(value) != rank:
            raise ValueError(
                f"{op}: {name} is {tuple(value)!r}, {len(value)} numbers, but x has {rank} spatial "
                f"{'axis' if rank == 1 else 'axes'}; pass one int, or {rank}"
            )
        return tuple(whole(op, v, f"{name}[{i}]", minimum) for i, v in enumerate(value))
    return (whole(op, value, name, minimum),) * rank
