"""Reinforcement learning: returns, replay and policies, pure functions to run on the device inside a `scan`."""

from jaxnets.rl import replay
from jaxnets.rl.policies import Categorical, Normal, epsilon_greedy
from jaxnets.rl.returns import gae, n_step_returns

__all__ = ["Categorical", "Normal", "epsilon_greedy", "gae", "n_step_returns", "replay"]
