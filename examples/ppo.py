"""Proximal policy optimization: a convolutional network learns to play a pixel game from nothing but the score.

Task:     Breakout on 10x10 pixels, as gymnax has it, with MinAtar's sticky actions: one move in ten is the move before
          it once more, so that no list of moves would do. Games and learning are one compiled scan.
Papers:   Schulman et al. (2017), Proximal Policy Optimization Algorithms, https://arxiv.org/abs/1707.06347; the game
          and the network: Young and Tian (2019), MinAtar, https://arxiv.org/abs/1903.03176.
Command:  python examples/ppo.py, after pip install "jaxnets[games]"
Expected: 23.5 points a game, of games that were not learned from (seeds 0 to 2: 19.0, 23.2, 28.4), in 105 s of
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

from jaxnets import dense, extras, rl, serial, train, viz
from jaxnets.models.dqn import nature_torso
from jaxnets.models.impala import actor_critic

# What gymnax's README says of its own PPO, learned from ten million moves of games that are not sticky.
PUBLISHED = {"Asterix-MinAtar": 15, "Breakout-MinAtar": 28, "Freeway-MinAtar": 58, "SpaceInvaders-MinAtar": 131}


@dataclass(frozen=True)
class Config:
    seed: int = 0
    game: str = "Breakout-MinAtar"
    sticky: float = 0.1  # share of moves that are the move before
    seats: int = 128  # games at the same time
    moves: int = 32  # of each in a round, then the network learns from them
    rounds: int = 340
    epochs: int = 3  # over the moves of a round
    batches: int = 32  # in an epoch
    rate: float = 2e-3  # Adam's, falling to 0
    discount: float = 0.99  # what a reward is worth a move earlier
    decay: float = 0.95  # of generalized advantage estimation
    clip: float = 0.2  # how much likelier a move may become in a round
    entropy: float = 0.02  # the worth of being undecided
    tests: int = 128  # games that the score is the mean of
    tiny: bool = False  # a few seconds
    out: Path = Path("runs/ppo")


def learner(config, games):
    """The network, `start(key) -> learning` and `learn(learning, _) -> learning, measures`: a round of both."""
    torso = nature_torso([(16, 3, 1)])
    model = serial(torso=torso, hidden=dense(128), relu=jax.nn.relu, heads=actor_critic(games.actions))
    schedule = optax.linear_schedule(config.rate, 0, config.rounds * config.epochs * config.batches)
    optimizer = optax.chain(optax.clip_by_global_norm(0.5), optax.adam(schedule))

    def loss(y, batch):
        policy, advantage = rl.Categorical(y["logits"]), batch["advantage"]
        advantage = (advantage - advantage.mean()) / (advantage.std() + 1e-8)
        likelier = jnp.exp(policy.log_prob(batch["action"]) - batch["log_prob"])
        clipped = jnp.clip(likelier, 1 - config.clip, 1 + config.clip)
        gain = jnp.minimum(likelier * advantage, clipped * advantage).mean()
        return jnp.square(y["value"] - batch["return"]).mean() / 2 - gain - config.entropy * policy.entropy().mean()

    step = train.make_step(model, loss, optimizer)

    def start(key):
        seats_key, init_key, key = jax.random.split(key, 3)
        seats = games.start(seats_key, config.seats)
        return train.create(model, optimizer, init_key, seats.frame), seats, key

    def learn(learning, _):
        trained, seats, key = learning
        move_key, order_key, lesson_key, key = jax.random.split(key, 4)

        def move(seats, key):
            draw_key, key = jax.random.split(key)
            y, _ = model.apply(trained.params, {}, seats.frame)
            policy = rl.Categorical(y["logits"])
            action = policy.sample(draw_key)
            seen = {"frame": seats.frame, "action": action, "log_prob": policy.log_prob(action)}
            seats, moves = games.move(key, seats, action)
            return seats, (seen, y["value"], moves)

        seats, (seen, values, moves) = jax.lax.scan(move, seats, jax.random.split(move_key, config.moves))
        values = jnp.concatenate([values, model.apply(trained.params, {}, seats.frame)[0]["value"][None]])
        seen["advantage"] = rl.gae(moves.reward, jnp.where(moves.over, 0.0, config.discount), values, config.decay)
        seen["return"] = seen["advantage"] + values[:-1]
        seen = jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), seen)

        def lesson(trained, rows):
            batch = jax.tree.map(lambda x: x[rows], seen)
            return step(trained, lesson_key, batch["frame"], batch)

        keys = jax.random.split(order_key, config.epochs)
        rows = jax.vmap(lambda key: jax.random.permutation(key, config.seats * config.moves))(keys)
        trained, lessons = jax.lax.scan(lesson, trained, rows.reshape(config.epochs * config.batches, -1))
        score = jnp.where(moves.over, moves.score, 0).sum()
        measures = {"loss": lessons["loss"].mean(), "over": moves.over.sum(), "score": score}
        return (trained, seats, key), measures

    return model, start, learn


def main(config: Config) -> dict[str, float]:
    config = replace(config, seats=32, batches=8, rounds=60, tests=64) if config.tiny else config
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
            shown(train.Progress(call, 1, {"loss": float(measures["loss"].mean())}))

    # Play games that are new to it, half of them with its best moves and half at random.
    def player(key, frames):
        best = model.apply(params, {}, frames[: config.tests])[0]["logits"].argmax(axis=1)
        return jnp.concatenate([best, jax.random.randint(key, config.tests, 0, games.actions)])

    params, steps = learning[0].params, rules.max_steps_in_episode
    played = jax.jit(partial(rl.play, games, player, count=2 * config.tests, steps=steps))(test_key)
    ours, theirs = np.split(np.asarray(played.scores), 2)
    score, error, random = float(ours.mean()), float(ours.std() / config.tests**0.5), float(theirs.mean())

    # The picture: the end of the first of those games.
    frames = played.frames[: int(played.going.sum())][-60:]
    y, _ = jax.jit(model.apply)(params, {}, frames)
    names = [("stay", "left", "up", "right", "down", "fire")[i] for i in env.action_set]
    chances = dict(zip(names, np.asarray(jax.nn.softmax(y["logits"])).T, strict=True))
    panels = {"value": {"rewards to come": y["value"]}, "chance": chances}
    levels = {"random": random, "published": PUBLISHED.get(config.game, np.nan)}
    title = f"{config.game}, learned by PPO: {score:.1f} points a game"
    moments = np.linspace(0, 1, len(curve) + 1)[1:] * config.rounds * config.seats * config.moves
    notes = f"± {error:.1f} in {config.tests} new games, random moves {random:.1f}; the end of the first game"
    figure = viz.film(frames, panels, title=title, subtitle=notes, learned=(moments, curve), levels=levels)
    print(title, notes, viz.save(figure, config.out / "ppo.png"), sep="\n")
    return {"score": score, "error": error, "random": random}


if __name__ == "__main__":
    main(tyro.cli(Config))
