"""max_pool_with_indices and max_unpool: PyTorch's positions, the gradient of places that are shared, bad indices."""

import re

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets import ops
from jaxnets.testing.case import Case
from jaxnets.testing.checks import check_forward, check_gradients

POOLS = [
    ((2, 7, 3), {"size": 2}, "float32", "ties"),
    ((1, 5, 6, 2), {"size": (3, 2), "stride": (1, 2), "padding": (1, 0)}, "float32", "ties"),
    ((1, 7, 5, 1), {"size": 2, "dilation": 2, "stride": 1, "padding": "SAME"}, "bfloat16", "special"),
    ((2, 6, 1), {"size": 3, "stride": 2, "ceil_mode": True}, "float64", "special"),
    ((1, 3, 4, 3, 2), {"size": 2, "stride": 1}, "float32", "ties"),
    ((0, 4, 2), {"size": 2}, "float32", "normal"),
]


@pytest.mark.parametrize(("shape", "kwargs", "dtype", "fill"), POOLS)
def test_pool_with_indices_equals_the_definition(shape, kwargs, dtype, fill) -> None:  # type: ignore[no-untyped-def]
    check_gradients(ops.max_pool_with_indices, Case("max_pool_with_indices", {"x": shape}, kwargs, dtype, fill))


def test_pool_with_indices_of_integers() -> None:
    check_forward(ops.max_pool_with_indices, Case("max_pool_with_indices", {"x": (2, 5, 2)}, {"size": 2}, "int8"))


UNPOOLS = [
    ((2, 3, 2), {"size": 2, "output_size": (6,)}, "float32"),
    ((1, 2, 3, 2), {"size": (2, 3), "stride": 2, "padding": 1, "output_size": (3, 5)}, "bfloat16"),
    ((1, 2, 2, 2, 1), {"size": 2, "output_size": (4, 4, 5)}, "float64"),
    ((0, 3, 2), {"size": 2, "output_size": (6,)}, "float32"),
]


@pytest.mark.parametrize(("shape", "kwargs", "dtype"), UNPOOLS)
def test_unpool_equals_the_definition(shape, kwargs, dtype) -> None:  # type: ignore[no-untyped-def]
    check_gradients(ops.max_unpool, Case("max_unpool", {"y": shape, "indices": shape}, kwargs, dtype))


def test_positions_ignore_padding_and_the_first_maximum_wins() -> None:
    x = jnp.asarray([[1.0, 5, 2], [5, 0, 9]]).reshape(1, 2, 3, 1)
    y, indices = ops.max_pool_with_indices(x, 2, 1, padding=1)
    expected = [[1, 5, 5, 2], [5, 5, 9, 9], [5, 5, 9, 9]]
    positions = [[0, 1, 1, 2], [3, 1, 5, 5], [3, 3, 5, 5]]
    chex.assert_trees_all_equal(y[0, :, :, 0], jnp.asarray(expected, jnp.float32))
    chex.assert_trees_all_equal(indices[0, :, :, 0], jnp.asarray(positions, jnp.int32))


def test_unpool_inverts_the_pool_up_to_what_was_dropped() -> None:
    x = jnp.asarray([[1.0, 2, 0, 4], [3, 1, 7, 5]]).reshape(1, 2, 4, 1)
    y, indices = ops.max_pool_with_indices(x, 2)
    expected = jnp.asarray([[0.0, 0, 0, 0], [3, 0, 7, 0]]).reshape(1, 2, 4, 1)
    chex.assert_trees_all_equal(ops.max_unpool(y, indices, 2), expected)
    assert ops.max_unpool(y.astype(jnp.int8), indices, 2).dtype == jnp.int8


