"""Resizing the spatial axes by interpolation. Arrays in, arrays out, for 1, 2 and 3 of them."""

from __future__ import annotations

import jax
import numpy as np

from jaxnets.ops import check
from jaxnets.ops.geometry import Ints
from jaxnets.ops.kernels import axis as kernel
from jaxnets.ops.precision import widen, widen_narrow

METHODS = ("nearest", "linear", "cubic")


def _source(n: int, out: int, align_corners: bool) -> tuple[np.ndarray, int]:
    """The coordinate of each output among the n input pixels, as integers over one common denominator."""
    i = np.arange(out)
    if align_corners:
        return i * (n - 1), max(out - 1, 1)
    return (2 * i + 1) * n - out, 2 * out


def _keys(distance: np.ndarray) -> np.ndarray:
    """The cubic convolution kernel of Keys (1981) with PyTorch's a = -0.75."""
    a, d = -0.75, np.abs(distance)
    near = (a + 2) * d**3 - (a + 3) * d**2 + 1
    far = a * d**3 - 5 * a * d**2 + 8 * a * d - 4 * a
    return np.where(d <= 1, near, np.where(d < 2, far, 0))


def _weights(n: int, out: int, method: str, align_corners: bool) -> np.ndarray:
    """The (out, n) matrix of linear or cubic interpolation; the weight of positions beyond an edge is the edge's.

    >>> _weights(2, 4, "linear", False)
    array([[1.  , 0.  ],
           [0.75, 0.25],
           [0.25, 0.75],
           [0.  , 1.  ]])
    """
    numerator, denominator = _source(n, out, align_corners)
    below = numerator // denominator
    fraction = (numerator - below * denominator) / denominator
    matrix, rows = np.zeros((out, n)), np.arange(out)
    for t in (0, 1) if method == "linear" else (-1, 0, 1, 2):
        weight = 1 - np.abs(fraction - t) if method == "linear" else _keys(fraction - t)
        np.add.at(matrix, (rows, np.clip(below + t, 0, n - 1)), weight)
    return matrix


def _nearest(n: int, out: int, align_corners: bool) -> np.ndarray:
    """The input pixel under each output pixel's coordinate, the upper one of two that are equally near."""
    numerator, denominator = _source(n, out, align_corners)
    return (2 * numerator + denominator) // (2 * denominator)


def resize(x: jax.Array, output_size: Ints, method: str = "linear", *, align_corners: bool = False) -> jax.Array:
    """Resize by interpolation, without smoothing first (`blur_pool` is for that).

    Pixels are centered: output i lies at `(i + 0.5) * n / out - 0.5` of the n inputs; with `align_corners` the first
    and last pixels coincide, `i * (n - 1) / (out - 1)`. Beyond an edge, the edge's pixel, as PyTorch has it.
    Shapes: (N, *spatial, C) → (N, *output_size, C). Arguments: `output_size` in elements, an int or one per axis;
    `method`: `"nearest"`, one pixel (PyTorch's `nearest-exact`), every real dtype; `"linear"`, two an axis; `"cubic"`,
    four an axis, by Keys's kernel with a = -0.75. The last two in float32 at least and floating point only.

    Raises `ValueError` for an unknown method, an output size below 1 or an empty axis, and `TypeError` for integers
    into `"linear"` or `"cubic"`. Gradient: each element gets what it gave, by the same weights. Cost: a gather for each
    pixel, one axis after the other, and in the gradient too. Keys, 1981, https://doi.org/10.1109/TASSP.1981.1163711.

    >>> import jax.numpy as jnp
    >>> resize(jnp.array([0., 4.]).reshape(1, 2, 1), 4).ravel()
    Array([0., 1., 3., 4.], dtype=float32)
    """
    op = "resize"
    x = check.images(op, x)
    sizes = check.per_axis(op, output_size, x.ndim - 2, "output_size")
    if method not in METHODS:
        raise ValueError(f"{op}: unknown method {method!r}; pass one of {', '.join(METHODS)}")
    if 0 in x.shape[1:-1]:
        raise ValueError(f"{op}: x has shape {x.shape}; an empty spatial axis has no pixel to interpolate")
    y = widen_narrow(x) if method == "nearest" else widen(check.floating(op, x))
    for axis, out in enumerate(sizes, start=1):
        n = x.shape[axis]
        if method == "nearest":
            y = kernel.select(y, _nearest(n, out, align_corners), axis)
        elif out != n:  # equal sizes are the identity, by either convention
            y = kernel.product(y, _weights(n, out, method, align_corners), axis)
    return y.astype(x.dtype)
