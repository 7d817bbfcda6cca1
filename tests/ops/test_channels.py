"""Local response normalization, channel shuffle and deformable convolution against their definitions."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets import ops, reference
from jaxnets.testing.checks import check_finite_differences, full_precision


def normal(*shape, seed=0):
    return np.random.default_rng([seed, *shape]).standard_normal(shape)


@pytest.mark.parametrize("options", [{"size": 4, "alpha": 2.0, "k": 0.5}, {"size": 1}, {"size": 7, "beta": 2.0}])
def test_local_response_norm(options):
    x = normal(2, 3, 5)
    with full_precision("float64"):
        got = ops.local_response_norm(x, **options)
        chex.assert_trees_all_close(np.asarray(got), reference.local_response_norm(x, **options), rtol=1e-12)
    check_finite_differences(lambda x: ops.local_response_norm(x, **options), x)


def test_local_response_norm_squares_in_float32():
    y = ops.local_response_norm(jnp.full((1, 1), 300, jnp.float16), 1, alpha=1, beta=0.5, k=0)
    assert (y.dtype, float(y[0, 0])) == (jnp.float16, 1.0)


@pytest.mark.parametrize("groups", [1, 2, 6])
def test_channel_shuffle(groups):
    x = np.arange(24).reshape(2, 2, 6).astype(np.int8)
    y = ops.channel_shuffle(x, groups)
    chex.assert_trees_all_equal(np.asarray(y), reference.channel_shuffle(x, groups))
    chex.assert_trees_all_equal(np.asarray(ops.channel_shuffle(y, 6 // groups)), x)


DEFORMED = {
    "1-D": ((2, 6, 3), (3, 3, 2), {"stride": 2, "padding": "CAUSAL"}),
    "2-D in groups": ((2, 4, 5, 4), (3, 2, 2, 6), {"padding": ((1, 2), (0, 1)), "groups": 2, "offset_groups": 4}),
    "2-D dilated": ((1, 6, 5, 2), (2, 2, 2, 3), {"dilation": (2, 1), "offset_groups": 2}),
    "3-D": ((1, 3, 2, 3, 2), (2, 1, 2, 2, 1), {"padding": "VALID"}),
}


def deformed(name):
    """x, offset, w, b, mask and options; offsets reach beyond the edges."""
    x, w, options = DEFORMED[name]
    shared = {key: value for key, value in options.items() if not key.endswith("groups")}
    out = ops.geometry.output_shape(x[1:-1], w[:-2], **({"stride": 1} | shared))
    each = options.get("offset_groups", 1) * int(np.prod(w[:-2]))
    offset, mask = (x[0], *out, each * (len(x) - 2)), (x[0], *out, each)
    return [normal(*x), 1.5 * normal(*offset), normal(*w), normal(w[-1]), normal(*mask)], options


@pytest.mark.parametrize("name", DEFORMED)
def test_deform_conv_and_its_gradients(name):
    arrays, options = deformed(name)
    with full_precision("float64"):
        got = jax.jit(lambda *a: ops.deform_conv(*a, **options))(*arrays)
        chex.assert_trees_all_close(np.asarray(got), reference.deform_conv(*arrays, **options), rtol=1e-10, atol=1e-10)
    check_finite_differences(lambda *a: ops.deform_conv(*a, **options), *arrays)


def test_without_offsets_it_is_a_convolution():
    (x, offset, w, b, _), options = deformed("2-D in groups")
    x, offset, w, b = (jnp.asarray(a, jnp.float32) for a in (x, 0 * offset, w, b))
    plain = {key: value for key, value in options.items() if key != "offset_groups"}
    got, expected = ops.deform_conv(x, offset, w, b, **options), ops.conv(x, w, b, **plain)
    chex.assert_trees_all_close(got, expected, rtol=1e-5, atol=1e-5)
    narrow = ops.deform_conv(x.astype(jnp.bfloat16), offset, w.astype(jnp.bfloat16), **options)
    assert narrow.dtype == jnp.bfloat16


X, W = np.ones((1, 4, 4, 2), np.float32), np.ones((3, 3, 2, 2), np.float32)
OFFSET = np.zeros((1, 4, 4, 18), np.float32)


@pytest.mark.parametrize(
    ("error", "call", "message"),
    [
        (ValueError, lambda: ops.deform_conv(X, OFFSET[..., 1:], W), r"offset has shape \(1, 4, 4, 17\).*4, 4, 18\)"),
        (ValueError, lambda: ops.deform_conv(X, OFFSET, W, None, OFFSET), r"mask has shape.*is \(1, 4, 4, 9\)"),
        (ValueError, lambda: ops.deform_conv(X, OFFSET, W, groups=2), "groups=2.*do not fit"),
        (ValueError, lambda: ops.deform_conv(X, OFFSET, W, offset_groups=3), "offset_groups=3 do not fit"),
        (TypeError, lambda: ops.deform_conv(X, OFFSET.astype(int), W), "offset has dtype int"),
        (TypeError, lambda: ops.local_response_norm(X.astype(np.int32)), "local_response_norm: x has dtype int32"),
        (ValueError, lambda: ops.local_response_norm(X, 0), "size is 0"),
        (ValueError, lambda: ops.local_response_norm(np.ones(3, np.float32)), r"shape \(3,\)"),
        (ValueError, lambda: ops.channel_shuffle(X, 3), "groups=3 does not divide"),
    ],
)
def test_bad_arguments(error, call, message):
    with pytest.raises(error, match=message):
        call()
