"""Trees by path."""

import jax
import jax.numpy as jnp
import optax
import pytest

from jaxnets import tree

PARAMS = {"conv": {"w": jnp.ones((3, 2)), "b": jnp.ones(2)}, "norm": {"scale": jnp.ones(2)}}


def test_flatten_and_unflatten_are_inverse():
    flat = tree.flatten(PARAMS)
    assert list(flat) == ["conv/b", "conv/w", "norm/scale"]
    assert jax.tree.structure(tree.unflatten(flat)) == jax.tree.structure(PARAMS)


def test_count_takes_abstract_leaves_too():
    assert tree.count(PARAMS) == 10
    assert tree.count(jax.eval_shape(lambda: PARAMS)) == 10


def test_cast_leaves_integers_alone():
    mixed = tree.cast({"w": jnp.ones(2), "n": jnp.ones(2, jnp.int32)}, jnp.bfloat16)
    assert (mixed["w"].dtype, mixed["n"].dtype) == (jnp.bfloat16, jnp.int32)


def test_mask_steers_optax():
    decay = optax.add_decayed_weights(0.5, mask=tree.mask(PARAMS, "*/w"))
    updates, _ = decay.update(jax.tree.map(jnp.zeros_like, PARAMS), decay.init(PARAMS), PARAMS)
    assert float(updates["conv"]["w"][0, 0]) == 0.5
    assert float(updates["conv"]["b"][0]) == 0


def test_mask_refuses_a_glob_that_matches_nothing():
    with pytest.raises(ValueError, match=r"bias.*conv/b"):
        tree.mask(PARAMS, "*/bias")
