"""Deep Q-learning: a convolutional network learns what each move in a pixel game is worth, from nothing but the score.

Task:     Breakout on 10x10 pixels, as gymnax has it, with MinAtar's sticky actions: one move in ten is the move before
          it once more, so that no list of moves would do. Games, replay and learning are one compiled scan.
Papers:   Mnih et al. (2015), Human-level control through deep reinforcement learning; rewards of several moves as in
          Rainbow (Hessel et al., 2018); the game and the network: Young and Tian (2019), https://arxiv.org/abs/1903.03176.
Command:  python examples/dqn.py, after pip install "jaxnets[games]"
Expected: 16.5 points a game, of games that were not learned from (seeds 0 to 2: 17.7, 14.4, 17.4), in 95 s of
          processor time. Random moves get 0.4, and gymnax's own PPO 28, says its README: not beaten here.
"""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import tyro

from jaxnets import extras, losses, models, rl, train, viz

# What gymnax's README says of its own PPO, learned from ten million moves of games that are not sticky.
PUBLISHED = {"Asterix-MinAtar": 15, "Breakout-MinAtar": 28, "Freeway-MinAtar": 58, "SpaceInvaders-MinAtar": 131}


@dataclass(frozen=True)
class Config:
    seed: int = 0
    game: str = "Breakout-MinAtar"
    sticky: float = 0.1  # share of moves that are the move before
    seats: int = 64  # games at the same time
    moves: int = 16  # of each in a round, then the network learns
    rounds: int = 1200
    memory: int = 100_000  # moves that are remembered, the newest
    lessons: int = 16  # after a round, of
    batch: int = 128  # moves
    rate: float = 1e-3  # Adam's, falling to a tenth
    discount: float = 0.99  # what a reward is worth a move earlier
    ahead: int = 10  # moves whose rewards are counted, before the network says what the rest will be
    sync: int = 10  # rounds from one copy of the network that says so to the next
    epsilon: float = 0.02  # share of moves drawn at random, falling from 1 in the first tenth of the rounds
    tests: int = 128  # games that the score is the mean of
    tiny: bool = False  # a few seconds
    out: Path = Path("runs/dqn")


def learner(config, games):
    """The network, `start(key) -> learning` and `learn(learning, _) -> learning, measures`: a round of both."""
    model = models.nature_dqn(games.actions, torso=[(16, 3, 1)], hidden=128)
    optimizer = optax.adam(optax.linear_schedule(config.rate, config.rate / 10, config.rounds * config.lessons))

    def worth(params, frames):
        return model.apply(params, {}, frames.astype(jnp.float32))[0]

    def loss(values, target):  # an action, and what it should be worth
        return losses.mse(jnp.take_along_axis(values, target[0][:, None], axis=1)[:, 0], target[1])

    step = train.make_step(model, loss, optimizer)

    def start(key):
        seats_key, init_key, key = jax.random.split(key, 3)
        seats = games.start(seats_key, config.seats)
        trained = train.create(model, optimizer, init_key, seats.frame)
        frame, action, number = seats.frame[0].astype(bool), seats.action[0], seats.score[0]
        item = {"frame": frame, "action": action, "reward": number, "discount": number, "later": frame}
        return trained, jax.tree.map(jnp.copy, trained.params), seats, rl.replay.create(item, config.memory), key

    def learn(learning, _):
        trained, target, seats, memory, key = learning
        move_key, lesson_key, key = jax.random.split(key, 3)
        params, count = trained.params, trained.step // config.lessons
        epsilon = jnp.maximum(config.epsilon, 1 - 10 * count / config.rounds)

        def move(seats, key):
            draw_key, key = jax.random.split(key)
            action = rl.epsilon_greedy(draw_key, worth(params, seats.frame), epsilon)
            new, moves = games.move(key, seats, action)
            return new, (seats.frame.astype(bool), action, moves)

        seats, (frames, actions, moves) = jax.lax.scan(move, seats, jax.random.split(move_key, config.moves))
        frames = jnp.concatenate([frames, seats.frame[None].astype(bool)])
        discounts, nothing = jnp.where(moves.over, 0.0, config.discount), jnp.zeros(frames.shape[:2])
        items = {
            "frame": frames[:-1],
            "action": actions,
            "reward": rl.n_step_returns(moves.reward, discounts, nothing, config.ahead),
            "discount": rl.n_step_returns(nothing[1:], discounts, nothing + 1, config.ahead),  # their product
            "later": frames[jnp.minimum(jnp.arange(config.moves) + config.ahead, config.moves)],
        }
        memory = rl.replay.add(memory, jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), items))

        def lesson(trained, key):
            draw_key, key = jax.random.split(key)
            batch = rl.replay.sample(draw_key, memory, config.batch)
            goal = batch["reward"] + batch["discount"] * worth(target, batch["later"]).max(axis=1)
            return step(trained, key, batch["frame"].astype(jnp.float32), (batch["action"], goal))

        trained, lessons = jax.lax.scan(lesson, trained, jax.random.split(lesson_key, config.lessons))
        target = jax.tree.map(lambda new, old: jnp.where(count % config.sync == 0, new, old), params, target)
        measures = {"loss": lessons["loss"], "over": moves.over, "score": jnp.where(moves.over, moves.score, 0)}
        return (trained, target, seats, memory, key), jax.tree.map(jnp.sum, measures)

    return model, start, learn


