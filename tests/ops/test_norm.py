"""Normalizations and dense against the naive definitions, their statistics, dtypes and bad arguments."""

import re

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets import ops
from jaxnets.testing.case import Case
from jaxnets.testing.checks import check_forward, check_gradients

EPS = {"eps": 1e-3}


def vectors(channels: int, *names: str) -> dict[str, tuple[int, ...]]:
    return dict.fromkeys(names, (channels,))


CASES = [
    Case("batch_norm", {"x": (3, 4, 2), **vectors(2, "mean", "var")}, EPS),
    Case("batch_norm", {"x": (5, 3), **vectors(3, "mean", "var", "scale", "shift")}, EPS),
    Case("batch_norm", {"x": (2, 2, 3, 1), **vectors(1, "mean", "var", "scale", "shift")}, EPS, "bfloat16"),
    Case("layer_norm", {"x": (2, 3, 6)}, EPS),
    Case("layer_norm", {"x": (4, 5), **vectors(5, "scale", "shift")}, EPS, "float16"),
    Case("group_norm", {"x": (2, 5, 6), **vectors(6, "scale", "shift")}, EPS | {"groups": 3}),
    Case("group_norm", {"x": (2, 2, 3, 4)}, EPS | {"groups": 1}, "bfloat16"),
    Case("group_norm", {"x": (3, 8), **vectors(8, "scale", "shift")}, EPS | {"groups": 2}, "float64"),
    Case("instance_norm", {"x": (2, 2, 3, 2, 2), **vectors(2, "scale", "shift")}, EPS),
    Case("instance_norm", {"x": (2, 5, 1)}, EPS, "bfloat16"),
    Case("rms_norm", {"x": (2, 3, 5)}, EPS),
    Case("rms_norm", {"x": (7,), **vectors(7, "scale")}, EPS, "float64"),
    Case("dense", {"x": (2, 3, 5), "w": (5, 4), "b": (4,)}),
    Case("dense", {"x": (5,), "w": (5, 1)}, {}, "float64"),
    Case("dense", {"x": (6, 3), "w": (3, 2), "b": (2,)}, {}, "bfloat16"),
    Case("dense", {"x": (0, 3), "w": (3, 2), "b": (2,)}),
    Case("dense", {"x": (2, 33, 64, 3), "w": (3, 2), "b": (2,)}),  # tall enough for two halves
]


@pytest.mark.parametrize("case", CASES, ids=repr)
def test_equals_the_definition(case: Case) -> None:
    check_gradients(getattr(ops, case.op), case)


@pytest.mark.parametrize(
    "case",
    [
        Case("batch_norm", {"x": (0, 4, 2), **vectors(2, "mean", "var")}, EPS),
        Case("layer_norm", {"x": (0, 4), **vectors(4, "scale", "shift")}, EPS),
        Case("group_norm", {"x": (0, 3, 4)}, EPS | {"groups": 2}),
        Case("dense", {"x": (2, 3), "w": (3, 2), "b": (2,)}, {}, "int8"),
    ],
    ids=repr,
)
def test_empty_batches_and_integers(case: Case) -> None:
    check_forward(getattr(ops, case.op), case)


NORMS = {
    "layer_norm": (lambda x, *v: ops.layer_norm(x, *v), (-1,)),
    "group_norm": (lambda x, *v: ops.group_norm(x, 1, *v), (1, 2, 3)),
    "instance_norm": (lambda x, *v: ops.instance_norm(x, *v), (1, 2)),
}


@pytest.mark.parametrize("name", NORMS)
def test_mean_and_deviation_are_those_of_shift_and_scale(name: str) -> None:
    norm, axes = NORMS[name]
    x = np.random.default_rng(0).normal(3, 10, (2, 5, 4, 6)).astype(np.float32)
    y = np.asarray(jax.jit(norm)(x, np.full(6, 2, np.float32), np.full(6, 7, np.float32)))
    np.testing.assert_allclose(y.mean(axes), 7, atol=1e-4)
    np.testing.assert_allclose(y.std(axes), 2, atol=1e-4)


def test_neighbors_in_a_group() -> None:
    x = jnp.asarray([0.0, 2, 10, 30]).reshape(1, 1, 4)
    chex.assert_trees_all_close(ops.group_norm(x, 2, eps=0).ravel(), jnp.asarray([-1.0, 1, -1, 1]))


