"""Convolutions by hand: small numbers worked out on paper, and the corners of their contract."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets import ops, reference


def line(*values: float, dtype: str = "float32") -> jax.Array:
    """(1, W, 1)."""
    return jnp.asarray(values, dtype).reshape(1, -1, 1)


def taps(*values: float, dtype: str = "float32") -> jax.Array:
    """w: (size, 1, 1)."""
    return jnp.asarray(values, dtype).reshape(-1, 1, 1)


def values(y: jax.Array) -> list[float]:
    return np.asarray(y, np.float64).ravel().tolist()


X = line(1, 2, 3, 4, 5)
W = taps(1, 10, 100)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"padding": "VALID"}, [321, 432, 543]),
        ({}, [210, 321, 432, 543, 54]),
        ({"padding": "SAME", "stride": 2}, [210, 432, 54]),
        ({"padding": "CAUSAL"}, [100, 210, 321, 432, 543]),
        ({"padding": "CAUSAL", "dilation": 2}, [100, 200, 310, 420, 531]),
        ({"padding": 1, "stride": 3}, [210, 543]),
        ({"padding": (2,)}, [100, 210, 321, 432, 543, 54, 5]),
        ({"padding": ((0, 1),)}, [321, 432, 543, 54]),
        ({"padding": "VALID", "dilation": 2}, [531]),
        ({"padding": 4}, [0, 0, 100, 210, 321, 432, 543, 54, 5, 0, 0]),
        ({"padding_mode": "reflect"}, [212, 321, 432, 543, 454]),
        ({"padding_mode": "replicate"}, [211, 321, 432, 543, 554]),
        ({"padding_mode": "circular"}, [215, 321, 432, 543, 154]),
        ({"padding_mode": ("circular",), "padding": ((2, 0),)}, [154, 215, 321, 432, 543]),
    ],
    ids=str,
)
def test_conv_of_a_line(options: dict, expected: list[float]) -> None:
    assert values(ops.conv(X, W, **options)) == expected
    assert values(reference.conv(np.asarray(X), np.asarray(W), **options)) == expected


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"padding": "VALID", "stride": 2}, [1, 10, 102, 20, 203, 30, 300]),
        ({"padding": "VALID", "stride": 2, "output_padding": 1}, [1, 10, 102, 20, 203, 30, 300, 0]),
        ({"stride": 2}, [1, 10, 102, 20, 203, 30]),
        ({"stride": 2, "output_padding": -1}, [10, 102, 20, 203, 30]),
        ({"padding": 1, "stride": 2}, [10, 102, 20, 203, 30]),
        ({"padding": 1, "stride": 2, "output_padding": 1}, [10, 102, 20, 203, 30, 300]),
        ({"padding": "CAUSAL"}, [123, 230, 300]),
        ({"padding": "VALID", "dilation": 2}, [1, 2, 13, 20, 130, 200, 300]),
    ],
    ids=str,
)
def test_conv_transpose_of_a_line(options: dict, expected: list[float]) -> None:
    assert values(ops.conv_transpose(line(1, 2, 3), W, **options)) == expected


def test_modes_may_differ_between_the_axes() -> None:
    x = jnp.arange(1.0, 5.0).reshape(1, 2, 2, 1)
    y = ops.pad(x, ((1, 0), (0, 1)), ("replicate", "circular"))
    np.testing.assert_array_equal(y[0, :, :, 0], [[1, 2, 1], [1, 2, 1], [3, 4, 3]])
    ones = jnp.ones((2, 2, 1, 1))
    z = ops.conv(x, ones, padding=((1, 0), (0, 1)), padding_mode=("replicate", "circular"))
    np.testing.assert_array_equal(z[0, :, :, 0], [[6, 6], [10, 10]])


def test_groups_read_their_own_channels() -> None:
    x = jnp.asarray([1.0, 2.0, 3.0, 4.0]).reshape(1, 1, 4)
    w = jnp.asarray([[1.0, 10.0, 100.0, 1000.0], [2.0, 20.0, 200.0, 2000.0]]).reshape(1, 2, 4)
    assert values(ops.conv(x, w, groups=2)) == [5, 50, 1100, 11000]
    assert values(ops.conv_transpose(x, w, groups=2)) == [21, 42, 4300, 8600]


def test_depthwise_multiplies_channels() -> None:
    x = jnp.asarray([1.0, 2.0]).reshape(1, 1, 2)
    w = jnp.asarray([1.0, 10.0, 100.0, 1000.0]).reshape(1, 1, 4)
    assert values(ops.depthwise_conv(x, w)) == [1, 10, 200, 2000]


def test_separable_is_depthwise_then_pointwise() -> None:
    x = jnp.asarray([1.0, 2.0]).reshape(1, 1, 2)
    y = ops.separable_conv(x, jnp.asarray([3.0, 5.0]).reshape(1, 1, 2), jnp.asarray([1.0, 10.0]).reshape(1, 2, 1))
    assert values(y) == [103]


def test_bias_is_added_once_for_each_output() -> None:
    b = jnp.asarray([7.0])
    assert values(ops.conv(line(1, 2), taps(1), b)) == [8, 9]
    assert values(ops.conv_transpose(line(1, 2), taps(1), b, stride=2)) == [8, 7, 9, 7]


@pytest.mark.parametrize(("dtype", "expected"), [("int8", 64), ("uint8", 64), ("int32", 320)])
def test_integers_wrap(dtype: str, expected: int) -> None:
    y = ops.conv(line(100, 100, 120, dtype=dtype), taps(1, 1, 1, dtype=dtype), padding="VALID")
    assert y.dtype == dtype
    assert values(y) == [expected]


@pytest.mark.parametrize("shape", [(0, 5, 2), (0, 4, 4, 2), (0, 3, 3, 3, 2)])
def test_batch_of_nothing(shape: tuple[int, ...]) -> None:
    rank = len(shape) - 2
    x, w = jnp.zeros(shape), jnp.ones((*(2,) * rank, 2, 3))
    y, pull = jax.vjp(lambda x, w: ops.conv(x, w, stride=2), x, w)
    dx, dw = pull(y)
    assert y.shape == (0, *(-(-n // 2) for n in shape[1:-1]), 3)
    assert dx.shape == shape
    np.testing.assert_array_equal(dw, np.zeros(w.shape))
    assert ops.conv_transpose(y, w, stride=2).shape[0] == 0


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_sums_in_float32(dtype: str) -> None:
    # 4096 ones: in bfloat16 a running sum stops at 256, in float16 at 2048.
    x = jnp.ones((1, 64, 64, 1), dtype)
    w, b = jnp.ones((64, 64, 1, 1), dtype), jnp.zeros((1,), dtype)
    assert values(ops.conv(x, w, padding="VALID")) == [4096]
    point = jnp.ones((1, 1, 1, 1), dtype)
    dw, db = jax.grad(lambda w, b: ops.conv(x, w, b).astype(jnp.float32).sum(), (0, 1))(point, b)
    assert values(dw) == values(db) == [4096]


def test_nothing_is_promoted() -> None:
    with pytest.raises(TypeError, match=r"w\.astype\(x\.dtype\)"):
        ops.conv(X, W.astype(jnp.bfloat16))
