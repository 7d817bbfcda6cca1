"""Games to learn, many at once, as pure functions to run on the device inside a `scan`."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp


class Seats(NamedTuple):
    """N games in progress.

    Attributes:
        state: the environment's own, every leaf `(N, ...)`.
        frame: what the players see, `(N, ...)`.
        action: what was done last, int32 `(N,)`.
        score: the rewards of this game so far, float32 `(N,)`.
    """

    state: Any
    frame: jax.Array
    action: jax.Array
    score: jax.Array


class Moves(NamedTuple):
    """What a move brought, each `(N,)`: the reward, whether the game is over (lost, won or out of time), its score."""

    reward: jax.Array
    over: jax.Array
    score: jax.Array


class Games(NamedTuple):
    """A game, many at once.

    Attributes:
        start: `start(key, count) -> Seats`, new games.
        move: `move(key, seats, actions) -> (Seats, Moves)`, with int32 actions `(N,)`. A game that is over is followed
            by a new one: its seat has the new one's frame.
        actions: how many there are.
    """

    start: Callable[[jax.Array, int], Seats]
    move: Callable[[jax.Array, Seats, jax.Array], tuple[Seats, Moves]]
    actions: int


class Played(NamedTuple):
    """Whole games: the score of each, float32 `(N,)`, and the first of them move by move, each `(T, ...)`.

    Attributes:
        scores: of all games.
        frames, actions, rewards: what the player saw, did and got.
        going: whether the first game was still going; what follows its end is of other games.
    """

    scores: jax.Array
    frames: jax.Array
    actions: jax.Array
    rewards: jax.Array
    going: jax.Array


def games(env: Any, rules: Any = None, *, sticky: float = 0.1) -> Games:
    """Games of an environment with gymnax's interface.

    Args:
        env, rules: as `gymnax.make(name)` gives them (gymnax 1): `env.reset(key, rules) -> (frame, state)`;
            `env.step(key, state, action, rules) -> (frame, state, reward, terminated, truncated, info)`, which starts
            anew after an end; `env.num_actions`.
        sticky: how often a game takes the action before in place of the one it is given. Without it some games are
            the same each time, and a list of actions would do for a player: MinAtar's own games, unlike gymnax's, have
            0.1.

    Raises `ValueError` for a share outside [0, 1]. Gradient: none.

    References: Lange (2022), https://github.com/RobertTLange/gymnax; sticky actions: Machado et al. (2018),
    https://arxiv.org/abs/1709.06009; MinAtar: Young and Tian (2019), https://arxiv.org/abs/1903.03176.
    """
    if not 0 <= sticky <= 1:
        raise ValueError(f"games: sticky is {sticky}; take a share in [0, 1]")

    def start(key: jax.Array) -> Seats:
        with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):  # as gymnax expects it
            frame, state = env.reset(key, rules)
        return Seats(jax.tree.map(jnp.asarray, state), frame, jnp.zeros((), jnp.int32), jnp.zeros((), jnp.float32))

    def move(key: jax.Array, seat: Seats, action: jax.Array) -> tuple[Seats, Moves]:
        stick, key = jax.random.split(key)
        action = jnp.where(jax.random.uniform(stick) < sticky, seat.action, action)
        with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
            frame, state, reward, terminated, truncated, _ = env.step(key, seat.state, action, rules)
        state = jax.tree.map(lambda new, old: jnp.asarray(new, old.dtype), state, seat.state)  # for scan
        reward, over = jnp.asarray(reward, jnp.float32), jnp.asarray(terminated | truncated)
        score = seat.score + reward
        return Seats(state, frame, action, jnp.where(over, 0, score)), Moves(reward, over, score)

    return Games(
        lambda key, count: jax.vmap(start)(jax.random.split(key, count)),
        lambda key, seats, actions: jax.vmap(move)(jax.random.split(key, len(actions)), seats, actions),
        env.num_actions,
    )


def play(
    games: Games, player: Callable[[jax.Array, jax.Array], jax.Array], key: jax.Array, count: int, steps: int
) -> Played:
    """Play `count` games to their end, or for `steps` moves: how good is a player?

    Args:
        games: from `games`.
        player: `player(key, frames) -> actions`, `(count, ...) → (count,)`, int32.
        key: draws all that is random, the player's actions too.
        count: games, played at the same time.
        steps: moves at most; a game that is not over by then keeps the score that it has.

    Cost: `steps` moves of `count` games, however early they end.

    >>> class Dice:  # three throws a game
    ...     num_actions = 1
    ...     def reset(self, key, rules):
    ...         return jnp.zeros(2), 0
    ...     def step(self, key, state, action, rules):
    ...         over = state == 2
    ...         points = jax.random.randint(key, (), 1, 7)
    ...         return jnp.zeros(2), jnp.where(over, 0, state + 1), points, over, False, {}
    >>> played = play(games(Dice()), lambda key, frames: jnp.zeros(len(frames), jnp.int32), jax.random.key(0), 500, 9)
    >>> bool(played.scores.min() >= 3), bool(played.scores.max() <= 18), int(played.going.sum())
    (True, True, 3)
    """

    def move(carry: Any, key: jax.Array) -> tuple[Any, Any]:
        seats, going, scores = carry
        player_key, move_key = jax.random.split(key)
        actions = player(player_key, seats.frame)
        new, moves = games.move(move_key, seats, actions)
        first = (seats.frame[0], actions[0], moves.reward[0], going[0])
        return (new, going & ~moves.over, jnp.where(going, moves.score, scores)), first

    start, key = jax.random.split(key)
    carry = (games.start(start, count), jnp.ones(count, bool), jnp.zeros(count, jnp.float32))
    (_, _, scores), first = jax.lax.scan(move, carry, jax.random.split(key, steps))
    return Played(scores, *first)
