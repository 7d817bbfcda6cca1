"""The Gaussian error linear unit and its gradient."""

import math

import numpy as np
from numpy.typing import ArrayLike

from jaxnets.reference.dtypes import Array, cast, widen


def _below(x: Array) -> Array:
    """The share of the standard normal below each element: P(X <= x) = (1 + erf(x / sqrt(2))) / 2."""
    share = [(1 + math.erf(each / math.sqrt(2))) / 2 for each in x.ravel().tolist()]
    return np.array(share, x.dtype).reshape(x.shape)


def gelu(x: ArrayLike) -> Array:
    """y = x P(X <= x), X standard normal.

    Shapes: any, kept. Reference: Hendrycks & Gimpel 2016.

    >>> gelu(np.array([-1.0, 0.0, 2.0])).round(4)
    array([-0.1587,  0.    ,  1.9545])
    """
    x = np.asarray(x)
    wide = widen(x)
    return cast(wide * _below(wide), x.dtype)


def gelu_backward(dy: ArrayLike, x: ArrayLike) -> Array:
    """The gradient of `gelu`: dx = dy (P(X <= x) + x p(x)), p the density of X.

    >>> gelu_backward(np.array([1.0, 1.0]), np.array([0.0, 1.0])).round(4)
    array([0.5   , 1.0833])
    """
    x = np.asarray(x)
    wide = widen(x)
    density = np.exp(-(wide**2) / 2) / math.sqrt(2 * math.pi)
    return cast(widen(dy) * (_below(wide) + wide * density), x.dtype)
