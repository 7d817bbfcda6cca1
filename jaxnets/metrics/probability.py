"""Metrics of probabilities: how much the truth surprises, and whether confidence is deserved."""

import jax
import jax.numpy as jnp
import optax

from jaxnets.losses import check_labels


def log_loss(logits: jax.Array, labels: jax.Array) -> jax.Array:
    """Mean of `-log p(label)`, float32, in nats.

    Shapes: `(..., K), (...) → ()`, softmax over K classes; or `s, s → ()`, the logit that the label is 1 and not 0.
    A label out of range makes it NaN.

    Raises:
        TypeError: labels are not integers, or logits not floating point.
        ValueError: the shapes do not fit.

    Gradient: that of `jaxnets.losses.cross_entropy`; a loss to train on is better taken from there.
    Reference: Good (1952), Rational Decisions.

    >>> print(f"{log_loss(jnp.array([2.0, -2.0]), jnp.array([1, 0])):.4f}")
    0.1269
    """
    return surprise("log_loss", logits, labels).mean()


def perplexity(logits: jax.Array, labels: jax.Array) -> jax.Array:
    """`exp(log_loss)`, float32: among how many equally likely words the network is in doubt.

    Shapes: `(..., K), (...) → ()`, as `log_loss`.

    Raises:
        TypeError, ValueError: as `log_loss`.

    Gradient: through `log_loss`. Reference: Jelinek et al. (1977), Perplexity: a measure of the difficulty of speech
    recognition tasks, https://doi.org/10.1121/1.2016299.

    >>> float(perplexity(jnp.zeros((3, 8)), jnp.array([0, 1, 2])).round(4))
    8.0
    """
    return jnp.exp(log_loss(logits, labels))


def calibration_error(logits: jax.Array, labels: jax.Array, bins: int = 15) -> jax.Array:
    """Expected calibration error: how far, on average, confidence is from accuracy; float32 in `[0, 1]`.

    The predictions are sorted into bins of equal width by their confidence, the largest probability; the error is
    the mean over all predictions of `|accuracy - mean confidence|` of their bin.

    Shapes: `(..., K), (...) → ()`.

    Args:
        bins: how many, of width `1 / bins`, closed above. More bins find more, and more noise.

    Raises:
        TypeError, ValueError: as `jaxnets.losses.cross_entropy`; fewer than one bin.

    Gradient: none worth having. Reference: Guo et al. (2017), https://arxiv.org/abs/1706.04599.

    >>> sure_and_wrong = jnp.array([[9.0, 0.0], [9.0, 0.0]])
    >>> print(f"{calibration_error(sure_and_wrong, jnp.array([0, 1])):.3f}")
    0.500
    """
    gaps = calibration_gaps("calibration_error", logits, labels, bins)
    return jnp.abs(gaps).sum() / max(labels.size, 1)


def calibration_gaps(
    where: str, logits: jax.Array, labels: jax.Array, bins: int, weights: jax.Array | None = None
) -> jax.Array:
    """The sum of `correct - confidence` in each bin of confidence: `(..., K), (...) → (bins,)`, float32."""
    check_labels(where, logits, labels)
    if bins < 1:
        raise ValueError(f"{where}: bins is {bins}; take at least 1")
    probabilities = jax.nn.softmax(logits.astype(jnp.float32))
    confidence = probabilities.max(-1).ravel()
    right = (jnp.argmax(logits, -1) == labels.astype(jnp.int32)).ravel()
    bin_of = jnp.clip(jnp.ceil(confidence * bins).astype(jnp.int32) - 1, 0, bins - 1)
    gaps = right.astype(jnp.float32) - confidence
    return jnp.zeros(bins, jnp.float32).at[bin_of].add(gaps if weights is None else gaps * weights.ravel())


def surprise(where: str, logits: jax.Array, labels: jax.Array) -> jax.Array:
    """`-log p(label)` of every label, float32: `(..., K), (...) → (...)` or, of two classes, `s, s → s`."""
    two = logits.ndim > 0 and logits.shape == labels.shape
    check_labels(where, logits[..., None] if two else logits, labels)
    logits, labels = logits.astype(jnp.float32), labels.astype(jnp.int32)
    if two:
        losses = optax.losses.sigmoid_binary_cross_entropy(logits, labels.astype(jnp.float32))
        return jnp.where((labels == 0) | (labels == 1), losses, jnp.nan)
    # A negative label would count from the end: make it too large, as that gives NaN.
    labels = jnp.where(labels < 0, logits.shape[-1], labels)
    return optax.losses.softmax_cross_entropy_with_integer_labels(logits, labels)
