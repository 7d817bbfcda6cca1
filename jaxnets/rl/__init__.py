"""Reinforcement learning: games, returns, replay and policies, pure functions to run on the device inside a `scan`."""

from jaxnets.rl import replay
from jaxnets.rl.environments import Games, Moves, Played, Seats, games, play
from jaxnets.rl.policies import Categorical, Normal, epsilon_greedy
from jaxnets.rl.returns import gae, n_step_returns

__all__ = [
    "Categorical",
    "Games",
    "Moves",
    "Normal",
    "Played",
    "Seats",
    "epsilon_greedy",
    "gae",
    "games",
    "n_step_returns",
    "play",
    "replay",
]
