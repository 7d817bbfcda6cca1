"""ROI pooling: the largest of the whole pixels in each bin of a box."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from jaxnets.ops import check
from jaxnets.ops.geometry import Ints
from jaxnets.ops.roi_align import regions


def _bins(low: jax.Array, high: jax.Array, out: int, n: int) -> tuple[jax.Array, jax.Array]:
    """First and last-but-one pixel of every bin, (K, out) each, for boxes from pixel `low` to `high` (K,)."""
    extent = jnp.maximum(high - low + 1, 1)[:, None]
    i = jnp.arange(out, dtype=jnp.int32)[None]
    begin, end = (i * extent) // out, -((-(i + 1) * extent) // out)  # bins overlap where the extent does not divide
    return jnp.clip(low[:, None] + begin, 0, n), jnp.clip(low[:, None] + end, 0, n)


def roi_pool(x: jax.Array, boxes: jax.Array, output_size: Ints, *, scale: float = 1.0) -> jax.Array:
    """What is under each box, in bins: corners rounded to whole pixels of the map, the maximum of each bin.

    Shapes: x (N, H, W, C), boxes (N, R, 4) → (N, R, *output_size, C), the dtype of x. Arguments and errors: those of
    `roi_align`, which has replaced it. A bin outside of the map gives 0.
    Gradient: to the first maximum of each bin, row by row; none to the boxes. Cost: every pixel of every box is looked
    at once, in a loop as long as the largest bin. Girshick, 2015, https://arxiv.org/abs/1504.08083. torchvision's
    `roi_pool`, its bins computed in integers.

    >>> x = jnp.arange(16.0).reshape(1, 4, 4, 1)
    >>> roi_pool(x, jnp.array([[[0.0, 0.0, 3.0, 3.0]]]), 2)[0, 0, ..., 0]
    Array([[ 5.,  7.],
           [13., 15.]], dtype=float32)
    """
    op = "roi_pool"
    x, boxes = regions(op, x, boxes)
    out = check.per_axis(op, output_size, 2, "output_size")
    (n, height, width, channels), each = x.shape, boxes.shape[1]
    scaled = boxes.reshape(-1, 4) * jnp.asarray(scale, boxes.dtype)
    corners = (jnp.sign(scaled) * jnp.floor(jnp.abs(scaled) + 0.5)).astype(jnp.int32)  # halves away from zero, as in C
    top, bottom = _bins(corners[:, 1], corners[:, 3], out[0], height)
    left, right = _bins(corners[:, 0], corners[:, 2], out[1], width)
    first = jnp.repeat(jnp.arange(n, dtype=jnp.int32) * (height * width), each)[:, None, None]
    flat = x.reshape(-1, channels)
    values = jax.lax.stop_gradient(flat)
    columns = jnp.max(right - left, initial=0)

    def look(k: jax.Array, best: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        largest, where = best
        y, x = (top + k // columns)[:, :, None], (left + k % columns)[:, None, :]
        inside = (y < bottom[:, :, None]) & (x < right[:, None, :])
        at = jnp.where(inside, first + y * width + x, 0)
        value = values[at]
        larger = inside[..., None] & (value > largest)
        return jnp.where(larger, value, largest), jnp.where(larger, at[..., None], where)

    shape = (n * each, *out, channels)
    nothing = jnp.full(shape, -jnp.inf, x.dtype), jnp.full(shape, -1, jnp.int32)
    _, where = jax.lax.fori_loop(0, jnp.max(bottom - top, initial=0) * columns, look, nothing)
    pooled = flat[jnp.maximum(where, 0), jnp.arange(channels, dtype=jnp.int32).reshape(1, 1, 1, -1)]
    return jnp.where(where >= 0, pooled, jnp.zeros_like(pooled)).reshape(n, each, *out, channels)
