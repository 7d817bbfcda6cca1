"""What constructors refuse before any input is seen, and what init and apply refuse of the input and the parameters."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets import layers

X = jnp.ones((2, 6, 6, 4))
KEY = jax.random.key(0)

# what is made, the error, what it says
CONSTRUCTORS = [
    (lambda: layers.conv(0, 3), ValueError, "conv: channels is 0; it must be at least 1"),
    (lambda: layers.conv(True, 3), TypeError, "conv: channels is True"),
    (lambda: layers.conv("8", 3), TypeError, r"conv: channels is '8' \(str\)"),
    (lambda: layers.conv(8, (3, 0)), ValueError, r"conv: size\[1\] is 0"),
    (lambda: layers.conv(8, ()), ValueError, r"conv: size is \(\), 0 entries.*1 to 3 axes"),
    (lambda: layers.conv(8, (1, 1, 1, 1)), ValueError, "conv: size .* 4 entries"),
    (lambda: layers.conv(8, [[3, 3], 3]), TypeError, r"conv: size\[0\] is \[3, 3\]"),
    (lambda: layers.conv(8, None), TypeError, "conv: size is None"),
    (lambda: layers.conv(8, 3, 1.5), TypeError, r"conv: stride is 1.5 \(float\)"),
    (lambda: layers.conv(8, 3, dilation=0), ValueError, "conv: dilation is 0"),
    (lambda: layers.conv(8, 3, padding="same"), ValueError, "conv: unknown padding 'same'.*'SAME'"),
    (lambda: layers.conv(8, 3, padding=(-1, 0)), ValueError, r"conv: padding\[0\] is -1"),
    (lambda: layers.conv(8, 3, padding=1.0), TypeError, "conv: padding is 1.0"),
    (lambda: layers.conv(8, 3, padding_mode="mirror"), ValueError, "conv: padding_mode is 'mirror'.*reflect"),
    (lambda: layers.conv(8, 3, padding_mode=1), TypeError, r"conv: padding_mode is 1 \(int\)"),
    (lambda: layers.conv(8, 3, groups=3), ValueError, "conv: groups=3 does not divide the 8 channels it makes"),
    (lambda: layers.conv(8, 3, w_init=jnp.ones(3)), TypeError, "conv: w_init is .*pass a function"),
    (lambda: layers.conv(8, 3, pading=1), TypeError, "pading"),
    (lambda: layers.conv_transpose(8, 3, groups=3), ValueError, "conv_transpose: groups=3 does not divide"),
    (lambda: layers.conv_transpose(8, 3, 2, padding=1, output_padding=-1), ValueError, "output_padding is -1"),
    (lambda: layers.conv_transpose(8, 3, 2, output_padding=-2), ValueError, "output_padding is -2.*at least -1"),
    (lambda: layers.conv_transpose(8, 3, b_init=0), TypeError, "conv_transpose: b_init is 0"),
    (lambda: layers.depthwise_conv(3, multiplier=0), ValueError, "depthwise_conv: multiplier is 0"),
    (lambda: layers.separable_conv(3, 3, depthwise_init=1), TypeError, "separable_conv: depthwise_init is 1"),
    (lambda: layers.dense(-1), ValueError, "dense: channels is -1"),
    (lambda: layers.max_pool(0), ValueError, "max_pool: size is 0"),
    (lambda: layers.max_pool(2, 0), ValueError, "max_pool: stride is 0"),
    (lambda: layers.min_pool(2, padding=None), ValueError, "min_pool: unknown padding None"),
    (lambda: layers.avg_pool(2.0), TypeError, "avg_pool: size is 2.0"),
    (lambda: layers.lp_pool(2, p=0), ValueError, "lp_pool: p is 0.0; it must be above 0"),
    (lambda: layers.gem_pool(2, p=np.inf), ValueError, "gem_pool: p is inf.*finite"),
    (lambda: layers.gem_pool(2, p=jnp.ones(2)), TypeError, "gem_pool: p is .*pass a number"),
    (lambda: layers.adaptive_avg_pool(None), TypeError, "adaptive_avg_pool: output_size is None"),
    (lambda: layers.adaptive_max_pool((2, 0)), ValueError, r"adaptive_max_pool: output_size\[1\] is 0"),
    (lambda: layers.blur_pool(0), ValueError, "blur_pool: size is 0"),
    (lambda: layers.blur_pool(padding_mode="edge"), ValueError, "blur_pool: padding_mode is 'edge'"),
    (lambda: layers.fractional_max_pool(2, 0), ValueError, "fractional_max_pool: output_size is 0"),
    (lambda: layers.batch_norm(momentum=1.1), ValueError, "batch_norm: momentum is 1.1.*fraction of the old"),
    (lambda: layers.batch_norm(momentum=np.nan), ValueError, "batch_norm: momentum is nan"),
    (lambda: layers.batch_norm(momentum="0.9"), TypeError, "batch_norm: momentum is '0.9'"),
    (lambda: layers.batch_norm(eps=0), ValueError, "batch_norm: eps is 0.0; it must be above 0"),
    (lambda: layers.layer_norm(eps=-1e-5), ValueError, "layer_norm: eps is -1e-05"),
    (lambda: layers.group_norm(0), ValueError, "group_norm: groups is 0"),
    (lambda: layers.instance_norm(eps=None), TypeError, "instance_norm: eps is None"),
    (lambda: layers.rms_norm(shift=True), TypeError, "shift"),
    (lambda: layers.dropout(1), ValueError, "dropout: rate is 1.0; it is the fraction dropped"),
    (lambda: layers.dropout(True), TypeError, "dropout: rate is True"),
    (lambda: layers.drop_path(np.nan), ValueError, "drop_path: rate is nan"),
    (lambda: layers.embed(0, 4), ValueError, "embed: num_embeddings is 0"),
    (lambda: layers.embed(4, 4, dtype=jnp.int32), TypeError, "embed: dtype is int32.*floating"),
]

MADE = {
    "no key": (lambda: layers.conv(4, 3).init(None, X), ValueError, "conv: key is None.*jax.random.key"),
    "no key, dense": (lambda: layers.dense(4).init(None, X), ValueError, "dense: key is None"),
    "no key, embed": (lambda: layers.embed(4, 4).init(None, jnp.zeros(2, jnp.int32)), ValueError, "embed: key is None"),
    "rank": (lambda: layers.conv(4, 3).init(KEY, jnp.ones((6, 6))), ValueError, r"conv: x has shape \(6, 6\), rank 2"),
    "rank of an abstract example": (
        lambda: layers.conv(4, 3).init(KEY, jax.ShapeDtypeStruct((6, 6), jnp.float32)),
        ValueError,
        r"conv: x has shape \(6, 6\), rank 2",
    ),
    "sizes and rank": (lambda: layers.conv(4, (3,)).init(KEY, X), ValueError, "size is .*x has 2 spatial axes"),
    "groups and channels": (
        lambda: layers.conv(6, 3, groups=3).init(KEY, X),
        ValueError,
        r"groups=3 does not divide the 4 channels of x \(2, 6, 6, 4\)",
    ),
    "groups and channels, transposed": (
        lambda: layers.conv_transpose(6, 3, groups=3).init(KEY, X),
        ValueError,
        "groups=3 does not divide the 4 channels of x",
    ),
    "no channels": (lambda: layers.dense(4).init(KEY, jnp.ones((2, 0))), ValueError, "it has no channels"),
    "a scalar": (lambda: layers.dense(4).init(KEY, jnp.ones(())), ValueError, r"dense: x has shape \(\)"),
    "integers": (lambda: layers.conv(4, 3).init(KEY, X.astype(jnp.int8)), TypeError, "conv: x has dtype int8.*cast"),
    "no array": (lambda: layers.dense(4).init(KEY, [1.0]), TypeError, r"dense: x is \[1.0\] \(list\), not an array"),
    "params are no dict": (lambda: layers.dense(4).apply(None, {}, X), TypeError, "dense: params is NoneType"),
    "a leaf is missing": (
        lambda: layers.dense(4).apply({"w": jnp.ones((4, 4))}, {}, X),
        ValueError,
        r"dense: params has the leaves \['w'\], but this layer has \['b', 'w'\]",
    ),
    "a leaf too many": (
        lambda: layers.dense(4, bias=False).apply({"w": jnp.ones((4, 4)), "b": jnp.ones(4)}, {}, X),
        ValueError,
        r"has the leaves \['b', 'w'\], but this layer has \['w'\]",
    ),
    "a leaf that is no array": (
        lambda: layers.dense(4, bias=False).apply({"w": {"w": 1}}, {}, X),
        TypeError,
        "dense: w is .*not an array",
    ),
    "params for other channels": (
        lambda: layers.dense(4, bias=False).apply({"w": jnp.ones((3, 4))}, {}, X),
        ValueError,
        "the 3 features of w",
    ),
    "params of another layer": (
        lambda: layers.dense(4, bias=False).apply({"w": jnp.ones((4, 5))}, {}, X),
        ValueError,
        r"dense: w has shape \(4, 5\), but for x \(2, 6, 6, 4\) this layer's is \(4, 4\)",
    ),
    "a kernel of another size": (
        lambda: layers.conv(4, 3, bias=False).apply({"w": jnp.ones((5, 5, 4, 4))}, {}, X),
        ValueError,
        r"conv: w has shape \(5, 5, 4, 4\), but for x \(2, 6, 6, 4\) this layer's is \(3, 3, 4, 4\)",
    ),
    # The op would take these 8 filters for a multiplier of 2.
    "another multiplier": (
        lambda: layers.depthwise_conv(3, bias=False).apply({"w": jnp.ones((3, 3, 1, 8))}, {}, X),
        ValueError,
        r"depthwise_conv: w has shape \(3, 3, 1, 8\)",
    ),
    "state of other channels": (
        lambda: layers.batch_norm(scale=False, shift=False).apply({}, {"mean": jnp.ones(3), "var": jnp.ones(3)}, X),
        ValueError,
        r"batch_norm: mean has shape \(3,\)",
    ),
    "no state": (
        lambda: layers.batch_norm(scale=False, shift=False).apply({}, {}, X),
        ValueError,
        r"batch_norm: state has the leaves \[\], but this layer has \['mean', 'var'\]",
    ),
    "groups of a norm": (
        lambda: layers.group_norm(3, scale=False, shift=False).apply({}, {}, X),
        ValueError,
        "groups=3 does not divide the 4 channels",
    ),
    "flattening a scalar": (lambda: layers.flatten().apply({}, {}, jnp.ones(())), ValueError, "flatten: x has shape"),
    "paths of a scalar": (
        lambda: layers.drop_path(0.5).apply({}, {}, jnp.ones(()), train=True, key=jax.random.key(1)),
        ValueError,
        r"drop_path: x has shape \(\)",
    ),
    "one value a channel": (
        lambda: layers.batch_norm(scale=False, shift=False).apply(
            {}, {"mean": jnp.zeros(4), "var": jnp.ones(4)}, jnp.ones((1, 4)), train=True
        ),
        ValueError,
        r"batch_norm: x has shape \(1, 4\), 1 value per channel.*train=False",
    ),
    "an empty batch": (
        lambda: layers.batch_norm(scale=False, shift=False).apply(
            {}, {"mean": jnp.zeros(4), "var": jnp.ones(4)}, jnp.ones((0, 4)), train=True
        ),
        ValueError,
        r"\(0, 4\), 0 values per channel",
    ),
    "a row alone": (
        lambda: layers.batch_norm(scale=False, shift=False).apply(
            {}, {"mean": jnp.zeros(4), "var": jnp.ones(4)}, jnp.ones(4)
        ),
        ValueError,
        r"batch_norm: x has shape \(4,\), rank 1",
    ),
}


@pytest.mark.parametrize(("make", "error", "words"), CONSTRUCTORS, ids=[words for *_, words in CONSTRUCTORS])
def test_constructors_refuse(make, error, words):
    with pytest.raises(error, match=words):
        make()


@pytest.mark.parametrize("name", MADE)
def test_init_and_apply_refuse(name):
    act, error, words = MADE[name]
    with pytest.raises(error, match=words):
        act()


def test_arguments_are_taken_as_they_were():
    """A list that its owner changes later changes no layer."""
    size, padding = [3, 3], [[1, 1], [1, 1]]
    layer = layers.conv(2, size, padding=padding)
    size[0], padding[0][0] = 5, 9
    params, state = layer.init(jax.random.key(1), X)
    assert params["w"].shape == (3, 3, 4, 2)
    assert layer.apply(params, state, X)[0].shape == (2, 6, 6, 2)


def test_numpy_numbers_are_numbers():
    layer = layers.conv(np.int64(2), np.array([3, 1]), np.int32(2))
    assert layer.init(jax.random.key(1), X)[0]["w"].shape == (3, 1, 4, 2)
    assert layers.dropout(np.float32(0.5)).apply({}, {}, X)[0] is X
