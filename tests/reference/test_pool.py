"""Pools worked by hand."""

import ml_dtypes
import numpy as np
import pytest

from jaxnets import reference


def signal(*values, dtype=np.float64):
    return np.array(values, dtype).reshape(1, -1, 1)


def flat(y):
    return y[0, ..., 0].tolist()


@pytest.mark.parametrize(
    ("options", "largest", "smallest", "mean"),
    [
        ({"size": 2}, [4, 5], [1, 3], [2.5, 4]),
        ({"size": 2, "ceil_mode": True}, [4, 5, 2], [1, 3, 2], [2.5, 4, 2]),
        ({"size": 2, "stride": 1}, [4, 4, 5, 5], [1, 3, 3, 2], [2.5, 3.5, 4, 3.5]),
        ({"size": 3, "stride": 2, "padding": 1}, [4, 5, 5], [1, 3, 2], [2.5, 4, 3.5]),
        ({"size": 3, "stride": 2, "padding": "SAME"}, [4, 5, 5], [1, 3, 2], [2.5, 4, 3.5]),
        ({"size": 2, "stride": 1, "padding": "CAUSAL"}, [1, 4, 4, 5, 5], [1, 1, 3, 3, 2], [1, 2.5, 3.5, 4, 3.5]),
        ({"size": 2, "stride": 1, "dilation": 3}, [5, 4], [1, 2], [3, 3]),
        ({"size": 2, "stride": 2, "dilation": 2, "ceil_mode": True}, [3, 3], [1, 2], [2, 2.5]),
    ],
)
def test_one_dimension_by_hand(options, largest, smallest, mean):
    x = signal(1, 4, 3, 5, 2)
    assert flat(reference.max_pool(x, **options)) == largest
    assert flat(reference.min_pool(x, **options)) == smallest
    assert flat(reference.avg_pool(x, **options)) == mean


def test_two_dimensions_by_hand():
    x = np.arange(16.0).reshape(1, 4, 4, 1)
    assert flat(reference.max_pool(x, 2)) == [[5, 7], [13, 15]]
    assert flat(reference.avg_pool(x, (2, 4))) == [[3.5], [11.5]]
    y, indices = reference.max_pool_with_indices(x, 3, 2, padding=1)
    assert flat(indices) == [[5, 7], [13, 15]]
    assert flat(y) == [[5, 7], [13, 15]]


def test_count_include_pad():
    x = signal(1, 2, 3, 4)
    options = {"size": 3, "stride": 2, "padding": 1, "ceil_mode": True}
    # windows at -1, 1, 3; the last reaches 5, where 4 is padding and 5 is overhang that never counts
    assert flat(reference.avg_pool(x, **options)) == [1.5, 3, 4]
    assert flat(reference.avg_pool(x, **options, count_include_pad=True)) == [1, 3, 2]
    uneven = reference.avg_pool(x, 3, 3, padding=[(2, 0)], count_include_pad=True)
    np.testing.assert_allclose(flat(uneven), [1 / 3, 3])


def test_ties_go_to_the_first_in_row_major_order():
    x = np.array([[2.0, 1, 2], [1, 2, 2]]).reshape(1, 2, 3, 1)
    assert flat(reference.max_pool_with_indices(x, 2, 1)[1]) == [[0, 2]]
    dx = reference.max_pool_backward(np.array([10.0, 1]).reshape(1, 1, 2, 1), x, 2, 1)
    assert flat(dx) == [[10, 0, 1], [0, 0, 0]]
    dx = reference.min_pool_backward(np.array([10.0, 1]).reshape(1, 1, 2, 1), x, 2, 1)
    assert flat(dx) == [[0, 11, 0], [0, 0, 0]]
    assert flat(reference.global_max_pool_backward(np.ones((1, 1)), x)) == [[1, 0, 0], [0, 0, 0]]


def test_nan_wins_and_the_first_of_them_gets_the_gradient():
    x = signal(1, np.nan, 5, np.nan, 2, 3)
    assert str(flat(reference.max_pool(x, 2))) == "[nan, nan, 3.0]"
    assert str(flat(reference.min_pool(x, 2))) == "[nan, nan, 2.0]"
    assert flat(reference.max_pool_with_indices(x, 4, 2)[1]) == [1, 3]
    assert np.isnan(reference.global_max_pool(x)).all()


