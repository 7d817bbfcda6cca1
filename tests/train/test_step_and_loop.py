"""The step and the loop, on a line fitted to points, where every number is known."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxnets import core, losses, train

LINE = core.pure(lambda key, x: {"w": jnp.ones(())}, lambda params, x: params["w"] * x)
X, Y = jnp.array([1.0, 2.0]), jnp.array([3.0, 6.0])


def absolute_error(y, target):
    return jnp.abs(y - target).mean()


def setup(optimizer, **kwargs):
    step = train.make_step(LINE, losses.mse, optimizer, **kwargs)
    return step, train.create(LINE, optimizer, jax.random.key(0), X)


def counting(noise):
    """A layer with state that counts its training calls, and adds noise then."""

    def apply(params, state, x, /, *, train=False, key=None):
        if not train:
            return params["w"] * x, state
        extra = noise * jax.random.normal(key, x.shape)
        return params["w"] * x + extra, {"calls": state["calls"] + 1}

    return core.Layer(lambda key, x: ({"w": jnp.ones(())}, {"calls": jnp.zeros((), jnp.int32)}), apply)


def test_a_step_is_gradient_descent():
    step, train_state = setup(optax.sgd(0.1), metrics={"error": absolute_error})
    train_state, metrics = step(train_state, jax.random.key(1), X, Y)
    # loss = (w - 3)^2 (1 + 4) / 2 at w = 1; gradient = 5 (w - 3)
    assert {name: float(value) for name, value in metrics.items()} == {"loss": 10, "gradient_norm": 10, "error": 3}
    np.testing.assert_allclose(train_state.params["w"], 2.0)
    assert int(train_state.step) == 1


def test_a_step_compiles_once_and_keeps_state():
    model = counting(noise=0.0)
    optimizer = optax.adam(0.1)
    step = train.make_step(model, losses.mse, optimizer)
    train_state = train.create(model, optimizer, jax.random.key(0), X)
    for _ in range(3):
        train_state, _ = step(train_state, jax.random.key(1), X, Y)
    assert int(train_state.state["calls"]) == 3
    assert step._cache_size() == 1


def test_the_key_gives_other_draws_at_every_step_and_the_same_again():
    model = counting(noise=1.0)
    optimizer = optax.sgd(0.0)  # the parameters stay, so the losses differ by their draws alone
    step = train.make_step(model, losses.mse, optimizer)

    def run():
        train_state = train.create(model, optimizer, jax.random.key(0), X)
        values = []
        for _ in range(3):
            train_state, metrics = step(train_state, jax.random.key(1), X, Y)
            values.append(float(metrics["loss"]))
        return values

    assert len(set(run())) == 3
    assert run() == run()


def test_augmentation_runs_inside_the_step():
    step, train_state = setup(optax.sgd(0.1), augment=lambda key, x: x + jax.random.uniform(key, x.shape, minval=9.0))
    _, metrics = step(train_state, jax.random.key(1), X, Y)
    assert float(metrics["loss"]) > 10


def test_the_buffers_that_go_in_are_donated():
    step, train_state = setup(optax.sgd(0.1))
    step(train_state, jax.random.key(1), X, Y)
    with pytest.raises(RuntimeError, match="deleted"):
        float(train_state.params["w"])


def test_evaluation_uses_the_network_as_it_is_meant():
    model = counting(noise=100.0)
    train_state = train.create(model, optax.sgd(0.1), jax.random.key(0), X)
    metrics = train.make_eval(model, losses.mse, metrics={"error": absolute_error})(train_state, X, Y)
    assert {name: float(value) for name, value in metrics.items()} == {"loss": 10, "error": 3}


def test_reserved_metric_names_are_refused():
    with pytest.raises(ValueError, match=r"\['loss'\]"):
        train.make_step(LINE, losses.mse, optax.sgd(0.1), metrics={"loss": absolute_error})


def test_fit_learns_and_reports_every_step_and_epoch():
    step, start = setup(optax.sgd(0.1))
    seen = []
    measure = train.make_eval(LINE, losses.mse)
    epochs = list(
        train.fit(
            step,
            start,
            lambda epoch: [(X, Y)] * epoch,
            epochs=3,
            key=jax.random.key(1),
            evaluate=lambda train_state: {"test_loss": measure(train_state, X, Y)["loss"]},
            on_step=seen.append,
        )
    )
    assert [(report.step, report.epoch) for report in seen] == [(1, 1), (2, 2), (3, 2), (4, 3), (5, 3), (6, 3)]
    losses_seen = [report.metrics["loss"] for report in seen]
    np.testing.assert_allclose(losses_seen, [10 / 4**i for i in range(6)], rtol=1e-5)  # w - 3 halves each step
    assert [epoch.number for epoch in epochs] == [1, 2, 3]
    np.testing.assert_allclose(epochs[1].metrics["train_loss"], np.mean(losses_seen[1:3]), rtol=1e-6)
    np.testing.assert_allclose(epochs[-1].metrics["test_loss"], 10 / 4**6, rtol=1e-4)
    assert int(epochs[-1].train_state.step) == 6


def test_fit_stops_when_nobody_asks_for_more():
    step, start = setup(optax.sgd(0.1))
    seen = []
    run = train.fit(step, start, lambda epoch: [(X, Y)], epochs=100, key=jax.random.key(1), on_step=seen.append)
    next(run)
    next(run)
    assert len(seen) == 2


def test_a_nan_loss_stops_training_at_its_step():
    step, start = setup(optax.sgd(0.1))
    bad = (X, jnp.array([jnp.nan, 0.0]))
    run = train.fit(step, start, lambda epoch: [(X, Y), bad if epoch == 2 else (X, Y)], epochs=3, key=jax.random.key(1))
    assert np.isfinite(next(run).train_state.params["w"])
    with pytest.raises(FloatingPointError, match=r"loss is nan at step 4 \(epoch 2\); lower the learning rate"):
        next(run)
    assert list(run) == []


def test_a_nan_gradient_of_a_finite_loss_is_caught_at_its_step():
    model = core.pure(lambda key, x: {"w": jnp.zeros(())}, lambda params, x: jnp.sqrt(params["w"]) * x)
    optimizer = optax.sgd(0.1)
    step = train.make_step(model, losses.mse, optimizer)
    start = train.create(model, optimizer, jax.random.key(0), X)
    run = train.fit(step, start, lambda epoch: [(X, jnp.ones(2))], epochs=1, key=jax.random.key(1))
    with pytest.raises(FloatingPointError, match=r"gradient_norm is (nan|inf) at step 1 \(epoch 1\)"):
        next(run)


def test_an_infinite_evaluation_is_not_passed_on():
    step, start = setup(optax.sgd(1e30))
    run = train.fit(
        step,
        start,
        lambda epoch: [(X, Y)],
        epochs=1,
        key=jax.random.key(1),
        evaluate=lambda train_state: train.make_eval(LINE, losses.mse)(train_state, X, Y),
    )
    with pytest.raises(FloatingPointError, match=r"loss is inf at the evaluation after epoch 1 \(step 1\)"):
        next(run)


def test_fit_names_useless_arguments():
    step, start = setup(optax.sgd(0.1))
    with pytest.raises(ValueError, match="epochs must be at least 1"):
        next(train.fit(step, start, lambda epoch: [(X, Y)], epochs=0, key=jax.random.key(1)))
    with pytest.raises(ValueError, match=r"batches\(1\) gave no batch"):
        next(train.fit(step, start, lambda epoch: [], epochs=1, key=jax.random.key(1)))


def test_the_progress_bar_shows_what_it_is_told(capsys):
    with train.progress_bar(2, batch_size=64) as on_step:
        on_step(train.Progress(1, 1, {"loss": 0.5, "accuracy": 0.25}))
        on_step(train.Progress(2, 2, {"loss": 0.5, "accuracy": 0.25}))
    shown = capsys.readouterr().out
    assert "epoch 2" in shown
    assert "loss 0.500" in shown
    assert "accuracy 25.0%" in shown
