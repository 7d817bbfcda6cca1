"""Boxes in and out of detectors: what is true, what is found, and where the anchors lie."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxnets import ops
from jaxnets.ops import check


class Targets(NamedTuple):
    """What is in each image of a batch, G things at most. Boxes that are not `valid` are not there.

    Attributes:
        boxes: (N, G, 4) float32, corners x1, y1, x2, y2 in pixels.
        labels: (N, G) int32, their classes.
        valid: (N, G) bool.
    """

    boxes: jax.Array
    labels: jax.Array
    valid: jax.Array


class Detections(NamedTuple):
    """What was found in each image of a batch, best first, D things at most; zeros where `valid` is False.

    Attributes:
        boxes: (N, D, 4) float32, corners x1, y1, x2, y2 in pixels.
        labels: (N, D) int32, their classes.
        scores: (N, D) float32, probabilities or the like.
        valid: (N, D) bool.
    """

    boxes: jax.Array
    labels: jax.Array
    scores: jax.Array
    valid: jax.Array


def grids(image_size: tuple[int, int], levels: Sequence[int]) -> list[tuple[int, int]]:
    """Rows and columns of each level's map: sides halved `level` times and rounded up.

    >>> grids((33, 64), [2, 3])
    [(9, 16), (5, 8)]
    """
    height, width = check.per_axis("grids", image_size, 2, "image_size")
    return [(-(-height // 2**level), -(-width // 2**level)) for level in levels]


def pyramid_anchors(
    image_size: tuple[int, int],
    levels: Sequence[int],
    sizes: Sequence[Sequence[float]],
    ratios: Sequence[float],
) -> tuple[jax.Array, list[int]]:
    """The anchors of all levels, finest first, (A, 4), and how many of them each level has.

    `sizes`: those of each level, in pixels; `ratios`: height / width, of all. The step of a grid is the image's side
    over the grid's, rounded down, as torchvision has it.
    """
    found = []
    for grid, own in zip(grids(image_size, levels), sizes, strict=True):
        stride = tuple(max(side // n, 1) for side, n in zip(image_size, grid, strict=True))
        found.append(ops.grid_anchors(ops.cell_anchors(own, ratios), grid, stride))
    return jnp.concatenate(found), [len(each) for each in found]


def clipped(boxes: jax.Array, size: jax.Array) -> jax.Array:
    """Boxes (..., 4) cut off at the edges of an image of `size` (2,), an array of height and width."""
    limits = jnp.tile(size[::-1].astype(boxes.dtype), 2).reshape((1,) * (boxes.ndim - 1) + (4,))
    return jnp.clip(boxes, jnp.zeros_like(limits), limits)


def image_sizes(n: int, image_size: tuple[int, int], sizes: jax.Array | None) -> jax.Array:
    """(N, 2): how much of each padded image is image; all of it where `sizes` is None."""
    if sizes is None:
        return jnp.broadcast_to(jnp.asarray(image_size, jnp.float32), (n, 2))
    if sizes.shape != (n, 2):
        raise ValueError(f"sizes has shape {sizes.shape}; pass ({n}, 2), the height and width of each image")
    return sizes.astype(jnp.float32)


def best_of_levels(scores: jax.Array, counts: Sequence[int], most: int) -> jax.Array:
    """Positions in scores (A, K), flat, of the `most` best of each level; `counts` are the anchors of each."""
    found, first = [], 0
    for count in counts:
        own = scores[first : first + count].ravel()
        found.append(jax.lax.top_k(own, min(most, own.size))[1] + first * scores.shape[1])
        first += count
    return jnp.concatenate(found)


def chosen(
    boxes: jax.Array,
    scores: jax.Array,
    labels: jax.Array,
    valid: jax.Array,
    *,
    threshold: float,
    max_output: int,
) -> Detections:
    """Suppression by class of the boxes (B, 4) of one image."""
    at, found = ops.nms(boxes, scores, threshold, classes=labels, valid=valid, max_output=max_output)
    some = found[:, None]
    return Detections(
        jnp.where(some, boxes[at], jnp.zeros_like(boxes[at])),
        jnp.where(found, labels[at], jnp.zeros_like(labels[at])),
        jnp.where(found, scores[at], jnp.zeros_like(scores[at])),
        found,
    )


def fits(op: str, logits: jax.Array, anchors: jax.Array) -> None:
    """`ValueError` unless there is an anchor for each row of the logits (N, A, K)."""
    if logits.shape[1] != len(anchors):
        raise ValueError(
            f"{op}: outputs have {logits.shape[1]} anchors, but image_size and the anchors' sizes and ratios make "
            f"{len(anchors)}; pass those of the network and its images"
        )
