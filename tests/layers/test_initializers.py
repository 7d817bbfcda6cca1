"""The random initializers draw what those of JAX draw, whichever way they take."""

from math import prod

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets.layers import initializers

JAX = jax.nn.initializers
PAIRS = {
    "normal": (initializers.normal(0.02), JAX.normal(0.02)),
    "he_normal": (initializers.variance_scaling(2.0, "fan_in", "truncated_normal"), JAX.he_normal()),
    "glorot_uniform": (initializers.variance_scaling(1.0, "fan_avg", "uniform"), JAX.glorot_uniform()),
    "fan_out": (
        initializers.variance_scaling(3.0, "fan_out", "normal", -1, -2),
        JAX.variance_scaling(3.0, "fan_out", "normal", -1, -2),
    ),
}
SHAPES = [(3, 3, 8, 16), (64, 1024), (5, 5, 64, 48)]  # the second exactly what a program draws


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", PAIRS)
def test_the_values_are_those_of_jax(name, shape):
    ours, theirs = (init(jax.random.key(3), shape, jnp.float32) for init in PAIRS[name])
    assert (ours.shape, ours.dtype, ours.weak_type) == (theirs.shape, theirs.dtype, theirs.weak_type)
    np.testing.assert_allclose(ours, theirs, rtol=3e-7, atol=0)


def test_more_than_any_program_draws():
    shape = (2049, 2048)
    assert prod(shape) > initializers.DRAWN[-1]
    ours, theirs = (init(jax.random.key(3), shape, jnp.float32) for init in PAIRS["normal"])
    np.testing.assert_allclose(ours, theirs, rtol=3e-7, atol=0)


WAYS = {
    "traced": lambda init, key, shape: jax.jit(lambda key: init(key, shape))(key),
    "committed": lambda init, key, shape: init(jax.device_put(key, jax.devices()[0]), shape),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_key_that_is_traced_or_committed_draws_the_same(way):
    init, shape = PAIRS["he_normal"][0], (3, 3, 4, 8)
    found = WAYS[way](init, jax.random.key(5), shape)
    assert found.committed == (way == "committed")
    np.testing.assert_allclose(found, init(jax.random.key(5), shape), rtol=3e-7, atol=0)


@pytest.mark.parametrize("name", PAIRS)
def test_an_array_without_elements(name):
    assert PAIRS[name][0](jax.random.key(0), (0, 4)).shape == (0, 4)


def test_where_less_does_not_begin_more_the_shape_itself_is_drawn():
    with jax.threefry_partitionable(False):
        ours, theirs = (init(jax.random.key(5), (3, 3, 4, 8), jnp.float32) for init in PAIRS["normal"])
    np.testing.assert_allclose(ours, theirs, rtol=3e-7, atol=0)


def test_another_generator_promises_nothing_of_the_kind():
    """On CPUs what it draws less of begins what it draws more of; elsewhere that is up to the compiler."""
    before = initializers._draw._cache_size()
    ours, theirs = (init(jax.random.key(5, impl="rbg"), (3, 67), jnp.float32) for init in PAIRS["normal"])
    np.testing.assert_allclose(ours, theirs, rtol=3e-7, atol=0)
    assert initializers._draw._cache_size() == before


def test_half_precision_and_abstract_values():
    init = PAIRS["he_normal"][0]
    half = init(jax.random.key(0), (3, 4), jnp.bfloat16)
    np.testing.assert_array_equal(half, PAIRS["he_normal"][1](jax.random.key(0), (3, 4), jnp.bfloat16))
    made = jax.eval_shape(lambda key: init(key, (3, 4)), jax.random.key(0))
    assert (made.shape, made.dtype) == ((3, 4), jnp.float32)


def test_a_few_programs_draw_every_shape():
    """One compilation for each distribution and size, however many shapes."""
    init = PAIRS["he_normal"][0]
    init(jax.random.key(0), (2, 3), jnp.float32)
    before = initializers._draw._cache_size()
    for n in range(2, 12):
        init(jax.random.key(0), (n, 3, n), jnp.float32)
    assert initializers._draw._cache_size() == before


def test_a_key_used_twice_is_an_error():
    key = jax.random.key(0)
    PAIRS["normal"][0](key, (2, 3))
    with pytest.raises(jax.errors.KeyReuseError):
        PAIRS["normal"][0](key, (2, 3))


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ((2.0, "fan", "normal"), "mode is 'fan'; pass one of fan_in, fan_out, fan_avg"),
        ((2.0, "fan_in", "gauss"), "distribution is 'gauss'; pass one of normal, truncated_normal, uniform"),
    ],
)
def test_what_is_not_known(args, message):
    with pytest.raises(ValueError, match=message):
        initializers.variance_scaling(*args)


def test_a_shape_without_inputs_and_outputs():
    with pytest.raises(ValueError, match=r"shape \(3,\) has 1 axes.*pass normal"):
        PAIRS["he_normal"][0](jax.random.key(0), (3,))
