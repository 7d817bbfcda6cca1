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


def test_split_and_merge_are_inverse():
    some, others = tree.split(PARAMS, "*/b", "norm/*")
    assert list(tree.flatten(some)) == ["conv/b", "norm/scale"]
    assert list(tree.flatten(others)) == ["conv/w"]
    assert tree.select(PARAMS, "*/b", "norm/*") == some
    assert jax.tree.structure(tree.merge(some, others)) == jax.tree.structure(PARAMS)
    with pytest.raises(ValueError, match="more than one tree has conv/b, norm/scale; replace"):
        tree.merge(PARAMS, some)


def test_replace_changes_what_is_new_and_nothing_else():
    new = tree.replace(PARAMS, {"conv": {"b": jnp.zeros(2)}})
    assert float(new["conv"]["b"].sum()) == 0
    assert float(PARAMS["conv"]["b"].sum()) == 2
    assert new["conv"]["w"] is PARAMS["conv"]["w"]
    with pytest.raises(ValueError, match=r"conv/b has shape \(3,\), not \(2,\)"):
        tree.replace(PARAMS, {"conv": {"b": jnp.zeros(3)}})
    with pytest.raises(ValueError, match=r"no leaf 'conv/c'; its paths are \['conv/b'"):
        tree.replace(PARAMS, {"conv": {"c": jnp.zeros(3)}})


def test_freeze_steers_optax():
    optimizers = {"trained": optax.sgd(1.0, momentum=0.9), "frozen": optax.set_to_zero()}
    optimizer = optax.partition(optimizers, tree.freeze(PARAMS, "conv/*"))
    updates, _ = optimizer.update(PARAMS, optimizer.init(PARAMS), PARAMS)
    assert {path: float(leaf.sum()) for path, leaf in tree.flatten(updates).items()} == {
        "conv/b": 0,
        "conv/w": 0,
        "norm/scale": -2,
    }


@pytest.mark.parametrize("function", [tree.select, tree.split, tree.freeze, tree.mask])
def test_a_glob_that_matches_nothing(function):
    with pytest.raises(ValueError, match=rf"{'split' if function is tree.select else function.__name__}: 'dense/\*'"):
        function(PARAMS, "dense/*")


def test_averages():
    """A soup at once, and one by one as optax's running mean has it."""
    trees = [jax.tree.map(lambda a, i=i: a * jnp.float32(i), PARAMS) for i in (1, 2, 6)]
    soup, running = tree.average(*trees), trees[0]
    for n, each in enumerate(trees[1:], start=2):
        running = optax.incremental_update(each, running, 1 / n)
    for a, b in zip(jax.tree.leaves(soup), jax.tree.leaves(running), strict=True):
        assert (a == 3).all()
        assert jnp.allclose(a, b)
    assert tree.average({"w": jnp.ones(2, jnp.bfloat16)})["w"].dtype == jnp.bfloat16
    with pytest.raises(ValueError, match="no trees"):
        tree.average()
