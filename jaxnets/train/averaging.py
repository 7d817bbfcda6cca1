"""The running average of the weights, which mostly does better than the weights it is of."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax


class AverageState(NamedTuple):
    """The average, and of how many steps it is.

    Attributes:
        params: the averaged parameters, to be used in the place of the last.
        steps: int32 `()`.
    """

    params: Any
    steps: jax.Array


def weight_average(decay: float = 0.999) -> Any:
    """Keep an exponential moving average of the parameters: last in an `optax.chain`, and changes no update.

    After step t it is `d average + (1 - d) params`, with `d = min(decay, t / (t + 9))`, so that the first steps, of
    which the parameters are far from good, are soon forgotten.

    Args:
        decay: the fraction of the average that a step keeps, in [0, 1): 0.999 looks back on some thousand steps.

    Returns:
        An `optax.GradientTransformation`. In a chain, `opt_state[-1].params` is the average. Running statistics, as of
        batch norm, are not in it: those of the last step go with it when the rate has fallen to nearly nothing.

    Raises:
        ValueError: decay is out of range; or `update` without parameters.

    Cost: one array as large as the parameters. Polyak and Juditsky (1992), Acceleration of Stochastic Approximation by
    Averaging, https://doi.org/10.1137/0330046.

    >>> optimizer = optax.chain(optax.sgd(1.0), weight_average(0.5))
    >>> w = jnp.zeros(())
    >>> opt_state = optimizer.init(w)
    >>> for _ in range(2):
    ...     updates, opt_state = optimizer.update(jnp.ones(()), opt_state, w)
    ...     w = optax.apply_updates(w, updates)
    >>> print(f"{w:.1f} {opt_state[-1].params:.1f}")
    -2.0 -1.9
    """
    if not 0 <= decay < 1:
        raise ValueError(f"weight_average: decay is {decay}; take a share in [0, 1)")

    def init(params: Any) -> AverageState:
        return AverageState(jax.tree.map(jnp.copy, params), jnp.zeros((), jnp.int32))  # a step donates both

    def update(updates: Any, state: AverageState, params: Any = None) -> tuple[Any, AverageState]:
        if params is None:
            raise ValueError("weight_average: update needs the parameters; pass update(updates, state, params)")
        t = state.steps.astype(jnp.float32)
        kept = jnp.minimum(decay, t / (t + 9))
        new = optax.apply_updates(params, updates)

        def mean(old: jax.Array, new: jax.Array) -> jax.Array:
            return (kept * old.astype(jnp.float32) + (1 - kept) * new.astype(jnp.float32)).astype(new.dtype)

        return updates, AverageState(jax.tree.map(mean, state.params, new), state.steps + 1)

    return optax.GradientTransformation(init, update)
