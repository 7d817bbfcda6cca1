"""Normalization: subtract a mean, divide by a spread, then scale and shift.

Which elements share a mean and a spread is all that tells one kind from another. Everything is computed in float32
(float64 for float64) and rounded to the input's dtype at the end.
"""

import numpy as np
from numpy.typing import ArrayLike

from jaxnets.reference.dtypes import Array, cast, widen


def affine(y: Array, scale: ArrayLike | None, shift: ArrayLike | None) -> Array:
    """y * scale + shift along the last axis, either of which may be missing."""
    y = y if scale is None else y * np.asarray(scale).astype(y.dtype)
    return y if shift is None else y + np.asarray(shift).astype(y.dtype)


def standardize(x: Array, eps: float) -> Array:
    """(x - mean) / sqrt(var + eps) over all elements of `x`; the variance is the mean squared deviation.

    >>> standardize(np.array([1.0, 3.0]), eps=0.0)
    array([-1.,  1.])
    """
    deviation = x - np.mean(x)
    return deviation / np.sqrt(np.mean(deviation**2) + x.dtype.type(eps))


def batch_norm(
    x: ArrayLike,
    mean: ArrayLike,
    var: ArrayLike,
    scale: ArrayLike | None = None,
    shift: ArrayLike | None = None,
    *,
    eps: float = 1e-5,
) -> Array:
    """Normalize each channel by the given statistics.

        y[..., c] = (x[..., c] - mean[c]) / sqrt(var[c] + eps) * scale[c] + shift[c]

    Shapes: x (..., C), the others (C,) -> (..., C).
    Reference: Ioffe and Szegedy 2015.

    >>> batch_norm(np.array([[5.0]]), np.array([1.0]), np.array([4.0]), eps=0)
    array([[2.]])
    """
    dtype, x = np.asarray(x).dtype, widen(x)
    m, v = np.asarray(mean).astype(x.dtype), np.asarray(var).astype(x.dtype)
    return cast(affine((x - m) / np.sqrt(v + x.dtype.type(eps)), scale, shift), dtype)


def layer_norm(
    x: ArrayLike, scale: ArrayLike | None = None, shift: ArrayLike | None = None, *, eps: float = 1e-5
) -> Array:
    """Normalize every row along the last axis by its own mean and variance.

        y[..., :] = (x[..., :] - mean) / sqrt(var + eps) * scale + shift,   mean and var over the last axis

    Shapes: x (..., D), scale and shift (D,) -> (..., D).
    Reference: Ba et al. 2016.

    >>> layer_norm(np.array([[1.0, 3.0], [10.0, 30.0]]), eps=0)
    array([[-1.,  1.],
           [-1.,  1.]])
    """
    dtype, x = np.asarray(x).dtype, widen(x)
    y = np.empty_like(x)
    for row in np.ndindex(*x.shape[:-1]):
        y[row] = standardize(x[row], eps)
    return cast(affine(y, scale, shift), dtype)


def group_norm(
    x: ArrayLike,
    groups: int,
    scale: ArrayLike | None = None,
    shift: ArrayLike | None = None,
    *,
    eps: float = 1e-5,
) -> Array:
    """Normalize, in every sample, each group of neighboring channels over all of space.

        y[n, p, c] = (x[n, p, c] - mean[n, g]) / sqrt(var[n, g] + eps) * scale[c] + shift[c],   g = c // (C // groups)

    Shapes: x (N, *spatial, C), scale and shift (C,) -> (N, *spatial, C). Raises ValueError if groups do not divide C.
    Reference: Wu and He 2018.

    >>> group_norm(np.array([[[1.0, 3.0, 0.0, 4.0]]]), 2, eps=0)
    array([[[-1.,  1., -1.,  1.]]])
    """
    dtype, x = np.asarray(x).dtype, widen(x)
    if groups < 1 or x.shape[-1] % groups:
        raise ValueError(f"{groups} groups do not divide {x.shape[-1]} channels")
    width = x.shape[-1] // groups
    y = np.empty_like(x)
    for n in range(x.shape[0]):
        for g in range(groups):
            part = (n, ..., slice(g * width, (g + 1) * width))
            y[part] = standardize(x[part], eps)
    return cast(affine(y, scale, shift), dtype)


def instance_norm(
    x: ArrayLike, scale: ArrayLike | None = None, shift: ArrayLike | None = None, *, eps: float = 1e-5
) -> Array:
    """Normalize, in every sample, each channel over all of space: `group_norm` with one channel a group.

    Shapes: x (N, *spatial, C), scale and shift (C,) -> (N, *spatial, C).
    Reference: Ulyanov et al. 2016.

    >>> instance_norm(np.array([[[1.0, 5.0], [3.0, 9.0]]]), eps=0)[0]
    array([[-1., -1.],
           [ 1.,  1.]])
    """
    return group_norm(x, np.shape(x)[-1], scale, shift, eps=eps)


def rms_norm(x: ArrayLike, scale: ArrayLike | None = None, *, eps: float = 1e-6) -> Array:
    """Divide every row along the last axis by its root mean square; no mean is subtracted.

        y[..., :] = x[..., :] / sqrt(mean(x^2) + eps) * scale

    Shapes: x (..., D), scale (D,) -> (..., D).
    Reference: Zhang and Sennrich 2019.

    >>> rms_norm(np.array([3.0, 3.0, 3.0]), eps=0)
    array([1., 1., 1.])
    """
    dtype, x = np.asarray(x).dtype, widen(x)
    y = np.empty_like(x)
    for row in np.ndindex(*x.shape[:-1]):
        y[row] = x[row] / np.sqrt(np.mean(x[row] ** 2) + x.dtype.type(eps))
    return cast(affine(y, scale, None), dtype)
