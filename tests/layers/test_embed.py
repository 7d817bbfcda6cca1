"""Embeddings: rows by number, their gradient, and numbers that name no row."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets.layers import embed

W = {"w": jnp.arange(15.0).reshape(5, 3)}


def look(ids, **options):
    return embed(5, 3, **options).apply(W, {}, ids)[0]


@pytest.mark.parametrize("dtype", [jnp.int8, jnp.uint8, jnp.int16, jnp.int32, jnp.uint32])
def test_rows_are_looked_up_in_any_integer_dtype(dtype):
    ids = jnp.array([[4, 0], [1, 1]], dtype)
    np.testing.assert_array_equal(look(ids), np.asarray(W["w"])[np.asarray(ids)])


def test_more_rows_than_the_ids_dtype_can_count():
    layer = embed(1000, 2)
    params, state = layer.init(jax.random.key(0), jnp.zeros(1, jnp.int8))
    np.testing.assert_array_equal(layer.apply(params, state, jnp.array([127], jnp.int8))[0], params["w"][127:128])


def test_a_single_id_gives_a_single_vector():
    np.testing.assert_array_equal(look(jnp.int32(2)), W["w"][2])


@pytest.mark.parametrize("ids", [[0, 5], [-1, 2], [7]])
def test_known_ids_out_of_range_are_an_error(ids):
    with pytest.raises(ValueError, match=rf"embed: ids from {min(ids)} to {max(ids)} seen.*0\.\.4"):
        look(jnp.array(ids))


def test_under_jit_ids_out_of_range_give_zeros_and_no_gradient():
    ids = jnp.array([-1, 4, 5, 1 << 30])
    expected = np.zeros((4, 3))
    expected[1] = W["w"][4]
    np.testing.assert_array_equal(jax.jit(look)(ids), expected)
    grad = jax.jit(jax.grad(lambda w, ids: embed(5, 3).apply(w, {}, ids)[0].sum()))(W, ids)["w"]
    np.testing.assert_array_equal(grad, np.array([[0] * 3] * 4 + [[1] * 3]))


def test_a_row_looked_up_often_sums_its_gradients_in_float32():
    """513 ones in bfloat16 would stop at 256."""
    ids = jnp.full(513, 2)
    layer = embed(5, 3, dtype=jnp.bfloat16)
    grad = jax.grad(lambda w: layer.apply(w, {}, ids)[0].astype(jnp.float32).sum())(W)["w"]
    np.testing.assert_array_equal(grad[2], np.full(3, 513))


def test_the_output_has_the_dtype_asked_for():
    assert look(jnp.array([1])).dtype == jnp.float32
    assert look(jnp.array([1]), dtype="bfloat16").dtype == jnp.bfloat16


def test_vectors_begin_with_about_unit_length():
    params, _ = embed(400, 64).init(jax.random.key(0), jnp.zeros(1, jnp.int32))
    assert np.mean(np.sum(np.square(params["w"]), -1)) == pytest.approx(1, rel=0.03)


def test_floats_name_no_rows():
    with pytest.raises(TypeError, match=r"embed: x has dtype float32.*pass integers"):
        look(jnp.ones(2))
    with pytest.raises(TypeError, match=r"embed: x has dtype float32.*pass integers"):
        embed(5, 3).init(jax.random.key(0), jnp.ones(2))


def test_an_empty_list_of_ids_is_fine():
    assert look(jnp.zeros((0, 2), jnp.int32)).shape == (0, 2, 3)
