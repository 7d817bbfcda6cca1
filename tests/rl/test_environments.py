"""Games start anew, stick to actions as often as they should, and are counted once."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets import rl


class Walk:
    """Right is 1 and gives a point, left is 0; it ends after `rules` moves, or at -2. Mixes dtypes, as gymnax does."""

    num_actions = 2

    def reset(self, key, rules):
        return jnp.zeros(2), {"place": 0, "time": 0}

    def step(self, key, state, action, rules):
        place, time = state["place"] + 2 * action - 1, state["time"] + 1.0  # float: the state must stay an integer
        lost, late = place == -2, time == rules
        over = lost | late
        state = {"place": jnp.where(over, 0, place), "time": jnp.where(over, 0, time)}
        seen = jnp.stack([place * 1.0, time])
        return jnp.where(over, jnp.zeros((1, 2)), seen)[0], state, 1 * action, lost, late, {}


def always(action):
    return lambda key, frames: jnp.full(len(frames), action, jnp.int32)


def test_scores_are_of_whole_games():
    games = rl.games(Walk(), 5, sticky=0.0)
    right = jax.jit(lambda key: rl.play(games, always(1), key, 3, 12))(jax.random.key(0))
    np.testing.assert_array_equal(right.scores, 5)
    assert right.going.tolist() == [True] * 5 + [False] * 7
    np.testing.assert_array_equal(right.frames[:6, 1], [0, 1, 2, 3, 4, 0])
    np.testing.assert_array_equal(rl.play(games, always(1), jax.random.key(0), 2, 3).scores, 3)  # cut short
    left = rl.play(games, always(0), jax.random.key(0), 2, 12)
    assert left.going.sum() == 2
    assert left.scores.tolist() == [0, 0]


def test_the_moves_of_a_scan_count_each_game_once():
    games = rl.games(Walk(), 5, sticky=0.0)

    def move(seats, key):
        return games.move(key, seats, jnp.ones(4, jnp.int32))

    seats, moves = jax.lax.scan(move, games.start(jax.random.key(0), 4), jax.random.split(jax.random.key(1), 13))
    assert moves.over.sum(0).tolist() == [2] * 4
    np.testing.assert_array_equal(moves.score[moves.over], 5)
    np.testing.assert_array_equal(seats.score, 3)
    assert moves.reward.dtype == seats.score.dtype == jnp.float32


@pytest.mark.parametrize("sticky", [0.0, 0.25, 1.0])
def test_actions_stick(sticky):
    games = rl.games(Walk(), 1000, sticky=sticky)  # every game begins with 0 as the last action
    _, moves = games.move(jax.random.key(1), games.start(jax.random.key(0), 4000), jnp.ones(4000, jnp.int32))
    assert abs(float(1 - moves.reward.mean()) - sticky) < 0.03


def test_a_share_is_a_share():
    with pytest.raises(ValueError, match=r"sticky is 1\.5"):
        rl.games(Walk(), sticky=1.5)
