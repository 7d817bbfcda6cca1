"""Non-maximum suppression: of boxes on the same thing, the best one. Shapes are fixed: a maximum and a mask."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets.ops import check
from jaxnets.ops.boxes import checked, overlap
from jaxnets.ops.precision import widen

METHODS = ("linear", "gaussian")

Reweight = Callable[[jax.Array, jax.Array], jax.Array]
"""`reweight(scores, iou) -> scores` of the boxes that overlap the chosen one by `iou`."""


def _share(op: str, value: float, name: str) -> np.float32:
    """A number from 0 to 1, as the largest float32 that is not above it: a float32 exceeds either or neither, so that
    comparisons come out as torchvision's do, which are made in float64."""
    if isinstance(value, (bool, str)) or not 0 <= value <= 1:
        raise ValueError(f"{op}: {name} is {value!r}; pass a number from 0 to 1")
    near = np.float32(value)
    return np.nextafter(near, np.float32(0)) if float(near) > value else near


def _candidates(
    op: str,
    boxes: jax.Array,
    scores: jax.Array,
    classes: jax.Array | None,
    valid: jax.Array | None,
    least: float | None,
) -> tuple[jax.Array, jax.Array, jax.Array | None]:
    """The arguments checked; scores are -inf where a box does not stand."""
    boxes, scores = widen(checked(op, boxes, rank=2)), widen(check.floating(op, scores, "scores"))
    if classes is not None:
        classes = check.array(op, classes, "classes")
        if not jnp.issubdtype(classes.dtype, jnp.integer):
            raise TypeError(f"{op}: classes has dtype {classes.dtype}; pass class numbers, integers")
    for name, array in (("scores", scores), ("classes", classes), ("valid", valid)):
        if array is not None and array.shape != boxes.shape[:1]:
            raise ValueError(f"{op}: {name} has shape {array.shape}; {boxes.shape[0]} boxes need {boxes.shape[:1]}")
    stands = scores > (-jnp.inf if least is None else least)  # NaN does not
    if valid is not None:
        stands = stands & valid
    return boxes, jnp.where(stands, scores, jnp.full_like(scores, -jnp.inf)), classes


def _choose(
    boxes: jax.Array, scores: jax.Array, classes: jax.Array | None, count: int, reweight: Reweight
) -> tuple[jax.Array, jax.Array]:
    """The best box, those that overlap it reweighted, the best of the rest, and so on: positions and scores, -inf where
    there was none left."""
    boxes, scores = jax.lax.stop_gradient((boxes, scores))
    missing = jnp.asarray(-jnp.inf, scores.dtype)
    chosen = jnp.zeros((count,), jnp.int32), jnp.full((count,), missing)
    if not boxes.shape[0]:
        return chosen

    def goes_on(carry):  # type: ignore[no-untyped-def]
        i, scores, _ = carry
        return (i < count) & (scores.max() > missing)

    def step(carry):  # type: ignore[no-untyped-def]
        i, scores, (positions, values) = carry
        best = jnp.argmax(scores).astype(jnp.int32)  # the first of equals, as torchvision's stable sort has it
        found = positions.at[i].set(best), values.at[i].set(scores[best])
        after = reweight(scores, overlap(boxes, boxes[best][None], "iou"))
        if classes is not None:
            after = jnp.where(classes == classes[best], after, scores)
        return i + 1, after.at[best].set(missing), found

    return jax.lax.while_loop(goes_on, step, (jnp.zeros((), jnp.int32), scores, chosen))[2]  # type: ignore[no-any-return]


