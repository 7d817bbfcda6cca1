"""Fractional max pooling: windows at pseudo-random places, for reductions by less than two."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets.ops import check
from jaxnets.ops.geometry import Ints
from jaxnets.ops.kernels import irregular
from jaxnets.ops.kernels.pool import take
from jaxnets.ops.precision import widen


def _samples(op: str, x: jax.Array, key: jax.Array | None, samples: jax.Array | None) -> jax.Array:
    """One number in [0, 1) for each sample, channel and spatial axis: given, or drawn."""
    shape = (x.shape[0], x.shape[-1], x.ndim - 2)
    if (key is None) == (samples is None):
        seen = "neither" if key is None else "both"
        raise ValueError(f"{op}: pass key=jax.random.key(...) or samples= of shape {shape}, exactly one; got {seen}")
    if key is not None:
        return jax.random.uniform(key, shape, jnp.float32)
    u = check.floating(op, samples, "samples")
    if u.shape != shape:
        raise ValueError(f"{op}: samples has shape {u.shape}; it needs {shape}: (N, C, one per spatial axis)")
    if not isinstance(u, jax.core.Tracer) and u.size and not (np.min(u) >= 0 and np.max(u) < 1):
        raise ValueError(f"{op}: samples go from {np.min(u)} to {np.max(u)}; they must lie in [0, 1)")
    return widen(u)


def _starts(u: jax.Array, n: int, size: int, out: int) -> jax.Array:
    """Where the `out` windows of an axis of n begin: u (N, C) → (N, out, C), in u's own precision, as PyTorch."""
    last = jnp.full((u.shape[0], 1, u.shape[1]), n - size, jnp.int32)
    alpha = np.asarray(n - size, u.dtype) / np.asarray(max(out - 1, 1), u.dtype)
    i = jnp.arange(out - 1, dtype=u.dtype)[None, :, None]
    u = u[:, None, :]
    starts = ((i + u) * alpha).astype(jnp.int32) - (u * alpha).astype(jnp.int32)
    return jnp.concatenate([jnp.clip(starts, 0, n - size), last], axis=1)


def fractional_max_pool(
    x: jax.Array,
    size: Ints,
    output_size: Ints,
    *,
    key: jax.Array | None = None,
    samples: jax.Array | None = None,
) -> jax.Array:
    """Max pooling to a given size with windows at pseudo-random places, other ones in each sample and channel.

    With a number u in [0, 1) and `alpha = (n - size) / (out - 1)`, window i of an axis of n elements begins at
    `floor((i + u) * alpha) - floor(u * alpha)`, the last at `n - size`: PyTorch's sequence.
    Shapes: (N, *spatial, C) → (N, *output_size, C), every real dtype kept, NaN wins. Arguments: `size` and
    `output_size` in elements, an int or one per axis; either `key`, from which u is drawn uniformly, or `samples` (N,
    C, rank), the numbers u in the order of the spatial axes. Raises `ValueError` for both or neither, samples out of
    range (under `jit` the windows are kept inside x instead), or windows that do not fit: `output_size + size - 1 >
    n`. Gradient: to the first maximum of each window in row-major order. Cost: a gather and a comparison for each
    element of each window, one axis after the other. Graham, 2014, https://arxiv.org/abs/1412.6071.

    >>> import jax.numpy as jnp
    >>> x = jnp.arange(7).reshape(1, 7, 1)
    >>> fractional_max_pool(x, 2, 4, samples=jnp.zeros((1, 1, 1))).ravel()
    Array([1, 2, 4, 6], dtype=int32)
    """
    op = "fractional_max_pool"
    x = check.images(op, x)
    rank, spatial = x.ndim - 2, x.shape[1:-1]
    sizes = check.per_axis(op, size, rank, "size")
    outs = check.per_axis(op, output_size, rank, "output_size")
    for axis, (n, k, out) in enumerate(zip(spatial, sizes, outs, strict=True)):
        if out + k - 1 > n:
            raise ValueError(
                f"{op}: on spatial axis {axis} {out} windows of {k} do not fit an input of {n}: output_size + size - 1 "
                f"must be at most {n}; use a smaller output_size or size"
            )
    u = _samples(op, x, key, samples)
    tables = [
        _starts(u[..., axis], n, k, out)[:, :, None, :] + jnp.arange(k, dtype=jnp.int32)[None, None, :, None]
        for axis, (n, k, out) in enumerate(zip(spatial, sizes, outs, strict=True))
    ]
    return take(x, irregular.first_maxima(x, tables))
