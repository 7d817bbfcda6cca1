"""Policies: distributions over actions, as pytrees that can be drawn from, scored and measured."""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp


class Categorical(NamedTuple):
    """One of A actions, by their unnormalized log probabilities `logits (..., A)`.

    Reference: Gumbel (1954) for the draw.

    >>> policy = Categorical(jnp.log(jnp.array([0.25, 0.75])))
    >>> print(f"{policy.log_prob(jnp.array(1)):.4f} {policy.entropy():.4f}")
    -0.2877 0.5623
    >>> policy.mode().tolist(), policy.sample(jax.random.key(0)).shape
    (1, ())
    """

    logits: jax.Array

    def sample(self, key: jax.Array) -> jax.Array:
        """Draw an action, int32 `(...)`. Gradient: none."""
        return jax.random.categorical(key, self.logits).astype(jnp.int32)

    def mode(self) -> jax.Array:
        """The likeliest action, int32 `(...)`; of equal ones the first."""
        return jnp.argmax(self.logits, -1).astype(jnp.int32)

    def log_prob(self, actions: jax.Array) -> jax.Array:
        """Log probability of actions `(...)`, float32; NaN for an action that there is not. Gradient: to the logits."""
        if not jnp.issubdtype(actions.dtype, jnp.integer) or actions.shape != self.logits.shape[:-1]:
            raise ValueError(
                f"Categorical.log_prob: actions are {actions.dtype}{list(actions.shape)}; logits {self.logits.shape} "
                f"need integers {self.logits.shape[:-1]}"
            )
        logs = jax.nn.log_softmax(self.logits.astype(jnp.float32))
        actions = jnp.where(actions < 0, logs.shape[-1], actions)  # it would count from the end
        return jnp.take_along_axis(logs, actions[..., None], -1, mode="fill", fill_value=jnp.nan)[..., 0]

    def entropy(self) -> jax.Array:
        """Entropy in nats, float32 `(...)`; a logit of -inf, an action that is forbidden, adds 0."""
        logs = jax.nn.log_softmax(self.logits.astype(jnp.float32))
        return -jnp.where(jnp.isneginf(logs), 0, jnp.exp(logs) * jnp.where(jnp.isneginf(logs), 0, logs)).sum(-1)


class Normal(NamedTuple):
    """A independent numbers with `mean (..., A)` and standard deviation `exp(log_std)`, `(..., A)` or `(A,)`.

    >>> policy = Normal(jnp.zeros((3, 2)), jnp.zeros(2))
    >>> print(f"{policy.log_prob(jnp.zeros((3, 2)))[0]:.4f} {policy.entropy()[0]:.4f}")
    -1.8379 2.8379
    >>> policy.sample(jax.random.key(0)).shape
    (3, 2)
    """

    mean: jax.Array
    log_std: jax.Array

    def sample(self, key: jax.Array) -> jax.Array:
        """Draw actions `(..., A)`. Gradient: to mean and log_std, through the draw (Kingma and Welling, 2014)."""
        log_std = self._log_std()
        return self.mean + jnp.exp(log_std) * jax.random.normal(key, self.mean.shape, self.mean.dtype)

    def mode(self) -> jax.Array:
        """The mean."""
        return self.mean

    def log_prob(self, actions: jax.Array) -> jax.Array:
        """Log density of actions `(..., A)`, summed over A: float32 `(...)`. Gradient: to mean, log_std, actions."""
        if actions.shape != self.mean.shape:
            raise ValueError(f"Normal.log_prob: actions have shape {actions.shape}, the mean {self.mean.shape}")
        log_std = self._log_std().astype(jnp.float32)
        away = (actions.astype(jnp.float32) - self.mean.astype(jnp.float32)) * jnp.exp(-log_std)
        return -(jnp.square(away) / 2 + log_std + math.log(2 * math.pi) / 2).sum(-1)

    def entropy(self) -> jax.Array:
        """Differential entropy in nats, summed over A: float32 `(...)`. Gradient: to log_std."""
        return (self._log_std().astype(jnp.float32) + (1 + math.log(2 * math.pi)) / 2).sum(-1)

    def _log_std(self) -> jax.Array:
        return jnp.broadcast_to(self.log_std, self.mean.shape)


def epsilon_greedy(key: jax.Array, values: jax.Array, epsilon: float | jax.Array) -> jax.Array:
    """The action of the largest value, or now and then any.

    Shapes: `(..., A) → (...)`, int32.

    Args:
        key: draws when, and which.
        values: of each action; of equal ones the first is taken.
        epsilon: how often an action is drawn uniformly, in [0, 1]; it may be an array, to fall during training.

    Raises:
        ValueError: no axis of actions, or a Python number outside [0, 1].

    Gradient: none. Reference: Watkins (1989), Learning from Delayed Rewards.

    >>> epsilon_greedy(jax.random.key(0), jnp.array([[1.0, 3.0], [2.0, 0.0]]), 0.0).tolist()
    [1, 0]
    """
    if values.ndim == 0 or not values.shape[-1]:
        raise ValueError(f"epsilon_greedy: values have shape {values.shape}; pass (..., A), one for each action")
    if isinstance(epsilon, (int, float)) and not 0 <= epsilon <= 1:
        raise ValueError(f"epsilon_greedy: epsilon is {epsilon}; take a share in [0, 1]")
    when, which = jax.random.split(key)
    shape, count = values.shape[:-1], values.shape[-1]
    explores = jax.random.uniform(when, shape) < epsilon
    return jnp.where(explores, jax.random.randint(which, shape, 0, count), jnp.argmax(values, -1).astype(jnp.int32))
