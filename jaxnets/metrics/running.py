"""Metrics over many batches: a state that is a tree of sums, so that states are merged by adding.

>>> import jax, jax.numpy as jnp
>>> from jaxnets.metrics import running
>>> metric = running.accuracy()
>>> state, update = metric.init(), jax.jit(metric.update)
>>> for logits, label in (([0.0, 1.0], 1), ([0.0, 1.0], 0), ([5.0, 1.0], 0)):
...     state = update(state, jnp.array([logits]), jnp.array([label]))
>>> print(f"{metric.compute(state):.3f}")
0.667

Inside `shard_map`, `jax.lax.psum(state, axis)` is the state of all devices; elsewhere `merge(state, other)`.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxnets.metrics import classification, probability, ranking
from jaxnets.metrics.classification import PrecisionRecallF1


class Metric(NamedTuple):
    """Three pure functions: `init() -> state`, `update(state, ...) -> state`, `compute(state) -> value`.

    `update` takes what the metric of the same name in `jaxnets.metrics` takes; those that are means over examples
    take `weights` as well, one for each label, in which 0 leaves out a row of padding. The state is a pytree of
    float32 arrays that are sums, and `compute` may be called at any time; before the first update it is NaN, or 0.
    """

    init: Callable[[], Any]
    update: Callable[..., Any]
    compute: Callable[[Any], Any]


class Sum(NamedTuple):
    """A running sum of `high + low`, in which `low` holds what rounding took from `high`: 48 bits, not 24.

    Without it a count in float32 would stop at 2²⁴. Reference: Knuth (1969), The Art of Computer Programming 2, 4.2.2.
    """

    high: jax.Array
    low: jax.Array

    def plus(self, value: jax.Array) -> "Sum":
        """The sum with one more term. An integer is added exactly, up to 2³¹."""
        total = self
        if jnp.issubdtype(value.dtype, jnp.integer):
            coarse = value >> 12 << 12
            total, value = total.plus(coarse.astype(jnp.float32)), value - coarse
        value = value.astype(jnp.float32)
        high = total.high + value
        took = high - total.high
        return Sum(high, total.low + ((total.high - (high - took)) + (value - took)))

    def value(self) -> jax.Array:
        return self.high + self.low


def zero(*shape: int) -> Sum:
    """The sum of nothing."""
    return Sum(jnp.zeros(shape, jnp.float32), jnp.zeros(shape, jnp.float32))


def merge(*states: Any) -> Any:
    """The state of all the batches that any of these states has seen: their sum, leaf by leaf.

    Raises:
        ValueError: no states, or states of different metrics.

    >>> metric = mean()
    >>> one, two = (metric.update(metric.init(), jnp.array(values)) for values in ([1.0, 2.0], [6.0]))
    >>> float(metric.compute(merge(one, two)))
    3.0
    """
    if not states:
        raise ValueError("merge: no states; give one or more, of one metric")
    return jax.tree.map(lambda *leaves: sum(leaves[1:], leaves[0]), *states)


class Mean(NamedTuple):
    """The state of a mean: the sum of the values and of their weights."""

    total: Sum
    weight: Sum


def mean() -> Metric:
    """The mean of values, `update(state, values, *, weights=None)`: a loss over an epoch, for instance.

    Shapes: values and weights `s`, the value `()` float32.

    >>> metric = mean()
    >>> state = metric.update(metric.init(), jnp.array([1.0, 2.0, 9.0]), weights=jnp.array([1.0, 1.0, 0.0]))
    >>> float(metric.compute(state))
    1.5
    """
    return _averaged("mean", lambda values: values)


def accuracy() -> Metric:
    """`jaxnets.metrics.accuracy` over batches: `update(state, logits, labels, *, weights=None)`."""
    return _averaged("accuracy", lambda logits, labels: classification.correct("accuracy", logits, labels))


def top_k_accuracy(k: int = 5) -> Metric:
    """`jaxnets.metrics.top_k_accuracy` over batches: `update(state, logits, labels, *, weights=None)`."""
    return _averaged(
        "top_k_accuracy", lambda logits, labels: classification.correct("top_k_accuracy", logits, labels, k)
    )


def log_loss() -> Metric:
    """`jaxnets.metrics.log_loss` over batches: `update(state, logits, labels, *, weights=None)`."""
    return _averaged("log_loss", lambda *pair: probability.surprise("log_loss", *pair))


def perplexity() -> Metric:
    """`jaxnets.metrics.perplexity` over batches: `update(state, logits, labels, *, weights=None)`.

    It is `exp` of the mean over all tokens, not the mean of the batches' perplexities.
    """
    return _averaged("perplexity", lambda *pair: probability.surprise("perplexity", *pair), jnp.exp)


def calibration_error(bins: int = 15) -> Metric:
    """`jaxnets.metrics.calibration_error` over batches: `update(state, logits, labels, *, weights=None)`."""

    def update(state: Mean, logits: jax.Array, labels: jax.Array, *, weights: jax.Array | None = None) -> Mean:
        weights = _weights("calibration_error", labels.shape, weights)
        gaps = probability.calibration_gaps("calibration_error", logits, labels, bins, weights)
        return Mean(state.total.plus(gaps), state.weight.plus(weights.sum()))

    def compute(state: Mean) -> jax.Array:
        return jnp.abs(state.total.value()).sum() / state.weight.value()

    return Metric(lambda: Mean(zero(bins), zero()), update, compute)


def confusion_matrix(num_classes: int) -> Metric:
    """`jaxnets.metrics.confusion_matrix` over batches, float32 `(K, K)`: `update(state, labels, predicted)`.

    A label of -1 is not counted. Counts are exact to 2⁴⁸, then rounded to float32.
    """
    return _counted(num_classes, lambda matrix: matrix)


def precision_recall_f1(num_classes: int, average: str | None = "macro") -> Metric:
    """`jaxnets.metrics.precision_recall_f1` over batches: `update(state, labels, predicted)`."""

    def compute(matrix: jax.Array) -> PrecisionRecallF1:
        return classification.precision_recall_f1(matrix, average)

    return _counted(num_classes, compute)


def mean_iou(num_classes: int) -> Metric:
    """`jaxnets.metrics.mean_iou` over batches, the union taken over all images: `update(state, labels, predicted)`."""
    return _counted(num_classes, classification.mean_iou)


def roc_auc(bins: int = 1000) -> Metric:
    """The area under the ROC curve from histograms: `update(state, scores, labels, *, weights=None)`.

    Scores are probabilities in `[0, 1]`; what lies outside counts in the first or the last bin. Two scores in one
    bin are taken as equal, so the value differs from `jaxnets.metrics.roc_auc` by at most half the share of pairs of
    a positive and a negative that share a bin.

    Shapes: `s, s[, s]`, the value `()` float32.

    >>> metric = roc_auc()
    >>> state = metric.update(metric.init(), jnp.array([0.1, 0.4, 0.35, 0.8]), jnp.array([0, 0, 1, 1]))
    >>> float(metric.compute(state))
    0.75
    """
    if bins < 2:
        raise ValueError(f"roc_auc: bins is {bins}; take at least 2")

    def update(state: Sum, scores: jax.Array, labels: jax.Array, *, weights: jax.Array | None = None) -> Sum:
        pair = jnp.stack(ranking.weigh("roc_auc", scores, labels, weights), -1)
        scores = scores.ravel().astype(jnp.float32)
        bin_of = jnp.clip((scores * bins).astype(jnp.int32), 0, bins - 1)
        pair = jnp.where(jnp.isnan(scores)[:, None], jnp.nan, pair)  # a cast would hide it
        return state.plus(jnp.zeros((bins, 2), jnp.float32).at[bin_of].add(pair))

    def compute(state: Sum) -> jax.Array:
        positive, negative = state.value().T
        positive, negative = positive / positive.sum(), negative / negative.sum()
        return (positive * (jnp.cumsum(negative) - negative / 2)).sum()

    return Metric(lambda: zero(bins, 2), update, compute)


def _averaged(
    where: str, values: Callable[..., jax.Array], finish: Callable[[jax.Array], jax.Array] = lambda x: x
) -> Metric:
    """The mean of `values(...)` over all examples, one value and one weight for each."""

    def update(state: Mean, *args: jax.Array, weights: jax.Array | None = None) -> Mean:
        each = values(*args).astype(jnp.float32)
        weight = _weights(where, each.shape, weights)
        total = jnp.where(weight > 0, each * weight, 0).sum()  # a NaN of weight 0 is padding too
        return Mean(state.total.plus(total), state.weight.plus(weight.sum()))

    return Metric(
        lambda: Mean(zero(), zero()), update, lambda state: finish(state.total.value() / state.weight.value())
    )


def _counted(num_classes: int, finish: Callable[[jax.Array], Any]) -> Metric:
    """A function of the confusion matrix of all batches."""

    def update(state: Sum, labels: jax.Array, predicted: jax.Array) -> Sum:
        return state.plus(classification.confusion_matrix(labels, predicted, num_classes))

    return Metric(lambda: zero(num_classes, num_classes), update, lambda state: finish(state.value()))


def _weights(where: str, shape: tuple[int, ...], weights: jax.Array | None) -> jax.Array:
    if weights is None:
        return jnp.ones(shape, jnp.float32)
    if weights.shape != shape:
        raise ValueError(f"{where}: weights have shape {weights.shape}; give one for each label, {shape}")
    return weights.astype(jnp.float32)
