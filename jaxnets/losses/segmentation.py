"""Losses of whole segmentations, which see areas and not single pixels: dice and Lovász.

Each approximates a measure that is counted over all the pixels together, so that a small thing weighs as much as a
large one. Pixels that are not `where` count as if they were not there: a label to be ignored.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp

from jaxnets.losses.cross_entropy import check_labels
from jaxnets.ops import check


def _counted(op: str, labels: jax.Array, where: jax.Array | None) -> jax.Array:
    """The pixels that count, bool in the shape of the labels."""
    if where is None:
        return jnp.ones(labels.shape, bool)
    if where.shape != labels.shape or where.dtype != bool:
        raise ValueError(f"{op}: where is {where.dtype}{list(where.shape)}; pass bool{list(labels.shape)}")
    return where


def _over_images(per_image: bool, loss: Callable[..., jax.Array], *arrays: jax.Array) -> jax.Array:
    """The loss of all pixels at once, or the mean of each image's own."""
    return jax.vmap(loss)(*arrays).mean() if per_image else loss(*arrays)


def _classes(labels: jax.Array, where: jax.Array, classes: int) -> jax.Array:
    """(pixels, K) float32: one where a pixel counts and is of the class."""
    return jax.nn.one_hot(labels.ravel(), classes, dtype=jnp.float32) * where.ravel()[:, None].astype(jnp.float32)


def dice(
    logits: jax.Array,
    labels: jax.Array,
    *,
    smooth: float = 1.0,
    per_image: bool = False,
    where: jax.Array | None = None,
) -> jax.Array:
    """One less the dice coefficient of softmax probabilities p and labels t, a mean over the classes:
    `1 - (2 Σ p t + smooth) / (Σ p + Σ t + smooth)`.

    Shapes: (N, ..., K), (N, ...) → (), float32. `smooth`, above 0: what makes a class that is nowhere, neither in p nor
    in t, cost nothing; `per_image`: the mean of each image's loss, rather than that of all pixels together; `where`:
    bool (N, ...), the pixels that count. Raises as `cross_entropy` does, and for a smooth not above 0. Gradient: to the
    logits. Milletari, Navab & Ahmadi, 2016, https://arxiv.org/abs/1606.04797; Sudre et al., 2017,
    https://arxiv.org/abs/1707.03237.

    >>> right = 9 * jax.nn.one_hot(jnp.array([[0, 1, 1]]), 2)
    >>> print(f"{dice(right, jnp.array([[0, 1, 1]])):.3f} {dice(right, jnp.array([[1, 0, 0]])):.3f}")
    0.000 0.750
    """
    op = "dice"
    check_labels(op, logits, labels)
    if not smooth > 0:
        raise ValueError(f"{op}: smooth is {smooth}; it must be above 0, a number of pixels")

    def loss(logits: jax.Array, labels: jax.Array, where: jax.Array) -> jax.Array:
        true = _classes(labels, where, logits.shape[-1])
        p = jax.nn.softmax(logits.astype(jnp.float32)).reshape(true.shape)
        p = jnp.where(where.ravel()[:, None], p, jnp.zeros_like(p))
        return (1 - (2 * (p * true).sum(0) + smooth) / (p.sum(0) + true.sum(0) + smooth)).mean()

    return _over_images(per_image, loss, logits, labels, _counted(op, labels, where))


def _extension(errors: jax.Array, true: jax.Array) -> jax.Array:
    """The Lovász extension of the Jaccard loss at the errors (pixels,) of pixels that are `true`, 1 or 0.

    The errors, largest first, each times what it adds to the loss of the set of those before it.
    """
    order = jnp.argsort(-jax.lax.stop_gradient(errors))
    errors, true = errors[order], true[order]
    inter = true.sum() - jnp.cumsum(true)
    union = true.sum() + jnp.cumsum(1 - true)
    jaccard = 1 - inter / union
    return errors @ jnp.diff(jaccard, prepend=jnp.zeros((1,), jaccard.dtype))


def lovasz_softmax(
    logits: jax.Array, labels: jax.Array, *, per_image: bool = False, where: jax.Array | None = None
) -> jax.Array:
    """One less the mean intersection over union, made convex in the errors `|t - p|` of softmax probabilities.

    Shapes: (N, ..., K), (N, ...) → (), float32; a mean over the classes that the labels have. `per_image` and `where`
    as in `dice`. Raises as `cross_entropy` does. Gradient: to the logits, through a sort. Cost: K sorts of all pixels.
    Berman, Rannen Triki & Blaschko, 2018, https://arxiv.org/abs/1705.08790.

    >>> logits = 9 * jax.nn.one_hot(jnp.array([[0, 1, 1]]), 2)
    >>> print(f"{lovasz_softmax(logits, jnp.array([[0, 1, 1]])):.3f}")
    0.000
    >>> print(f"{lovasz_softmax(logits, jnp.array([[1, 0, 0]])):.3f}")
    1.000
    """
    op = "lovasz_softmax"
    check_labels(op, logits, labels)

    def loss(logits: jax.Array, labels: jax.Array, where: jax.Array) -> jax.Array:
        true = _classes(labels, where, logits.shape[-1])
        p = jax.nn.softmax(logits.astype(jnp.float32)).reshape(true.shape)
        # A pixel that does not count has no error and is sorted last, where it changes nothing before it.
        errors = jnp.where(where.ravel()[:, None], jnp.abs(true - p), jnp.zeros_like(p))
        each = jax.vmap(_extension, in_axes=1)(errors, true)
        present = (true.sum(0) > 0).astype(jnp.float32)
        return (each * present).sum() / jnp.maximum(present.sum(), 1)

    return _over_images(per_image, loss, logits, labels, _counted(op, labels, where))


def lovasz_hinge(
    logits: jax.Array, labels: jax.Array, *, per_image: bool = True, where: jax.Array | None = None
) -> jax.Array:
    """One less the intersection over union of a foreground, made convex in the hinge errors `1 - logit * sign`.

    Shapes: (N, ...), (N, ...) → (), float32; labels 0 or 1, integer or bool. `per_image` and `where` as in `dice`;
    images one by one, as the paper evaluates. Raises `ValueError` for shapes that differ, `TypeError` for integers as
    logits. Gradient: to the logits of pixels that are wrong or nearly so. Source: that of `lovasz_softmax`.

    >>> float(lovasz_hinge(jnp.array([[2.0, -2.0]]), jnp.array([[1, 0]])))
    0.0
    """
    op = "lovasz_hinge"
    logits, labels = check.floating(op, logits, "logits").astype(jnp.float32), jnp.asarray(labels)
    if logits.shape != labels.shape or not logits.ndim:
        raise ValueError(f"{op}: logits have shape {logits.shape} and labels {labels.shape}; pass (N, ...) for both")

    def loss(logits: jax.Array, labels: jax.Array, where: jax.Array) -> jax.Array:
        true = (labels.astype(jnp.float32) * where.astype(jnp.float32)).ravel()
        errors = 1 - logits.ravel() * (2 * true - 1)
        # Errors below 0 count as 0, and so do pixels that do not count: sorted last, in any order.
        return _extension(jnp.where(where.ravel(), jax.nn.relu(errors), jnp.zeros_like(errors)), true)

    return _over_images(per_image, loss, logits, labels, _counted(op, labels, where))
