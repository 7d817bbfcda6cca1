"""Pool layers are their ops; beside that, GeM's learned power, fractional pooling's two modes, and flatten."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from jaxnets import layers, ops

X = jax.random.normal(jax.random.key(0), (2, 7, 6, 3))
WINDOW = {"padding": (1, 0), "dilation": (1, 2), "ceil_mode": True}


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (layers.max_pool((3, 2), 2, **WINDOW), lambda: ops.max_pool(X, (3, 2), 2, **WINDOW)),
        (layers.min_pool((3, 2), 2, **WINDOW), lambda: ops.min_pool(X, (3, 2), 2, **WINDOW)),
        (layers.avg_pool((3, 2), 2, **WINDOW), lambda: ops.avg_pool(X, (3, 2), 2, **WINDOW)),
        (
            layers.avg_pool(3, **WINDOW, count_include_pad=True),
            lambda: ops.avg_pool(X, 3, **WINDOW, count_include_pad=True),
        ),
        (layers.lp_pool(3, 2, p=3, **WINDOW), lambda: ops.lp_pool(X, 3, 2, p=3, **WINDOW)),
        (layers.lp_pool(2, p=np.inf), lambda: ops.lp_pool(X, 2, p=np.inf)),
        (layers.adaptive_avg_pool((3, None)), lambda: ops.adaptive_avg_pool(X, (3, None))),
        (layers.adaptive_max_pool(4), lambda: ops.adaptive_max_pool(X, 4)),
        (layers.global_avg_pool(keepdims=True), lambda: ops.global_avg_pool(X, keepdims=True)),
        (layers.global_max_pool(), lambda: ops.global_max_pool(X)),
        (layers.blur_pool((3, 5), 1, padding_mode="zeros"), lambda: ops.blur_pool(X, (3, 5), 1, padding_mode="zeros")),
    ],
)
def test_the_layer_is_the_op(layer, expected):
    assert layer.init(None, X) == ({}, {})
    np.testing.assert_array_equal(layer.apply({}, {}, X)[0], expected())


def test_gem_pool_learns_its_power():
    """At p = 1 it is the mean of what is positive; the gradient in p and x agrees with finite differences."""
    layer = layers.gem_pool(2, p=1.5, eps=1e-3)
    x = jnp.abs(X) + 0.1
    params, state = layer.init(None, x)
    assert params["p"].dtype == jnp.float32
    assert params["p"] == 1.5
    np.testing.assert_array_equal(layer.apply(params, state, X)[0], ops.gem_pool(X, 2, p=1.5, eps=1e-3))
    np.testing.assert_allclose(layer.apply({"p": jnp.float32(1)}, {}, x)[0], ops.avg_pool(x, 2), rtol=1e-5)
    check_grads(lambda p, x: layer.apply({"p": p}, {}, x)[0], (params["p"], x), order=1, atol=1e-2, rtol=1e-2)


def test_the_mean_grows_with_the_power():
    """The gradient in p is positive wherever the window's elements differ."""
    layer = layers.gem_pool(2)
    dp = jax.grad(lambda p: layer.apply({"p": p}, {}, jnp.abs(X) + 0.1)[0].sum())(jnp.float32(3))
    assert dp > 0


def test_fractional_max_pool_evaluates_at_the_middle():
    y, _ = layers.fractional_max_pool(2, (4, 3)).apply({}, {}, X)
    np.testing.assert_array_equal(y, ops.fractional_max_pool(X, 2, (4, 3), samples=jnp.full((2, 3, 2), 0.5)))


def test_fractional_max_pool_draws_in_training():
    layer = layers.fractional_max_pool(2, (4, 3))
    y, _ = layer.apply({}, {}, X, train=True, key=jax.random.key(1))
    np.testing.assert_array_equal(y, ops.fractional_max_pool(X, 2, (4, 3), key=jax.random.key(1)))
    with pytest.raises(ValueError, match="fractional_max_pool: key is None"):
        layer.apply({}, {}, X, train=True)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.uint8])
def test_flatten_is_row_major(dtype):
    x = jnp.arange(24).astype(dtype).reshape(2, 2, 3, 2)
    y, _ = layers.flatten().apply({}, {}, x)
    assert y.dtype == dtype
    np.testing.assert_array_equal(y, np.arange(24).reshape(2, 12))


@pytest.mark.parametrize(("shape", "flat"), [((0, 3, 2), (0, 6)), ((4,), (4, 1)), ((2, 0, 3), (2, 0))])
def test_flatten_of_odd_shapes(shape, flat):
    assert layers.flatten().apply({}, {}, jnp.ones(shape))[0].shape == flat


@pytest.mark.parametrize("make", [layers.max_pool, layers.min_pool, layers.avg_pool, layers.lp_pool, layers.gem_pool])
def test_the_lowering_that_is_asked_for_computes_it(make):
    layer = make(3, 1, lowering="axes")
    params, state = layer.init(None, X)
    program = jax.make_jaxpr(lambda x: layer.apply(params, state, x)[0])(X)
    asked = [e.params["lowering"] for e in program.eqns if e.primitive.name == "jaxnets_pool"]
    assert asked == ["axes"]
    with pytest.raises(ValueError, match="no lowering 'axis'"):
        make(3, lowering="axis")
