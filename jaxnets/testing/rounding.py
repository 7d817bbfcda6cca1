"""How far a right result may be from the exact one: bounds from the rounding unit and the number of terms, no fudge.

The model (Higham, 2002, Accuracy and Stability of Numerical Algorithms, §3.1): with unit roundoff `u` of the type
that sums are taken in, a sum of n products, in whatever order, is off by at most `γ(n) Σ|terms|`, `γ(n) = n u / (1 -
n u)`. Rounding the result to its own dtype adds `u_out |result|`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from jaxnets.testing.case import Array, is_float


def unit_roundoff(dtype: Any) -> float:
    """Half the gap between 1 and the next number: the largest relative error of rounding to nearest; 0 for integers.

    >>> unit_roundoff("bfloat16") == 2**-8, unit_roundoff("float32") == 2**-24, unit_roundoff("int8")
    (True, True, 0.0)
    """
    return float(jnp.finfo(jnp.dtype(dtype)).eps) / 2 if is_float(dtype) else 0.0


def accumulator(dtype: Any) -> np.dtype[Any]:
    """The type that sums of `dtype` are taken in: float32 for narrower floats, otherwise `dtype` itself."""
    dtype = jnp.dtype(dtype)
    return np.dtype("float32") if is_float(dtype) and dtype.itemsize < 4 else dtype


class Tolerance(NamedTuple):
    """`|got - exact| <= result |exact| + summed Σ|terms| + tiny`, element by element."""

    result: float
    summed: float
    tiny: float

    def bound(self, exact: Array, magnitude: Array | float) -> Array:
        """The largest error allowed in each element; `magnitude` is the Σ|terms| of each."""
        return np.asarray(self.result * np.abs(exact) + self.summed * np.abs(magnitude) + self.tiny)


def tolerance(dtype: Any, terms: int, *, roundings: int = 0) -> Tolerance:
    """What rounding may do to a sum of `terms` products of `dtype` numbers.

    The sum is taken in `accumulator(dtype)`, unit roundoff u, and costs `γ(terms)`; `roundings` intermediate results
    rounded to `dtype` on the way cost `u_out` each, all of these times Σ|terms|; the last rounding costs `u_out` times
    the result. `terms=0` is a copy or a selection: exact. Numbers below the smallest normal one may become 0.

    >>> tolerance("float32", 0)
    Tolerance(result=0.0, summed=0.0, tiny=0.0)
    >>> tolerance("bfloat16", 100).result == 2**-8, 5.9e-6 < tolerance("bfloat16", 100).summed < 6.0e-6
    (True, True)
    """
    if terms == 0 or not is_float(dtype):
        return Tolerance(0.0, 0.0, 0.0)
    out, unit = unit_roundoff(dtype), unit_roundoff(accumulator(dtype))
    gamma = terms * unit / (1 - terms * unit)
    return Tolerance(out, (gamma + roundings * out) * (1 + out), float(jnp.finfo(jnp.dtype(dtype)).tiny))


def assert_close(got: Any, exact: Array, magnitude: Array | float, allowed: Tolerance, what: str) -> None:
    """Raise `AssertionError`, naming the worst element, unless `got` is within `allowed` of `exact` everywhere.

    Where `exact` is NaN or infinite, `got` must be the same; where `exact` is beyond the largest number of `got`'s
    dtype, `got` may be infinite.

    >>> assert_close(np.array([1.0, 2.5]), np.array([1.0, 2.0]), 2.0, tolerance("float64", 3), "demo")
    Traceback (most recent call last):
    AssertionError: demo: 1 of 2 elements wrong; worst at (1,): 2.5, not 2.0 (off by 0.5, allowed 8.9e-16)
    """
    dtype = np.asarray(got).dtype
    exact = np.asarray(exact)
    if not is_float(dtype):
        got, exact = np.asarray(got).astype(object), exact.astype(object)
        wrong, error, bound = np.asarray(got != exact), np.abs(got - exact), np.zeros(exact.shape)
    else:
        got, exact = np.asarray(got, np.float64), exact.astype(np.float64)
        largest = float(jnp.finfo(dtype).max)
        with np.errstate(invalid="ignore", over="ignore"):
            bound = np.broadcast_to(allowed.bound(exact, np.asarray(magnitude, np.float64)), exact.shape)
            error = np.abs(got - exact)
            overflowed = np.isinf(got) & (np.abs(exact) + bound > largest) & (np.sign(got) == np.sign(exact))
            same = (got == exact) | (np.isnan(got) & np.isnan(exact))
            wrong = ~(same | overflowed | (np.isfinite(exact) & (error <= bound)))
    if not wrong.any():
        return
    excess = np.where(wrong, np.nan_to_num(error.astype(np.float64), nan=np.inf) + 1e-300, 0.0)
    worst = tuple(int(i) for i in np.unravel_index(int(np.argmax(excess)), exact.shape))
    raise AssertionError(
        f"{what}: {int(wrong.sum())} of {exact.size} elements wrong; worst at {worst}: {got[worst]}, not "
        f"{exact[worst]} (off by {float(error[worst]):.2g}, allowed {float(bound[worst]):.2g})"
    )
