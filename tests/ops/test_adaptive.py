"""Adaptive and global pools against the naive definitions, with PyTorch's windows, ties, NaN and bad arguments."""

import re

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets import ops
from jaxnets.testing.case import Case
from jaxnets.testing.checks import check_forward, check_gradients

ADAPTIVE = [
    ((2, 7, 3), 3, "float32"),
    ((2, 7, 6, 3), (3, None), "float32"),
    ((1, 5, 4, 2), (2, 6), "bfloat16"),
    ((1, 5, 4, 2), 3, "float16"),
    ((1, 5, 4, 2), (3, 2), "float64"),
    ((1, 5, 3, 4, 2), (2, 3, 3), "float32"),
    ((1, 20, 1), 3, "float32"),
    ((0, 5, 4, 2), 3, "float32"),
]


def line(values: list[float]) -> jax.Array:
    return jnp.asarray(values, jnp.float32).reshape(1, -1, 1)


@pytest.mark.parametrize("op", ["adaptive_avg_pool", "adaptive_max_pool"])
@pytest.mark.parametrize(("shape", "output_size", "dtype"), ADAPTIVE)
def test_adaptive_equals_the_definition(op: str, shape: tuple[int, ...], output_size: int, dtype: str) -> None:
    fill = "ties" if "max" in op else "normal"
    check_gradients(getattr(ops, op), Case(op, {"x": shape}, {"output_size": output_size}, dtype, fill))


@pytest.mark.parametrize("op", ["global_avg_pool", "global_max_pool"])
@pytest.mark.parametrize(
    ("shape", "keepdims", "dtype"),
    [
        ((2, 5, 3), False, "float32"),
        ((2, 3, 4, 1), True, "bfloat16"),
        ((1, 2, 3, 2, 2), True, "float64"),
        ((0, 3, 2), False, "float32"),
    ],
)
def test_global_equals_the_definition(op: str, shape: tuple[int, ...], keepdims: bool, dtype: str) -> None:
    fill = "ties" if "max" in op else "normal"
    check_gradients(getattr(ops, op), Case(op, {"x": shape}, {"keepdims": keepdims}, dtype, fill))


@pytest.mark.parametrize("op", ["adaptive_avg_pool", "adaptive_max_pool", "global_avg_pool", "global_max_pool"])
@pytest.mark.parametrize("dtype", ["int8", "uint16"])
def test_integers(op: str, dtype: str) -> None:
    kwargs = {"output_size": 2} if "adaptive" in op else {}
    check_forward(getattr(ops, op), Case(op, {"x": (2, 5, 2)}, kwargs, dtype))


def test_windows_are_pytorchs() -> None:
    # torch.nn.functional.adaptive_avg_pool1d(torch.arange(7.), 5): windows [0,2) [1,3) [2,5) [4,6) [5,7)
    y = ops.adaptive_avg_pool(line([0, 1, 2, 3, 4, 5, 6]), 5)
    chex.assert_trees_all_close(y, line([0.5, 1.5, 3.0, 4.5, 5.5]))
    # More outputs than inputs: [0,1) [0,2) [1,2)
    chex.assert_trees_all_close(ops.adaptive_avg_pool(line([2, 6]), 3), line([2, 4, 6]))
    chex.assert_trees_all_equal(ops.adaptive_max_pool(line([2, 6]), 3), line([2, 6, 6]))


def test_an_output_as_large_as_the_input_changes_nothing() -> None:
    x = jnp.arange(24.0).reshape(1, 3, 4, 2)
    chex.assert_trees_all_equal(ops.adaptive_avg_pool(x, (3, 4)), x)
    chex.assert_trees_all_equal(ops.adaptive_max_pool(x, None), x)


def test_what_is_not_finite_stays_in_its_windows() -> None:
    x = line([jnp.nan, 1, 2, 3, jnp.inf])
    np.testing.assert_array_equal(ops.adaptive_avg_pool(x, 3), line([jnp.nan, 2, jnp.inf]))
    np.testing.assert_array_equal(ops.adaptive_max_pool(x, 3), line([jnp.nan, 3, jnp.inf]))
    np.testing.assert_array_equal(ops.global_max_pool(x), [[jnp.nan]])
    long = jnp.ones((1, 20, 1)).at[0, 0, 0].set(jnp.inf)
    np.testing.assert_array_equal(ops.adaptive_avg_pool(long, 3), line([jnp.inf, 1, 1]))


@pytest.mark.parametrize("pool", [lambda x: ops.adaptive_max_pool(x, 1), ops.global_max_pool])
def test_a_tie_sends_the_gradient_to_the_first_in_row_major_order(pool) -> None:  # type: ignore[no-untyped-def]
    x = jnp.asarray([[0.0, 1, 2], [2, 2, 0]]).reshape(1, 2, 3, 1)
    expected = jnp.asarray([[0.0, 0, 1], [0, 0, 0]]).reshape(1, 2, 3, 1)
    chex.assert_trees_all_equal(jax.grad(lambda x: pool(x).sum())(x), expected)


@pytest.mark.parametrize("op", [ops.adaptive_avg_pool, ops.adaptive_max_pool])
@pytest.mark.parametrize(
    ("shape", "output_size", "message"),
    [
        ((1, 4, 4, 1), 0, "output_size is 0; it must be at least 1"),
        ((1, 4, 4, 1), (2, -1), "output_size[1] is -1"),
        ((1, 4, 4, 1), (2, 2, 2), "3 numbers, but x has 2 spatial axes"),
        ((1, 4, 4, 1), (None,), "1 numbers, but x has 2 spatial axes"),
        ((1, 0, 1), 1, "empty spatial axis"),
        ((4, 1), 1, "rank 2"),
    ],
)
def test_bad_values(op, shape: tuple[int, ...], output_size, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=f"{op.__name__}: .*{re.escape(message)}"):
        op(np.ones(shape, np.float32), output_size)


def test_bad_types() -> None:
    with pytest.raises(TypeError, match=r"adaptive_avg_pool: output_size is 2.5 \(float\)"):
        ops.adaptive_avg_pool(jnp.ones((1, 4, 1)), 2.5)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"global_max_pool: x has dtype bool; cast"):
        ops.global_max_pool(jnp.ones((1, 4, 1), bool))
    with pytest.raises(ValueError, match=r"global_avg_pool: .*empty spatial axis"):
        ops.global_avg_pool(jnp.ones((1, 0, 1)))
