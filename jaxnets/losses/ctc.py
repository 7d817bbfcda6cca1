"""Connectionist temporal classification: labels without their times."""

import jax
import jax.numpy as jnp
import optax


def ctc(
    logits: jax.Array,
    labels: jax.Array,
    logit_lengths: jax.Array | None = None,
    label_lengths: jax.Array | None = None,
    *,
    blank: int = 0,
) -> jax.Array:
    """Mean of `-log` the probability of the labels, summed over all their alignments with the steps: optax's.

    Shapes: `(N, T, K), (N, L), (N,), (N,) → ()`. An alignment has a label or the blank at each step, with a blank
    between equal labels; so a sample needs a step for each label and each repeat. With fewer the loss is about 1e5.

    Args:
        logits: unnormalized log probabilities of the labels and the blank, floating point.
        labels: class numbers, integers, none of them the blank; what is beyond a sample's length does not matter.
        logit_lengths: how many steps of each sample are not padding; all unless given.
        label_lengths: how many labels each sample has; all unless given.
        blank: the class that is no label.

    Raises:
        TypeError: labels are not integers, or logits not floating point.
        ValueError: the shapes do not fit, or the blank is no class.

    Gradient: to the logits. Reference: Graves et al. (2006), https://doi.org/10.1145/1143844.1143891.

    >>> logits = jnp.log(jnp.array([[[0.6, 0.4], [0.6, 0.4]]]))
    >>> print(f"{jnp.exp(-ctc(logits, jnp.array([[1]]))):.2f}")
    0.64
    """
    logits, labels = jnp.asarray(logits), jnp.asarray(labels)
    if not jnp.issubdtype(logits.dtype, jnp.floating) or not jnp.issubdtype(labels.dtype, jnp.integer):
        raise TypeError(
            f"ctc: logits are {logits.dtype} and labels {labels.dtype}; pass floating point and integers, in this order"
        )
    if logits.ndim != 3 or labels.ndim != 2 or logits.shape[0] != labels.shape[0]:
        raise ValueError(f"ctc: logits have shape {logits.shape} and labels {labels.shape}; pass (N, T, K) and (N, L)")
    if not 0 <= blank < logits.shape[-1]:
        raise ValueError(f"ctc: blank is {blank}, but the logits {logits.shape} are of {logits.shape[-1]} classes")
    steps = _paddings("logit_lengths", logit_lengths, logits.shape[:2])
    padded = _paddings("label_lengths", label_lengths, labels.shape)
    each = optax.losses.ctc_loss(logits.astype(jnp.float32), steps, labels.astype(jnp.int32), padded, blank_id=blank)
    return each.mean()


def _paddings(name: str, lengths: jax.Array | None, shape: tuple[int, ...]) -> jax.Array:
    """1 where a step or label is padding."""
    if lengths is None:
        return jnp.zeros(shape, jnp.float32)
    lengths = jnp.asarray(lengths)
    if lengths.shape != shape[:1] or not jnp.issubdtype(lengths.dtype, jnp.integer):
        raise ValueError(f"ctc: {name} has shape {lengths.shape} and dtype {lengths.dtype}; pass {shape[:1]} integers")
    return (jnp.arange(shape[1])[None] >= lengths.astype(jnp.arange(0).dtype)[:, None]).astype(jnp.float32)