@pytest.mark.parametrize(
    ("n", "size", "stride", "padding", "unpooled"),
    [(8, 3, 2, 1, 7), (8, 2, None, "VALID", 8), (9, 3, 1, "CAUSAL", 9), (7, 3, 2, ((1, 0),), 6)],
)
def test_default_output_size(n, size, stride, padding, unpooled) -> None:  # type: ignore[no-untyped-def]
    x = jnp.arange(float(n))[::-1].reshape(1, n, 1)
    y, indices = ops.max_pool_with_indices(x, size, stride, padding=padding)
    chex.assert_shape(ops.max_unpool(y, indices, size, stride, padding=padding), (1, unpooled, 1))


def test_every_element_on_a_shared_place_has_its_gradient() -> None:
    y, indices = ops.max_pool_with_indices(jnp.asarray([0.0, 7, 1, 2]).reshape(1, 4, 1), 2, 1)
    assert indices.ravel().tolist() == [1, 1, 3]

    def unpool(y: jax.Array) -> jax.Array:
        return ops.max_unpool(y, indices, 2, 1)

    x, pull = jax.vjp(unpool, y)
    assert x.ravel().tolist() == [0, 7, 0, 2]
    dx = jnp.asarray([1.0, 10, 100, 1000]).reshape(1, 4, 1)
    assert pull(dx)[0].ravel().tolist() == [10, 10, 1000]  # as PyTorch
    _, tangent = jax.jvp(unpool, (y,), (jnp.ones_like(y),))
    assert tangent.ravel().tolist() == [0, 2, 0, 1]  # the adjoint of that


def test_positions_out_of_range() -> None:
    y = jnp.asarray([1.0, 2, 3]).reshape(1, 3, 1)
    indices = jnp.asarray([-1, 2, 6], jnp.int32).reshape(1, 3, 1)
    with pytest.raises(
        ValueError, match=r"max_unpool: indices go from -1 to 6, .* positions 0 to 5; pass the output_size"
    ):
        ops.max_unpool(y, indices, 2)

    @jax.jit
    def value_and_gradient(y: jax.Array, indices: jax.Array) -> tuple[jax.Array, jax.Array]:
        x, pull = jax.vjp(lambda y: ops.max_unpool(y, indices, 2), y)
        return x, pull(jnp.ones_like(x))[0]

    x, dy = value_and_gradient(y, indices)  # not known while tracing: dropped
    assert x.ravel().tolist() == [0, 0, 2, 0, 0, 0]
    assert dy.ravel().tolist() == [0, 1, 0]


@pytest.mark.parametrize(
    ("error", "change", "message"),
    [
        (
            TypeError,
            {"indices": np.zeros((1, 2, 1), np.float32)},
            "indices has dtype float32; pass the int32 positions",
        ),
        (TypeError, {"indices": [0, 1]}, "indices is [0, 1] (list), not an array"),
        (ValueError, {"indices": np.zeros((1, 3, 1), np.int32)}, "indices has shape (1, 3, 1) but y (1, 2, 1)"),
        (ValueError, {"padding": "SAME"}, "several inputs give an output of (2,); pass output_size"),
        (ValueError, {"padding": 2}, "the output would have spatial shape (0,)"),
        (ValueError, {"output_size": 0}, "output_size is 0; it must be at least 1"),
        (ValueError, {"size": (2, 2)}, "2 numbers, but x has 1 spatial axis"),
        (ValueError, {"stride": 0}, "stride is 0"),
        (ValueError, {"padding": "FULL"}, "unknown padding 'FULL'"),
    ],
)
def test_bad_arguments(error, change, message) -> None:  # type: ignore[no-untyped-def]
    good = {"y": np.ones((1, 2, 1), np.float32), "indices": np.asarray([0, 3]).reshape(1, 2, 1), "size": 2}
    with pytest.raises(error, match=f"max_unpool: .*{re.escape(message)}"):
        ops.max_unpool(**(good | change))


def test_a_window_on_padding_alone() -> None:
    with pytest.raises(ValueError, match=r"max_pool_with_indices: .*sees only padding"):
        ops.max_pool_with_indices(jnp.ones((1, 4, 1)), 1, 1, padding=1)
