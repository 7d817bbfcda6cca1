"""Which true box each anchor is trained for, and which anchors are trained: fixed shapes, masks for what is missing."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from jaxnets.ops import check

BACKGROUND, BETWEEN = -1, -2


def match_boxes(
    quality: jax.Array, valid: jax.Array, *, high: float = 0.5, low: float = 0.5, force: bool = False
) -> jax.Array:
    """For every anchor the true box that it overlaps most, if it does so by at least `high`.

    Shapes: quality (G, A), as of `box_iou(boxes, anchors)`, valid (G,) bool, which of the boxes there are → (A,) int32:
    the number of a box; -1 below `low`, background; -2 between `low` and `high`, to be left out. `force`: each box
    also gets the anchors that overlap it most, equal ones all, however little; an anchor goes to the box that it
    overlaps most itself. Raises `ValueError` for shapes that do not fit or `low` above `high`. Gradient: none. Ren et
    al., 2015, https://arxiv.org/abs/1506.01497. torchvision's `Matcher`.

    >>> match_boxes(jnp.array([[0.6, 0.45, 0.1]]), jnp.array([True]), high=0.5, low=0.4)
    Array([ 0, -2, -1], dtype=int32)
    """
    op = "match_boxes"
    quality = check.floating(op, quality, "quality")
    if quality.ndim != 2 or valid.shape != quality.shape[:1]:
        raise ValueError(
            f"{op}: quality is {quality.shape} and valid {valid.shape}; pass (boxes, anchors) and (boxes,)"
        )
    if low > high:
        raise ValueError(f"{op}: low is {low}, above high, {high}; anchors between the two are left out")
    quality = jax.lax.stop_gradient(jnp.where(valid[:, None], quality, -jnp.ones_like(quality)))
    if not quality.shape[0]:
        return jnp.full(quality.shape[1:], BACKGROUND, jnp.int32)
    best, box = quality.max(0), jnp.argmax(quality, axis=0).astype(jnp.int32)
    found = jnp.where(best >= high, box, jnp.where(best < low, BACKGROUND, BETWEEN))
    if force:
        top = quality.max(1, keepdims=True)
        found = jnp.where(((quality == top) & (top > 0)).any(0), box, found)
    return found.astype(jnp.int32)


def sample_matches(
    key: jax.Array, matches: jax.Array, *, count: int, fraction: float = 0.5, valid: jax.Array | None = None
) -> tuple[jax.Array, jax.Array]:
    """Some of the matched and some of the background, so that the many do not drown the few.

    Shapes: matches (A,) of `match_boxes` → two of (A,) bool: of the matched at most `count * fraction`, at random, and
    of the background as many as are left of `count`. `valid`: (A,) bool, the anchors to choose from. Raises
    `ValueError` for a count below 1 or a fraction outside 0 to 1. torchvision's `BalancedPositiveNegativeSampler`.

    >>> some, others = sample_matches(jax.random.key(0), jnp.array([0, -1, -2, -1, 1]), count=3, fraction=0.34)
    >>> int(some.sum()), int(others.sum())
    (1, 2)
    """
    op = "sample_matches"
    count = check.whole(op, count, "count")
    if not 0 <= fraction <= 1:
        raise ValueError(f"{op}: fraction is {fraction}; it is that of the matched, from 0 to 1")
    there = jnp.ones(matches.shape, bool) if valid is None else valid
    lots = jax.random.uniform(key, matches.shape)

    def some(mask: jax.Array, most: jax.Array) -> jax.Array:
        rank = jnp.argsort(jnp.argsort(jnp.where(mask, lots, 2.0)))  # those of the mask first, in a random order
        return mask & (rank < most)

    matched = some((matches >= 0) & there, jnp.asarray(int(count * fraction)))
    return matched, some((matches == BACKGROUND) & there, count - matched.sum())
