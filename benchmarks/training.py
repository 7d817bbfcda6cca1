"""The training step of a network, whoever computes its convolutions: loss, gradients, updated parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
from jax import lax

from jaxnets import losses

Apply = Callable[..., tuple[jax.Array, Any]]
RATE, MOMENTUM = 0.1, 0.9


def training(apply: Apply, steps: int = 1) -> Callable[..., Any]:
    """Gradient descent with momentum, whose velocity lets the check see the gradients themselves.

    `apply(params, state, x, *rest, train=True) → (logits, state)`. Several steps run in one `lax.scan`.
    """

    def run(params: Any, velocity: Any, state: Any, x: jax.Array, labels: jax.Array, *rest: Any) -> Any:
        def step(carry: Any, _: None) -> tuple[Any, jax.Array]:
            def objective(params: Any) -> tuple[jax.Array, Any]:
                logits, new = apply(params, carry["state"], x, *rest, train=True)
                return losses.cross_entropy(logits, labels), new

            (loss, new), gradients = jax.value_and_grad(objective, has_aux=True)(carry["params"])
            velocity = jax.tree.map(lambda v, g: MOMENTUM * v + g, carry["velocity"], gradients)
            params = jax.tree.map(lambda p, v: p - RATE * v, carry["params"], velocity)
            return {"params": params, "velocity": velocity, "state": new}, loss

        carry = {"params": params, "velocity": velocity, "state": state}
        carry, loss = step(carry, None) if steps == 1 else lax.scan(step, carry, length=steps)
        return {**carry, "loss": loss}

    return run
