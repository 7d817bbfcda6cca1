"""The area under the ROC curve: the chance that a positive is scored above a negative."""

import jax
import jax.numpy as jnp


def roc_auc(scores: jax.Array, labels: jax.Array, weights: jax.Array | None = None) -> jax.Array:
    """The area under the ROC curve, exactly: the share of pairs with the positive above the negative.

    A pair of equal scores counts half. Equal to scikit-learn's `roc_auc_score`, to rounding.

    Shapes: `s, s[, s] → ()`, float32. NaN where positives or negatives are absent, or a score is NaN.

    Args:
        scores: higher means more likely positive: logits, probabilities, anything that can be ordered.
        labels: 1 or True is positive, 0 or False negative.
        weights: of the examples, not negative; 0 leaves one out.

    Raises:
        TypeError: scores are not floating point, or labels neither integers nor bool.
        ValueError: the shapes differ.

    Gradient: none (it is constant almost everywhere). Cost: one sort. It needs all scores at once; over batches or
    devices, `metrics.running.roc_auc`.
    Reference: Hanley and McNeil (1982), https://doi.org/10.1148/radiology.143.1.7063747.

    >>> float(roc_auc(jnp.array([0.1, 0.4, 0.35, 0.8]), jnp.array([0, 0, 1, 1])))
    0.75
    """
    positive, negative = weigh("roc_auc", scores, labels, weights)
    scores = scores.ravel()
    order = jnp.argsort(scores)
    scores, positive, negative = scores[order], positive[order], negative[order]
    below = jnp.concatenate([jnp.zeros(1), jnp.cumsum(negative)])
    first, last = (jnp.searchsorted(scores, scores, side=side) for side in ("left", "right"))
    beaten = (below[first] + below[last]) / 2 / below[-1]  # before the sum over positives, which would be large
    area = (beaten * positive).sum() / positive.sum()
    return jnp.where(jnp.isnan(scores).any(), jnp.nan, area)


def weigh(where: str, scores: jax.Array, labels: jax.Array, weights: jax.Array | None) -> tuple[jax.Array, jax.Array]:
    """The weight of every example as a positive and as a negative, float32 `(N,)`."""
    if not jnp.issubdtype(scores.dtype, jnp.floating):
        raise TypeError(f"{where}: scores must be floating point, not {scores.dtype}: is the order (scores, labels)?")
    if not (jnp.issubdtype(labels.dtype, jnp.integer) or labels.dtype == bool):
        raise TypeError(f"{where}: labels must be 0 and 1, integers or bool, not {labels.dtype}")
    shapes = [a.shape for a in (scores, labels, weights) if a is not None]
    if len(set(shapes)) > 1:
        raise ValueError(f"{where}: scores, labels and weights must have one shape, not {shapes}")
    weight = jnp.ones(labels.size, jnp.float32) if weights is None else weights.ravel().astype(jnp.float32)
    positive = labels.ravel().astype(bool)
    return jnp.where(positive, weight, 0), jnp.where(positive, 0, weight)
