"""The dense (fully connected) map."""

import numpy as np
from numpy.typing import ArrayLike

from jaxnets.reference.dtypes import Array, cast, widen


def dense(x: ArrayLike, w: ArrayLike, b: ArrayLike | None = None) -> Array:
    """An affine map of the last axis.

        y[..., k] = b[k] + sum over d of x[..., d] w[d, k]

    Shapes: x (..., D), w (D, K), b (K,) -> (..., K).
    Reference: Rosenblatt 1958.

    >>> dense(np.array([1.0, 2.0]), np.array([[1.0, 0.0], [1.0, 10.0]]), np.array([0.5, 0.0]))
    array([ 3.5, 20. ])
    """
    x, w = np.asarray(x), np.asarray(w)
    if w.ndim != 2 or x.shape[-1] != w.shape[0]:
        raise ValueError(f"weights of shape {w.shape} do not fit {x.shape[-1]} features")
    dtype, x, w = x.dtype, widen(x), widen(w)
    y = np.zeros((*x.shape[:-1], w.shape[1]), x.dtype)
    for d in range(w.shape[0]):
        y += x[..., d, None] * w[d]
    if b is not None:
        y += widen(b)
    return cast(y, dtype)
