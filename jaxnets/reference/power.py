"""Pooling between the mean and the maximum: the p-norm of a window, and the generalized mean."""

import math

import numpy as np
from numpy.typing import ArrayLike

from jaxnets.reference.average import averaged
from jaxnets.reference.dtypes import Array, cast, mean_dtype, widen
from jaxnets.reference.extremum import first_extremum
from jaxnets.reference.windows import Padding, PerAxis, at, output_of, windows


def lp_pool(
    x: ArrayLike,
    size: PerAxis,
    stride: PerAxis | None = None,
    *,
    padding: Padding = "VALID",
    dilation: PerAxis = 1,
    ceil_mode: bool = False,
    p: float = 2,
) -> Array:
    """The p-norm of each window; p = 1 sums absolute values, p = inf takes the largest.

        y[n, o, c] = (sum over taps t of |x[n, o * stride + t * dilation - low, c]|^p)^(1/p)

    Shapes: x (N, *spatial, C) -> (N, *out, C). Raises ValueError if a window sees only padding.
    Reference: Sermanet et al. 2012; Gulcehre et al. 2014.

    >>> lp_pool(np.array([3.0, -4, 0, 5]).reshape(1, 4, 1), 2)[0, :, 0]
    array([5., 5.])
    """
    dtype = mean_dtype(np.asarray(x).dtype)
    x, axes = averaged(x, size, stride, padding, dilation, ceil_mode)
    if math.isinf(p):
        return cast(first_extremum(np.abs(x), axes)[0], dtype)
    y = np.zeros((x.shape[0], *output_of(axes), x.shape[-1]), x.dtype)
    for o, taps in windows(axes):
        for _, q in taps:
            y[at(o)] += np.abs(x[at(q)]) ** p
        y[at(o)] **= 1 / p
    return cast(y, dtype)


def gem_pool(
    x: ArrayLike,
    size: PerAxis,
    stride: PerAxis | None = None,
    *,
    padding: Padding = "VALID",
    dilation: PerAxis = 1,
    ceil_mode: bool = False,
    p: ArrayLike = 3,
    eps: float = 1e-6,
) -> Array:
    """The generalized mean of each window; p = 1 is the mean, a large p tends to the maximum. p may be learned.

        y[n, o, c] = (mean over taps t of max(x[n, o * stride + t * dilation - low, c], eps)^p)^(1/p)

    Shapes: x (N, *spatial, C), p a scalar -> (N, *out, C). Raises ValueError if a window sees only padding.
    Reference: Dollar et al. 2009; Radenovic et al. 2018.

    >>> gem_pool(np.array([1.0, 7, -2, 0]).reshape(1, 4, 1), 2, p=2, eps=0)[0, :, 0]
    array([5., 0.])
    """
    dtype = mean_dtype(np.asarray(x).dtype)
    x, axes = averaged(x, size, stride, padding, dilation, ceil_mode)
    power = widen(p).astype(x.dtype)
    y = np.zeros((x.shape[0], *output_of(axes), x.shape[-1]), x.dtype)
    for o, taps in windows(axes):
        for _, q in taps:
            y[at(o)] += np.maximum(x[at(q)], x.dtype.type(eps)) ** power
        y[at(o)] = (y[at(o)] / len(taps)) ** (1 / power)
    return cast(y, dtype)
