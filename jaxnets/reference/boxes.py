"""Boxes (x1, y1, x2, y2): overlap and suppression, from their definitions, one pair after another."""

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from jaxnets.reference.dtypes import Array


def overlap(a: Array, b: Array, kind: str) -> float:
    """Intersection over union of two boxes, or "giou", "diou", "ciou", which subtract a penalty from it."""
    wide, high = (min(a[i + 2], b[i + 2]) - max(a[i], b[i]) for i in (0, 1))
    inter = max(wide, 0) * max(high, 0)
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - inter
    iou = inter / union if union > 0 else 0.0
    width, height = (max(a[i + 2], b[i + 2]) - min(a[i], b[i]) for i in (0, 1))
    if kind == "giou":
        return iou - (width * height - union) / (width * height)
    if kind == "iou":
        return iou
    apart = sum(((a[i] + a[i + 2]) / 2 - (b[i] + b[i + 2]) / 2) ** 2 for i in (0, 1))
    diou = iou - apart / (width**2 + height**2)
    if kind == "diou":
        return diou
    angles = [math.atan((box[2] - box[0]) / (box[3] - box[1])) for box in (a, b)]
    shape = 4 / math.pi**2 * (angles[0] - angles[1]) ** 2
    return diou - (shape**2 / (1 - iou + shape) if shape else 0.0)


def box_iou(a: ArrayLike, b: ArrayLike, *, kind: str = "iou") -> Array:
    """The overlap of each of the boxes a (A, 4) with each of b (B, 4): (A, B).

    >>> box_iou([[0.0, 0.0, 2.0, 2.0]], [[1.0, 0.0, 3.0, 2.0], [2.0, 0.0, 4.0, 2.0]], kind="giou")
    array([[0.33333333, 0.        ]])
    """
    return np.array([[overlap(u, v, kind) for v in np.asarray(b)] for u in np.asarray(a)])


def _order(scores: Array, stands: list[int]) -> int:
    """The best of those that stand; of equal ones the first."""
    return max(stands, key=lambda i: (scores[i], -i))


def nms(boxes: ArrayLike, scores: ArrayLike, threshold: float = 0.5, *, classes: ArrayLike | None = None) -> list[int]:
    """Positions of the boxes kept, best first: take the best, drop those of its class that overlap it more, repeat.

    >>> nms([[0, 0, 4, 4], [0, 0, 4, 5], [8, 8, 9, 9]], [0.6, 0.9, 0.5])
    [1, 2]
    """
    return [i for i, _ in soft_nms(boxes, scores, "hard", threshold=threshold, classes=classes, min_score=-math.inf)]


def soft_nms(
    boxes: ArrayLike,
    scores: ArrayLike,
    method: str = "gaussian",
    *,
    sigma: float = 0.5,
    threshold: float = 0.3,
    min_score: float = 0.001,
    classes: ArrayLike | None = None,
) -> list[tuple[int, float]]:
    """Positions and scores, best first: take the best, lower the scores of those that overlap it, repeat.

    Bodla et al. 2017, figure 2; "hard" drops those that overlap by over `threshold`.
    """
    boxes, scores = np.asarray(boxes, np.float64), np.array(scores, np.float64)
    groups: Any = np.zeros(len(boxes)) if classes is None else np.asarray(classes)
    stands = [i for i in range(len(boxes)) if scores[i] > min_score]
    found = []
    while stands:
        best = _order(scores, stands)
        found.append((best, float(scores[best])))
        stands.remove(best)
        for i in list(stands):
            iou = overlap(boxes[i], boxes[best], "iou") if groups[i] == groups[best] else 0.0
            if method == "gaussian":
                scores[i] *= math.exp(-(iou**2) / sigma)
            elif iou > threshold:
                scores[i] = -math.inf if method == "hard" else scores[i] * (1 - iou)
            if not scores[i] > min_score:
                stands.remove(i)
    return found
