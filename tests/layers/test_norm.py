"""Normalization layers against formulas written out, and what batch norm remembers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets import layers, ops

X = 3 * jax.random.normal(jax.random.key(0), (4, 3, 2, 4)) + 5
LEAVES = {"scale": jnp.array([1.0, 2.0, -1.0, 0.5]), "shift": jnp.array([0.0, 1.0, 2.0, -3.0])}


def trained(layer, x, state=None, params=None):
    fresh_params, fresh_state = layer.init(None, x)
    return layer.apply(params or fresh_params, state or fresh_state, x, train=True)


def test_batch_norm_in_training_is_the_formula():
    y, _ = trained(layers.batch_norm(eps=0.1), X, params=LEAVES)
    x = np.asarray(X, np.float64)
    mean, var = x.mean((0, 1, 2)), x.var((0, 1, 2))
    expected = (x - mean) / np.sqrt(var + 0.1) * np.asarray(LEAVES["scale"]) + np.asarray(LEAVES["shift"])
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-5)


def test_batch_norm_begins_with_the_identity():
    layer = layers.batch_norm()
    params, state = layer.init(None, X)
    assert {name: leaf.tolist() for name, leaf in params.items()} == {"scale": [1] * 4, "shift": [0] * 4}
    assert {name: leaf.tolist() for name, leaf in state.items()} == {"mean": [0] * 4, "var": [1] * 4}
    np.testing.assert_allclose(layer.apply(params, state, X)[0], X, rtol=1e-5)


def test_batch_norm_keeps_momentum_of_the_old_statistics():
    """Two steps by hand; the variance remembered is the unbiased one, over n - 1."""
    layer = layers.batch_norm(momentum=0.75)
    batches = [np.array([[1.0], [3.0], [8.0]]), np.array([[0.0], [4.0]])]
    mean, var, state = 0.0, 1.0, None
    for batch in batches:
        _, state = trained(layer, jnp.asarray(batch, jnp.float32), state)
        mean = 0.75 * mean + 0.25 * batch.mean()
        var = 0.75 * var + 0.25 * batch.var(ddof=1)
    assert state["mean"] == pytest.approx(mean)
    assert state["var"] == pytest.approx(var)


@pytest.mark.parametrize(("momentum", "mean", "var"), [(0, 2.0, 2.0), (1, 0.0, 1.0)])
def test_momentum_at_its_ends(momentum, mean, var):
    """0 keeps nothing of the old, 1 everything."""
    _, state = trained(layers.batch_norm(momentum=momentum), jnp.array([[1.0], [3.0]]))
    assert state["mean"] == pytest.approx(mean)
    assert state["var"] == pytest.approx(var)


def test_batch_norm_evaluates_with_what_it_remembers():
    layer = layers.batch_norm(eps=0.5)
    state = {"mean": jnp.arange(4.0), "var": jnp.arange(1.0, 5.0)}
    y, after = layer.apply(LEAVES, state, X)
    assert after is state
    np.testing.assert_array_equal(y, ops.batch_norm(X, state["mean"], state["var"], **LEAVES, eps=0.5))


def test_batch_statistics_keep_their_digits():
    """Where the mean is large, the mean of squares less the squared mean would have no digit left."""
    x = 4096 + jnp.array([[-1.0], [1.0], [-1.0], [1.0]])
    y, state = trained(layers.batch_norm(momentum=0), x)
    np.testing.assert_allclose(y.ravel(), [-1, 1, -1, 1], rtol=1e-4)
    assert state["var"] == pytest.approx(4 / 3)


def test_batch_statistics_of_bfloat16_are_float32():
    """512 values summed in bfloat16 would stop at 256."""
    x = jnp.concatenate([jnp.full((256, 1), 0.5), jnp.full((256, 1), 1.5)]).astype(jnp.bfloat16)
    y, state = trained(layers.batch_norm(momentum=0), x)
    assert y.dtype == jnp.bfloat16
    assert state["mean"] == pytest.approx(1)
    assert state["var"] == pytest.approx(0.25 * 512 / 511)


def test_the_gradient_goes_through_the_batch_statistics():
    """Normalized, a batch knows no offset and no scale: the gradient is orthogonal to both."""
    layer = layers.batch_norm(eps=1e-9)
    params, state = layer.init(None, X)
    weights = jax.random.normal(jax.random.key(5), X.shape)
    dx = jax.grad(lambda x: jnp.sum(layer.apply(params, state, x, train=True)[0] * weights))(X)
    np.testing.assert_allclose(dx.sum((0, 1, 2)), 0, atol=1e-4)
    np.testing.assert_allclose((dx * (X - X.mean((0, 1, 2), keepdims=True))).sum((0, 1, 2)), 0, atol=1e-3)
    assert np.abs(dx).max() > 0.1


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (layers.layer_norm(eps=0.3), lambda: ops.layer_norm(X, **LEAVES, eps=0.3)),
        (layers.group_norm(2, eps=0.3), lambda: ops.group_norm(X, 2, **LEAVES, eps=0.3)),
        (layers.instance_norm(eps=0.3), lambda: ops.instance_norm(X, **LEAVES, eps=0.3)),
    ],
)
def test_norms_of_a_sample_are_the_op(layer, expected):
    np.testing.assert_array_equal(layer.apply(LEAVES, {}, X)[0], expected())


def test_rms_norm_is_the_op():
    y, _ = layers.rms_norm(eps=0.3).apply({"scale": LEAVES["scale"]}, {}, X)
    np.testing.assert_array_equal(y, ops.rms_norm(X, LEAVES["scale"], eps=0.3))


def test_group_norm_has_32_groups_unless_told():
    x = jax.random.normal(jax.random.key(1), (1, 2, 64))
    params, state = layers.group_norm().init(None, x)
    np.testing.assert_array_equal(layers.group_norm().apply(params, state, x)[0], ops.group_norm(x, 32, **params))


@pytest.mark.parametrize("make", [layers.batch_norm, layers.layer_norm, layers.group_norm, layers.instance_norm])
@pytest.mark.parametrize(("scale", "shift"), [(True, False), (False, True), (False, False)])
def test_scale_and_shift_can_be_left_out(make, scale, shift):
    x = jax.random.normal(jax.random.key(1), (2, 3, 32))
    layer = make(scale=scale, shift=shift)
    params, state = layer.init(None, x)
    assert set(params) == {name for name, wanted in (("scale", scale), ("shift", shift)) if wanted}
    whole, _ = make().apply({"scale": jnp.ones(32), "shift": jnp.zeros(32)}, state, x)
    np.testing.assert_allclose(layer.apply(params, state, x)[0], whole, rtol=1e-6)
