"""Blur pooling: smooth with a binomial filter, then keep every stride-th element."""

from __future__ import annotations

from collections.abc import Sequence
from math import comb

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxnets.ops import check
from jaxnets.ops.geometry import Ints, Window
from jaxnets.ops.pad import modes_per_axis, pad
from jaxnets.ops.precision import widen


def _binomial(size: int) -> list[float]:
    """A row of Pascal's triangle, normalized.

    >>> _binomial(3)
    [0.25, 0.5, 0.25]
    """
    return [comb(size - 1, t) / 2 ** (size - 1) for t in range(size)]


def blur_pool(
    x: jax.Array, size: Ints = 3, stride: Ints = 2, *, padding_mode: str | Sequence[str] = "reflect"
) -> jax.Array:
    """Smooth, then subsample, so that fine detail does not alias: a binomial filter along each axis, strided.

    Shapes: (N, *spatial, C) → (N, *ceil(spatial / stride), C). Arguments: `size`, the taps of the filter, and
    `stride`, in elements, an int or one per axis; the axes are padded by `((size - 1) // 2, size // 2)` in
    `padding_mode`, `"reflect"`, `"replicate"`, `"circular"` or `"zeros"`, or one of them per axis. Computed in
    float32 at least and returned in `x`'s dtype; integers give float32. Raises `ValueError` for a size or stride
    below 1, an unknown mode, or an axis too short to be padded so. Gradient: each element gets what it gave, by the
    same weights. Cost: `size` multiply-adds an element and axis, the axes one after the other. Zhang, 2019,
    https://arxiv.org/abs/1904.11486.

    >>> import jax.numpy as jnp
    >>> blur_pool(jnp.array([0., 4., 0., 0., 8.]).reshape(1, 5, 1)).ravel()
    Array([2., 1., 4.], dtype=float32)
    """
    op = "blur_pool"
    x = check.images(op, x)
    rank = x.ndim - 2
    sizes = check.per_axis(op, size, rank, "size")
    modes = modes_per_axis(op, padding_mode, rank)
    window = Window.of(op, x.shape[1:-1], sizes, stride, [((k - 1) // 2, k // 2) for k in sizes])
    y = pad(widen(x), window.pads, modes, op=op)
    for axis, (k, s, out) in enumerate(zip(sizes, window.stride, window.out, strict=True), start=1):
        taps = (lax.slice_in_dim(y, t, t + (out - 1) * s + 1, stride=s, axis=axis) for t in range(k))
        weighted = [tap * np.asarray(w, y.dtype) for tap, w in zip(taps, _binomial(k), strict=True)]
        y = sum(weighted[1:], start=weighted[0])
    return y.astype(x.dtype if jnp.issubdtype(x.dtype, jnp.floating) else jnp.float32)
