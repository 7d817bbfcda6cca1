"""Layers whose kernel is computed: standardized, of learned length, of spectral norm 1; and where taps may move."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets import ops, serial
from jaxnets.layers import conv, deform_conv, dense, flatten, spectral_norm, weight_norm, weight_standardization

X = jnp.asarray(np.random.default_rng(0).standard_normal((2, 6, 5, 4)), jnp.float32)
KEY = jax.random.key(0)


def test_weight_standardization_is_its_formula():
    layer = weight_standardization(conv(3, 3), eps=1e-3)
    params, state = layer.init(jax.random.key(1), X)
    w = np.asarray(params["w"])
    w = (w - w.mean((0, 1, 2))) / np.sqrt(w.var((0, 1, 2)) + 1e-3)
    chex.assert_trees_all_close(layer.apply(params, state, X)[0], ops.conv(X, w, params["b"]), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("axis", [-1, 0])
def test_weight_norm_changes_nothing_at_first_and_then_lengths(axis):
    layer, plain = weight_norm(conv(3, 3), axis=axis), conv(3, 3)
    params, state = layer.init(jax.random.key(1), X)
    without, _ = plain.init(jax.random.key(1), X)
    chex.assert_trees_all_equal({"w": params["w"], "b": params["b"]}, without)
    chex.assert_trees_all_close(layer.apply(params, state, X)[0], plain.apply(without, {}, X)[0], rtol=1e-5, atol=1e-5)
    params["w"], params["scale"] = 5 * params["w"], jnp.full(3, 2.0)
    w = np.moveaxis(np.asarray(without["w"]), axis, -1)
    w = np.moveaxis(2 * w / np.sqrt((w**2).sum((0, 1, 2))), -1, axis)
    chex.assert_trees_all_close(layer.apply(params, state, X)[0], ops.conv(X, w, params["b"]), rtol=1e-4, atol=1e-5)


def test_spectral_norm_finds_the_largest_singular_value():
    layer = spectral_norm(conv(3, (3, 2), bias=False), iterations=3)
    params, state = jax.jit(layer.init)(jax.random.key(1), X)
    assert (state["u"].shape, state["v"].shape) == ((3,), (24,))
    step = jax.jit(lambda state: layer.apply(params, state, X, train=True)[1])
    for _ in range(20):
        state = step(state)
    w = params["w"].reshape(24, 3)
    largest = np.linalg.svd(w, compute_uv=False)[0]
    np.testing.assert_allclose(state["v"] @ w @ state["u"], largest, rtol=1e-4)
    chex.assert_trees_all_close(
        layer.apply(params, state, X)[0], ops.conv(X, params["w"] / largest), rtol=1e-3, atol=1e-4
    )


def test_wrapping_leaves_the_tree_readable():
    net = serial(conv=weight_norm(conv(3, 3)), flatten=flatten(), logits=spectral_norm(dense(2)))
    params, state = net.init(KEY, X)
    assert (set(params["conv"]), set(params["logits"])) == ({"w", "b", "scale"}, {"w", "b"})
    assert {name: set(leaves) for name, leaves in state.items()} == {"logits": {"u", "v"}}


def test_deform_conv_begins_as_a_convolution_and_then_moves():
    layer = deform_conv(3, 3, 2, mask=False)
    params, state = layer.init(jax.random.key(1), X)
    apply = jax.jit(layer.apply)
    still, _ = apply(params, state, X)
    chex.assert_trees_all_close(still, ops.conv(X, params["w"], params["b"], stride=2), rtol=1e-5, atol=1e-5)
    params["offset"]["b"] = jnp.ones(18)  # everything one pixel on
    moved, _ = apply(params, state, X)
    on = ops.pad(X, ((0, 1), (0, 1)))[:, 1:, 1:]
    chex.assert_trees_all_close(
        moved[:, 1:, 1:], ops.conv(on, params["w"], params["b"], stride=2)[:, 1:, 1:], atol=1e-4
    )
    halved, _ = deform_conv(3, 3, bias=False).init(jax.random.key(1), X)
    y, _ = jax.jit(deform_conv(3, 3, bias=False).apply)(halved, {}, X)
    chex.assert_trees_all_close(y, ops.conv(X, halved["w"]) / 2, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("run", "error", "message"),
    [
        (lambda: weight_standardization(conv(3, 3), eps=0), ValueError, "weight_standardization: eps is 0"),
        (lambda: weight_norm(flatten()).init(KEY, X), ValueError, r"weight_norm: the layer's params are \[\], without"),
        (lambda: weight_norm(dense(3), axis=2).init(KEY, X), ValueError, r"axis is 2, but w has shape \(4, 3\)"),
        (lambda: weight_norm(dense(3)).apply({"w": jnp.ones((4, 3))}, {}, X), ValueError, "params has no scale"),
        (lambda: spectral_norm(dense(3), iterations=0), ValueError, "iterations is 0"),
        (lambda: spectral_norm(dense(3)).apply({"w": jnp.ones((4, 3))}, {}, X), ValueError, "needs u and v"),
        (lambda: spectral_norm(3), TypeError, "spectral_norm: layer 'layer' is 3"),
        (lambda: deform_conv(4, 3, groups=3), ValueError, "groups=3"),
        (lambda: deform_conv(4, 3).apply({"w": jnp.ones((3, 3, 4, 4))}, {}, X), ValueError, "params has the leaves"),
    ],
)
def test_bad_arguments(run, error, message):
    with pytest.raises(error, match=message):
        run()
