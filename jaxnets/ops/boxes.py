"""Axis-aligned boxes: other forms, areas, clipping, and how much two boxes overlap.

A box is four floats on the last axis. Unless said otherwise they are (x1, y1, x2, y2): the corners nearest to and
farthest from the image's first pixel, in pixels, x along the width. All shapes are fixed, for `jit`.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from jaxnets.ops import check
from jaxnets.ops.precision import widen

FORMS = ("xyxy", "xywh", "cxcywh")
KINDS = ("iou", "giou", "diou", "ciou")


def checked(op: str, boxes: Any, name: str = "boxes", rank: int | None = None) -> jax.Array:
    """`boxes` as floats (..., 4), of exactly `rank` axes if given."""
    boxes = check.floating(op, boxes, name)
    if not boxes.ndim or boxes.shape[-1] != 4 or (rank is not None and boxes.ndim != rank):
        wanted = {None: "(..., 4)", 2: "(boxes, 4)", 3: "(N, boxes, 4)"}[rank]
        raise ValueError(f"{op}: {name} has shape {boxes.shape}; pass {wanted}, four coordinates on the last axis")
    return boxes


def box_convert(boxes: jax.Array, source: str, target: str) -> jax.Array:
    """Boxes in another form: "xyxy" (two corners), "xywh" (first corner, sides) or "cxcywh" (center, sides).

    Shapes: (..., 4) → (..., 4), dtype kept. Raises `ValueError` for another form, `TypeError` for integers (cast them).
    Gradient: the transposed linear map. torchvision's `box_convert`.

    >>> box_convert(jnp.array([1.0, 2.0, 5.0, 4.0]), "xyxy", "cxcywh")
    Array([3., 3., 4., 2.], dtype=float32)
    """
    op = "box_convert"
    boxes = checked(op, boxes)
    for name, form in (("source", source), ("target", target)):
        if form not in FORMS:
            raise ValueError(f"{op}: {name} is {form!r}; pass one of {', '.join(FORMS)}")
    if source == target:
        return boxes
    first, second = boxes[..., :2], boxes[..., 2:]
    if source == "xywh":
        second = first + second
    elif source == "cxcywh":
        first, second = first - second / 2, first + second / 2
    if target == "xywh":
        second = second - first
    elif target == "cxcywh":
        first, second = (first + second) / 2, second - first
    return jnp.concatenate([first, second], axis=-1)


def box_area(boxes: jax.Array) -> jax.Array:
    """Width times height, in square pixels; negative where one pair of corners is out of order.

    Shapes: (..., 4) → (...), float32 at least. Raises `TypeError` for integers (cast them).

    >>> float(box_area(jnp.array([1.0, 2.0, 5.0, 4.0])))
    8.0
    """
    boxes = widen(checked("box_area", boxes))
    return (boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1])


def clip_boxes(boxes: jax.Array, size: tuple[int, int]) -> jax.Array:
    """Boxes cut off at the edges of an image of `size` (height, width) in pixels.

    Shapes: (..., 4) → (..., 4). A box outside of the image becomes one of no area at its edge. Gradient: to the
    coordinates that are inside. torchvision's `clip_boxes_to_image`.

    >>> clip_boxes(jnp.array([-3.0, 2.0, 9.0, 4.0]), (3, 8))
    Array([0., 2., 8., 3.], dtype=float32)
    """
    op = "clip_boxes"
    boxes = checked(op, boxes)
    height, width = check.per_axis(op, size, 2, "size")
    limits = jnp.array([width, height] * 2, boxes.dtype).reshape((1,) * (boxes.ndim - 1) + (4,))
    return jnp.clip(boxes, jnp.zeros_like(limits), limits)


def _ratio(part: jax.Array, whole: jax.Array) -> jax.Array:
    """`part / whole`, 0 where the whole is nothing; so are the gradients there, which division would make NaN."""
    something = whole > 0
    return jnp.where(something, part / jnp.where(something, whole, jnp.ones_like(whole)), jnp.zeros_like(part))


def overlap(a: jax.Array, b: jax.Array, kind: str) -> jax.Array:
    """The overlap of each box of `a` with the one of `b` in the same place; the shapes may broadcast, ranks equal."""
    least, most = jnp.maximum(a[..., :2], b[..., :2]), jnp.minimum(a[..., 2:], b[..., 2:])
    inter = jnp.prod(jnp.maximum(most - least, jnp.zeros_like(least)), axis=-1)
    union = box_area(a) + box_area(b) - inter
    iou = _ratio(inter, union)
    if kind == "iou":
        return iou
    sides = jnp.maximum(a[..., 2:], b[..., 2:]) - jnp.minimum(a[..., :2], b[..., :2])  # of the smallest box round both
    if kind == "giou":
        around = jnp.prod(sides, axis=-1)
        return iou - _ratio(around - union, around)
    apart = jnp.square((a[..., :2] + a[..., 2:] - b[..., :2] - b[..., 2:]) / 2).sum(-1)
    diou = iou - _ratio(apart, jnp.square(sides).sum(-1))
    if kind == "diou":
        return diou
    angles = [jnp.arctan(_ratio(c[..., 2] - c[..., 0], c[..., 3] - c[..., 1])) for c in (a, b)]
    shape = 4 / jnp.pi**2 * jnp.square(angles[0] - angles[1])
    # The paper holds the trade-off constant in the gradient.
    weight = jax.lax.stop_gradient(_ratio(shape, 1 - iou + shape))
    return diou - weight * shape


def box_iou(a: jax.Array, b: jax.Array, *, kind: str = "iou") -> jax.Array:
    """How much each box of `a` overlaps each box of `b`: intersection over union, or a relative of it.

    - `"iou"`: from 0, apart, to 1, equal;
    - `"giou"`: less the share of the smallest box round both that neither fills, down to -1: it grows as boxes that
      do not touch come nearer;
    - `"diou"`: iou less the squared distance of the centers over the squared diagonal of that box;
    - `"ciou"`: diou less a penalty on unlike ratios of width to height.

    Shapes: (..., A, 4), (..., B, 4) → (..., A, B), the leading axes equal; float32 at least. Two boxes of no area
    overlap by 0, where torchvision has NaN. Raises `ValueError` for another kind or shapes that do not fit, `TypeError`
    for integers. Gradient: to the corners that decide; with "ciou" the weight of the penalty is held constant. Cost:
    A * B times some tens of operations. Rezatofighi et al., 2019, https://arxiv.org/abs/1902.09630; Zheng et al., 2020,
    https://arxiv.org/abs/1911.08287. torchvision's `box_iou`, `generalized_box_iou` and so on.

    >>> box_iou(jnp.array([[0.0, 0.0, 2.0, 2.0]]), jnp.array([[1.0, 0.0, 3.0, 2.0], [2.0, 0.0, 4.0, 2.0]]))
    Array([[0.33333334, 0.        ]], dtype=float32)
    """
    op = "box_iou"
    a, b = checked(op, a, "a"), checked(op, b, "b")
    if kind not in KINDS:
        raise ValueError(f"{op}: kind is {kind!r}; pass one of {', '.join(KINDS)}")
    if a.ndim < 2 or a.ndim != b.ndim or a.shape[:-2] != b.shape[:-2]:
        raise ValueError(f"{op}: a is {a.shape} and b {b.shape}; pass (..., A, 4) and (..., B, 4), leading axes equal")
    return overlap(widen(a)[..., :, None, :], widen(b)[..., None, :, :], kind)
