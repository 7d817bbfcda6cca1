"""One training step and one evaluation, each a pure function under one `jax.jit`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import optax

from jaxnets.core import Layer, Params, State

Measure = Callable[[Any, Any], jax.Array]
"""`measure(output, target) -> scalar`, as `losses.cross_entropy` and `metrics.accuracy`."""

Augment = Callable[[jax.Array, Any], Any]
"""`augment(key, x) -> x`, of the same shape and dtype."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class TrainState:
    """All that training changes, as one pytree.

    Attributes:
        params: what is learned.
        state: what the network remembers, as batch-norm statistics.
        opt_state: the optimizer's own memory.
        step: how many steps have been taken, int32 `()`.
    """

    params: Params
    state: State
    opt_state: optax.OptState
    step: jax.Array


def create(model: Layer, optimizer: optax.GradientTransformation, key: jax.Array, x: Any) -> TrainState:
    """The state before the first step: fresh parameters and a fresh optimizer.

    Args:
        key: draws the parameters.
        x: an example batch, or its `jax.ShapeDtypeStruct`.

    >>> from jaxnets import core
    >>> layer = core.pure(lambda key, x: {"w": jnp.ones(())}, lambda params, x: params["w"] * x)
    >>> create(layer, optax.sgd(0.1), jax.random.key(0), jnp.ones(3)).step
    Array(0, dtype=int32)
    """
    params, state = model.init(key, x)
    return TrainState(params, state, optimizer.init(params), jnp.zeros((), jnp.int32))


def make_step(
    model: Layer,
    loss: Measure,
    optimizer: optax.GradientTransformation,
    *,
    metrics: Mapping[str, Measure] | None = None,
    augment: Augment | None = None,
) -> jax.stages.Wrapped:
    """Build `step(train_state, key, x, target) -> (train_state, metrics)`, compiled once for each shape of batch.

    The buffers of the `train_state` that goes in are donated: use only the one that comes out. The key is the same
    at every step, since the step folds its own number into it: a run resumed from its state draws what it
    would have drawn.

    Args:
        loss: `loss(output, target) -> scalar`, what is minimized.
        optimizer: from optax.
        metrics: more to measure on the training batch, by name.
        augment: `augment(key, x) -> x`, run inside the step.

    Returns:
        A jitted function; `step.lower(...).compile()` compiles it ahead of time. Its metrics are scalars: "loss",
        "gradient_norm" (the global norm, in which any NaN of the gradients shows), and those asked for.

    Gradient: by `jax.value_and_grad`, to `params` only. Cost: one forward and one backward pass.

    >>> from jaxnets import core, losses
    >>> layer = core.pure(lambda key, x: {"w": jnp.ones(())}, lambda params, x: params["w"] * x)
    >>> optimizer = optax.sgd(0.25)
    >>> step = make_step(layer, losses.mse, optimizer)
    >>> train_state = create(layer, optimizer, jax.random.key(0), jnp.ones(3))
    >>> train_state, measured = step(train_state, jax.random.key(1), jnp.ones(3), jnp.full(3, 2.0))
    >>> float(measured["loss"]), float(train_state.params["w"]), int(train_state.step)
    (1.0, 1.5, 1)
    """
    measures = dict(metrics or {})
    taken = {"loss", "gradient_norm"} & set(measures)
    if taken:
        raise ValueError(f"make_step: metrics may not be named {sorted(taken)}, which every step reports")

    def step(train_state: TrainState, key: jax.Array, x: Any, target: Any) -> tuple[TrainState, dict[str, jax.Array]]:
        augment_key, model_key = jax.random.split(jax.random.fold_in(key, train_state.step))
        if augment is not None:
            x = augment(augment_key, x)

        def objective(params: Params) -> tuple[jax.Array, tuple[Any, State]]:
            y, state = model.apply(params, train_state.state, x, train=True, key=model_key)
            return loss(y, target), (y, state)

        (value, (y, state)), gradients = jax.value_and_grad(objective, has_aux=True)(train_state.params)
        # Under jax_numpy_dtype_promotion=strict optax itself would fail: Adam raises a float to an int power.
        with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
            updates, opt_state = optimizer.update(gradients, train_state.opt_state, train_state.params)
            params = optax.apply_updates(train_state.params, updates)
        measured = {"loss": value, "gradient_norm": optax.tree.norm(gradients)}
        measured |= {name: measure(y, target) for name, measure in measures.items()}
        return TrainState(params, state, opt_state, train_state.step + 1), measured

    return jax.jit(step, donate_argnums=0)


def make_eval(
    model: Layer, loss: Measure, *, metrics: Mapping[str, Measure] | None = None
) -> Callable[[TrainState, Any, Any], dict[str, jax.Array]]:
    """Build `evaluate(train_state, x, target) -> metrics`, the network used as it is meant to be (`train=False`).

    Args:
        loss: `loss(output, target) -> scalar`, reported as "loss".
        metrics: more to measure, by name.

    Returns:
        A jitted function, compiled once for each shape of batch. Nothing is donated.

    >>> from jaxnets import core, losses
    >>> layer = core.lift(lambda x: 2 * x)
    >>> train_state = create(layer, optax.sgd(0.1), jax.random.key(0), jnp.ones(3))
    >>> float(make_eval(layer, losses.mse)(train_state, jnp.ones(3), jnp.zeros(3))["loss"])
    4.0
    """
    measures = {"loss": loss, **(metrics or {})}

    @jax.jit
    def evaluate(train_state: TrainState, x: Any, target: Any) -> dict[str, jax.Array]:
        y, _ = model.apply(train_state.params, train_state.state, x)
        return {name: measure(y, target) for name, measure in measures.items()}

    return evaluate
