"""Focal loss: yes or no for each element, the easy ones counting little."""

import jax
import optax

from jaxnets.losses.reduce import pair, reduced


def sigmoid_focal(
    logits: jax.Array,
    target: jax.Array,
    *,
    alpha: float | None = 0.25,
    gamma: float = 2.0,
    reduction: str = "mean",
    where: jax.Array | None = None,
) -> jax.Array:
    """Binary cross-entropy times `(1 - p)^gamma`, where p is the probability given to what is right.

    Shapes: s, s → (), or s with `reduction="none"`; float32. One yes or no for each element: for K classes, the target
    is one-hot, (..., K), and all zeros for background. Detectors take the "sum" and divide it by their matches.

    Args:
        logits: unnormalized log odds.
        target: 0 or 1, or between, any real dtype or bool.
        alpha: weight of the ones, the zeros having `1 - alpha`; None for no weights.
        gamma: at least 0; 0 is cross-entropy.
        reduction: "mean", "sum" or "none".
        where: bool s, the elements that count; None for all.

    Raises `ValueError` for shapes that differ, an alpha outside 0 to 1 or a gamma below 0. Gradient: to the logits.
    Lin et al., 2017, https://arxiv.org/abs/1708.02002. torchvision's `sigmoid_focal_loss`.

    >>> import jax.numpy as jnp
    >>> losses = sigmoid_focal(jnp.array([4.0, -4.0]), jnp.array([1, 1]), alpha=None, reduction="none")
    >>> [f"{loss:.1e}" for loss in losses]
    ['5.9e-06', '3.9e+00']
    """
    op = "sigmoid_focal"
    if (alpha is not None and not 0 <= alpha <= 1) or not gamma >= 0:
        raise ValueError(f"{op}: alpha is {alpha} and gamma {gamma}; alpha is None or from 0 to 1, gamma at least 0")
    logits, target = pair(op, logits, target, "logits")
    return reduced(op, optax.losses.sigmoid_focal_loss(logits, target, alpha=alpha, gamma=gamma), reduction, where)
