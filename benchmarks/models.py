"""The jobs of the networks: a forward pass, and a training step from loss to updated parameters."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from benchmarks import agree
from benchmarks.networks import Network, Plain
from benchmarks.rivals import MODULES, Job
from benchmarks.timing import NotRun
from jaxnets import losses, summary, tree

Apply = Callable[..., tuple[jax.Array, Any]]
RATE, MOMENTUM = 0.1, 0.9


def applies(network: Network) -> dict[str, Apply]:
    """`apply(params, state, x, train=) -> (logits, state)` of each rival."""
    layer = network.ours()

    def by_hand(name: str) -> Apply:
        def apply(params: Any, state: Any, x: jax.Array, *, train: bool = False) -> tuple[jax.Array, Any]:
            net = Plain(MODULES[name], tree.flatten(params), tree.flatten(state), train)
            logits = network.plain(net, x)
            return logits, tree.unflatten(net.new) if train else state

        return apply

    def ours(params: Any, state: Any, x: jax.Array, *, train: bool = False) -> tuple[jax.Array, Any]:
        return layer.apply(params, state, x, train=train)

    return {"naive": by_hand("naive"), "lax": by_hand("lax"), "ours": ours}


def _forward(apply: Apply) -> Callable[..., Any]:
    return lambda params, velocity, state, x, labels: {"logits": apply(params, state, x)[0]}


def _training(apply: Apply, steps: int) -> Callable[..., Any]:
    """Gradient descent with momentum, whose velocity lets the check see the gradients themselves."""

    def run(params: Any, velocity: Any, state: Any, x: jax.Array, labels: jax.Array) -> Any:
        def step(carry: Any, _: None) -> tuple[Any, jax.Array]:
            def objective(params: Any) -> tuple[jax.Array, Any]:
                logits, new = apply(params, carry["state"], x, train=True)
                return losses.cross_entropy(logits, labels), new

            (loss, new), gradients = jax.value_and_grad(objective, has_aux=True)(carry["params"])
            velocity = jax.tree.map(lambda v, g: MOMENTUM * v + g, carry["velocity"], gradients)
            params = jax.tree.map(lambda p, v: p - RATE * v, carry["params"], velocity)
            return {"params": params, "velocity": velocity, "state": new}, loss

        carry = {"params": params, "velocity": velocity, "state": state}
        carry, loss = step(carry, None) if steps == 1 else lax.scan(step, carry, length=steps)
        return {**carry, "loss": loss}

    return run


def jobs(network: Network, quick: bool) -> list[Job]:
    """The forward job and the training step's, on random images and labels."""
    draw = np.random.default_rng(0)
    x = jnp.asarray(draw.standard_normal(network.quick if quick else network.full, np.float32))
    labels = jnp.asarray(draw.integers(0, 10, x.shape[0]), jnp.int32)
    layer = network.ours()
    params, state = layer.init(jax.random.key(0), x)
    args = (params, jax.tree.map(jnp.zeros_like, params), state, x, labels)
    rivals = applies(network)
    work = 2 * summary(layer, x).total.multiply_adds / 1e9
    eps = agree.rounding(x.dtype, jax.default_backend(), products=True)
    # The longest sum is a weight gradient's, over all positions; the layers' errors add up like a random walk.
    positions = prod(x.shape[:-1])
    allowed = (network.depth * network.steps) ** 0.5 * agree.tolerance(positions, eps)
    if network.kinks:  # so do the activations, a share eps of all and at least one, that fall on the other side
        allowed += 4 * (network.depth * eps) ** 0.5 + 2 / positions**0.5
    made = []
    for direction, cost, build in (
        ("forward", work, _forward),
        ("training step", 3 * work * network.steps, lambda apply: _training(apply, network.steps)),
    ):
        compiled = {name: build(apply) for name, apply in rivals.items()}
        result = jax.eval_shape(compiled["ours"], *args)
        made.append(
            Job(
                "models",
                network.name,
                direction,
                args,
                compiled,
                jax.tree.map(lambda _: allowed, result),
                cost,
                "GFLOP",
                numpy=NotRun("no NumPy network"),
                description={"shapes": [list(x.shape)], "steps": network.steps},
            )
        )
    return made
