"""Global pooling: one number per sample and channel. Arrays in, arrays out, 1, 2 and 3 spatial axes."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import lax

from jaxnets.ops import check
from jaxnets.ops.precision import widen


def _pixels(op: str, x: jax.Array) -> jax.Array:
    """(N, *spatial, C) → (N, pixels, C), of which there must be one."""
    x = check.images(op, x)
    if 0 in x.shape[1:-1]:
        raise ValueError(f"{op}: x has shape {x.shape}; there is nothing to pool on an empty spatial axis, so pad x")
    pixels = 1
    for n in x.shape[1:-1]:
        pixels *= n
    return x.reshape(x.shape[0], pixels, x.shape[-1])


def _shaped(y: jax.Array, x: jax.Array, keepdims: bool) -> jax.Array:
    """(N, C), or (N, 1, …, 1, C) with as many axes as x."""
    return y.reshape(y.shape[0], *[1] * (x.ndim - 2), y.shape[-1]) if keepdims else y


def global_avg_pool(x: jax.Array, *, keepdims: bool = False) -> jax.Array:
    """The mean of each channel over all of space.

    Shapes: (N, *spatial, C) → (N, C), or (N, 1, …, 1, C) with `keepdims`. Summed in float32 at least and returned in
    `x`'s dtype; integers give float32, as `jax.numpy.mean` does. Raises `ValueError` for an empty spatial axis.
    Gradient: each element gets an equal share. Cost: one addition an element. Lin, Chen & Yan, 2014, Network in
    Network, https://arxiv.org/abs/1312.4400.

    >>> import jax.numpy as jnp
    >>> global_avg_pool(jnp.array([1., 2., 6.]).reshape(1, 3, 1))
    Array([[3.]], dtype=float32)
    """
    pixels = _pixels("global_avg_pool", x)
    dtype = pixels.dtype if jnp.issubdtype(pixels.dtype, jnp.floating) else jnp.float32
    return _shaped(widen(pixels).mean(1).astype(dtype), x, keepdims)


def global_max_pool(x: jax.Array, *, keepdims: bool = False) -> jax.Array:
    """The maximum of each channel over all of space; NaN wins.

    Shapes: (N, *spatial, C) → (N, C), or (N, 1, …, 1, C) with `keepdims`; every real dtype is kept. Raises
    `ValueError` for an empty spatial axis. Gradient: to the first maximum in row-major order. Cost: one comparison an
    element. Oquab et al., 2015, Is Object Localization for Free?, https://doi.org/10.1109/CVPR.2015.7298668.

    >>> import jax.numpy as jnp
    >>> global_max_pool(jnp.array([1, 6, 2]).reshape(1, 3, 1), keepdims=True).shape
    (1, 1, 1)
    """
    pixels = _pixels("global_max_pool", x)
    best = jnp.argmax(lax.stop_gradient(pixels), axis=1, keepdims=True)
    return _shaped(jnp.take_along_axis(pixels, best, axis=1).squeeze(1), x, keepdims)
