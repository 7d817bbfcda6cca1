"""In which number type the definitions add up, and how results return to the input's type.

Half-precision floats are summed in float32 and rounded once at the end; every other type is summed in itself, so
integers wrap modulo 2^bits.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[Any]
HALF = ("float16", "bfloat16")  # by name: bfloat16 is ml_dtypes', and this package imports NumPy only


def accumulator(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The type in which sums of `dtype` are taken: float32 for half precision, otherwise `dtype` itself.

    >>> accumulator(np.dtype("float16")), accumulator(np.dtype("int8"))
    (dtype('float32'), dtype('int8'))
    """
    return np.dtype("float32") if dtype.name in HALF else dtype


def mean_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The type of a mean of `dtype`: float32 for integers (as `jnp.mean`), otherwise `dtype` itself.

    >>> mean_dtype(np.dtype("uint8")), mean_dtype(np.dtype("float16"))
    (dtype('float32'), dtype('float16'))
    """
    return np.dtype("float32") if dtype.kind in "iu" else dtype


def widen(x: ArrayLike) -> Array:
    """`x` as a NumPy array in the type it is summed in."""
    array = np.asarray(x)
    return array.astype(accumulator(array.dtype), copy=False)


def cast(y: Array, dtype: np.dtype[Any]) -> Array:
    """Round `y` to `dtype`; integers wrap, and what is too large for a half-precision float becomes infinite."""
    with np.errstate(over="ignore", invalid="ignore"):
        return y.astype(dtype, copy=False)