def main(config: Config) -> dict[str, float]:
    config = replace(config, rounds=60, tests=64) if config.tiny else config
    env, rules = extras.require("gymnax", extra="games").make(config.game)
    games = rl.games(env, rules, sticky=config.sticky)
    model, start, learn = learner(config, games)
    train_key, test_key = jax.random.split(jax.random.key(config.seed))

    # Learn, in 20 calls of one compiled program.
    each = config.rounds // 20
    learn_on = jax.jit(lambda learning: jax.lax.scan(learn, learning, length=each), donate_argnums=0)
    learning, curve = jax.jit(start)(train_key), []
    with train.progress_bar(20, each * config.seats * config.moves) as shown:
        for call in range(1, 21):
            learning, measures = learn_on(learning)
            curve.append(float(measures["score"].sum()) / max(int(measures["over"].sum()), 1))
            shown(train.Progress(call, 1, {"loss": float(measures["loss"].mean()) / config.lessons}))

    # Play games that are new to it, half of them with its best moves and half at random.
    def player(key, frames):
        best = model.apply(params, {}, frames[: config.tests])[0].argmax(axis=1)
        return jnp.concatenate([best, jax.random.randint(key, config.tests, 0, games.actions)])

    params, steps = learning[0].params, rules.max_steps_in_episode
    played = jax.jit(partial(rl.play, games, player, count=2 * config.tests, steps=steps))(test_key)
    ours, theirs = np.split(np.asarray(played.scores), 2)
    score, error, random = float(ours.mean()), float(ours.std() / config.tests**0.5), float(theirs.mean())

    # The picture: the end of the first of those games.
    frames = played.frames[: int(played.going.sum())][-60:]
    values, _ = jax.jit(model.apply)(params, {}, frames)
    names = [("stay", "left", "up", "right", "down", "fire")[i] for i in env.action_set]
    panels = {"value of each move": dict(zip(names, np.asarray(values).T, strict=True))}
    levels = {"random": random, "published": PUBLISHED.get(config.game, np.nan)}
    title = f"{config.game}, learned by DQN: {score:.1f} points a game"
    moments = np.linspace(0, 1, len(curve) + 1)[1:] * config.rounds * config.seats * config.moves
    notes = f"± {error:.1f} in {config.tests} new games, random moves {random:.1f}; the end of the first game"
    figure = viz.film(frames, panels, title=title, subtitle=notes, learned=(moments, curve), levels=levels)
    print(title, notes, viz.save(figure, config.out / "dqn.png"), sep="\n")
    return {"score": score, "error": error, "random": random}


if __name__ == "__main__":
    main(tyro.cli(Config))
