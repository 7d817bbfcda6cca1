"""Layers that scale channels: squeeze-and-excitation, and a factor for each."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets.layers import layer_scale, squeeze_excite

X = np.random.default_rng(0).standard_normal((2, 5, 4, 6)).astype(np.float32)


def test_squeeze_excite_is_its_formula():
    layer = squeeze_excite(3, act=jnp.tanh)
    params, state = layer.init(jax.random.key(1), X)
    params["reduce"]["b"], params["expand"]["b"] = jnp.arange(3.0), jnp.arange(6.0) / 4
    w1, b1, w2, b2 = (np.asarray(params[part][leaf]) for part in ("reduce", "expand") for leaf in ("w", "b"))
    hidden = np.tanh(X.mean((1, 2)) @ w1 + b1)
    gates = 1 / (1 + np.exp(-(hidden @ w2 + b2)))
    y, _ = layer.apply(params, state, X)
    np.testing.assert_allclose(y, X * gates[:, None, None, :], rtol=1e-5)


def test_squeeze_excite_takes_any_rank():
    for shape in [(2, 7, 4), (2, 3, 4, 5, 4)]:
        params, state = squeeze_excite(2).init(jax.random.key(0), jax.ShapeDtypeStruct(shape, jnp.float32))
        assert params["expand"]["w"].shape == (2, 4)
        assert squeeze_excite(2).apply(params, state, jnp.ones(shape))[0].shape == shape


def test_layer_scale_begins_where_it_is_told():
    layer = layer_scale(0.25)
    params, state = layer.init(jax.random.key(0), X)
    np.testing.assert_array_equal(params["scale"], np.full(6, 0.25, np.float32))
    params = {"scale": jnp.arange(6.0)}
    np.testing.assert_array_equal(layer.apply(params, state, X)[0], X * np.arange(6, dtype=np.float32))
    small, _ = layer_scale().init(jax.random.key(0), X)
    assert small["scale"][0] == np.float32(1e-6)


@pytest.mark.parametrize(
    ("run", "error", "message"),
    [
        (lambda: squeeze_excite(0), ValueError, "squeeze_excite: channels is 0"),
        (lambda: squeeze_excite(2, w_init=1.0), TypeError, "squeeze_excite: w_init is 1.0"),
        (lambda: squeeze_excite(2).init(jax.random.key(0), jnp.ones((2, 3))), ValueError, r"\(2, 3\).*channels last"),
        (lambda: squeeze_excite(2).init(jax.random.key(0), jnp.ones((1, 0, 3))), ValueError, r"\(1, 0, 3\)"),
        (lambda: squeeze_excite(2, act="relu").init(jax.random.key(0), X), TypeError, "'act' is 'relu'"),
        (lambda: layer_scale("small"), TypeError, "layer_scale: begin is 'small'"),
        (lambda: layer_scale().apply({}, {}, X), ValueError, "layer_scale: params has the leaves"),
        (lambda: layer_scale().apply({"scale": jnp.ones(1)}, {}, X), ValueError, r"scale has shape \(1,\)"),
        (lambda: layer_scale().init(jax.random.key(0), jnp.ones(())), ValueError, r"shape \(\)"),
    ],
)
def test_bad_arguments(run, error, message):
    with pytest.raises(error, match=message):
        run()
