"""blur_pool against the naive definition, its filter worked by hand, and bad arguments."""

import re

import chex
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets import ops
from jaxnets.testing.case import Case
from jaxnets.testing.checks import check_forward, check_gradients

CASES = [
    ((2, 7, 3), {}, "float32"),
    ((1, 6, 1), {"size": 4, "stride": 3}, "float32"),
    ((1, 5, 4, 2), {"size": (3, 2), "stride": (1, 2), "padding_mode": "replicate"}, "bfloat16"),
    ((1, 5, 6, 2), {"size": 5, "padding_mode": ("zeros", "circular")}, "float16"),
    ((1, 3, 4, 3, 2), {}, "float64"),
    ((1, 4, 2), {"size": 1}, "float32"),
    ((0, 4, 2), {}, "float32"),
]


@pytest.mark.parametrize(("shape", "kwargs", "dtype"), CASES)
def test_equals_the_definition(shape, kwargs, dtype) -> None:  # type: ignore[no-untyped-def]
    check_gradients(ops.blur_pool, Case("blur_pool", {"x": shape}, kwargs, dtype))


def test_integers_give_float32() -> None:
    check_forward(ops.blur_pool, Case("blur_pool", {"x": (1, 5, 2)}, {}, "int8"))


@pytest.mark.parametrize(
    ("size", "taps"), [(1, [1]), (2, [1, 1]), (3, [1, 2, 1]), (4, [1, 3, 3, 1]), (5, [1, 4, 6, 4, 1])]
)
def test_the_filter_is_binomial(size: int, taps: list[int]) -> None:
    x = np.zeros((1, 11, 1), np.float32)
    x[0, 5] = 1
    low = (size - 1) // 2
    expected = np.zeros(11)
    expected[5 + low - np.arange(size)] = np.asarray(taps) / sum(taps)
    chex.assert_trees_all_close(ops.blur_pool(x, size, 1)[0, :, 0], jnp.asarray(expected, jnp.float32))


def test_a_constant_stays_and_the_highest_frequency_goes() -> None:
    ones = jnp.ones((1, 8, 8, 1))
    chex.assert_trees_all_close(ops.blur_pool(ones), jnp.ones((1, 4, 4, 1)))
    alternating = jnp.where(jnp.arange(8) % 2 == 0, 1.0, -1.0).reshape(1, 8, 1)
    chex.assert_trees_all_close(ops.blur_pool(alternating), jnp.zeros((1, 4, 1)))


@pytest.mark.parametrize(
    ("shape", "kwargs", "message"),
    [
        ((1, 4, 1), {"size": 0}, "size is 0; it must be at least 1"),
        ((1, 4, 1), {"stride": -2}, "stride is -2; it must be at least 1"),
        ((1, 4, 4, 1), {"size": (3, 3, 3)}, "3 numbers, but x has 2 spatial axes"),
        ((1, 4, 1), {"padding_mode": "mirror"}, "padding_mode is 'mirror'; pass one of zeros, reflect"),
        ((1, 1, 1), {}, "more than 'reflect' can take from 1 elements (at most 0)"),
        ((1, 4), {}, "rank 2"),
    ],
)
def test_bad_arguments(shape, kwargs, message) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=f"blur_pool: .*{re.escape(message)}"):
        ops.blur_pool(np.ones(shape, np.float32), **kwargs)