def test_padding_never_wins():
    x = signal(-3, -2, -1)
    assert flat(reference.max_pool(x, 3, 1, padding=1)) == [-2, -1, -1]
    assert flat(reference.min_pool(-x, 3, 1, padding=1)) == [2, 1, 1]
    assert flat(reference.max_pool(signal(-np.inf, -np.inf), 2)) == [-np.inf]


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int32, np.float16, ml_dtypes.bfloat16, np.float32])
def test_dtypes(dtype):
    x = signal(100, 120, 110, 90, dtype=dtype)
    assert reference.max_pool(x, 2).dtype == reference.min_pool(x, 2).dtype == dtype
    assert reference.adaptive_max_pool(x, 2).dtype == reference.global_max_pool(x).dtype == dtype
    mean = np.float32 if np.issubdtype(dtype, np.integer) else dtype
    for y in (reference.avg_pool(x, 2), reference.adaptive_avg_pool(x, 2)):
        assert y.dtype == mean
        assert y[0, :, 0].astype(float).tolist() == [110, 100]  # int8 does not overflow on the way
    assert reference.global_avg_pool(x).astype(float).tolist() == [[105]]


def test_lp_pool_by_hand():
    x = signal(3, -4, 0, 0, -2, 1)
    assert flat(reference.lp_pool(x, 2)) == [5, 0, np.sqrt(5)]
    assert flat(reference.lp_pool(x, 2, p=1)) == [7, 0, 3]
    assert flat(reference.lp_pool(x, 2, p=np.inf)) == [4, 0, 2]
    np.testing.assert_allclose(flat(reference.lp_pool(x, 3, 2, padding=1, p=3)), [91 ** (1 / 3), 4, 9 ** (1 / 3)])


def test_lp_gradient_is_zero_where_the_window_is():
    dx = reference.lp_pool_backward(np.ones((1, 3, 1)), signal(3, -4, 0, 0, 0, 2), 2)
    np.testing.assert_allclose(flat(dx), [0.6, -0.8, 0, 0, 0, 1])
    dx = reference.lp_pool_backward(np.ones((1, 3, 1)), signal(3, -4, 0, 0, -2, 2), 2, p=np.inf)
    assert flat(dx) == [0, -1, 0, 0, -1, 0]
    dx = reference.lp_pool_backward(np.ones((1, 1, 1)), signal(0, 4), 2, p=1)
    assert flat(dx) == [0, 1]


def test_gem_is_between_mean_and_maximum():
    x = np.random.default_rng(0).uniform(0.1, 1, (2, 6, 6, 3))
    np.testing.assert_allclose(reference.gem_pool(x, 2, p=1), reference.avg_pool(x, 2))
    np.testing.assert_allclose(
        reference.gem_pool(x, 3, 2, padding=1, p=300), reference.max_pool(x, 3, 2, padding=1), rtol=0.01
    )
    np.testing.assert_allclose(flat(reference.gem_pool(signal(-5, 2), 2, p=2, eps=1)), [np.sqrt(2.5)])


def test_unpool_by_hand():
    x = np.array([[1.0, 2, 0, 5], [4, 3, 1, 1]]).reshape(1, 2, 4, 1)
    y, indices = reference.max_pool_with_indices(x, 2)
    assert flat(reference.max_unpool(y, indices, 2)) == [[0, 0, 0, 5], [4, 0, 0, 0]]
    assert reference.max_unpool(y, indices, 2, output_size=(3, 5)).shape == (1, 3, 5, 1)
    padded = reference.max_unpool(y, indices, 3, 2, padding=[(1, 0), (0, 1)])  # 3 - 1 by (2 - 1) * 2 + 3 - 1
    assert padded.shape == (1, 2, 4, 1)
    assert flat(reference.max_unpool_backward(x, y, indices, 2)) == [[4, 5]]


