"""Metrics of classification: what was said about a class, and what was true."""

from typing import NamedTuple

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
    return correct("accuracy", logits, labels).mean(dtype=jnp.float32)


def top_k_accuracy(logits: jax.Array, labels: jax.Array, k: int = 5) -> jax.Array:
    """Fraction of labels that are among the k largest logits, float32 in `[0, 1]`.

    Shapes: `(..., K), (...) → ()`. Of equal logits the first count.

    Raises:
        TypeError, ValueError: as `jaxnets.losses.cross_entropy`; `k` is not between 1 and K.

    Gradient: none. Cost: `jax.lax.top_k`.

    >>> float(top_k_accuracy(jnp.array([[0.0, 2.0, 1.0], [3.0, 1.0, 2.0]]), jnp.array([2, 1]), 2))
    0.5
    """
    return correct("top_k_accuracy", logits, labels, k).mean(dtype=jnp.float32)


def correct(where: str, logits: jax.Array, labels: jax.Array, k: int = 1) -> jax.Array:
    """Which labels are among the k largest logits, bool: `(..., K), (...) → (...)`."""
    check_labels(where, logits, labels)
    if not 1 <= k <= logits.shape[-1]:
        raise ValueError(f"{where}: k is {k}; take at least 1 and at most the {logits.shape[-1]} classes")
    labels = labels.astype(jnp.int32)
    if k == 1:
        return jnp.argmax(logits, -1) == labels
    return (jax.lax.top_k(logits, k)[1] == labels[..., None]).any(-1)


def confusion_matrix(labels: jax.Array, predicted: jax.Array, num_classes: int) -> jax.Array:
    """How often each true class was read as each class, int32; rows are the truth, columns the reading.

    Shapes: `s, s → (K, K)`. A pair with a class outside `0 ... K-1` is not counted, so a label of -1 leaves out a
    row of padding or a pixel of no class.

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


class PrecisionRecallF1(NamedTuple):
    """Precision, recall and their harmonic mean, float32: `()` when averaged, `(K,)` for each class."""

    precision: jax.Array
    recall: jax.Array
    f1: jax.Array


AVERAGES = ("macro", "micro", None)


def precision_recall_f1(matrix: jax.Array, average: str | None = "macro") -> PrecisionRecallF1:
    """Precision, recall and F1, from a confusion matrix whose rows are the truth.

    Precision is the share of readings as class k that are right, recall the share of class k that is read as k, F1
    their harmonic mean. A share of nothing is 0, as in scikit-learn.

    Shapes: `(K, K) → ()` three times, or `(K,)` with `average=None`.

    Args:
        matrix: from `confusion_matrix`, or a sum of several.
        average: "macro" is the mean over all K classes, the absent ones included; "micro" counts all classes
            together, which makes all three equal to the accuracy; None keeps the classes apart.

    Raises:
        ValueError: the matrix is not square, or the average is another.

    Gradient: none. Reference: van Rijsbergen (1979), Information Retrieval, chapter 7.

    >>> scores = precision_recall_f1(jnp.array([[1, 0], [1, 2]]), average=None)
    >>> for name, score in scores._asdict().items():
    ...     print(name, *(f"{value:.3f}" for value in score))
    precision 0.500 1.000
    recall 1.000 0.667
    f1 0.667 0.800
    """
    if average not in AVERAGES:
        raise ValueError(f"precision_recall_f1: average is {average!r}; take one of {AVERAGES}")
    right, read, true = _margins("precision_recall_f1", matrix)
    if average == "micro":
        right, read, true = right.sum(), read.sum(), true.sum()
    scores = PrecisionRecallF1(_share(right, read), _share(right, true), _share(2 * right, read + true))
    return PrecisionRecallF1(*(score.mean() for score in scores)) if average == "macro" else scores


def iou(matrix: jax.Array) -> jax.Array:
    """Intersection over union of each class, from a confusion matrix whose rows are the truth; float32.

    Shapes: `(K, K) → (K,)`. NaN for a class that neither occurs nor is read.

    Raises:
        ValueError: the matrix is not square.

    Gradient: none. Reference: Jaccard (1912), The Distribution of the Flora in the Alpine Zone.

    >>> iou(jnp.array([[1, 0, 0], [1, 1, 0], [0, 0, 0]])).tolist()
    [0.5, 0.5, nan]
    """
    right, read, true = _margins("iou", matrix)
    union = read + true - right
    return jnp.where(union > 0, _share(right, union), jnp.nan)


def mean_iou(matrix: jax.Array) -> jax.Array:
    """The mean of `iou` over the classes that occur or are read, float32 `()`: the measure of segmentation.

    Shapes: `(K, K) → ()`. NaN where no class does.

    Raises:
        ValueError: the matrix is not square.

    Gradient: none. Reference: Everingham et al. (2010), The PASCAL Visual Object Classes Challenge,
    https://doi.org/10.1007/s11263-009-0275-4.

    >>> float(mean_iou(jnp.array([[1, 0, 0], [1, 1, 0], [0, 0, 0]])))
    0.5
    """
    return jnp.nanmean(iou(matrix))


def _margins(where: str, matrix: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """How often each class was read rightly, read at all, and true: float32 `(K,)`."""
    matrix = jnp.asarray(matrix)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise ValueError(f"{where}: a confusion matrix is (K, K), not {matrix.shape}: make it with confusion_matrix")
    matrix = matrix.astype(jnp.float32)
    return jnp.diagonal(matrix), matrix.sum(0), matrix.sum(1)


def _share(part: jax.Array, whole: jax.Array) -> jax.Array:
    return jnp.where(whole > 0, part / jnp.where(whole > 0, whole, 1), 0)
