"""Smooth activations and their gradients."""

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


def _sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x)), by the exponential that cannot overflow."""
    small = np.exp(-np.abs(x))
    return np.where(x < 0, small, 1) / (1 + small)


def silu(x: ArrayLike) -> Array:
    """y = x s(x), s(x) = 1 / (1 + exp(-x)).

    Shapes: any, kept. Reference: Hendrycks & Gimpel 2016; Ramachandran et al. 2017.

    >>> silu(np.array([-1.0, 0.0, 2.0])).round(4)
    array([-0.2689,  0.    ,  1.7616])
    """
    x = np.asarray(x)
    wide = widen(x)
    return cast(wide * _sigmoid(wide), x.dtype)


def silu_backward(dy: ArrayLike, x: ArrayLike) -> Array:
    """The gradient of `silu`: dx = dy s (1 + x (1 - s)).

    >>> silu_backward(np.array([1.0, 1.0]), np.array([0.0, 1.0])).round(4)
    array([0.5   , 0.9277])
    """
    x = np.asarray(x)
    wide = widen(x)
    share = _sigmoid(wide)
    return cast(widen(dy) * (share * (1 + wide * (1 - share))), x.dtype)
