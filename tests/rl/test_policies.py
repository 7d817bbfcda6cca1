"""Policies are SciPy's distributions, and draw from them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from jaxnets import rl

RNG = np.random.default_rng(0)
LOGITS = RNG.normal(size=(5, 4)).astype(np.float32)


def test_categorical_is_scipys():
    policy = rl.Categorical(jnp.asarray(LOGITS))
    p = np.asarray(jax.nn.softmax(LOGITS))
    actions = np.array([0, 3, 1, 2, 2])
    np.testing.assert_allclose(policy.entropy(), stats.entropy(p, axis=1), rtol=1e-5)
    np.testing.assert_allclose(policy.log_prob(jnp.asarray(actions)), np.log(p[np.arange(5), actions]), rtol=1e-5)
    assert policy.mode().tolist() == LOGITS.argmax(1).tolist()
    drawn = rl.Categorical(jnp.asarray(LOGITS)[None, 0].repeat(4000, 0)).sample(jax.random.key(0))
    np.testing.assert_allclose(np.bincount(drawn, minlength=4) / 4000, p[0], atol=0.03)
    assert drawn.dtype == jnp.int32


def test_a_forbidden_action_is_never_drawn_and_breaks_no_gradient():
    def entropy(logits):
        return rl.Categorical(logits).entropy()

    logits = jnp.array([0.0, 0.0, -jnp.inf])
    np.testing.assert_allclose(entropy(logits), np.log(2), rtol=1e-6)
    assert np.isfinite(jax.grad(entropy)(logits)).all()
    assert np.isneginf(rl.Categorical(logits).log_prob(jnp.array(2)))
    assert np.isnan(rl.Categorical(logits).log_prob(jnp.array(3)))
    assert np.isnan(rl.Categorical(logits).log_prob(jnp.array(-1)))


def test_normal_is_scipys():
    mean, log_std = RNG.normal(size=(2, 5, 3)).astype(np.float32)
    for width in (log_std, log_std[0]):
        policy, std = rl.Normal(jnp.asarray(mean), jnp.asarray(width)), np.exp(width)
        actions = RNG.normal(size=(5, 3)).astype(np.float32)
        want = stats.norm.logpdf(actions, mean, std).sum(1)
        np.testing.assert_allclose(policy.log_prob(jnp.asarray(actions)), want, rtol=1e-4)
        np.testing.assert_allclose(
            policy.entropy(), np.broadcast_to(stats.norm.entropy(0, std), (5, 3)).sum(1), rtol=1e-5
        )
    wide = rl.Normal(jnp.full((4000, 1), 3.0), jnp.log(jnp.full(1, 2.0)))
    drawn = np.asarray(wide.sample(jax.random.key(0)))
    np.testing.assert_allclose([drawn.mean(), drawn.std()], [3, 2], atol=0.1)
    assert wide.mode() is wide.mean
    slope = jax.grad(lambda m: rl.Normal(m, jnp.zeros(2)).sample(jax.random.key(0)).sum())(jnp.zeros(2))
    assert slope.tolist() == [1, 1]


def test_policies_are_pytrees():
    policy = jax.jit(lambda p: jax.tree.map(lambda x: x + 1, p))(rl.Normal(jnp.zeros(2), jnp.zeros(2)))
    assert isinstance(policy, rl.Normal)
    assert policy.mean.tolist() == [1, 1]


def test_epsilon_greedy_explores_so_often():
    values = jnp.tile(jnp.array([0.0, 9.0, 1.0]), (3000, 1))
    draw = jax.jit(rl.epsilon_greedy)
    for epsilon in (0.0, 0.3, 1.0):
        share = np.bincount(draw(jax.random.key(0), values, jnp.float32(epsilon)), minlength=3) / 3000
        np.testing.assert_allclose(share, [epsilon / 3, 1 - 2 * epsilon / 3, epsilon / 3], atol=0.03)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: rl.Categorical(jnp.ones((2, 3))).log_prob(jnp.ones(2)), r"actions are float32\[2\].*need integers"),
        (lambda: rl.Categorical(jnp.ones((2, 3))).log_prob(jnp.ones((2, 1), int)), r"need integers \(2,\)"),
        (lambda: rl.Normal(jnp.ones((2, 3)), jnp.ones(3)).log_prob(jnp.ones(2)), r"shape \(2,\), the mean \(2, 3\)"),
        (lambda: rl.epsilon_greedy(jax.random.key(0), jnp.ones(()), 0.1), "one for each action"),
        (lambda: rl.epsilon_greedy(jax.random.key(0), jnp.ones(2), 1.1), "epsilon is 1.1"),
    ],
)
def test_wrong_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
