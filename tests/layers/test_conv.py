"""Convolution and dense layers: the op with their own leaves, the shapes of those, and how they begin."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets import layers, ops
from jaxnets.ops.geometry import transpose_output_shape

X = jax.random.normal(jax.random.key(0), (2, 6, 5, 4))


def made(layer, x=X, seed=1):
    params, state = layer.init(jax.random.key(seed), x)
    return params, layer.apply(params, state, x)[0]


def leaf_shapes(params):
    return {name: leaf.shape for name, leaf in params.items()}


def with_bias(params):
    """The same with a bias that is not zero."""
    return params | {"b": jax.random.normal(jax.random.key(8), params["b"].shape)}


def test_conv_is_the_op():
    layer = layers.conv(6, (3, 2), (1, 2), padding=1, dilation=2, groups=2, padding_mode="replicate")
    params, state = layer.init(jax.random.key(1), X)
    assert leaf_shapes(params) == {"w": (3, 2, 2, 6), "b": (6,)}
    params = with_bias(params)
    expected = ops.conv(X, **params, stride=(1, 2), padding=1, dilation=2, groups=2, padding_mode="replicate")
    np.testing.assert_array_equal(layer.apply(params, state, X)[0], expected)


@pytest.mark.parametrize(
    ("size", "stride", "options"),
    [
        (3, 2, {}),
        (4, 2, {"padding": 1}),
        ((3, 2), (2, 1), {"padding": "VALID", "output_padding": (1, 0)}),
        (3, 3, {"output_padding": -1, "dilation": 2}),
        (2, 1, {"padding": "CAUSAL"}),
    ],
)
def test_conv_transpose_is_the_op(size, stride, options):
    layer = layers.conv_transpose(6, size, stride, groups=2, **options)
    params, state = layer.init(jax.random.key(1), X)
    sizes = (size, size) if isinstance(size, int) else size
    assert leaf_shapes(params) == {"w": (*sizes, 3, 4), "b": (6,)}
    params = with_bias(params)
    y, _ = layer.apply(params, state, X)
    assert y.shape == (2, *transpose_output_shape((6, 5), size, stride, **options), 6)
    np.testing.assert_array_equal(y, ops.conv_transpose(X, **params, stride=stride, groups=2, **options))


def test_depthwise_conv_is_the_op():
    layer = layers.depthwise_conv(3, 2, multiplier=2, padding="VALID", padding_mode="circular")
    params, state = layer.init(jax.random.key(1), X)
    assert leaf_shapes(params) == {"w": (3, 3, 1, 8), "b": (8,)}
    params = with_bias(params)
    np.testing.assert_array_equal(
        layer.apply(params, state, X)[0], ops.depthwise_conv(X, **params, stride=2, padding="VALID")
    )


def test_separable_conv_is_the_op():
    layer = layers.separable_conv(7, 3, 2, multiplier=2, dilation=2, padding_mode="reflect")
    params, state = layer.init(jax.random.key(1), X)
    assert leaf_shapes(params) == {"depthwise_w": (3, 3, 1, 8), "pointwise_w": (1, 1, 8, 7), "b": (7,)}
    params = with_bias(params)
    np.testing.assert_array_equal(
        layer.apply(params, state, X)[0],
        ops.separable_conv(X, **params, stride=2, dilation=2, padding_mode="reflect"),
    )


def test_dense_is_the_op():
    layer = layers.dense(3)
    params, state = layer.init(jax.random.key(1), X)
    assert leaf_shapes(params) == {"w": (4, 3), "b": (3,)}
    params = with_bias(params)
    np.testing.assert_array_equal(layer.apply(params, state, X)[0], ops.dense(X, **params))


@pytest.mark.parametrize(
    ("layer", "x"),
    [
        (layers.conv(256, 3, padding="VALID"), (8, 8, 8, 64)),
        (layers.conv(256, 3, padding="VALID", groups=8), (8, 8, 8, 64)),
        (layers.conv_transpose(64, 4, 2, padding=3), (8, 8, 8, 64)),
        (layers.conv_transpose(64, 4, 2, padding=3, groups=8), (8, 8, 8, 64)),
        (layers.conv_transpose(64, 2, 2), (8, 8, 8, 64)),
        (layers.conv_transpose(64, 3, 1, padding=2), (8, 8, 8, 64)),
        (layers.depthwise_conv(3, padding="VALID", multiplier=8), (8, 8, 8, 64)),
        (layers.separable_conv(256, 3, padding="VALID"), (8, 8, 8, 64)),
        (layers.dense(512), (128, 256)),
    ],
)
def test_the_first_output_has_the_variance_of_he(layer, x):
    """White noise comes out with twice its variance, which a ReLU halves again; the bias adds nothing."""
    x = jax.random.normal(jax.random.key(0), x)
    params, y = made(layer, x)
    assert not np.any(params["b"])
    assert np.var(y) == pytest.approx(2, rel=0.12)


def test_weights_are_truncated_at_two_deviations():
    w = made(layers.dense(500), jnp.ones((1, 400)))[0]["w"]
    deviation = np.sqrt(2 / 400)
    assert np.std(w) == pytest.approx(deviation, rel=0.01)
    # The normal is cut at two deviations of its own, and then widened to have the variance asked for.
    assert 2 * deviation < np.abs(w).max() <= 2 / 0.87 * deviation


def test_a_stride_larger_than_the_kernel_counts_its_taps_alone():
    x = jax.random.normal(jax.random.key(0), (8, 8, 8, 64))
    y = made(layers.conv_transpose(64, 1, 2, output_padding=-1), x)[1]
    assert np.var(y[:, ::2, ::2]) == pytest.approx(2, rel=0.12)
    assert not np.any(y[:, 1::2])


def test_the_bias_changes_no_other_draw():
    normal = jax.nn.initializers.normal(1.0)
    plain = made(layers.conv(3, 3, bias=False))[0]
    biased = made(layers.conv(3, 3, b_init=normal))[0]
    np.testing.assert_array_equal(plain["w"], biased["w"])
    assert np.all(biased["b"] != 0)


def test_initializers_are_called_with_key_shape_and_dtype():
    calls = []

    def init(key, shape, dtype):
        calls.append((shape, dtype))
        return np.full(shape, 0.5)  # float64: the leaf is float32 all the same

    params, y = made(layers.conv(3, 1, w_init=init, b_init=init))
    assert calls == [((1, 1, 4, 3), jnp.float32), ((3,), jnp.float32)]
    assert {leaf.dtype for leaf in params.values()} == {np.dtype(np.float32)}
    np.testing.assert_allclose(y, 0.5 * X.sum(-1, keepdims=True) + 0.5 + jnp.zeros((1, 1, 1, 3)), rtol=1e-4, atol=1e-6)


def test_the_dtype_of_the_input_is_that_of_the_computation():
    """The layer in float16 is the op on the rounded weights."""
    layer = layers.conv(3, 3)
    params, state = layer.init(jax.random.key(1), X)
    x = X.astype(jnp.float16)
    rounded = {name: leaf.astype(jnp.float16) for name, leaf in params.items()}
    np.testing.assert_array_equal(layer.apply(params, state, x)[0], ops.conv(x, **rounded))
