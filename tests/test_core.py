"""`Layer`, `pure` and `lift`."""

import chex
import jax
import jax.numpy as jnp
import pytest

import jaxnets
from jaxnets.core import require_key


def test_pure_passes_state_through_untouched():
    layer = jaxnets.pure(lambda key, x: {"w": jnp.ones(x.shape)}, lambda params, x: params["w"] + x)
    params, state = layer.init(jax.random.key(0), jnp.zeros(3))
    assert state == {}
    y, new = layer.apply(params, {"kept": 1}, jnp.zeros(3), train=True, key=jax.random.key(1))
    assert new == {"kept": 1}
    chex.assert_trees_all_close(y, jnp.ones(3))


def test_lift_has_no_parameters():
    layer = jaxnets.lift(jnp.tanh)
    assert layer.init(jax.random.key(0), jnp.zeros(3)) == ({}, {})
    chex.assert_trees_all_close(layer.apply({}, {}, jnp.ones(2))[0], jnp.tanh(jnp.ones(2)))


def test_a_misspelt_keyword_raises():
    with pytest.raises(TypeError, match="trian"):
        jaxnets.lift(jnp.tanh).apply({}, {}, jnp.ones(2), trian=True)


@pytest.mark.parametrize("bad", [3, None, "relu"])
def test_what_is_not_callable_is_named(bad):
    with pytest.raises(TypeError, match=repr(bad)):
        jaxnets.lift(bad)
    with pytest.raises(TypeError, match="apply is"):
        jaxnets.pure(lambda key, x: {}, bad)


def test_require_key_names_the_layer():
    with pytest.raises(ValueError, match=r"dropout: key is None.*jax.random.key"):
        require_key("dropout", None)
    assert require_key("dropout", "a key") == "a key"
