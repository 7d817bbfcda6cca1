"""Max pooling that says where its maxima were, and unpooling, which puts them back."""

from __future__ import annotations

from functools import partial
from math import prod

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets.ops import check
from jaxnets.ops.geometry import Ints, Padding, pads
from jaxnets.ops.kernels import pool as kernel
from jaxnets.ops.pool import pool_window


def max_pool_with_indices(
    x: jax.Array,
    size: Ints,
    stride: Ints | None = None,
    *,
    padding: Padding = "VALID",
    dilation: Ints = 1,
    ceil_mode: bool = False,
) -> tuple[jax.Array, jax.Array]:
    """Max pooling, and where each maximum was: flat row-major positions in the unpadded spatial axes of one image.

    Shapes: (N, *spatial, C) → two of (N, *out, C), the second int32. Arguments, errors, gradient and cost are those of
    `max_pool`; the first maximum in row-major order wins a tie, and the first NaN wins over every number.
    The indices have no gradient. The indices are PyTorch's. Zeiler & Fergus, 2014, https://arxiv.org/abs/1311.2901.

    >>> import jax.numpy as jnp
    >>> y, indices = max_pool_with_indices(jnp.array([3., 1., 2., 5.]).reshape(1, 4, 1), 2)
    >>> y.ravel(), indices.ravel()
    (Array([3., 5.], dtype=float32), Array([0, 3], dtype=int32))
    """
    op = "max_pool_with_indices"
    x = check.images(op, x)
    indices = kernel.window_argextremum(x, pool_window(op, x, size, stride, padding, dilation, ceil_mode), "max")
    return kernel.take(x, indices), indices


def _indices(op: str, indices: jax.Array, y: jax.Array, spatial: tuple[int, ...]) -> jax.Array:
    """`indices` checked against y and the output, as int32 with everything out of range at `prod(spatial)`."""
    indices = check.array(op, indices, "indices")
    if not jnp.issubdtype(indices.dtype, jnp.integer):
        raise TypeError(f"{op}: indices has dtype {indices.dtype}; pass the int32 positions of max_pool_with_indices")
    if indices.shape != y.shape:
        raise ValueError(f"{op}: indices has shape {indices.shape} but y {y.shape}; pass one position for each element")
    total = prod(spatial)
    if not isinstance(indices, jax.core.Tracer) and indices.size:
        least, most = np.min(indices), np.max(indices)
        if least < 0 or most >= total:
            raise ValueError(
                f"{op}: indices go from {least} to {most}, but an output of spatial shape {spatial} has positions 0 to "
                f"{total - 1}; pass the output_size that was pooled"
            )
    inside = (indices >= 0) & (indices < total)
    return jnp.where(inside, indices, jnp.full_like(indices, total)).astype(jnp.int32)


def _at(y: jax.Array, indices: jax.Array, total: int):  # type: ignore[no-untyped-def]
    """Zeros (N, total, C), to be written at `indices`."""
    samples = jnp.arange(y.shape[0], dtype=jnp.int32)[:, None, None]
    channels = jnp.arange(y.shape[2], dtype=jnp.int32)[None, None, :]
    return jnp.zeros((y.shape[0], total, y.shape[2]), y.dtype).at[samples, indices, channels]


@partial(jax.custom_jvp, nondiff_argnums=(2,))
def _put(y: jax.Array, indices: jax.Array, total: int) -> jax.Array:
    """(N, pixels, C) put at indices (N, pixels, C) of zeros (N, total, C); what is beyond `total` is dropped."""
    return _at(y, indices, total).set(y, mode="drop")


@_put.defjvp
def _put_jvp(total: int, primals, tangents):  # type: ignore[no-untyped-def]
    # The derivative of adding, not of setting: its transpose is a plain gather, so that each of several elements on
    # one place gets that place's gradient, as in PyTorch. JAX's own rule would give it to one of them.
    (y, indices), (dy, _) = primals, tangents
    return _put(y, indices, total), _at(dy, indices, total).add(dy, mode="drop")


def max_unpool(
    y: jax.Array,
    indices: jax.Array,
    size: Ints,
    stride: Ints | None = None,
    *,
    padding: Padding = "VALID",
    output_size: Ints | None = None,
) -> jax.Array:
    """The partial inverse of `max_pool_with_indices`: each maximum at its place, zeros elsewhere.

    Shapes: y and indices (N, *out, C) → (N, *output_size, C), dtype kept. Arguments: `size`, `stride` and `padding`
    of the pool, from which `output_size` follows, `(out - 1) * stride + size - low - high`; give `output_size`, an
    int or one per axis, where the pool had dilation, `"SAME"` padding, or elements that no window reached. Where
    windows overlap, several elements of y can have one place, and the same value; if the values differ, which of them
    stays is not defined.

    Raises `ValueError` for shapes that differ, an output size that is not known, or indices out of range; under `jit`
    the indices are not known, and those out of range are dropped. `TypeError` for indices that are no integers.
    Gradient: that of the output at the index, for every element, also where several share a place (as PyTorch), and 0
    for those dropped; forward-mode tangents add up there. Cost: a scatter. Zeiler, Taylor & Fergus, 2011,
    https://doi.org/10.1109/ICCV.2011.6126474.

    >>> import jax.numpy as jnp
    >>> y, indices = jnp.array([3., 5.]).reshape(1, 2, 1), jnp.array([0, 3]).reshape(1, 2, 1)
    >>> max_unpool(y, indices, 2).ravel()
    Array([3., 0., 0., 5.], dtype=float32)
    """
    op = "max_unpool"
    y = check.images(op, y)
    rank, out = y.ndim - 2, y.shape[1:-1]
    sizes = check.per_axis(op, size, rank, "size")
    strides = check.per_axis(op, size if stride is None else stride, rank, "stride")
    if output_size is not None:
        spatial = check.per_axis(op, output_size, rank, "output_size")
    elif isinstance(padding, str) and padding == "SAME":
        raise ValueError(f"{op}: with padding 'SAME' several inputs give an output of {out}; pass output_size")
    else:
        pairs = pads(padding, out, sizes, strides, op=op)
        spatial = tuple(
            (o - 1) * s + k - low - high for o, s, k, (low, high) in zip(out, strides, sizes, pairs, strict=True)
        )
        if min(spatial) < 1:
            raise ValueError(
                f"{op}: the output would have spatial shape {spatial}; use less padding, or pass output_size"
            )
    flat = (y.shape[0], prod(out), y.shape[-1])
    at = _indices(op, indices, y, spatial)
    return _put(y.reshape(flat), at.reshape(flat), prod(spatial)).reshape(y.shape[0], *spatial, y.shape[-1])
