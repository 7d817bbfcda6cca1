"""Anchors: the boxes on a grid that a detector corrects; and the numbers it corrects them by."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets.ops import check
from jaxnets.ops.boxes import checked
from jaxnets.ops.geometry import Ints

LARGEST = math.log(1000 / 16)
"""The largest logarithm of a growth: 62.5 times, so that one wild number does not become an infinite box."""

Weights = tuple[float, float, float, float]


def cell_anchors(sizes: Sequence[float], ratios: Sequence[float]) -> jax.Array:
    """The boxes round one point: of each ratio (height / width) all the sizes (square roots of areas, in pixels).

    Shapes: → (len(ratios) * len(sizes), 4), float32, centers at 0, corners rounded to whole pixels, as torchvision's
    `AnchorGenerator` has them. Raises `ValueError` for none, or one that is not above 0. Ren et al., 2015,
    https://arxiv.org/abs/1506.01497.

    >>> cell_anchors([32], [0.5, 1.0])
    Array([[-23., -11.,  23.,  11.],
           [-16., -16.,  16.,  16.]], dtype=float32)
    """
    for name, values in (("sizes", sizes), ("ratios", ratios)):
        if not len(values) or min(values) <= 0:
            raise ValueError(f"cell_anchors: {name} is {tuple(values)}; pass at least one number, all above 0")
    tall, one = np.sqrt(np.array(ratios, np.float32)), np.float32(1)
    side = np.array(sizes, np.float32)[None, :]
    widths, heights = ((factor[:, None] * side).ravel() for factor in (one / tall, tall))
    corners: np.ndarray[Any, np.dtype[np.float32]] = np.stack([-widths, -heights, widths, heights], axis=1)
    return jnp.asarray(np.round(corners / np.float32(2)))


def grid_anchors(cells: jax.Array, grid: Ints, stride: Ints) -> jax.Array:
    """The boxes of one point at every point of a grid (rows, columns) that lie `stride` pixels apart.

    Shapes: cells (A, 4) → (rows * columns * A, 4), row by row, the A of a point together: the order of a map
    (rows, columns, A * 4) reshaped to (-1, 4). Arguments: `grid` and `stride` an int or (along height, along width).
    Gradient: to cells.

    >>> grid_anchors(jnp.array([[-1.0, -1.0, 1.0, 1.0]]), (1, 2), 8)
    Array([[-1., -1.,  1.,  1.],
           [ 7., -1.,  9.,  1.]], dtype=float32)
    """
    op = "grid_anchors"
    cells = checked(op, cells, "cells", rank=2)
    grid, stride = check.per_axis(op, grid, 2, "grid", 0), check.per_axis(op, stride, 2, "stride")
    y, x = np.meshgrid(*(np.arange(n) * step for n, step in zip(grid, stride, strict=True)), indexing="ij")
    shifts = jnp.asarray(np.stack([x, y, x, y], axis=-1).reshape(-1, 1, 4), cells.dtype)
    return (shifts + cells[None]).reshape(-1, 4)


def _centers(boxes: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Centers and sides, (..., 2) each."""
    sides = boxes[..., 2:] - boxes[..., :2]
    return boxes[..., :2] + 0.5 * sides, sides


def _pair(op: str, a: jax.Array, name: str, anchors: jax.Array) -> tuple[jax.Array, jax.Array]:
    """`a` and `anchors` checked, and broadcast to one shape, so that one set of anchors serves a batch."""
    a, anchors = checked(op, a, name), checked(op, anchors, "anchors")
    try:
        shape = np.broadcast_shapes(a.shape, anchors.shape)
    except ValueError:
        raise ValueError(f"{op}: {name} is {a.shape} and anchors {anchors.shape}; pass one anchor for each") from None
    return jnp.broadcast_to(a, shape), jnp.broadcast_to(anchors, shape).astype(a.dtype)


