"""The chain rule through p-norms and generalized means."""

import math

import numpy as np
from numpy.typing import ArrayLike

from jaxnets.reference.average import averaged
from jaxnets.reference.backward.extremum import route
from jaxnets.reference.dtypes import Array, cast, widen
from jaxnets.reference.extremum import first_extremum
from jaxnets.reference.windows import Padding, PerAxis, at, windows


def lp_pool_backward(
    dy: ArrayLike,
    x: ArrayLike,
    size: PerAxis,
    stride: PerAxis | None = None,
    *,
    padding: Padding = "VALID",
    dilation: PerAxis = 1,
    ceil_mode: bool = False,
    p: float = 2,
) -> Array:
    """The gradient of `lp_pool`, from y^p = sum of |x|^p over the window:

        dx[q] += dy[o] sign(x[q]) (|x[q]| / y[o])^(p - 1)

    and nothing where x[q] = 0 (so nothing where the whole window is 0). With p = inf, to the first of the largest |x|.

    Shapes: dy (N, *out, C), x (N, *spatial, C) -> (N, *spatial, C).

    >>> lp_pool_backward(np.ones((1, 2, 1)), np.array([3.0, -4, 0, 0]).reshape(1, 4, 1), 2)[0, :, 0]
    array([ 0.6, -0.8,  0. ,  0. ])
    """
    dtype = np.asarray(x).dtype
    x, axes = averaged(x, size, stride, padding, dilation, ceil_mode)
    dy = widen(dy)
    if math.isinf(p):
        return cast(route(dy, first_extremum(np.abs(x), axes)[1], x.shape[1:-1]) * np.sign(x), dtype)
    dx = np.zeros_like(x)
    for o, taps in windows(axes):
        norm = sum(np.abs(x[at(q)]) ** p for _, q in taps) ** (1 / p)
        for _, q in taps:
            v = x[at(q)]
            share = np.abs(v) / np.where(
                v == 0, 1, norm
            )  # at most 1: its power cannot overflow, and v = 0 divides by 1
            dx[at(q)] += np.where(v == 0, 0, dy[at(o)] * np.sign(v) * np.where(v == 0, 1, share) ** (p - 1))
    return cast(dx, dtype)


def gem_pool_backward(
    dy: ArrayLike,
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
    """The gradient of `gem_pool` in x, from y^p = mean of max(x, eps)^p over the window:

        dx[q] += dy[o] (x[q] / y[o])^(p - 1) / count[o]   where x[q] > eps, and nothing elsewhere

    Shapes: dy (N, *out, C), x (N, *spatial, C) -> (N, *spatial, C).

    >>> gem_pool_backward(np.ones((1, 1, 1)), np.array([1.0, 7]).reshape(1, 2, 1), 2, p=2)[0, :, 0]
    array([0.1, 0.7])
    """
    dtype = np.asarray(x).dtype
    x, axes = averaged(x, size, stride, padding, dilation, ceil_mode)
    dy, power, least = widen(dy), widen(p).astype(x.dtype), x.dtype.type(eps)
    dx = np.zeros_like(x)
    for o, taps in windows(axes):
        values = [np.maximum(x[at(q)], least) for _, q in taps]
        mean = (sum(v**power for v in values) / len(taps)) ** (1 / power)
        for (_, q), v in zip(taps, values, strict=True):
            alive = x[at(q)] > least
            share = v / np.where(alive, mean, 1)
            dx[at(q)] += np.where(alive, dy[at(o)] * share ** (power - 1) / len(taps), 0)
    return cast(dx, dtype)


def gem_pool_backward_p(
    dy: ArrayLike,
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
    """The gradient of `gem_pool` in its exponent p. With v = max(x, eps) and m = mean of v^p, so that y = m^(1/p):

        dp = sum over all outputs of dy y (mean(v^p ln v) / (p m) - ln(m) / p^2)

    Shapes: dy (N, *out, C), x (N, *spatial, C) -> a scalar.

    >>> float(gem_pool_backward_p(np.ones((1, 1, 1)), np.array([2.0, 2.0]).reshape(1, 2, 1), 2)) < 1e-15
    True
    """
    x, axes = averaged(x, size, stride, padding, dilation, ceil_mode)
    dy, power = widen(dy), widen(p).astype(x.dtype)
    dp = x.dtype.type(0)
    for o, taps in windows(axes):
        values = [np.maximum(x[at(q)], x.dtype.type(eps)) for _, q in taps]
        m = sum(v**power for v in values) / len(taps)
        log_mean = sum(v**power * np.log(v) for v in values) / len(taps)
        dp += np.sum(dy[at(o)] * m ** (1 / power) * (log_mean / (power * m) - np.log(m) / power**2))
    return np.asarray(dp)
