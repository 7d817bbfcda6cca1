"""The loop over epochs and batches, which stops rather than train on after a NaN."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import jax

from jaxnets.train.step import TrainState

Step = Callable[..., tuple[TrainState, dict[str, jax.Array]]]


class Progress(NamedTuple):
    """What one step reports: its number in this run (from 1), its epoch (from 1), and the metrics of its batch."""

    step: int
    epoch: int
    metrics: dict[str, float]


class Epoch(NamedTuple):
    """What one epoch leaves: its number (from 1), the training state, and the metrics.

    The metrics are the means over the epoch's steps, named "train_loss" and so on, and what `evaluate` returned.
    """

    number: int
    train_state: TrainState
    metrics: dict[str, float]


def fit(
    step: Step,
    train_state: TrainState,
    batches: Callable[[int], Iterable[tuple[Any, ...]]],
    *,
    epochs: int,
    key: jax.Array,
    evaluate: Callable[[TrainState], Mapping[str, Any]] | None = None,
    on_step: Callable[[Progress], None] | None = None,
) -> Iterator[Epoch]:
    """Train, one epoch for each value taken from this iterator: stop taking them, and training stops.

    The step's metrics are read one step late, while the next step runs, so that the device never waits for Python.

    Args:
        step: from `make_step`, or anything with its signature.
        train_state: from `create`. It is donated: use the one of the epoch.
        batches: `batches(epoch)` gives the `(x, target)` of that epoch, counted from 1.
        epochs: how many.
        key: for augmentation and dropout; the same for the whole run.
        evaluate: called after each epoch; returns more metrics. A name that the steps report too is replaced.
        on_step: called after each step, for a progress bar.

    Yields:
        An `Epoch`. Its training state is donated when the next epoch begins: save it, or copy it, before that.

    Raises:
        FloatingPointError: a metric of a step, or of `evaluate`, is NaN or infinite. The epoch it happened in is
            never yielded, so what was kept of the last epoch is good.
        ValueError: an epoch without batches, or fewer than one epoch.

    >>> import jax.numpy as jnp, optax
    >>> from jaxnets import core, losses, train
    >>> layer = core.pure(lambda key, x: {"w": jnp.ones(())}, lambda params, x: params["w"] * x)
    >>> optimizer = optax.sgd(0.25)
    >>> step = train.make_step(layer, losses.mse, optimizer)
    >>> start = train.create(layer, optimizer, jax.random.key(0), jnp.ones(3))
    >>> one_batch = [(jnp.ones(3), jnp.full(3, 2.0))]
    >>> for epoch in train.fit(step, start, lambda epoch: one_batch, epochs=3, key=jax.random.key(1)):
    ...     print(epoch.number, epoch.metrics["train_loss"])
    1 1.0
    2 0.25
    3 0.0625
    """
    if epochs < 1:
        raise ValueError(f"fit: epochs must be at least 1, not {epochs}")
    taken = 0
    for number in range(1, epochs + 1):
        sums: dict[str, float] = {}
        first = taken
        for newest, metrics in _steps(step, train_state, key, batches(number)):
            train_state = newest
            taken += 1
            values = _finite(metrics, f"step {taken} (epoch {number})")
            sums = {name: sums.get(name, 0.0) + value for name, value in values.items()}
            if on_step is not None:
                on_step(Progress(taken, number, values))
        if taken == first:
            raise ValueError(f"fit: batches({number}) gave no batch: is the batch size larger than the data?")
        means = {f"train_{name}": value / (taken - first) for name, value in sums.items()}
        if evaluate is not None:
            means |= _finite(evaluate(train_state), f"the evaluation after epoch {number} (step {taken})")
        yield Epoch(number, train_state, means)


def _steps(
    step: Step, train_state: TrainState, key: jax.Array, batches: Iterable[tuple[Any, ...]]
) -> Iterator[tuple[TrainState, dict[str, jax.Array]]]:
    """Run the steps. Yield the newest state and the metrics of the step before it; at the end, its own."""
    waiting = None
    for batch in batches:
        train_state, metrics = step(train_state, key, *batch)
        if waiting is not None:
            yield train_state, waiting
        waiting = metrics
    if waiting is not None:
        yield train_state, waiting


def _finite(metrics: Mapping[str, Any], when: str) -> dict[str, float]:
    """The metrics as Python floats; raise unless each is finite."""
    values = {name: float(value) for name, value in metrics.items()}
    bad = [f"{name} is {value}" for name, value in values.items() if not math.isfinite(value)]
    if bad:
        raise FloatingPointError(
            f"training diverged: {', '.join(bad)} at {when}; lower the learning rate, or look for the first NaN "
            "with jax.config.update('jax_debug_nans', True)"
        )
    return values
