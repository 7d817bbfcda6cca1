"""Bad input: one row each, with what the error must say. In a network the error names the layer's path as well."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnets as jn
from jaxnets import ops

X = jnp.ones((2, 8, 8, 4))
W = jnp.ones((3, 3, 4, 6))
KEY = jax.random.key(0)


def place(layer, x=X, **options):
    """Make and run a layer two combinators deep, so that its error must carry the path."""
    net = jn.serial(backbone=jn.serial(stage0=layer))
    params, state = net.init(KEY, x)
    return net.apply(params, state, x, **options)


# name: (what is done, error, what its message matches: the value seen and the remedy)
OPS = {
    "rank too low": (lambda: ops.conv(jnp.ones((8, 8)), W), ValueError, r"shape \(8, 8\), rank 2.*channels last"),
    "rank too high": (lambda: ops.max_pool(jnp.ones((1,) * 6), 2), ValueError, "rank 6.*batched"),
    "kernel of another rank": (lambda: ops.conv(X, jnp.ones((3, 4, 6))), ValueError, r"\(3, 4, 6\).*2 sizes"),
    "channels": (lambda: ops.conv(X, jnp.ones((3, 3, 5, 6))), ValueError, "4 channels.*takes 5.*pass x with 5"),
    "channels, transposed": (lambda: ops.conv_transpose(X, W), ValueError, "4 channels.*takes 6"),
    "groups and filters": (
        lambda: ops.conv(X, jnp.ones((3, 3, 2, 5)), groups=2),
        ValueError,
        "groups=2 does not divide the 5 filters.*divisor",
    ),
    "groups and channels": (lambda: ops.conv(X, jnp.ones((3, 3, 3, 6)), groups=2), ValueError, "takes 6"),
    "groups zero": (lambda: ops.conv(X, W, groups=0), ValueError, "groups is 0.*at least 1"),
    "window too large": (
        lambda: ops.conv(X, jnp.ones((9, 9, 4, 1)), padding="VALID"),
        ValueError,
        "axis 0 the window reaches 9.*padded input has 8.*smaller window",
    ),
    "dilated window too large": (
        lambda: ops.max_pool(X, 3, dilation=4),
        ValueError,
        "reaches 9 .size 3, dilation 4.*has 8",
    ),
    "size zero": (lambda: ops.max_pool(X, 0), ValueError, "size is 0.*at least 1"),
    "size negative": (lambda: ops.avg_pool(X, (2, -1)), ValueError, r"size\[1\] is -1"),
    "size a float": (lambda: ops.max_pool(X, 2.0), TypeError, r"size is 2.0 \(float\).*int"),
    "size a bool": (lambda: ops.max_pool(X, True), TypeError, "size is True"),
    "size of another rank": (lambda: ops.max_pool(X, (2, 2, 2)), ValueError, "3 numbers, but x has 2 spatial axes"),
    "stride zero": (lambda: ops.conv(X, W, stride=0), ValueError, "stride is 0"),
    "stride negative": (lambda: ops.min_pool(X, 2, -2), ValueError, "stride is -2"),
    "dilation zero": (lambda: ops.conv(X, W, dilation=(1, 0)), ValueError, r"dilation\[1\] is 0"),
    "padding unknown": (lambda: ops.conv(X, W, padding="FULL"), ValueError, "unknown padding 'FULL'.*'SAME'"),
    "padding in lower case": (lambda: ops.conv(X, W, padding="same"), ValueError, "unknown padding 'same'.*'SAME'"),
    "padding None": (lambda: ops.conv(X, W, padding=None), ValueError, "unknown padding None"),
    "padding negative": (lambda: ops.conv(X, W, padding=-1), ValueError, "padding is -1.*at least 0"),
    "padding of another rank": (lambda: ops.conv(X, W, padding=(1, 1, 1)), ValueError, "3 entries for 2 spatial axes"),
    "padding a triple": (lambda: ops.conv(X, W, padding=((1, 1, 1), 1)), ValueError, r"padding\[0\] is \(1, 1, 1\)"),
    "padding alone in a window": (lambda: ops.max_pool(X, 1, padding=1), ValueError, "sees only padding.*less padding"),
    "padding mode unknown": (lambda: ops.conv(X, W, padding_mode="mirror"), ValueError, "'mirror'.*reflect"),
    "reflection too wide": (
        lambda: ops.conv(X, W, padding=8, padding_mode="reflect"),
        ValueError,
        "'reflect' can take from 8 elements .at most 7",
    ),
    "output padding too large": (
        lambda: ops.conv_transpose(X, jnp.ones((3, 3, 6, 4)), stride=2, padding=1, output_padding=2),
        ValueError,
        r"output_padding is 2.*0\.\.1",
    ),
    "output empty": (
        lambda: ops.conv_transpose(X, jnp.ones((1, 1, 6, 4)), padding=4),
        ValueError,
        r"spatial shape \(0, 0\).*less padding",
    ),
    "complex": (lambda: ops.conv(X.astype(jnp.complex64), W), TypeError, "complex64.*cast"),
    "bool": (lambda: ops.max_pool(X > 0, 2), TypeError, "bool.*cast"),
    "strings": (lambda: ops.max_pool(np.full((1, 2, 2, 1), "a"), 2), TypeError, "dtype <U1.*cast"),
    "a list": (lambda: ops.max_pool([[1.0]], 2), TypeError, r"\(list\), not an array"),
    "mixed dtypes": (lambda: ops.conv(X.astype(jnp.bfloat16), W), TypeError, "bfloat16 but w is float32.*cast"),
    "bias shape": (lambda: ops.conv(X, W, jnp.ones(4)), ValueError, r"b has shape \(4,\).*\(6,\)"),
    "empty kernel": (lambda: ops.conv(X, jnp.ones((3, 3, 4, 0))), ValueError, "no axis of a kernel may be empty"),
    "integers into a power": (lambda: ops.lp_pool(X.astype(jnp.int32), 2), TypeError, "int32.*astype"),
    "power zero": (lambda: ops.lp_pool(X, 2, p=0), ValueError, "p is 0.*above 0"),
    "misspelt keyword": (lambda: ops.conv(X, W, strides=2), TypeError, "strides"),
    "adaptive size zero": (lambda: ops.adaptive_avg_pool(X, 0), ValueError, "adaptive_avg_pool.*0"),
    "resize method": (lambda: ops.resize(X, 4, "bilinear"), ValueError, "bilinear.*linear"),
    "resize to nothing": (lambda: ops.resize(X, (4, 0)), ValueError, "0"),
    "block that does not divide": (lambda: ops.space_to_depth(X, 3), ValueError, "3"),
    "channels that do not unfold": (lambda: ops.depth_to_space(X, 3), ValueError, "4"),
    "unpooling with other indices": (
        lambda: ops.max_unpool(X, jnp.zeros((2, 8, 8, 3), jnp.int32), 2),
        ValueError,
        r"\(2, 8, 8, 3\)",
    ),
    "random and given samples": (lambda: ops.fractional_max_pool(X, 2, 4), ValueError, "key.*samples"),
    "group norm that does not divide": (lambda: ops.group_norm(X, 3), ValueError, "3.*4"),
}

LAYERS = {
    "no channels": (lambda: jn.conv(0, 3), ValueError, "conv: channels is 0"),
    "channels a float": (lambda: jn.dense(2.5), TypeError, "dense: channels is 2.5"),
    "negative stride": (lambda: jn.conv(8, 3, -1), ValueError, "stride is -1"),
    "rate of one and more": (lambda: jn.dropout(1.5), ValueError, "dropout.*1.5"),
    "negative rate": (lambda: jn.drop_path(-0.1), ValueError, "drop_path.*-0.1"),
    "momentum out of range": (lambda: jn.batch_norm(momentum=2.0), ValueError, "momentum.*2.0"),
    "misspelt keyword of a layer": (lambda: jn.conv(8, 3, dilatoin=2), TypeError, "dilatoin"),
    "misspelt mode": (lambda: jn.flatten().apply({}, {}, X, trian=True), TypeError, "trian"),
    "unknown padding of a layer": (lambda: jn.max_pool(2, padding="HALF"), ValueError, "unknown padding 'HALF'"),
    "empty serial": (lambda: jn.serial(), ValueError, "serial: no layers"),
    "a number for a layer": (lambda: jn.serial(jn.flatten(), 3), TypeError, "layer '1' is 3"),
}

# The same, from inside a network: the note names backbone/stage0.
PLACED = {
    "integers into conv": (lambda: place(jn.conv(4, 3), X.astype(jnp.uint8)), TypeError, "conv.*uint8.*cast"),
    "integers into dense": (lambda: place(jn.dense(4), jnp.ones((2, 3), jnp.int32)), TypeError, "dense.*int32.*cast"),
    "floats into embed": (lambda: place(jn.embed(10, 4), jnp.ones((2, 3))), TypeError, "embed.*float32"),
    "groups that do not divide": (lambda: place(jn.conv(6, 3, groups=3)), ValueError, "groups.*3.*4"),
    "rank": (lambda: place(jn.conv(6, 3), jnp.ones((2, 4))), ValueError, r"\(2, 4\)"),
    "size of another rank": (lambda: place(jn.conv(6, (3, 3, 3))), ValueError, "3 numbers, but x has 2"),
    "window too large": (lambda: place(jn.max_pool(9)), ValueError, "reaches 9.*has 8"),
    "missing key": (lambda: place(jn.dropout(0.5), train=True), ValueError, "dropout: key is None.*jax.random.key"),
    "one value per channel": (
        lambda: place(jn.batch_norm(), jnp.ones((1, 1, 1, 4)), train=True),
        ValueError,
        "batch_norm",
    ),
    "complex": (lambda: place(jn.conv(4, 3), X.astype(jnp.complex64)), TypeError, "complex64"),
}


@pytest.mark.parametrize("name", [*OPS, *LAYERS])
def test_the_error_names_the_value_and_the_remedy(name):
    act, error, words = (OPS | LAYERS)[name]
    with pytest.raises(error, match=words):
        act()


@pytest.mark.parametrize("name", PLACED)
def test_in_a_network_the_error_names_the_path(name):
    act, error, words = PLACED[name]
    with pytest.raises(error) as caught:
        act()
    assert "in layer 'backbone/stage0'" in caught.value.__notes__
    caught.match(words)


def test_params_made_for_another_input():
    net = jn.serial(conv=jn.conv(4, 3))
    params, state = net.init(KEY, X)
    with pytest.raises(ValueError, match=r"3 channels.*takes 4") as caught:
        net.apply(params, state, X[..., :3])
    assert "in layer 'conv'" in caught.value.__notes__


def test_there_are_at_least_forty_cases():
    assert len(OPS) + len(LAYERS) + len(PLACED) >= 40
