"""The jobs of the small networks: a forward pass, and a training step from loss to updated parameters."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks import agree
from benchmarks.jobs import Job
from benchmarks.networks import Network, Plain
from benchmarks.rivals import MODULES
from benchmarks.timing import NotRun
from benchmarks.training import Apply, training
from jaxnets import summary, tree


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


def jobs(network: Network, quick: bool) -> list[Job]:
    """The forward job and the training step's, on random images and labels."""
    draw = np.random.default_rng(0)
    x = jnp.asarray(draw.standard_normal(network.quick if quick else network.full, np.float32))
    labels = jnp.asarray(draw.integers(0, 10, x.shape[0]), jnp.int32)
    layer = network.ours()
    params, state = layer.init(jax.random.key(0), x)
    args = (params, jax.tree.map(jnp.zeros_like, params), state, x, labels)
    rivals = applies(network)
    total = summary(layer, x).total
    work, moved = 2 * total.multiply_adds / 1e9, 2 * total.activation_bytes
    eps = agree.rounding(x.dtype, jax.default_backend(), products=True)
    # The longest sum is a weight gradient's, over all positions; the layers' errors add up like a random walk.
    positions = prod(x.shape[:-1])
    allowed = (network.depth * network.steps) ** 0.5 * agree.tolerance(positions, eps)
    if network.kinks:  # so do the activations, a share eps of all and at least one, that fall on the other side
        allowed += 4 * (network.depth * eps) ** 0.5 + 2 / positions**0.5
    made = []
    for direction, passes, build in (
        ("forward", 1, _forward),
        ("training step", 3 * network.steps, lambda apply: training(apply, network.steps)),
    ):
        compiled = {name: build(apply) for name, apply in rivals.items()}
        result = jax.eval_shape(compiled["ours"], *args)
        made.append(
            Job(
                suite="models",
                case=network.name,
                shape_class="small networks",
                direction=direction,
                args=args,
                compiled=compiled,
                tolerances=jax.tree.map(lambda _: allowed, result),
                work=work * passes,
                unit="GFLOP",
                bytes=moved * passes,
                numpy=NotRun("no NumPy network"),
                description={"shapes": [list(x.shape)], "steps": network.steps},
            )
        )
    return made
