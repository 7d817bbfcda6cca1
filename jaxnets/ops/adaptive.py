"""Adaptive pooling: the output size is given, the windows follow. Arrays in, arrays out, 1, 2 and 3 spatial axes."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets.ops import check
from jaxnets.ops.kernels import axis as kernel
from jaxnets.ops.kernels import irregular
from jaxnets.ops.kernels.pool import take
from jaxnets.ops.precision import widen

OutputSize = int | None | Sequence[int | None]


def _sizes(op: str, x: jax.Array, output_size: OutputSize) -> tuple[int, ...]:
    """`output_size` with every None replaced by the size of its axis; every axis must have something to pool."""
    spatial = x.shape[1:-1]
    if 0 in spatial:
        raise ValueError(f"{op}: x has shape {x.shape}; a window over an empty spatial axis holds nothing, so pad x")
    if output_size is None:
        return spatial
    if isinstance(output_size, Sequence) and len(output_size) == len(spatial):
        output_size = [n if o is None else o for n, o in zip(spatial, output_size, strict=True)]
    return check.per_axis(op, output_size, len(spatial), "output_size")


def _bounds(n: int, out: int) -> tuple[np.ndarray, np.ndarray]:
    """Where the `out` windows over n elements start and stop: `floor(i * n / out)` and `ceil((i + 1) * n / out)`."""
    i = np.arange(out)
    return i * n // out, -(-(i + 1) * n // out)


def adaptive_avg_pool(x: jax.Array, output_size: OutputSize) -> jax.Array:
    """Average pooling to a given size: the mean of each of `output_size` windows that cover the input evenly.

    Window i of n elements is `[floor(i * n / out), ceil((i + 1) * n / out))`, as PyTorch has it: sizes differ by at
    most one, and neighbors overlap where `n / out` is no integer; `out` may be larger than `n`.
    Shapes: (N, *spatial, C) → (N, *output_size, C). Argument: `output_size`, an int of at least 1 or one per axis,
    None to keep an axis. Summed in float32 at least and returned in `x`'s dtype; integers give float32, as
    `jax.numpy.mean` does. Raises `ValueError` for an empty spatial axis, an output below 1 or the wrong number of
    them. Gradient: each element gets its share, `1 / count`, of every window that holds it. Cost: one addition an
    element where `out` divides n, otherwise one for each element of each window, one axis after the other. He et al.,
    2014, https://arxiv.org/abs/1406.4729.

    >>> import jax.numpy as jnp
    >>> adaptive_avg_pool(jnp.array([1., 2., 3., 4., 5.]).reshape(1, 5, 1), 3).ravel()
    Array([1.5, 3. , 4.5], dtype=float32)
    """
    op = "adaptive_avg_pool"
    x = check.images(op, x)
    dtype = x.dtype if jnp.issubdtype(x.dtype, jnp.floating) else jnp.float32
    y = widen(x)
    for axis, out in enumerate(_sizes(op, x, output_size), start=1):
        n = x.shape[axis]
        if n % out == 0:
            y = y.reshape(*y.shape[:axis], out, n // out, *y.shape[axis + 1 :]).mean(axis + 1)
        else:
            starts, stops = _bounds(n, out)
            i = np.arange(n)
            inside = (i >= starts[:, None]) & (i < stops[:, None])
            y = kernel.product(y, inside / inside.sum(1, keepdims=True), axis)
    return y.astype(dtype)


def adaptive_max_pool(x: jax.Array, output_size: OutputSize) -> jax.Array:
    """Max pooling to a given size: the largest element of each of `output_size` windows that cover the input evenly.

    Windows, shapes, argument and errors are those of `adaptive_avg_pool`; every real dtype is kept, and NaN wins.
    Gradient: to the first maximum of each window in row-major order. Cost: a gather and a comparison for each element
    of each window, one axis after the other. He et al., 2014, https://arxiv.org/abs/1406.4729.

    >>> import jax.numpy as jnp
    >>> adaptive_max_pool(jnp.array([1, 5, 3, 4, 2]).reshape(1, 5, 1), 3).ravel()
    Array([5, 5, 4], dtype=int32)
    """
    op = "adaptive_max_pool"
    x = check.images(op, x)
    tables = []
    for n, out in zip(x.shape[1:-1], _sizes(op, x, output_size), strict=True):
        starts, stops = _bounds(n, out)
        taps = np.arange((stops - starts).max())
        table = np.minimum(starts[:, None] + taps[None, :], stops[:, None] - 1)
        tables.append(jnp.asarray(table[None, :, :, None], jnp.int32))
    return take(x, irregular.first_maxima(x, tables))
