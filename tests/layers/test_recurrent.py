"""Recurrent layers: what goes in and comes out of a dict, both directions, and what they begin with."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets import ops, serial
from jaxnets.layers import bidirectional, gru, lstm, rnn

X = jnp.asarray(np.random.default_rng(0).standard_normal((3, 5, 4)), jnp.float32)
LENGTHS = jnp.array([5, 1, 3])
PADDED = jnp.where(jnp.arange(5)[None, :, None] < LENGTHS[:, None, None], X, 9.0)


def made(layer, x=X):
    return layer.init(jax.random.key(1), x)


def test_padding_is_never_read():
    layer = serial(bidirectional(lstm(3)), bidirectional(gru(2, last=True)))
    params, state = made(layer)
    y = jax.jit(layer.apply)(params, state, {"x": PADDED, "lengths": LENGTHS})[0]
    assert set(y) == {"x"}
    for n, end in enumerate(LENGTHS.tolist()):
        alone, _ = layer.apply(params, state, X[n : n + 1, :end])
        chex.assert_trees_all_close(y["x"][n : n + 1], alone, atol=1e-6)


def test_backward_is_forward_of_what_is_reversed():
    layer = bidirectional(rnn(3))
    params, state = made(layer)
    y, _ = layer.apply(params, state, X)
    backward, _ = rnn(3).apply(params["backward"], {}, jnp.flip(X, 1))
    chex.assert_trees_all_close(y[..., 3:], jnp.flip(backward, 1))


@pytest.mark.parametrize("layer", [lstm(3), bidirectional(gru(3))])
def test_the_state_at_the_end_is_where_the_next_call_begins(layer):
    params, state = made(layer)
    zeros = {"h": jnp.zeros((3, 3)), "c": jnp.zeros((3, 3))}
    begin = zeros if "u" in params else {way: {"h": zeros["h"]} for way in ("forward", "backward")}
    y, _ = layer.apply(params, state, {"x": X, "state": begin, "lengths": LENGTHS})
    assert set(y) == {"x", "state", "lengths"}
    chex.assert_trees_all_equal_shapes_and_dtypes(y["state"], begin)
    on, _ = layer.apply(params, state, {"x": X, "state": y["state"]})
    from_nothing, _ = layer.apply(params, state, X)
    assert np.abs(on["x"] - from_nothing).max() > 1e-3
    same, _ = layer.apply(params, state, {"x": X})
    chex.assert_trees_all_equal(same["x"], from_nothing)


def test_what_they_begin_with():
    params, _ = made(lstm(3))
    np.testing.assert_array_equal(params["b"], [0] * 3 + [1] * 3 + [0] * 6)
    np.testing.assert_array_equal(params["b_hidden"], np.zeros(12))
    np.testing.assert_allclose(params["u"] @ params["u"].T, np.eye(3), atol=1e-5)
    y, _ = lstm(3).apply(params, {}, X)
    chex.assert_trees_all_equal(y, ops.lstm(X, **params)[0])
    assert set(made(gru(3, bias=False))[0]) == {"w", "u"}


@pytest.mark.parametrize(
    ("run", "error", "message"),
    [
        (lambda: lstm(0), ValueError, "lstm: channels is 0"),
        (lambda: gru(2, u_init=1.0), TypeError, "gru: u_init is 1.0"),
        (lambda: made(gru(2), jnp.ones((2, 3))), ValueError, r"gru: x has shape \(2, 3\), rank 2; pass \(N, T, D\)"),
        (lambda: made(rnn(2), {"y": X}), ValueError, r"rnn: the input has \['y'\]; pass an array, or a dict of x"),
        (lambda: rnn(2).apply(made(rnn(2))[0], {}, X[..., :2]), ValueError, r"w has shape \(4, 2\)"),
        (
            lambda: bidirectional(rnn(2)).apply(made(bidirectional(rnn(2)))[0], {}, {"x": X, "state": {"h": X[:, 0]}}),
            ValueError,
            "a dict of forward and backward",
        ),
        (lambda: bidirectional(3), TypeError, "bidirectional: layer 'layer' is 3"),
    ],
)
def test_bad_arguments(run, error, message):
    with pytest.raises(error, match=message):
        run()
