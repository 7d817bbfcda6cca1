"""Cross-entropy, for one class of several."""

import jax
import jax.numpy as jnp
import optax


def cross_entropy(logits: jax.Array, labels: jax.Array, *, label_smoothing: float = 0.0) -> jax.Array:
    """Mean of `-log softmax(logits)[label]` over all labels.

    Shapes: `(..., K), (...) → ()`. With `label_smoothing = a` the target is `(1 - a) onehot(label) + a / K`.
    A label outside `0 ... K-1` cannot raise under `jit`: it makes the loss NaN, which no one overlooks.

    Args:
        logits: unnormalized log probabilities, floating point, classes on the last axis.
        labels: class numbers, integers, one for each row of logits.
        label_smoothing: share of the target spread evenly over the classes, in `[0, 1)`.

    Raises:
        TypeError: labels are not integers, or logits not floating point.
        ValueError: the shapes do not fit, or `label_smoothing` is outside `[0, 1)`.

    Gradient: `(softmax(logits) - target) / number of labels`, to the logits only.
    Reference: label smoothing is Szegedy et al. (2016), https://arxiv.org/abs/1512.00567.

    >>> logits = jnp.array([[2.0, 0.0], [0.0, 2.0]])
    >>> print(f"{cross_entropy(logits, jnp.array([0, 1])):.4f}")
    0.1269
    >>> print(f"{cross_entropy(logits, jnp.array([0, 1]), label_smoothing=0.1):.4f}")
    0.2269
    """
    check_labels("cross_entropy", logits, labels)
    if not 0 <= label_smoothing < 1:
        raise ValueError(f"cross_entropy: label_smoothing must be in [0, 1), not {label_smoothing}")
    logits = logits.astype(jnp.float32)
    # A negative label would count from the end: make it too large, as that gives NaN.
    labels = jnp.where(labels < 0, logits.shape[-1], labels.astype(jnp.int32))
    losses = optax.losses.softmax_cross_entropy_with_integer_labels(logits, labels)
    if label_smoothing:
        losses = (1 - label_smoothing) * losses - label_smoothing * jax.nn.log_softmax(logits).mean(-1)
    return losses.mean()


def check_labels(where: str, logits: jax.Array, labels: jax.Array) -> None:
    """Raise unless logits are `(..., K)` floating point and labels are `(...)` integers."""
    if not jnp.issubdtype(logits.dtype, jnp.floating):
        raise TypeError(f"{where}: logits must be floating point, not {logits.dtype}: is the order (logits, labels)?")
    if not jnp.issubdtype(labels.dtype, jnp.integer):
        raise TypeError(
            f"{where}: labels must be integers (class numbers), not {labels.dtype}: "
            "use labels.astype(int32), or labels.argmax(-1) if they are one-hot"
        )
    if logits.ndim == 0 or logits.shape[:-1] != labels.shape:
        raise ValueError(
            f"{where}: logits of shape {logits.shape} need labels of shape {logits.shape[:-1]}, one class number "
            f"for each row, not {labels.shape}"
        )
