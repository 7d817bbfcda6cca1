"""FTRL-Proximal against the paper's algorithm 1, weight by weight, and what it is for: exact zeros."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxnets import train


def algorithm_1(gradients, alpha, beta, l1, l2):
    """The weights after each gradient, from zero, as in McMahan et al. (2013)."""
    z = n = w = 0.0
    for g in gradients:
        sigma = ((n + g * g) ** 0.5 - n**0.5) / alpha
        z, n = z + g - sigma * w, n + g * g
        w = 0.0 if abs(z) <= l1 else -(z - np.sign(z) * l1) / ((beta + n**0.5) / alpha + l2)
    return w


@pytest.mark.parametrize("options", [{}, {"l1": 0.7, "l2": 0.3, "beta": 0.5}])
def test_it_is_the_papers(options):
    gradients = np.random.default_rng(0).standard_normal((6, 4)) * np.array([[1, 0.1, 3, 0]])
    tx = train.ftrl(0.2, **options)
    params = {"w": jnp.zeros(4)}
    state = tx.init(params)
    step = jax.jit(tx.update)
    for g in gradients:
        updates, state = step({"w": jnp.asarray(g, jnp.float32)}, state, params)
        params = optax.apply_updates(params, updates)
    full = {"beta": 1.0, "l1": 0.0, "l2": 0.0} | options
    expected = [algorithm_1(column, 0.2, **full) for column in gradients.T]
    np.testing.assert_allclose(params["w"], expected, rtol=1e-5, atol=1e-6)
    assert params["w"][3] == 0


def test_a_weight_without_gradient_stays_where_it_began():
    tx, w = train.ftrl(0.5, l1=0.1, l2=0.2), jnp.array([0.5, -2.0, 0.0])
    updates, _ = tx.update(jnp.zeros(3), tx.init(w), w)
    np.testing.assert_allclose(updates, 0, atol=1e-6)


def test_weights_that_do_not_matter_are_exactly_zero():
    draw = np.random.default_rng(0)
    x = draw.standard_normal((400, 10)).astype(np.float32)
    y = (x[:, 0] - 2 * x[:, 1] > 0).astype(np.float32)
    tx, w = train.ftrl(0.5, l1=12.0), jnp.zeros(10)
    state = tx.init(w)
    gradient = jax.grad(lambda w, x, y: optax.losses.sigmoid_binary_cross_entropy(x @ w, y).sum())

    @jax.jit
    def step(w, state, x, y):
        updates, state = tx.update(gradient(w, x, y), state, w)
        return w + updates, state

    for i in range(20):
        w, state = step(w, state, x[20 * i : 20 * i + 20], y[20 * i : 20 * i + 20])
    assert (np.asarray(w[2:]) == 0).sum() >= 6
    assert w[0] > 0.1
    assert w[1] < -0.2


@pytest.mark.parametrize(
    ("run", "message"),
    [
        (lambda: train.ftrl(0), "learning_rate is 0"),
        (lambda: train.ftrl(l1=-1), "l1 is -1"),
        (lambda: train.ftrl().update(jnp.ones(1), train.ftrl().init(jnp.ones(1))), "needs the parameters"),
    ],
)
def test_bad_arguments(run, message):
    with pytest.raises(ValueError, match=message):
        run()
