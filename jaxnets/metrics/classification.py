"""Metrics of classification: what was said about a class, and what was true."""

import jax
import jax.numpy as jnp

from jaxnets.losses import check_labels


def accuracy(logits: jax.Array, labels: jax.Array) -> jax.Array:
    """Fraction of labels that have the largest logit, float32 in `[0, 1]`.

    Shapes: `(..., K), (...) → ()`. Of equal logits the first counts, and NaN counts as the largest.

    Raises:
        TypeError, ValueError: as `jaxnets.losses.cross_entropy`.

    Gradient: none (zero everywhere it exists).

    >>> float(accuracy(jnp.array([[0.0, 1.0], [3.0, 1.0]]), jnp.array([1, 1])))
    0.5
    """
    check_labels("accuracy", logits, labels)
    return (jnp.argmax(logits, -1) == labels.astype(jnp.int32)).mean(dtype=jnp.float32)


def confusion_matrix(labels: jax.Array, predicted: jax.Array, num_classes: int) -> jax.Array:
    """How often each true class was read as each class, int32; rows are the truth, columns the reading.

    Shapes: `s, s → (K, K)`. A pair with a class outside `0 ... K-1` is not counted.

    Raises:
        TypeError: labels or predictions are not integers.
        ValueError: their shapes differ, or `num_classes` is below 1.

    Gradient: none. Cost: one scatter-add.

    >>> confusion_matrix(jnp.array([0, 1, 1]), jnp.array([0, 1, 0]), 2).tolist()
    [[1, 0], [1, 1]]
    """
    labels, predicted = jnp.asarray(labels), jnp.asarray(predicted)
    for name, value in (("labels", labels), ("predicted", predicted)):
        if not jnp.issubdtype(value.dtype, jnp.integer):
            raise TypeError(f"confusion_matrix: {name} must be integers (class numbers), not {value.dtype}")
    if labels.shape != predicted.shape:
        raise ValueError(f"confusion_matrix: labels have shape {labels.shape}, predicted {predicted.shape}")
    if num_classes < 1:
        raise ValueError(f"confusion_matrix: num_classes must be at least 1, not {num_classes}")
    row, column = labels.ravel().astype(jnp.int32), predicted.ravel().astype(jnp.int32)
    # A negative index would count from the end, and one too large is dropped by the scatter: make both too large.
    row, column = (jnp.where(i < 0, num_classes, i) for i in (row, column))
    return jnp.zeros((num_classes, num_classes), jnp.int32).at[row, column].add(1, mode="drop")
