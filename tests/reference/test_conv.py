"""Convolutions worked by hand, and the identities that tie them together."""

import itertools

import ml_dtypes
import numpy as np
import pytest

from jaxnets import reference


def signal(*values, dtype=np.float64):
    """One sample of one channel in one dimension."""
    return np.array(values, dtype).reshape(1, -1, 1)


def normal(shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"padding": "VALID"}, [14, 20, 26]),  # 1*1 + 2*2 + 3*3, no flip
        ({}, [8, 14, 20, 26, 14]),
        ({"padding": "CAUSAL"}, [3, 8, 14, 20, 26]),
        ({"stride": 2}, [8, 20, 14]),
        ({"stride": 2, "padding": "VALID"}, [14, 26]),
        ({"dilation": 2, "padding": "VALID"}, [22]),  # 1*1 + 2*3 + 3*5
        ({"dilation": 2}, [11, 16, 22, 10, 13]),
        ({"padding": [(0, 1)]}, [14, 20, 26, 14]),
        ({"padding_mode": "replicate"}, [9, 14, 20, 26, 29]),
        ({"padding_mode": "reflect"}, [10, 14, 20, 26, 26]),
        ({"padding_mode": "circular"}, [13, 14, 20, 26, 17]),
    ],
)
def test_one_dimension_by_hand(options, expected):
    y = reference.conv(signal(1, 2, 3, 4, 5), signal(1, 2, 3).reshape(3, 1, 1), **options)
    assert y[0, :, 0].tolist() == expected


def test_two_dimensions_by_hand():
    x = np.arange(9.0).reshape(1, 3, 3, 1)
    w = np.array([[1.0, 0], [0, -1]]).reshape(2, 2, 1, 1)
    y = reference.conv(x, w, np.array([10.0]), padding="VALID")
    assert y[0, ..., 0].tolist() == [[6, 6], [6, 6]]  # x[i, j] - x[i+1, j+1] = -4


def test_groups_read_their_own_channels():
    x = np.array([1.0, 10, 100, 1000]).reshape(1, 1, 4)
    w = np.ones((1, 2, 6))
    assert reference.conv(x, w, groups=2)[0, 0].tolist() == [11, 11, 11, 1100, 1100, 1100]
    w = np.arange(1.0, 9).reshape(1, 1, 8)
    assert reference.depthwise_conv(x, w)[0, 0].tolist() == [1, 2, 30, 40, 500, 600, 7000, 8000]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"padding": "VALID"}, [1, 2, 13, 20, 30]),  # (1, 2, 3) at 0 and ten times (1, 2, 3) at 2
        ({"padding": 1}, [2, 13, 20]),
        ({"padding": 1, "output_padding": 1}, [2, 13, 20, 30]),
        ({"padding": "VALID", "output_padding": 1}, [1, 2, 13, 20, 30, 0]),
        ({}, [1, 2, 13, 20]),  # SAME on 4 elements pads (0, 1)
        ({"output_padding": -1}, [2, 13, 20]),  # SAME on 3 elements pads (1, 1)
        ({"padding": "CAUSAL"}, [13, 20, 30]),
    ],
)
def test_transposed_by_hand(options, expected):
    w = np.array([1.0, 2, 3]).reshape(3, 1, 1)
    y = reference.conv_transpose(signal(1, 10), w, stride=2, **options)
    assert y[0, :, 0].tolist() == expected


@pytest.mark.parametrize(("padding", "output_padding"), [("VALID", 2), ("VALID", -1), ("SAME", 1), ("SAME", -2)])
def test_illegal_output_padding(padding, output_padding):
    with pytest.raises(ValueError, match=r"output_padding|at least"):
        reference.conv_transpose(
            signal(1, 10), np.ones((3, 1, 1)), stride=2, padding=padding, output_padding=output_padding
        )


CASES = [
    (rank, stride, padding, dilation, groups)
    for rank, (stride, padding, dilation, groups) in itertools.product(
        (1, 2, 3), [(1, "SAME", 1, 1), (2, "SAME", 1, 2), (3, "VALID", 2, 1), (2, "CAUSAL", 2, 4), (2, 1, 1, 4)]
    )
]


