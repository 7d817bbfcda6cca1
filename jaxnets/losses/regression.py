"""Losses of numbers, and of boxes."""

import jax
import jax.numpy as jnp
import optax

from jaxnets.losses.reduce import pair, reduced
from jaxnets.ops.boxes import KINDS, checked, overlap


def mse(predicted: jax.Array, target: jax.Array) -> jax.Array:
    """Mean squared error over all elements.

    Shapes: `s, s → ()`: the two shapes must be equal, since a broadcast here is nearly always a mistake.

    Raises:
        ValueError: the shapes differ.

    Gradient: `2 (predicted - target) / size` to `predicted`, the negative to `target`.

    >>> float(mse(jnp.array([1.0, 2.0]), jnp.array([1.0, 4.0])))
    2.0
    """
    predicted, target = jnp.asarray(predicted), jnp.asarray(target)
    if predicted.shape != target.shape:
        raise ValueError(
            f"mse: predicted has shape {predicted.shape} and target {target.shape}; "
            "reshape one of them, for instance predicted[..., 0]"
        )
    return jnp.square(predicted.astype(jnp.float32) - target.astype(jnp.float32)).mean()


def smooth_l1(
    predicted: jax.Array,
    target: jax.Array,
    *,
    beta: float = 1.0,
    reduction: str = "mean",
    where: jax.Array | None = None,
) -> jax.Array:
    """The absolute error, rounded off near 0: `d² / (2 beta)` where `d = |predicted - target|` is below `beta`, above
    it `d - beta / 2`. With `beta=0` it is the absolute error.

    Shapes: s, s → (), or s with `reduction="none"`; float32. `reduction`: "mean", "sum" or "none"; `where`: bool s, the
    elements that count, None for all. Raises `ValueError` for shapes that differ or a beta below 0. Gradient:
    `d / beta` with its sign near 0, the sign beyond. Girshick, 2015, https://arxiv.org/abs/1504.08083.

    >>> smooth_l1(jnp.array([0.5, 3.0]), jnp.zeros(2), reduction="none")
    Array([0.125, 2.5  ], dtype=float32)
    """
    op = "smooth_l1"
    if not beta >= 0:
        raise ValueError(f"{op}: beta is {beta}; it must be at least 0, an error in the unit of the target")
    predicted, target = pair(op, predicted, target)
    losses = optax.losses.huber_loss(predicted, target, delta=beta) / beta if beta else jnp.abs(predicted - target)
    return reduced(op, losses, reduction, where)


def box_iou(
    predicted: jax.Array,
    target: jax.Array,
    *,
    kind: str = "giou",
    reduction: str = "mean",
    where: jax.Array | None = None,
) -> jax.Array:
    """One less the overlap of each box with its target, by the measure `kind` of `ops.box_iou`.

    Shapes: (..., 4), (..., 4), corners x1, y1, x2, y2 → (), or (...) with `reduction="none"`; float32. `reduction` and
    `where`, bool (...), as in `smooth_l1`. Raises `ValueError` for another kind or shapes that differ. Gradient: that
    of `ops.box_iou`; with "iou" there is none where boxes do not touch. torchvision's `generalized_box_iou_loss` and
    so on.

    >>> print(f"{box_iou(jnp.array([0.0, 0.0, 2.0, 2.0]), jnp.array([0.0, 1.0, 2.0, 3.0])):.4f}")
    0.6667
    """
    op = "box_iou"
    predicted, target = pair(op, checked(op, predicted, "predicted"), checked(op, target, "target"))
    if kind not in KINDS:
        raise ValueError(f"{op}: kind is {kind!r}; pass one of {', '.join(KINDS)}")
    return reduced(op, 1 - overlap(predicted, target, kind), reduction, where)
