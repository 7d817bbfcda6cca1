"""The chain rule through normalization.

With the deviation d = x - mean, s = sqrt(mean(d^2) + eps) and z = d / s, over the elements that share them,

    dx = (dz - mean(dz) - z mean(dz z)) / s

because x moves z directly, through the mean, and through the spread. Scale and shift come after: dz = dy scale.
"""

import numpy as np
from numpy.typing import ArrayLike

from jaxnets.reference.dtypes import Array, cast, widen
from jaxnets.reference.norm import group_norm, layer_norm, rms_norm


def standardize_backward(dz: Array, x: Array, eps: float) -> Array:
    """The gradient of z = (x - mean) / sqrt(var + eps) over all elements of `x`.

    >>> standardize_backward(np.array([1.0, 0.0, 0.0]), np.array([0.0, 1.0, 2.0]), eps=0.0).round(6)
    array([ 0.204124, -0.408248,  0.204124])
    """
    deviation = x - np.mean(x)
    spread = np.sqrt(np.mean(deviation**2) + x.dtype.type(eps))
    z = deviation / spread
    return (dz - np.mean(dz) - z * np.mean(dz * z)) / spread


def scaled(dy: Array, scale: ArrayLike | None) -> Array:
    """dz = dy scale."""
    return dy if scale is None else dy * np.asarray(scale).astype(dy.dtype)


def affine_gradients(dy: Array, z: Array) -> tuple[Array, Array]:
    """dscale = sum of dy z, and dshift = sum of dy, over everything but the last axis."""
    axes = tuple(range(dy.ndim - 1))
    return np.sum(dy * z, axis=axes), np.sum(dy, axis=axes)


def batch_norm_backward(
    dy: ArrayLike,
    x: ArrayLike,
    mean: ArrayLike,
    var: ArrayLike,
    scale: ArrayLike | None = None,
    *,
    eps: float = 1e-5,
) -> tuple[Array, Array, Array, Array, Array]:
    """The gradients of `batch_norm`, whose statistics are arguments like any other. s = sqrt(var + eps), dz = dy scale.

        dx = dz / s,   dmean = -sum of dz / s,   dvar = -sum of dz (x - mean) / (2 s^3)

    Shapes: dy and x (..., C), the others (C,) -> dx as x, then dmean, dvar, dscale, dshift (C,).

    >>> batch_norm_backward(np.array([[1.0]]), np.array([[5.0]]), np.array([1.0]), np.array([4.0]), eps=0)[:3]
    (array([[0.5]]), array([-0.5]), array([-0.25]))
    """
    dtype = np.asarray(x).dtype
    dy, x = widen(dy), widen(x)
    deviation = x - np.asarray(mean).astype(x.dtype)
    s = np.sqrt(np.asarray(var).astype(x.dtype) + x.dtype.type(eps))
    dz, axes = scaled(dy, scale), tuple(range(x.ndim - 1))
    dvar = -np.sum(dz * deviation, axis=axes) / (2 * s**3)
    return cast(dz / s, dtype), -np.sum(dz / s, axis=axes), dvar, *affine_gradients(dy, deviation / s)


def layer_norm_backward(
    dy: ArrayLike, x: ArrayLike, scale: ArrayLike | None = None, *, eps: float = 1e-5
) -> tuple[Array, Array, Array]:
    """The gradients of `layer_norm`, row by row.

    Shapes: dy and x (..., D), scale (D,) -> dx as x, dscale and dshift (D,).

    >>> layer_norm_backward(np.array([[1.0, 0.0]]), np.array([[0.0, 2.0]]), eps=0)[1]
    array([-1.,  0.])
    """
    dtype = np.asarray(x).dtype
    dy, x = widen(dy), widen(x)
    dz, dx = scaled(dy, scale), np.empty_like(x)
    for row in np.ndindex(*x.shape[:-1]):
        dx[row] = standardize_backward(dz[row], x[row], eps)
    return cast(dx, dtype), *affine_gradients(dy, layer_norm(x, eps=eps))


def group_norm_backward(
    dy: ArrayLike, x: ArrayLike, groups: int, scale: ArrayLike | None = None, *, eps: float = 1e-5
) -> tuple[Array, Array, Array]:
    """The gradients of `group_norm`, sample by sample and group by group.

    Shapes: dy and x (N, *spatial, C), scale (C,) -> dx as x, dscale and dshift (C,).

    >>> group_norm_backward(np.ones((1, 2, 2)), np.arange(4.0).reshape(1, 2, 2), 2)[2]
    array([2., 2.])
    """
    dtype = np.asarray(x).dtype
    dy, x = widen(dy), widen(x)
    width = x.shape[-1] // groups
    dz, dx = scaled(dy, scale), np.empty_like(x)
    for n in range(x.shape[0]):
        for g in range(groups):
            part = (n, ..., slice(g * width, (g + 1) * width))
            dx[part] = standardize_backward(dz[part], x[part], eps)
    return cast(dx, dtype), *affine_gradients(dy, group_norm(x, groups, eps=eps))


def instance_norm_backward(
    dy: ArrayLike, x: ArrayLike, scale: ArrayLike | None = None, *, eps: float = 1e-5
) -> tuple[Array, Array, Array]:
    """The gradients of `instance_norm`: `group_norm_backward` with one channel a group.

    Shapes: dy and x (N, *spatial, C), scale (C,) -> dx as x, dscale and dshift (C,).

    >>> instance_norm_backward(np.ones((1, 2, 1)), np.array([[[0.0], [2.0]]]))[0][0, :, 0]
    array([0., 0.])
    """
    return group_norm_backward(dy, x, np.shape(x)[-1], scale, eps=eps)


def rms_norm_backward(
    dy: ArrayLike, x: ArrayLike, scale: ArrayLike | None = None, *, eps: float = 1e-6
) -> tuple[Array, Array]:
    """The gradients of `rms_norm`. With r = sqrt(mean(x^2) + eps), z = x / r and dz = dy scale, row by row:

        dx = (dz - z mean(dz z)) / r

    Shapes: dy and x (..., D), scale (D,) -> dx as x, dscale (D,).

    >>> rms_norm_backward(np.array([[1.0, 1.0]]), np.array([[2.0, 2.0]]), eps=0)
    (array([[0., 0.]]), array([1., 1.]))
    """
    dtype = np.asarray(x).dtype
    dy, x = widen(dy), widen(x)
    dz, dx = scaled(dy, scale), np.empty_like(x)
    for row in np.ndindex(*x.shape[:-1]):
        r = np.sqrt(np.mean(x[row] ** 2) + x.dtype.type(eps))
        z = x[row] / r
        dx[row] = (dz[row] - z * np.mean(dz[row] * z)) / r
    return cast(dx, dtype), affine_gradients(dy, rms_norm(x, eps=eps))[0]
