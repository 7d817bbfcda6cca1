"""fractional_max_pool against the naive definition, its windows, its key and bad arguments."""

import re

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets import ops, reference
from jaxnets.testing.case import Case
from jaxnets.testing.checks import check_forward, check_gradients

CASES = [
    ((2, 7, 3), 2, 4, "float32", "ties"),
    ((1, 6, 5, 2), (2, 3), (4, 3), "float32", "ties"),
    ((2, 5, 1), 1, 5, "bfloat16", "special"),
    ((1, 5, 6, 2), 2, (1, 5), "float64", "special"),
    ((1, 4, 3, 5, 2), 2, (2, 1, 3), "float32", "ties"),
    ((0, 5, 2), 2, 3, "float32", "normal"),
]


@pytest.mark.parametrize(("shape", "size", "output_size", "dtype", "fill"), CASES)
def test_equals_the_definition(shape, size, output_size, dtype, fill) -> None:  # type: ignore[no-untyped-def]
    shapes = {"x": shape, "samples": (shape[0], shape[-1], len(shape) - 2)}
    kwargs = {"size": size, "output_size": output_size}
    check_gradients(ops.fractional_max_pool, Case("fractional_max_pool", shapes, kwargs, dtype, fill))


def test_integers() -> None:
    shapes, kwargs = {"x": (2, 6, 2), "samples": (2, 2, 1)}, {"size": 2, "output_size": 4}
    check_forward(ops.fractional_max_pool, Case("fractional_max_pool", shapes, kwargs, "uint8"))


def test_compiled_windows_equal_the_definitions_for_many_samples() -> None:
    # x rises, so that every maximum says where its window ends.
    u = np.random.default_rng(0).random((64, 2, 1), np.float32)
    u[0], u[1] = 0, np.nextafter(np.float32(1), np.float32(0))
    x = np.broadcast_to(np.arange(23, dtype=np.int32)[None, :, None], (64, 23, 2))
    got = jax.jit(lambda x, u: ops.fractional_max_pool(x, 2, 15, samples=u))(x, u)
    chex.assert_trees_all_equal(np.asarray(got), reference.fractional_max_pool(x, 2, 15, samples=u))


def test_steps_are_the_two_integers_around_alpha() -> None:
    # n = 7, size 2, 4 outputs: alpha = 5/3. The starts are 0 1 3 5 for u = 0 and 0 2 3 5 for u = 0.9.
    x = np.arange(7).reshape(1, 7, 1)
    for u, ends in ((0.0, [1, 2, 4, 6]), (0.9, [1, 3, 4, 6])):
        y = ops.fractional_max_pool(x, 2, 4, samples=np.full((1, 1, 1), u, np.float32))
        assert np.ravel(y).tolist() == ends


def test_the_key_draws_other_windows_for_every_sample_channel_and_axis() -> None:
    n = 31
    x = np.broadcast_to(np.arange(n * n, dtype=np.int32).reshape(1, n, n, 1), (2, n, n, 3))
    pool = jax.jit(lambda key: ops.fractional_max_pool(x, 2, 19, key=key))
    y = np.asarray(pool(jax.random.key(0)))
    chex.assert_trees_all_equal(y, np.asarray(pool(jax.random.key(0))))
    rows, columns = y[:, :, 0, :] // n, y[:, 0, :, :] % n  # which the maxima came from
    for windows in (rows, columns):
        assert len(np.unique(np.moveaxis(windows, 1, -1).reshape(6, -1), axis=0)) > 3
    assert (rows != columns).any()
    assert (y != np.asarray(pool(jax.random.key(1)))).any()


def test_samples_that_are_only_known_later_stay_inside() -> None:
    x = jnp.arange(7.0).reshape(1, 7, 1)
    y = jax.jit(lambda u: ops.fractional_max_pool(x, 2, 4, samples=u))(jnp.full((1, 1, 1), -40.0))
    assert (y >= 1).all()
    assert (y <= 6).all()


@pytest.mark.parametrize(
    ("error", "change", "message"),
    [
        (ValueError, {"samples": None}, "of shape (1, 1, 1), exactly one; got neither"),
        (ValueError, {"key": True}, "exactly one; got both"),
        (ValueError, {"samples": np.zeros((1, 2, 1), np.float32)}, "samples has shape (1, 2, 1); it needs (1, 1, 1)"),
        (
            ValueError,
            {"samples": np.ones((1, 1, 1), np.float32)},
            "samples go from 1.0 to 1.0; they must lie in [0, 1)",
        ),
        (ValueError, {"samples": np.full((1, 1, 1), np.nan, np.float32)}, "samples go from nan to nan"),
        (TypeError, {"samples": np.zeros((1, 1, 1), np.int32)}, "samples has dtype int32"),
        (ValueError, {"output_size": 5}, "5 windows of 2 do not fit an input of 5"),
        (ValueError, {"output_size": 0}, "output_size is 0"),
        (ValueError, {"size": 6, "output_size": 1}, "1 windows of 6 do not fit an input of 5"),
        (ValueError, {"size": (2, 2)}, "2 numbers, but x has 1 spatial axis"),
    ],
)
def test_bad_arguments(error, change, message) -> None:  # type: ignore[no-untyped-def]
    good = {
        "x": np.ones((1, 5, 1), np.float32),
        "size": 2,
        "output_size": 3,
        "samples": np.zeros((1, 1, 1), np.float32),
    }
    change = {k: jax.random.key(0) if k == "key" else v for k, v in change.items()}
    with pytest.raises(error, match=f"fractional_max_pool: .*{re.escape(message)}"):
        ops.fractional_max_pool(**(good | change))
