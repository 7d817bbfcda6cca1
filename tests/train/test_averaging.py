"""The average of the weights against the formula, and inside a training step, which donates what it is given."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxnets import dense, losses, train


def test_it_is_the_moving_average_of_what_the_updates_make():
    draw = np.random.default_rng(0)
    w, mean = draw.standard_normal(3), np.zeros(3)
    tx = train.weight_average(0.6)
    state = tx.init(jnp.asarray(w, jnp.float32))
    step = jax.jit(tx.update)
    for t in range(30):
        change = draw.standard_normal(3)
        updates, state = step(jnp.asarray(change, jnp.float32), state, jnp.asarray(w, jnp.float32))
        np.testing.assert_array_equal(updates, np.float32(change))
        w = w + change
        kept = min(0.6, t / (t + 9))
        mean = kept * mean + (1 - kept) * w
    np.testing.assert_allclose(state.params, mean, rtol=1e-4, atol=1e-5)
    assert state.steps == 30


def test_a_step_that_donates_its_state_keeps_one(key):
    optimizer = optax.chain(optax.sgd(0.1), train.weight_average(0.9))
    x, y = jnp.ones((2, 3)), jnp.zeros((2, 1))
    state = train.create(dense(1), optimizer, key, x)
    step = train.make_step(dense(1), losses.mse, optimizer)
    before = None
    for _ in range(2):
        before = jax.tree.map(np.asarray, state.params)
        state, _ = step(state, key, x, y)
    mean = state.opt_state[-1].params
    low, high = (np.asarray(each["w"]) for each in (before, state.params))
    assert ((mean["w"] > np.minimum(low, high)) & (mean["w"] < np.maximum(low, high))).all()  # between the last two


def test_bfloat16_stays():
    tx, w = train.weight_average(), jnp.ones(2, jnp.bfloat16)
    _, state = tx.update(w, tx.init(w), w)
    assert state.params.dtype == jnp.bfloat16


@pytest.mark.parametrize("decay", [1.0, -0.1, float("nan")])
def test_a_decay_out_of_range(decay):
    with pytest.raises(ValueError, match="weight_average: decay is"):
        train.weight_average(decay)


def test_without_parameters():
    tx = train.weight_average()
    with pytest.raises(ValueError, match="needs the parameters"):
        tx.update(jnp.ones(2), tx.init(jnp.ones(2)))
