"""Derivatives by finite differences: slow, approximate, and owing nothing to any formula for the gradient."""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from jaxnets.reference.dtypes import Array


def finite_difference(f: Callable[[Array], ArrayLike], x: ArrayLike, direction: ArrayLike, eps: float = 1e-6) -> Array:
    """The derivative of `f` at `x` along `direction`, by the central difference.

        (f(x + eps * direction) - f(x - eps * direction)) / (2 eps)

    The error is about eps^2 times the third derivative plus rounding / eps: use float64. `f` must be smooth between
    the two points (for a maximum: no tie within 2 eps).

    Shapes: x and direction alike, f(x) any -> that of f(x).

    >>> round(float(finite_difference(lambda x: np.sum(x**3), np.array([1.0, 2.0]), np.array([1.0, 0.0]))), 6)
    3.0
    """
    x, step = np.asarray(x), eps * np.asarray(direction)
    return np.asarray((np.asarray(f(x + step)) - np.asarray(f(x - step))) / (2 * eps))


def numerical_gradient(f: Callable[[Array], ArrayLike], x: ArrayLike, eps: float = 1e-6) -> Array:
    """The gradient of a scalar function, one central difference per element of `x`.

    Shapes: x any, f(x) a scalar -> that of x. Cost: two evaluations of `f` per element.

    >>> numerical_gradient(lambda x: np.sum(x**2), np.array([1.0, -3.0])).round(6)
    array([ 2., -6.])
    """
    x = np.asarray(x)
    gradient = np.zeros_like(x)
    for position in np.ndindex(*x.shape):
        unit = np.zeros_like(x)
        unit[position] = 1
        gradient[position] = finite_difference(f, x, unit, eps)
    return gradient