@pytest.mark.parametrize(("rank", "stride", "padding", "dilation", "groups"), CASES)
def test_transposed_is_the_adjoint(rank, stride, padding, dilation, groups):
    options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    a = normal((2, *(7, 6, 5)[:rank], 4))
    w = normal((*(3, 2, 3)[:rank], 4 // groups, 8), 1)
    y = reference.conv(a, w, **options)
    x = normal(y.shape, 2)
    smallest = reference.conv_transpose(x, w, **options).shape[1:-1]
    extra = tuple(n - m for n, m in zip(a.shape[1:-1], smallest, strict=True))
    back = reference.conv_transpose(x, w, output_padding=extra, **options)
    assert back.shape == a.shape
    np.testing.assert_allclose(np.vdot(y, x), np.vdot(a, back), rtol=1e-12)


def test_transposed_equals_the_input_gradient():
    x, w = normal((2, 7, 6, 4)), normal((3, 3, 2, 8), 1)
    dy = normal((2, 4, 3, 8), 2)
    dx, _, _ = reference.conv_backward(dy, x, w, stride=2, groups=2)
    back = reference.conv_transpose(dy, w, stride=2, groups=2, output_padding=(-1, 0))
    np.testing.assert_allclose(dx, back, rtol=1e-12, atol=1e-12)


def test_separable_is_two_convolutions():
    x, depthwise, pointwise, b = normal((2, 5, 6, 3)), normal((3, 3, 1, 6), 1), normal((1, 1, 6, 5), 2), normal((5,), 3)
    full = np.zeros((3, 3, 3, 5))
    for c in range(3):
        full[:, :, c] = depthwise[:, :, 0, 2 * c : 2 * c + 2] @ pointwise[0, 0, 2 * c : 2 * c + 2]
    expected = reference.conv(x, full, b, stride=2)
    np.testing.assert_allclose(reference.separable_conv(x, depthwise, pointwise, b, stride=2), expected, rtol=1e-12)


def test_mixed_padding_modes_equal_padding_first():
    x, w = normal((1, 5, 4, 2)), normal((3, 3, 2, 3), 1)
    padded = reference.pad(reference.pad(x, [(2, 1), (0, 0)], "circular"), [(0, 0), (1, 1)], "reflect")
    expected = reference.conv(padded, w, padding="VALID")
    got = reference.conv(x, w, padding=[(2, 1), (1, 1)], padding_mode=("circular", "reflect"))
    np.testing.assert_allclose(got, expected, rtol=1e-12)
    assert reference.pad(x, [(2, 1), (1, 1)], ("circular", "reflect")).tolist() == padded.tolist()


@pytest.mark.parametrize(
    ("ours", "numpys"), [("zeros", "constant"), ("reflect", "reflect"), ("replicate", "edge"), ("circular", "wrap")]
)
def test_pad_is_numpys(ours, numpys):
    x = np.arange(24).reshape(1, 3, 4, 2)
    pads = [(2, 1), (0, 3)]
    np.testing.assert_array_equal(reference.pad(x, pads, ours), np.pad(x, [(0, 0), *pads, (0, 0)], mode=numpys))


def test_integers_wrap():
    x, w = signal(100, 100, dtype=np.int8), np.array([1, 1], np.int8).reshape(2, 1, 1)
    y = reference.conv(x, w, padding="VALID")
    assert y.dtype == np.int8
    assert y[0, :, 0].tolist() == [200 - 256]
    assert reference.conv(x, w, np.array([57], np.int8), padding="VALID")[0, 0, 0] == 1
    unsigned = reference.conv_transpose(x.astype(np.uint8), w.astype(np.uint8) * np.uint8(2), padding="VALID")
    assert unsigned[0, :, 0].tolist() == [200, 400 - 256, 200]


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
def test_half_precision_sums_in_float32(dtype):
    # adding 1 to 4096 is lost in float16, and to 256 in bfloat16; 256 ones together are not
    big = 4096 if dtype is np.float16 else 256
    x, w = np.ones((1, 257, 1), dtype), np.ones((257, 1, 1), dtype)
    x[0, 0] = big
    y = reference.conv(x, w, padding="VALID")
    assert y.dtype == dtype
    assert float(y[0, 0, 0]) == big + 256
    dx, dw, db = reference.conv_backward(np.ones((1, 1, 1), dtype), x, w, padding="VALID")
    assert dx.dtype == dw.dtype == db.dtype == dtype


def test_empty_batch():
    x, w = np.zeros((0, 6, 6, 4)), np.zeros((3, 3, 2, 8))
    assert reference.conv(x, w, stride=2, groups=2).shape == (0, 3, 3, 8)
    assert reference.conv_transpose(np.zeros((0, 3, 3, 8)), w, stride=2, groups=2).shape == (0, 6, 6, 4)
    dx, dw, db = reference.conv_backward(np.zeros((0, 3, 3, 8)), x, w, stride=2, groups=2)
    assert (dx.shape, dw.shape, db.shape) == (x.shape, w.shape, (8,))
    assert not dw.any()


@pytest.mark.parametrize(
    ("x", "w", "options"),
    [
        ((1, 5, 4), (3, 3, 8), {}),
        ((1, 5, 4), (3, 2, 7), {"groups": 2}),
        ((1, 5, 4), (3, 3, 4, 8), {}),
        ((5, 4), (3, 4, 8), {}),
        ((1, 5, 4), (3, 4, 8), {"groups": 0}),
        ((1, 5, 4), (3, 4, 8), {"stride": 0}),
        ((1, 5, 4), (6, 4, 8), {"padding": "VALID"}),
    ],
)
def test_illegal_arguments(x, w, options):
    with pytest.raises(ValueError, match=r".+"):
        reference.conv(np.zeros(x), np.zeros(w), **options)


def test_dense():
    x, w, b = normal((2, 3, 4)), normal((4, 5), 1), normal((5,), 2)
    np.testing.assert_allclose(reference.dense(x, w, b), x @ w + b, rtol=1e-12)
    as_conv = reference.conv(x, w[None], b)
    np.testing.assert_allclose(reference.dense(x, w, b), as_conv, rtol=1e-12)
    with pytest.raises(ValueError, match="do not fit"):
        reference.dense(x, w.T)
