"""What an action was worth: returns and advantages, from rewards and values along time."""

import jax
import jax.numpy as jnp


def n_step_returns(rewards: jax.Array, discounts: jax.Array, values: jax.Array, n: int) -> jax.Array:
    """The discounted rewards of the next n steps, and the value of where they lead.

    `G[t] = r[t] + d[t] r[t+1] + ... + d[t] ... d[t+n-1] v[t+n]`; near the end, as many steps as there are, and `v[T]`.

    Shapes: `(T, ...), (T, ...), (T + 1, ...) → (T, ...)`, float32.

    Args:
        rewards: what step t gave.
        discounts: what a reward after step t counts at step t: a factor as 0.99, and 0 where step t ended an episode.
        values: of the state before each step, and of the last. A value after an end counts for nothing.
        n: steps, at least 1; T gives the whole return.

    Raises:
        TypeError, ValueError: not floating point, shapes that do not fit, or n below 1.

    Gradient: to all three; wrap the values of a target in `jax.lax.stop_gradient`. Cost: n sums over T.
    Reference: Sutton and Barto (2018), Reinforcement Learning, chapter 7, http://incompleteideas.net/book/.

    >>> rewards, discounts = jnp.array([1.0, 1.0, 1.0]), jnp.array([0.5, 0.0, 0.5])
    >>> n_step_returns(rewards, discounts, jnp.array([8.0, 8.0, 8.0, 8.0]), 2).tolist()
    [1.5, 1.0, 5.0]
    """
    rewards, discounts, values = _checked("n_step_returns", rewards, discounts, values)
    if n < 1:
        raise ValueError(f"n_step_returns: n is {n}; take at least 1")
    steps = len(rewards)
    n = min(n, steps)
    last = jnp.broadcast_to(values[-1:], (n - 1, *values.shape[1:]))
    returns = jnp.concatenate([values[n:], last])  # where n steps, or what is left, lead
    # Past the end a step gives nothing and costs nothing.
    rewards = jnp.concatenate([rewards, jnp.zeros_like(last)])
    discounts = jnp.concatenate([discounts, jnp.ones_like(last)])
    for i in reversed(range(n)):
        returns = rewards[i : i + steps] + discounts[i : i + steps] * returns
    return returns


def gae(rewards: jax.Array, discounts: jax.Array, values: jax.Array, decay: float = 0.95) -> jax.Array:
    """Generalized advantage estimation: how much better each action was than its state's value promised.

    `A[t] = e[t] + d[t] decay A[t+1]` with `e[t] = r[t] + d[t] v[t+1] - v[t]`. The returns to fit values to are
    `gae(...) + values[:-1]`.

    Shapes: `(T, ...), (T, ...), (T + 1, ...) → (T, ...)`, float32.

    Args:
        rewards, discounts, values: as `n_step_returns`.
        decay: the paper's λ in [0, 1]: 0 trusts the values (one step), 1 the rewards (the whole return).

    Raises:
        TypeError, ValueError: not floating point, shapes that do not fit, or a decay outside [0, 1].

    Gradient: to all three; wrap the values in `jax.lax.stop_gradient` for a target. Cost: one scan over T.
    Reference: Schulman et al. (2016), https://arxiv.org/abs/1506.02438.

    >>> rewards, discounts = jnp.array([1.0, 1.0, 1.0]), jnp.array([0.5, 0.0, 0.5])
    >>> gae(rewards, discounts, jnp.array([1.0, 1.0, 1.0, 1.0]), decay=1.0).tolist()
    [0.5, 0.0, 0.5]
    """
    rewards, discounts, values = _checked("gae", rewards, discounts, values)
    if not 0 <= decay <= 1:
        raise ValueError(f"gae: decay is {decay}; take one in [0, 1]")
    surprises = rewards + discounts * values[1:] - values[:-1]

    def back(advantage: jax.Array, step: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        surprise, discount = step
        advantage = surprise + decay * discount * advantage
        return advantage, advantage

    return jax.lax.scan(back, jnp.zeros_like(values[0]), (surprises, discounts), reverse=True)[1]


def _checked(where: str, rewards: jax.Array, discounts: jax.Array, values: jax.Array) -> tuple[jax.Array, ...]:
    named = {"rewards": rewards, "discounts": discounts, "values": values}
    for name, array in named.items():
        if not jnp.issubdtype(array.dtype, jnp.floating):
            raise TypeError(f"{where}: {name} are {array.dtype}, not floating point: cast them")
    fit = rewards.ndim > 0 and discounts.shape == rewards.shape
    if not fit or values.shape != (len(rewards) + 1, *rewards.shape[1:]) or not len(rewards):
        shapes = ", ".join(f"{name} {array.shape}" for name, array in named.items())
        raise ValueError(f"{where}: {shapes}; pass (T, ...), (T, ...) and (T + 1, ...), T from 1: one value more")
    return tuple(array.astype(jnp.float32) for array in named.values())