def _weights(weights: Weights, like: jax.Array) -> jax.Array:
    if len(weights) != 4 or min(weights) <= 0:
        raise ValueError(f"weights is {tuple(weights)}; pass four numbers above 0, for x, y, width and height")
    return jnp.asarray(weights, like.dtype).reshape((1,) * (like.ndim - 1) + (4,))


def encode_boxes(boxes: jax.Array, anchors: jax.Array, *, weights: Weights = (1.0, 1.0, 1.0, 1.0)) -> jax.Array:
    """What turns anchors into boxes: the move of the center in sides of the anchor, the logarithm of the growth.

    Shapes: boxes (..., 4), anchors (..., 4), broadcast against each other → (..., 4): dx, dy, dw, dh, each times its
    weight. Sides must be above 0: others give infinities or NaN. Gradient: to both. Girshick et al., 2014,
    https://arxiv.org/abs/1311.2524, appendix C.

    >>> encode_boxes(jnp.array([2.0, 0.0, 6.0, 2.0]), jnp.array([0.0, 0.0, 4.0, 2.0]))
    Array([0.5, 0. , 0. , 0. ], dtype=float32)
    """
    boxes, anchors = _pair("encode_boxes", boxes, "boxes", anchors)
    (center, side), (origin, unit) = _centers(boxes), _centers(anchors)
    return jnp.concatenate([(center - origin) / unit, jnp.log(side / unit)], axis=-1) * _weights(weights, boxes)


def decode_boxes(codes: jax.Array, anchors: jax.Array, *, weights: Weights = (1.0, 1.0, 1.0, 1.0)) -> jax.Array:
    """The boxes that `codes` turn anchors into: the inverse of `encode_boxes`, growth limited to 62.5 times.

    Shapes, weights and source: those of `encode_boxes`. Gradient: to both, none to a growth beyond the limit.

    >>> decode_boxes(jnp.array([0.5, 0.0, 0.0, 0.0]), jnp.array([0.0, 0.0, 4.0, 2.0]))
    Array([2., 0., 6., 2.], dtype=float32)
    """
    codes, anchors = _pair("decode_boxes", codes, "codes", anchors)
    origin, unit = _centers(anchors)
    codes = codes / _weights(weights, codes)
    center = codes[..., :2] * unit + origin
    half = 0.5 * jnp.exp(jnp.minimum(codes[..., 2:], jnp.asarray(LARGEST, codes.dtype))) * unit
    return jnp.concatenate([center - half, center + half], axis=-1)


def encode_sides(boxes: jax.Array, anchors: jax.Array) -> jax.Array:
    """How far the four sides of a box lie from the center of its anchor, in sides of the anchor.

    Shapes: boxes (..., 4), anchors (..., 4), broadcast → (..., 4): left, top, right, bottom, above 0 where the center
    is inside. Gradient: to both. Tian et al., 2019, https://arxiv.org/abs/1904.01355.

    >>> encode_sides(jnp.array([0.0, 0.0, 8.0, 4.0]), jnp.array([0.0, 0.0, 4.0, 4.0]))
    Array([0.5, 0.5, 1.5, 0.5], dtype=float32)
    """
    boxes, anchors = _pair("encode_sides", boxes, "boxes", anchors)
    origin, unit = _centers(anchors)
    return jnp.concatenate([(origin - boxes[..., :2]) / unit, (boxes[..., 2:] - origin) / unit], axis=-1)


def decode_sides(codes: jax.Array, anchors: jax.Array) -> jax.Array:
    """The boxes whose sides lie as far from the anchors' centers as `codes` say: the inverse of `encode_sides`.

    >>> decode_sides(jnp.array([0.5, 0.5, 1.5, 0.5]), jnp.array([0.0, 0.0, 4.0, 4.0]))
    Array([0., 0., 8., 4.], dtype=float32)
    """
    codes, anchors = _pair("decode_sides", codes, "codes", anchors)
    origin, unit = _centers(anchors)
    return jnp.concatenate([origin - codes[..., :2] * unit, origin + codes[..., 2:] * unit], axis=-1)
