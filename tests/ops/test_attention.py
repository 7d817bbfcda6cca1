"""Attention and positions against the naive definitions, masks of every kind, and bad arguments."""

import re

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets import ops, reference
from jaxnets.testing.case import Case
from jaxnets.testing.checks import check_finite_differences, check_gradients

Q, K, ONE = (2, 3, 4, 2), (2, 5, 2, 2), (2, 5, 4, 2)
PADDING = np.array([[1, 1, 1, 0, 0], [0, 0, 0, 0, 0]], bool)  # a sample where no key is there
PAIRS = np.random.default_rng(3).random((2, 4, 3, 5)) < 0.6
BIAS = np.random.default_rng(4).standard_normal((1, 4, 3, 5)).astype(np.float32)


def heads(q, k):
    return {"q": q, "k": k, "v": k}


CASES = [
    Case("attention", heads(Q, K)),
    Case("attention", heads(ONE, ONE), {"causal": True}),
    Case("attention", heads(Q, K), {"mask": PADDING, "bias": BIAS}),
    Case("attention", heads(Q, K), {"mask": PAIRS, "causal": True, "scale": 0.3}, "bfloat16"),
    Case("attention", heads(Q, K), {"causal": True}, "float16"),
    Case("attention", heads(Q, (2, 5, 1, 2)), {"mask": PADDING, "bias": BIAS}, "float64"),
    Case("attention", heads((0, 3, 2, 4), (0, 5, 2, 4))),
    Case("attention_weights", {"q": Q, "k": K}, {"mask": PAIRS, "bias": BIAS}),
    Case("attention_weights", {"q": Q, "k": K}, {"mask": PADDING, "causal": True, "scale": 2.0}, "float64"),
    Case("rotary", {"x": (2, 5, 3, 4)}),
    Case("rotary", {"x": (2, 3, 1, 6)}, {"positions": np.array([[7, 1, 0], [2, 2, 9]]), "base": 50.0}, "bfloat16"),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.op}-{case.dtype}-{list(case.kwargs)}")
def test_equals_the_definition(case):
    check_gradients(getattr(ops, case.op), case)


def test_gradient_of_the_bias():
    q, k, v = Case("attention", heads(Q, K)).arrays()
    check_finite_differences(lambda bias: ops.attention(*map(wide, (q, k, v)), bias=bias, mask=PAIRS), BIAS)


def wide(a):
    return jnp.asarray(a, jnp.float64)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_a_query_that_may_look_at_nothing_gets_zero_and_no_gradient(dtype):
    q, k, v = (jnp.asarray(a, dtype) for a in Case("attention", heads(Q, K)).arrays())

    def loss(*arrays):
        y = ops.attention(*arrays, mask=jnp.asarray(PADDING))
        return y.astype(jnp.float32).sum(), y

    gradients, y = jax.jit(jax.grad(loss, (0, 1, 2), has_aux=True))(q, k, v)
    for array in (y, *gradients):
        chex.assert_tree_all_finite(array)
        assert not array[1].any()
        assert array[0].any()
    assert not ops.attention_weights(q, k, mask=jnp.asarray(PADDING))[1].any()


def test_what_is_masked_does_not_matter():
    q, k, v = map(jnp.asarray, Case("attention", heads(Q, K)).arrays())
    other = ops.attention(q, k.at[0, 3:].add(9.0), v.at[0, 3:].add(9.0), mask=jnp.asarray(PADDING))
    np.testing.assert_array_equal(other, ops.attention(q, k, v, mask=jnp.asarray(PADDING)))
    cut = ops.attention(q[:1], k[:1, :3], v[:1, :3])
    np.testing.assert_allclose(other[:1], cut, rtol=1e-5, atol=1e-6)


def test_dropped_weights_keep_their_expectation():
    q = k = jnp.zeros((1, 400, 1, 1))
    drop = jax.jit(lambda key: ops.attention(q, k, jnp.ones_like(k), rate=0.75, key=key))
    y = drop(jax.random.key(0))
    assert abs(float(y.mean()) - 1) < 0.02  # of 400 weights a row 100 are kept, each four times as large
    assert 0.05 < float(y.std()) < 0.15
    with pytest.raises(ValueError, match="attention: key is None"):
        ops.attention(q, k, k, rate=0.5)


def test_rotary_products_tell_the_distance_alone():
    q, k = (np.random.default_rng(i).standard_normal((1, 1, 2, 6)).astype(np.float32) for i in (0, 1))

    def product(at, by):
        return jnp.sum(ops.rotary(q, jnp.array([at])) * ops.rotary(k, jnp.array([by])), -1)

    np.testing.assert_allclose(product(9, 4), product(105, 100), rtol=1e-4)
    assert np.abs(product(9, 4) - product(9, 5)).max() > 0.01


def test_sinusoidal():
    positions = jnp.array([[0, 1, 2], [10, 100, 511]])
    np.testing.assert_allclose(
        jax.jit(ops.sinusoidal, static_argnums=1)(positions, 6), reference.sinusoidal(positions, 6), atol=6e-5
    )


X = np.ones((2, 3, 4, 6), np.float32)


@pytest.mark.parametrize(
    ("run", "error", "message"),
    [
        (lambda: ops.attention(X[0], X, X), ValueError, "q has shape (3, 4, 6)"),
        (lambda: ops.attention(X.astype(int), X, X), TypeError, "cast it first"),
        (lambda: ops.attention(X, X.astype(np.float16), X), TypeError, "k is float16"),
        (lambda: ops.attention(X, X, X[:, :2]), ValueError, "v (2, 2, 4, 6)"),
        (lambda: ops.attention(X[:1], X, X), ValueError, "N and D must be the same"),
        (lambda: ops.attention(X, X[:, :, :3], X[:, :, :3]), ValueError, "q has 4 heads and k 3"),
        (lambda: ops.attention(X, X, X, mask=np.ones((2, 3))), TypeError, "pass booleans"),
        (lambda: ops.attention(X, X, X, mask=np.ones((2, 2), bool)), ValueError, "mask has shape (2, 2); pass (2, 3)"),
        (lambda: ops.attention(X, X, X, bias=np.ones((4, 3, 3), np.float32)), ValueError, "bias has shape (4, 3, 3)"),
        (lambda: ops.rotary(X[..., :3]), ValueError, "even D"),
        (lambda: ops.rotary(X, np.arange(4)), ValueError, "positions has shape (4,)"),
        (lambda: ops.rotary(X, np.ones(3, np.float32)), TypeError, "pass integers"),
        (lambda: ops.sinusoidal(np.arange(3), 5), ValueError, "pass an even number"),
    ],
)
def test_bad_arguments(run, error, message):
    with pytest.raises(error, match=re.escape(message)):
        run()
