"""Noise as loud as was asked for, of another color for each, in every dtype."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets import data

X = jnp.sin(jnp.arange(4000.0) / 3)[None] * jnp.array([[1.0], [0.1], [3.0]])


def decibels(x, y):
    return 10 * np.log10(np.square(x).mean(1) / np.square(y - x).mean(1))


@pytest.mark.parametrize("level", [0.0, 30.0])
def test_it_is_as_loud_as_asked(key, level):
    y = jax.jit(lambda key, x: data.add_noise(key, x, low=level, high=level))(key, X)
    np.testing.assert_allclose(decibels(np.asarray(X), np.asarray(y)), level, atol=0.1)
    between = data.add_noise(jax.random.key(1), jnp.repeat(X[:1], 50, 0), low=10, high=20)
    found = decibels(np.repeat(X[:1], 50, 0), np.asarray(between))
    assert 10 <= found.min() + 0.1 < 12
    assert 18 < found.max() - 0.1 <= 20


def test_every_recording_has_noise_of_its_own_color():
    noise = np.asarray(data.add_noise(jax.random.key(1), jnp.ones((40, 4096)), low=0, high=0, babble=0.0)) - 1
    power = np.square(np.abs(np.fft.rfft(noise)))
    low_share = power[:, :500].sum(1) / power.sum(1)  # a quarter of white noise
    assert low_share.min() < 0.35
    assert low_share.max() > 0.9
    white = np.asarray(data.add_noise(jax.random.key(1), jnp.ones((4, 4096)), tilt=0.0, babble=0.0)) - 1
    spectrum = np.square(np.abs(np.fft.rfft(white)))
    np.testing.assert_allclose(spectrum[:, 1:1024].sum(1) / spectrum.sum(1), 0.5, atol=0.1)


def test_babble_is_the_recording_before(key):
    loud = jnp.zeros((2, 300)).at[0, :10].set(1.0)
    y = data.add_noise(key, loud + 1e-3, low=0, high=0, babble=1e6)
    assert int(jnp.abs(y[1]).argmax()) in range(100, 110)


def test_dtype_gradient_and_errors(key):
    half = jax.eval_shape(data.add_noise, key, X.astype(jnp.bfloat16))
    assert (half.dtype, half.shape) == (jnp.bfloat16, X.shape)
    assert np.isfinite(jax.grad(lambda x: data.add_noise(key, x).sum())(X)).all()
    assert not np.isnan(data.add_noise(jax.random.key(2), jnp.zeros((2, 100)))).any()
    for options in ({"low": 3.0, "high": 2.0}, {"tilt": -1.0}, {"babble": -1.0}):
        with pytest.raises(ValueError, match="low <= high"):
            data.add_noise(key, X, **options)
    with pytest.raises(ValueError, match=r"\(N, S\)"):
        data.add_noise(key, X[0])
