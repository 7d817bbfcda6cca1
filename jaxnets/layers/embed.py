"""A table of learned vectors, looked up by number."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike

from jaxnets.core import Layer, Params, pure
from jaxnets.layers import arguments, initializers
from jaxnets.layers.initializers import Initializer
from jaxnets.layers.leaves import Example, draw, example, fit, read
from jaxnets.ops import check

UNIT_NORMAL = initializers.variance_scaling(1.0, "fan_out", "normal")
"""Variance 1 / channels: a vector has length 1, in the root mean square."""


def _ids(op: str, ids: Any) -> jax.Array:
    ids = check.array(op, ids)
    if not jnp.issubdtype(ids.dtype, jnp.integer):
        raise TypeError(f"{op}: x has dtype {ids.dtype}, but rows are looked up by number; pass integers")
    # int32 at least, so that the number of rows can be compared with an id whatever its width.
    return ids.astype(jnp.int32) if ids.dtype.itemsize < 4 else ids


def embed(
    num_embeddings: int,
    channels: int,
    *,
    dtype: DTypeLike = jnp.float32,
    w_init: Initializer = UNIT_NORMAL,
) -> Layer:
    """The row of w that each id names: integers in, learned vectors out.

    Shapes: (…) integers → (…, channels). Parameters: w (num_embeddings, channels), float32.
    Arguments: ids run from 0 to `num_embeddings - 1`. `dtype` is that of the output, as the input has none to follow.
    `w_init` is by default normal with variance `1 / channels`, which makes vectors of about unit length.

    Ids out of range, negative ones too: `ValueError` where their values are known, at the price of waiting for
    them. Under `jit`, where no value is known, they give the zero vector and no gradient: never another id's vector,
    never NaN. Also raises `TypeError` for ids that are not integers, and `ValueError` for no key in `init`.
    Gradient: to the rows looked up. Cost: one gather. Bengio et al., 2003, A Neural Probabilistic Language Model,
    https://jmlr.org/papers/v3/bengio03a.html.

    >>> layer = embed(10, 4)
    >>> params, state = layer.init(jax.random.key(0), jnp.array([[1, 2, 9]]))
    >>> layer.apply(params, state, jnp.array([[1, 2, 9]]))[0].shape
    (1, 3, 4)
    """
    op = "embed"
    rows = check.whole(op, num_embeddings, "num_embeddings")
    channels = check.whole(op, channels, "channels")
    arguments.function(op, w_init, "w_init")
    dtype = jnp.dtype(dtype)
    if not jnp.issubdtype(dtype, jnp.floating):
        raise TypeError(f"{op}: dtype is {dtype}; the vectors are floating point: pass such as jax.numpy.bfloat16")

    shapes = {"w": (rows, channels)}

    def init(key: jax.Array, x: Example) -> Params:
        example(op, x, lambda op, ids: _ids(op, ids)[..., None])  # an id is a number: give it the axis of channels
        return draw(op, key, shapes, {"w": w_init})

    def apply(params: Params, x: jax.Array) -> jax.Array:
        ids = _ids(op, x)
        leaves = read(op, params, shapes, jnp.float32)
        fit(op, leaves, shapes, ids)
        if not isinstance(ids, jax.core.Tracer) and ids.size:
            low, high = int(np.min(ids)), int(np.max(ids))
            if low < 0 or high >= rows:
                raise ValueError(f"{op}: ids from {low} to {high} seen, but they must lie in 0..{rows - 1}")
        known = (ids >= 0) & (ids < rows)
        vectors = jnp.take(leaves["w"], jnp.where(known, ids, jnp.zeros_like(ids)), axis=0, mode="clip")
        # Cast after the gather: the gradients of a row that is looked up often are summed in float32.
        return jnp.where(known[..., None], vectors, jnp.zeros_like(vectors)).astype(dtype)

    return pure(init, apply)
