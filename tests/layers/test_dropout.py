"""Dropout and drop path: what is dropped, how often, and what becomes of the rest."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets.layers import drop_path, dropout

X = jax.random.normal(jax.random.key(0), (64, 10, 10)) + 3


def train(layer, x, seed):
    return layer.apply({}, {}, x, train=True, key=jax.random.key(seed))[0]


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_rate_is_the_fraction_dropped(rate):
    y = np.asarray(train(dropout(rate), X, 1))
    dropped = y == 0
    # 6400 draws: five standard deviations of the fraction.
    assert dropped.mean() == pytest.approx(rate, abs=5 * np.sqrt(rate * (1 - rate) / X.size))
    np.testing.assert_allclose(y[~dropped], np.asarray(X)[~dropped] / (1 - rate), rtol=1e-6)


@pytest.mark.parametrize("layer", [dropout(0.3), drop_path(0.3)])
def test_the_expectation_is_the_input(layer):
    x = jnp.ones((50, 4))
    ys = jax.vmap(lambda key: layer.apply({}, {}, x, train=True, key=key)[0])(jax.random.split(jax.random.key(2), 400))
    assert np.mean(ys) == pytest.approx(1, abs=5 * np.sqrt(0.3 / 0.7 / (400 * 50)))


def test_drop_path_drops_whole_samples():
    y = np.asarray(train(drop_path(0.4), X, 3))
    dropped = (y == 0).all((1, 2))
    assert 0.1 < dropped.mean() < 0.7
    np.testing.assert_allclose(y[~dropped], np.asarray(X)[~dropped] / 0.6, rtol=1e-6)


def test_dropout_drops_elements_not_samples():
    y = np.asarray(train(dropout(0.4), X, 3))
    assert not (y == 0).all((1, 2)).any()
    assert (y == 0).any((1, 2)).all()


@pytest.mark.parametrize("make", [dropout, drop_path])
def test_it_is_the_identity_where_it_draws_nothing(make):
    assert make(0.5).apply({}, {}, X)[0] is X
    assert make(0.5).apply({}, {}, X, key=jax.random.key(4))[0] is X
    assert make(0.0).apply({}, {}, X, train=True)[0] is X


@pytest.mark.parametrize("make", [dropout, drop_path])
def test_only_where_it_draws_does_it_want_a_key(make):
    with pytest.raises(ValueError, match=f"{make.__name__}: key is None.*jax.random.key"):
        make(0.5).apply({}, {}, X, train=True)


def test_the_gradient_goes_to_what_is_kept():
    dx = jax.grad(lambda x: train(dropout(0.5), x, 5).sum())(X)
    np.testing.assert_array_equal(dx, np.where(np.asarray(train(dropout(0.5), X, 5)) == 0, 0, 2))


def test_what_is_dropped_is_zero_even_where_the_input_is_not_finite():
    y = train(dropout(0.5), jnp.full(100, jnp.inf), 6)
    assert set(np.unique(y)) == {0, np.inf}
