"""Patches, pixel orders, resizing and normalization worked by hand."""

import numpy as np
import pytest

from jaxnets import reference


def normal(shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


OPTIONS = [
    {"stride": 1, "padding": "VALID", "dilation": 1},
    {"stride": 2, "padding": "SAME", "dilation": 1},
    {"stride": 2, "padding": 1, "dilation": 2},
    {"stride": 1, "padding": "CAUSAL", "dilation": 1},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_unfold_times_weights_is_a_convolution(rank, options):
    x, w = normal((2, *(6, 5, 4)[:rank], 3)), normal((*(3, 2, 2)[:rank], 3, 4), 1)
    patches = reference.unfold(x, w.shape[:rank], **options)
    np.testing.assert_allclose(patches @ w.reshape(-1, 4), reference.conv(x, w, **options), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_fold_is_the_adjoint_of_unfold(rank, options):
    x, size = normal((2, *(6, 5, 4)[:rank], 3)), (3, 2, 2)[:rank]
    patches = reference.unfold(x, size, **options)
    y = normal(patches.shape, 1)
    back = reference.fold(y, x.shape[1:-1], size, **options)
    np.testing.assert_allclose(np.vdot(patches, y), np.vdot(x, back), rtol=1e-10)


def test_fold_refuses_what_unfold_does_not_give():
    with pytest.raises(ValueError, match="not unfolded"):
        reference.fold(np.ones((1, 2, 3)), 5, 3)
    with pytest.raises(ValueError, match="not unfolded"):
        reference.fold(np.ones((1, 2, 4)), 4, 3)


def test_space_to_depth_is_tensorflows_documented_example():
    x = np.array([[1, 2, 5, 6], [3, 4, 7, 8], [9, 10, 13, 14], [11, 12, 15, 16]]).reshape(1, 4, 4, 1)
    y = [[[1, 2, 3, 4], [5, 6, 7, 8]], [[9, 10, 11, 12], [13, 14, 15, 16]]]
    assert reference.space_to_depth(x, 2)[0].tolist() == y
    assert reference.depth_to_space(np.array([y]), 2).tolist() == x.tolist()


@pytest.mark.parametrize("block", [2, (1, 3), (2, 3)], ids=str)
def test_pixel_orders_are_inverse_and_patches(block):
    x = np.arange(2 * 4 * 6 * 3).reshape(2, 4, 6, 3)
    y = reference.space_to_depth(x, block)
    assert y.tolist() == reference.unfold(x, block, block).tolist()
    assert reference.depth_to_space(y, block).tolist() == x.tolist()


def test_pixel_orders_refuse_remainders():
    with pytest.raises(ValueError, match="do not divide"):
        reference.space_to_depth(np.zeros((1, 5, 1)), 2)
    with pytest.raises(ValueError, match="do not divide"):
        reference.depth_to_space(np.zeros((1, 5, 3)), 2)


def resized(values, out, *args, **options):
    return reference.resize(np.array(values).reshape(1, -1, 1), out, *args, **options)[0, :, 0].tolist()


def test_resize_by_hand():
    assert resized([1.0, 2, 4], 6, "nearest") == [1, 1, 2, 2, 4, 4]
    assert resized([1.0, 2, 3, 4], 2, "nearest") == [2, 4]  # (2i + 1) * 4 // 4
    assert resized([1.0, 2, 3, 4, 5], 3, "nearest", align_corners=True) == [1, 3, 5]
    assert resized([1.0, 2, 3, 4], 3, "nearest", align_corners=True) == [1, 3, 4]  # 1.5 rounds up
    assert resized([0.0, 4, 8], 2) == [1, 7]
    assert resized([0.0, 4, 8], 5, align_corners=True) == [0, 2, 4, 6, 8]
    assert resized([3.0, 4, 8], 1, align_corners=True) == [3]
    # Keys at a = -0.75, halfway: (-3, 19, 19, -3) / 32
    assert resized([0.0, 32, 0, 0], 7, "cubic", align_corners=True) == [0, 19, 32, 19, 0, -3, 0]


@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize("method", ["nearest", "linear", "cubic"])
def test_resize_keeps_constants_and_the_same_size(method, align_corners):
    x = normal((2, 4, 5, 3))
    np.testing.assert_allclose(reference.resize(x, (4, 5), method, align_corners=align_corners), x, atol=1e-12)
    ones = reference.resize(np.ones((1, 4, 5, 1)), (9, 3), method, align_corners=align_corners)
    np.testing.assert_allclose(ones, np.ones((1, 9, 3, 1)), rtol=1e-12)


def test_resize_dtypes_and_methods():
    x = np.arange(4, dtype=np.uint8).reshape(1, 4, 1)
    assert reference.resize(x, 8, "nearest").dtype == np.uint8
    assert reference.resize(x, 8).dtype == np.float32
    assert reference.resize(x.astype(np.float16), 8).dtype == np.float16
    with pytest.raises(ValueError, match="method"):
        reference.resize(x, 8, "lanczos")


def test_norms_by_hand():
    x = np.array([1.0, 3, 5, 9]).reshape(1, 2, 2)  # channel 0: 1, 5; channel 1: 3, 9
    assert reference.instance_norm(x, eps=0).tolist() == [[[-1, -1], [1, 1]]]
    assert reference.layer_norm(x, np.array([2.0, 3]), np.array([10.0, 20]), eps=0).tolist() == [[[8, 23], [8, 23]]]
    assert reference.layer_norm(np.array([0.0, 8]), eps=9).tolist() == [-0.8, 0.8]  # 4 / sqrt(16 + 9)
    assert reference.batch_norm(x, np.array([1.0, 3]), np.array([4.0, 9]), eps=0).tolist() == [[[0, 0], [2, 2]]]
    np.testing.assert_allclose(reference.rms_norm(np.array([3.0, 4]), eps=0), np.array([3, 4]) / np.sqrt(12.5))
    assert reference.rms_norm(np.array([1.0, 7]), np.array([6.0, 12]), eps=11).tolist() == [1, 14]  # sqrt(25 + 11)


def test_group_norm_lies_between_layer_and_instance_norm():
    x = normal((3, 5, 6))
    np.testing.assert_allclose(reference.group_norm(x, 6), reference.instance_norm(x), rtol=1e-12)
    rows = reference.layer_norm(x.reshape(3, 30)).reshape(x.shape)
    np.testing.assert_allclose(reference.group_norm(x, 1), rows, rtol=1e-10)
    halves = reference.group_norm(x, 2)[..., :3].reshape(3, -1)
    np.testing.assert_allclose(halves.mean(1), np.zeros(3), atol=1e-12)
    with pytest.raises(ValueError, match="do not divide"):
        reference.group_norm(x, 4)


@pytest.mark.parametrize("function", [reference.layer_norm, reference.instance_norm, reference.rms_norm])
def test_norms_in_half_precision_are_computed_in_float32(function):
    x = normal((2, 7, 5)).astype(np.float16) * np.float16(100)  # squares beyond float16's 65504
    y = function(x)
    assert y.dtype == np.float16
    np.testing.assert_allclose(y, function(x.astype(np.float64)), atol=2e-3)
