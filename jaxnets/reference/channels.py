"""What one tap of a convolution does to the channels: a matrix product, block-diagonal when there are groups.

Output channel k belongs to group g = k // (K // groups), which reads the input channels g C / groups and the
C // groups - 1 after it.
"""

import numpy as np

from jaxnets.reference.dtypes import Array


def split(x: Array, groups: int) -> Array:
    """(M, C) -> (groups, M, C // groups)."""
    m, c = x.shape
    return np.moveaxis(x.reshape(m, groups, c // groups), 1, 0)


def join(x: Array) -> Array:
    """(groups, M, C // groups) -> (M, C), the inverse of `split`."""
    groups, m, c = x.shape
    return np.moveaxis(x, 0, 1).reshape(m, groups * c)


def product(x: Array, w: Array, groups: int) -> Array:
    """y[n, k] = sum over c of x[n, c] w[c, k], c running over the group of k: (N, C), (C // groups, K) -> (N, K).

    >>> product(np.array([[1.0, 2.0]]), np.array([[10.0, 100.0]]), groups=2)
    array([[ 10., 200.]])
    """
    return join(split(x, groups) @ split(w, groups))


def product_input(y: Array, w: Array, groups: int) -> Array:
    """The adjoint of `product` in x: x[n, c] = sum over k of y[n, k] w[c, k]: (N, K), (C // groups, K) -> (N, C)."""
    return join(split(y, groups) @ np.swapaxes(split(w, groups), 1, 2))


def product_weights(x: Array, y: Array, groups: int) -> Array:
    """The adjoint of `product` in w: w[c, k] = sum over n of x[n, c] y[n, k]: (N, C), (N, K) -> (C // groups, K)."""
    return join(np.swapaxes(split(x, groups), 1, 2) @ split(y, groups))