def nms(
    boxes: jax.Array,
    scores: jax.Array,
    threshold: float = 0.5,
    *,
    max_output: int,
    classes: jax.Array | None = None,
    valid: jax.Array | None = None,
    min_score: float | None = None,
) -> tuple[jax.Array, jax.Array]:
    """The boxes that no better box covers: each one goes that overlaps a better one, itself kept, by over `threshold`.

    Shapes: boxes (B, 4), scores (B,) → (positions (max_output,) int32, valid (max_output,) bool): the best first, of
    equal ones the first; where valid is False there was no box left, and the position is 0. For a batch, `jax.vmap`.

    Args:
        boxes: (x1, y1, x2, y2).
        scores: anything comparable, probabilities or logits; NaN never stands.
        threshold: an intersection over union, from 0 to 1.
        max_output: how many are kept at most, an int.
        classes: (B,) integers; boxes of different classes leave each other alone. None: all are of one.
        valid: (B,) bool, which boxes there are; None for all.
        min_score: only boxes with a score above it stand.

    Raises `ValueError` for shapes that do not fit, `TypeError` for integer boxes or scores. Gradient: none; use the
    positions to gather. Cost: B times the number kept, one box at a time; no B × B table. Equal to torchvision's `nms`,
    and to its `batched_nms` without the rounding of that one's offsets.

    >>> boxes = jnp.array([[0.0, 0.0, 4.0, 4.0], [0.0, 0.0, 4.0, 5.0], [8.0, 8.0, 9.0, 9.0]])
    >>> nms(boxes, jnp.array([0.6, 0.9, 0.5]), 0.5, max_output=3)
    (Array([1, 2, 0], dtype=int32), Array([ True,  True, False], dtype=bool))
    """
    op = "nms"
    limit, count = _share(op, threshold, "threshold"), check.whole(op, max_output, "max_output")
    boxes, scores, classes = _candidates(op, boxes, scores, classes, valid, min_score)

    def drop(scores: jax.Array, iou: jax.Array) -> jax.Array:
        return jnp.where(iou > limit, jnp.full_like(scores, -jnp.inf), scores)

    positions, kept = _choose(boxes, scores, classes, count, drop)
    return positions, kept > -jnp.inf


def soft_nms(
    boxes: jax.Array,
    scores: jax.Array,
    *,
    max_output: int,
    method: str = "gaussian",
    sigma: float = 0.5,
    threshold: float = 0.3,
    min_score: float = 0.001,
    classes: jax.Array | None = None,
    valid: jax.Array | None = None,
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Suppression that lowers the scores of boxes which overlap a better one, and lets them stand.

    Shapes: those of `nms`, → (positions, scores, valid), (max_output,) each; the scores lowered, 0 where not valid.
    `method`: `"gaussian"`, times `exp(-iou² / sigma)`; or `"linear"`, times `1 - iou` where the overlap is over
    `threshold`. Boxes with a score of `min_score` or less, before or after, go; scores are probabilities, not below 0.
    Other arguments, errors, gradient and cost: those of `nms`. Bodla et al., 2017, https://arxiv.org/abs/1704.04503.

    >>> boxes = jnp.array([[0.0, 0.0, 4.0, 4.0], [0.0, 0.0, 4.0, 5.0]])
    >>> positions, scores, _ = soft_nms(boxes, jnp.array([0.5, 0.9]), max_output=2, method="linear")
    >>> positions.tolist(), [f"{score:.3f}" for score in scores]
    ([1, 0], ['0.900', '0.100'])
    """
    op = "soft_nms"
    limit, count = _share(op, threshold, "threshold"), check.whole(op, max_output, "max_output")
    if method not in METHODS:
        raise ValueError(f"{op}: unknown method {method!r}; pass one of {', '.join(METHODS)}")
    if not sigma > 0 or not min_score >= 0:
        raise ValueError(f"{op}: sigma is {sigma} and min_score {min_score}; pass above 0, and at least 0")
    boxes, scores, classes = _candidates(op, boxes, scores, classes, valid, min_score)

    def lower(scores: jax.Array, iou: jax.Array) -> jax.Array:
        factor = jnp.exp(-jnp.square(iou) / sigma) if method == "gaussian" else jnp.where(iou > limit, 1 - iou, 1.0)
        stands = scores > -jnp.inf  # -inf * 0 is NaN
        lowered = jnp.where(stands, scores, jnp.zeros_like(scores)) * factor.astype(scores.dtype)
        return jnp.where(stands & (lowered > min_score), lowered, jnp.full_like(scores, -jnp.inf))

    positions, found = _choose(boxes, scores, classes, count, lower)
    stands = found > -jnp.inf
    return positions, jnp.where(stands, found, jnp.zeros_like(found)), stands
