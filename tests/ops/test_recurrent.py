"""Recurrence against the definition one step at a time: values, memory, lengths, gradients, and bad arguments."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets import ops, reference
from jaxnets.testing.checks import check_finite_differences, full_precision

GATES = {"lstm": 4, "gru": 3, "rnn": 1}
N, T, D, H = 3, 5, 4, 2
LENGTHS = np.array([5, 0, 3])


def arrays(op, dtype=np.float64):
    wide = GATES[op] * H
    rng = np.random.default_rng(0)
    x, w, u, b, c = (rng.standard_normal(s) for s in ((N, T, D), (D, wide), (H, wide), (wide,), (wide,)))
    initial = {name: rng.standard_normal((N, H)) for name in (("h", "c") if op == "lstm" else ("h",))}
    return jax.tree.map(lambda a: a.astype(dtype), ((x, w, u, b, c), initial))


@pytest.mark.parametrize("op", GATES)
def test_equals_the_definition(op):
    given, initial = arrays(op)
    with full_precision("float64"):
        for options in ({}, {"initial": initial, "lengths": LENGTHS}):
            got = jax.jit(lambda *a, o=options: getattr(ops, op)(*a, **o))(*given)
            expected = getattr(reference, op)(*given, **options)
            chex.assert_trees_all_close(got, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("op", GATES)
def test_gradients(op):
    given, initial = arrays(op)

    def run(h, *a):
        return getattr(ops, op)(*a, initial=initial | {"h": h}, lengths=jnp.asarray(LENGTHS))[0]

    check_finite_differences(run, initial["h"], *given)


def test_the_memory_is_float32_and_is_where_one_goes_on():
    (x, *leaves), _ = arrays("lstm", jnp.bfloat16)
    y, memory = ops.lstm(jnp.asarray(x), *leaves)
    assert y.dtype == jnp.bfloat16
    assert {m.dtype for m in memory.values()} == {np.dtype(np.float32)}
    first, between = ops.lstm(jnp.asarray(x[:, :2]), *leaves)
    second, after = ops.lstm(jnp.asarray(x[:, 2:]), *leaves, initial=between)
    chex.assert_trees_all_equal(jnp.concatenate([first, second], 1), y)
    chex.assert_trees_all_equal(after, memory)


def test_no_steps_and_no_samples():
    (x, *leaves), initial = arrays("gru", np.float32)
    y, memory = ops.gru(jnp.asarray(x[:, :0]), *leaves, initial=initial)
    assert y.shape == (N, 0, H)
    chex.assert_trees_all_equal(memory, initial)
    assert ops.gru(jnp.asarray(x[:0]), *leaves)[0].shape == (0, T, H)


@pytest.mark.parametrize("lengths", [None, LENGTHS])
def test_reverse(lengths):
    x = np.random.default_rng(0).standard_normal((N, T, 2)).astype(np.float32)
    chex.assert_trees_all_equal(np.asarray(ops.reverse(x, lengths)), reference.reverse(x, lengths))
    chex.assert_trees_all_equal(np.asarray(ops.reverse(ops.reverse(x, lengths), lengths)), x)


X, W, U = np.ones((N, T, D), np.float32), np.ones((D, 3 * H), np.float32), np.ones((H, 3 * H), np.float32)


@pytest.mark.parametrize(
    ("error", "call", "message"),
    [
        (ValueError, lambda: ops.gru(X[0], W, U), r"gru: x has shape \(5, 4\), rank 2; pass \(N, T, D\)"),
        (TypeError, lambda: ops.gru(X.astype(np.int32), W, U), "gru: x has dtype int32.*cast"),
        (TypeError, lambda: ops.gru(X, W.astype(np.float16), U), "x is float32 but w is float16; cast"),
        (ValueError, lambda: ops.lstm(X, W, U), r"lstm: u has shape \(2, 6\); it needs \(H, 4 \* H\)"),
        (ValueError, lambda: ops.gru(X, W[:3], U), r"gru: w has shape \(3, 6\).*needs \(4, 6\)"),
        (ValueError, lambda: ops.gru(X, W, U, W[0, :2]), r"gru: b has shape \(2,\); it needs \(6,\)"),
        (ValueError, lambda: ops.gru(X, W, U, lengths=np.ones(2, int)), r"lengths has shape \(2,\).*needs \(3,\)"),
        (ValueError, lambda: ops.gru(X, W, U, lengths=np.ones(3)), "dtype float.*integers"),
        (ValueError, lambda: ops.gru(X, W, U, initial={"c": X[:, 0]}), "pass a dict of h, each"),
        (ValueError, lambda: ops.gru(X, W, U, initial={"h": X[:, 0]}), r"initial h has shape \(3, 4\).*needs \(3, 2\)"),
        (ValueError, lambda: ops.reverse(X[0, 0]), r"reverse: x has shape \(4,\)"),
    ],
)
def test_bad_arguments(error, call, message):
    with pytest.raises(error, match=message):
        call()
