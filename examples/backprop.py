"""Backpropagation, seen: a network trained by the chain rule written out by hand, and by `jax.grad`.

Task: read 8 by 8 scans of handwritten digits with a multilayer perceptron of two hidden layers.
Paper: Rumelhart, Hinton & Williams (1986), Learning representations by back-propagating errors, Nature 323.
Run: python examples/backprop.py
Expect: 98 % of the held-out digits (97 to 98 % over five seeds; the nearest class mean reads 90 %), gradients equal
to within 3e-7 of their size at every one of 660 steps, and backprop.png, where the two loss curves are one line.
Five to fifteen seconds on two cores.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import optax
import tyro

import jaxnets
from jaxnets import data, losses, metrics, viz


@dataclass(frozen=True)
class Config:
    hidden: tuple[int, int] = (64, 32)  # units of the two hidden layers
    epochs: int = 30
    batch: int = 64
    learning_rate: float = 0.1
    momentum: float = 0.9
    tolerance: float = 1e-5  # of gradients, relative: float32 rounds to 6e-8, and many roundings add up
    seed: int = 0
    out: str = "backprop.png"


def network(config: Config) -> jaxnets.Layer:
    """64 pixels → tanh → tanh → 10 logits; params["hidden1"]["w"] is (64, 64), params["hidden1"]["b"] is (64,)."""
    return jaxnets.serial(
        hidden1=jaxnets.dense(config.hidden[0]),
        tanh1=jnp.tanh,
        hidden2=jaxnets.dense(config.hidden[1]),
        tanh2=jnp.tanh,
        output=jaxnets.dense(10),
    )


def by_hand(params, x, labels):
    """The loss and its gradient, by the chain rule. x: (N, 64), labels: (N,) → (), and a tree like params.

    Write δ for ∂loss/∂(what a layer gives before its tanh), one row per digit: "how much would the loss change if this
    unit's input changed?" All gradients follow from the deltas, and each delta follows from the one of the layer above.
    """
    layer1, layer2, layer3 = params["hidden1"], params["hidden2"], params["output"]

    # Forward. Keep every layer's output h: the way back needs them.
    h1 = jnp.tanh(x @ layer1["w"] + layer1["b"][None, :])  # (N, D1)
    h2 = jnp.tanh(h1 @ layer2["w"] + layer2["b"][None, :])  # (N, D2)
    logits = h2 @ layer3["w"] + layer3["b"][None, :]  # (N, 10)
    p = jax.nn.softmax(logits)
    t = jax.nn.one_hot(labels, 10)  # the target: 1 at the true class
    loss = -jnp.mean(jnp.sum(t * jax.nn.log_softmax(logits), axis=1))

    # Backward. At the top, softmax and cross-entropy together have the simplest derivative there is: what the network
    # said minus what it should have said. (The loss is a mean over N digits, hence the N.)
    delta3 = (p - t) / len(x)

    # One layer down: unit i sent h_i along weight w_ij to each unit j above, so it shares in the blame of each j in
    # proportion to w_ij: δ @ wᵀ. Before that it passed through tanh, whose slope is 1 - tanh² = 1 - h².
    delta2 = (delta3 @ layer3["w"].T) * (1 - h2**2)
    delta1 = (delta2 @ layer2["w"].T) * (1 - h1**2)

    # A weight's gradient: what came in along it times the delta where it arrives, summed over the digits.
    # A bias is a weight whose input is always 1.
    return loss, {
        "hidden1": {"w": x.T @ delta1, "b": delta1.sum(axis=0)},
        "hidden2": {"w": h1.T @ delta2, "b": delta2.sum(axis=0)},
        "output": {"w": h2.T @ delta3, "b": delta3.sum(axis=0)},
    }


def difference(a, b) -> jax.Array:
    """The largest of ‖a − b‖ / ‖b‖ over the arrays of two trees."""
    leaves = jax.tree.map(lambda a, b: jnp.linalg.norm(a - b) / jnp.linalg.norm(b), a, b)
    return jnp.stack(jax.tree.leaves(leaves)).max()


def main(config: Config) -> dict[str, float]:
    digits = data.digits(seed=config.seed)
    x, test_x = digits.train_images.reshape(-1, 64), digits.test_images.reshape(-1, 64)
    labels, test_labels = digits.train_labels, jnp.asarray(digits.test_labels)
    model = network(config)
    params, state = model.init(jax.random.key(config.seed), x[:1])

    def loss(params, x, labels):
        logits, _ = model.apply(params, state, x)
        return losses.cross_entropy(logits, labels)

    by_jax = jax.value_and_grad(loss)
    optimizer = optax.sgd(config.learning_rate, config.momentum)

    @jax.jit
    def step(hand, auto, x, labels):
        """One step of both networks, each by its own gradient; and how far the two gradients are apart at one point."""

        def update(gradient, params, moments):
            change, moments = optimizer.update(gradient, moments)
            return optax.apply_updates(params, change), moments

        hand_loss, hand_gradient = by_hand(hand[0], x, labels)
        auto_loss, auto_gradient = by_jax(auto[0], x, labels)
        gap = difference(by_hand(auto[0], x, labels)[1], auto_gradient)
        return update(hand_gradient, *hand), update(auto_gradient, *auto), hand_loss, auto_loss, gap

    hand = auto = (params, optimizer.init(params))  # the same start
    curves: dict[str, list[float]] = {"the chain rule by hand": [], "jax.grad": []}
    worst = 0.0
    for epoch in range(config.epochs):
        for batch in data.batches((x, labels), config.batch, seed=config.seed, epoch=epoch):
            hand, auto, *seen = step(hand, auto, *batch)
            hand_loss, auto_loss, gap = map(float, seen)
            curves["the chain rule by hand"].append(hand_loss)
            curves["jax.grad"].append(auto_loss)
            worst = max(worst, gap)
            assert gap < config.tolerance, f"gradients differ by {gap:.1e} at step {len(curves['jax.grad'])}"

    title = "Backpropagation: two losses, one line"
    path = viz.save(viz.overlay_curves(curves, title=title, ylabel="training loss"), config.out)

    def accuracy(params) -> float:
        return float(metrics.accuracy(model.apply(params, state, test_x)[0], test_labels))

    # The baseline: the class whose mean training image is nearest.
    means = np.stack([x[labels == k].mean(axis=0) for k in range(10)])
    nearest = ((test_x[:, None] - means[None]) ** 2).sum(axis=2).argmin(axis=1)
    result = {
        "accuracy": accuracy(auto[0]),
        "accuracy_by_hand": accuracy(hand[0]),
        "baseline_accuracy": float((nearest == digits.test_labels).mean()),
        "worst_gradient_difference": worst,
        "steps": float(len(curves["jax.grad"])),
    }
    for name, value in result.items():
        print(f"{name:>26} {value:.4g}")
    print(f"{'picture':>26} {path}")
    return result


if __name__ == "__main__":
    main(tyro.cli(Config))