def test_unpool_refuses_what_it_cannot_place():
    y, indices = np.ones((1, 2, 1)), np.array([0, 4]).reshape(1, 2, 1)
    with pytest.raises(ValueError, match="outside"):
        reference.max_unpool(y, indices, 2)
    with pytest.raises(ValueError, match="output_size"):
        reference.max_unpool(y, indices, 2, padding="SAME")


def test_adaptive_windows_overlap():
    x = signal(1, 2, 3, 4, 5, 6, 7)
    assert flat(reference.adaptive_avg_pool(x, 3)) == [2, 4, 6]  # [0, 3), [2, 5), [4, 7)
    assert flat(reference.adaptive_max_pool(x, 4)) == [2, 4, 6, 7]  # [0, 2), [1, 4), [3, 6), [5, 7)
    assert flat(reference.adaptive_max_pool(x, None)) == [1, 2, 3, 4, 5, 6, 7]
    assert flat(reference.adaptive_max_pool(signal(1, 2), 4)) == [1, 1, 2, 2]
    assert reference.adaptive_avg_pool(np.zeros((2, 5, 6, 3)), (None, 2)).shape == (2, 5, 2, 3)


def test_global_pools():
    x = np.arange(12.0).reshape(1, 2, 3, 2)
    assert reference.global_avg_pool(x).tolist() == [[5, 6]]
    assert reference.global_max_pool(x, keepdims=True).tolist() == [[[[10, 11]]]]


def test_blur_by_hand():
    x = signal(0, 16, 0, 0, 0)
    assert flat(reference.blur_pool(x)) == [8, 4, 0]  # (1, 2, 1) / 4; position -1 reflects to 1
    assert flat(reference.blur_pool(x, padding_mode="zeros")) == [4, 4, 0]
    assert flat(reference.blur_pool(x, 2, 1, padding_mode="zeros")) == [8, 8, 0, 0, 0]
    np.testing.assert_allclose(reference.blur_pool(np.ones((1, 5, 6, 1)), 5), np.ones((1, 3, 3, 1)))


def test_fractional_by_hand():
    # alpha = (7 - 2) / 3 = 5/3: starts 0, floor(5/3 + 5u/3) - floor(5u/3), ..., 5
    x = signal(*range(7))
    assert flat(reference.fractional_max_pool(x, 2, 4, samples=np.full((1, 1, 1), 0.0))) == [1, 2, 4, 6]
    assert flat(reference.fractional_max_pool(x, 2, 4, samples=np.full((1, 1, 1), 0.5))) == [1, 3, 5, 6]
    assert flat(reference.fractional_max_pool(x, 2, 4, samples=np.full((1, 1, 1), 0.9))) == [1, 3, 4, 6]
    assert flat(reference.fractional_max_pool(x, 3, 1, samples=np.full((1, 1, 1), 0.5))) == [6]
    with pytest.raises(ValueError, match="samples"):
        reference.fractional_max_pool(x, 2, 4, samples=np.zeros((1, 1, 2)))
    with pytest.raises(ValueError, match="do not fit"):
        reference.fractional_max_pool(x, 2, 7, samples=np.zeros((1, 1, 1)))


def test_fractional_samples_follow_the_spatial_axes():
    x = np.arange(49).reshape(1, 7, 7, 1)
    samples = np.array([0.0, 0.5]).reshape(1, 1, 2)
    rows, columns = [1, 2, 4, 6], [1, 3, 5, 6]
    expected = [[7 * r + c for c in columns] for r in rows]
    assert flat(reference.fractional_max_pool(x, 2, 4, samples=samples)) == expected


@pytest.mark.parametrize("pool", [reference.max_pool, reference.avg_pool, reference.lp_pool, reference.gem_pool])
def test_empty_batch_and_illegal_windows(pool):
    assert pool(np.zeros((0, 4, 4, 3)), 2).shape == (0, 2, 2, 3)
    with pytest.raises(ValueError, match="larger"):
        pool(np.ones((1, 4, 1)), 5)
    with pytest.raises(ValueError, match="only padding"):
        pool(np.ones((1, 4, 1)), 2, padding=2)