@pytest.mark.parametrize(
    ("norm", "shape"),
    [
        (ops.layer_norm, (1, 2)),
        (lambda x: ops.group_norm(x, 1), (1, 1, 2)),
        (ops.instance_norm, (1, 2, 1)),
        (ops.rms_norm, (1, 2)),
    ],
)
def test_statistics_in_float32_whatever_the_input(norm, shape) -> None:  # type: ignore[no-untyped-def]
    x = np.asarray([300, -300], np.float16).reshape(shape)  # whose squares float16 cannot hold
    chex.assert_trees_all_equal(np.asarray(norm(x)), np.asarray([1, -1], np.float16).reshape(shape))


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_float32_vectors_beside_narrower_inputs(dtype) -> None:  # type: ignore[no-untyped-def]
    x, v = jax.ShapeDtypeStruct((2, 3, 4), dtype), jax.ShapeDtypeStruct((4,), jnp.float32)

    def every(x: jax.Array, v: jax.Array) -> list[jax.Array]:
        return [
            ops.batch_norm(x, v, v, v, v),
            ops.layer_norm(x, v, v),
            ops.group_norm(x, 2, v, v),
            ops.instance_norm(x, v, v),
            ops.rms_norm(x, v),
        ]

    assert [y.dtype for y in jax.eval_shape(every, x, v)] == [dtype] * 5
    gradients = jax.eval_shape(jax.grad(lambda x, v: every(x, v)[0].sum(), (0, 1)), x, v)
    assert [g.dtype for g in gradients] == [dtype, jnp.float32]


def test_eps_may_be_traced_and_keeps_constants_finite() -> None:
    x = jnp.full((1, 4), 3.0)
    chex.assert_trees_all_equal(jax.jit(lambda e: ops.layer_norm(x, eps=e))(1e-5), jnp.zeros((1, 4)))
    chex.assert_tree_all_finite(jax.grad(lambda x: ops.layer_norm(x).sum())(x))


X = np.ones((2, 3, 4), np.float32)
V = np.ones(4, np.float32)


@pytest.mark.parametrize(
    ("error", "call", "message"),
    [
        (TypeError, lambda: ops.layer_norm(np.ones((2, 4), np.int32)), "layer_norm: x has dtype int32"),
        (TypeError, lambda: ops.batch_norm(X, V, V.astype(np.int32)), "batch_norm: var has dtype int32"),
        (TypeError, lambda: ops.rms_norm(np.ones((2, 4), complex)), "rms_norm: x has dtype complex128; cast"),
        (TypeError, lambda: ops.layer_norm(X, 1.0), "layer_norm: scale is 1.0 (float), not an array"),
        (ValueError, lambda: ops.batch_norm(X, V[:3], V), "batch_norm: mean has shape (3,); x (2, 3, 4) needs (4,)"),
        (ValueError, lambda: ops.layer_norm(X, V, V[None]), "layer_norm: shift has shape (1, 4)"),
        (
            ValueError,
            lambda: ops.layer_norm(np.ones((), np.float32)),
            "layer_norm: x has shape (), rank 0; pass (..., D)",
        ),
        (ValueError, lambda: ops.group_norm(X, 3), "group_norm: groups=3 does not divide the 4 channels"),
        (ValueError, lambda: ops.group_norm(X, 0), "group_norm: groups is 0"),
        (ValueError, lambda: ops.group_norm(V, 2), "group_norm: x has shape (4,), rank 1; pass (N, *spatial, C)"),
        (
            ValueError,
            lambda: ops.instance_norm(X[0]),
            "instance_norm: x has shape (3, 4), rank 2; pass (N, *spatial, C)",
        ),
        (ValueError, lambda: ops.rms_norm(X, eps=-1.0), "rms_norm: eps is -1.0; it must be at least 0"),
        (ValueError, lambda: ops.rms_norm(X, eps=V), "rms_norm: eps has shape (4,); pass one number"),
        (ValueError, lambda: ops.dense(X, np.ones((3, 4), np.float32)), "dense: x (2, 3, 4) does not fit w (3, 4)"),
        (ValueError, lambda: ops.dense(X, V), "dense: w has shape (4,), rank 1; pass (D, K)"),
        (ValueError, lambda: ops.dense(X, np.ones((4, 2), np.float32), V), "dense: b has shape (4,); it needs (2,)"),
        (TypeError, lambda: ops.dense(X, np.ones((4, 2), np.float16)), "dense: x is float32 but w is float16; cast"),
    ],
)
def test_bad_arguments(error, call, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(error, match=re.escape(message)):
        call()
