"""ROI align and pool: their definitions, torchvision's values, gradients, feature pyramids, bad input."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets import ops, reference
from jaxnets.reference import numerical_gradient

X = np.random.RandomState(0).standard_normal((2, 9, 7, 2))
BOXES = np.array([[[-1, 2, 13, 11], [4.2, 1.1, 9.3, 17.7]], [[10, 10, 10.5, 10.4], [0, 0, 14, 18]]])

# torchvision 0.28, its Python form in float64: (sampling_ratio, aligned), and 2 × 1 bins for each box; scale 1/2
RECORDED = {
    (2, False): [
        [0.09770389, -0.36853337, -0.45885201, -0.16403036],
        [-0.29516166, -0.19273607, 0.02029170, 0.31938685],
        [-0.08159319, -0.29663052, -0.50037806, -0.05371028],
        [0.30922211, 0.17906922, -0.37030898, -0.47198930],
    ],
    (3, True): [
        [0.18916588, -0.06268100, -0.74668290, 0.02243992],
        [-0.48360504, -0.28777987, -0.28142683, 0.29641640],
        [-0.10555287, -0.87065677, -0.03213101, -0.91442812],
        [-0.20185832, 0.27843100, 0.03340391, -0.18139288],
    ],
    (None, False): [
        [-0.20854686, -0.02409220, -0.34540374, -0.22155372],
        [-0.47435631, -0.20767962, -0.12401192, 0.39926798],
        [-0.08159319, -0.29663052, -0.50037806, -0.05371028],
        [-0.20509662, -0.07951608, 0.10677176, -0.24344820],
    ],
    (None, True): [
        [0.18414728, -0.00842990, -0.59189093, -0.07012709],
        [-0.50850400, -0.24603570, -0.33220777, 0.31866734],
        [-0.10555287, -0.87065677, -0.03213101, -0.91442812],
        [-0.18240165, 0.06183494, 0.04420696, -0.17919192],
    ],
}


def both(x=X, boxes=BOXES, dtype=np.float32):
    return jnp.asarray(x.astype(dtype)), jnp.asarray(boxes.astype(dtype))


@pytest.mark.parametrize(("ratio", "aligned"), RECORDED)
def test_align_is_torchvisions_and_the_definition(ratio, aligned):
    options = {"scale": 0.5, "sampling_ratio": ratio, "aligned": aligned}
    got = ops.roi_align(*both(), (2, 1), **options)
    np.testing.assert_allclose(np.asarray(got).reshape(4, 4), RECORDED[ratio, aligned], atol=2e-6)
    np.testing.assert_allclose(got, reference.roi_align(X, BOXES, (2, 1), **options), atol=2e-6)


@pytest.mark.parametrize("ratio", [2, None])
def test_points_far_outside_count_as_zero(ratio):
    """As in torchvision's compiled kernels; its Python form, which was recorded, takes the edge instead."""
    boxes = np.array([[[-9, 2, 20, 31], [4.2, -20, 9.3, 25.7]], [[20, 20, 30, 30], [-5, 0, -1, 8]]])
    got = ops.roi_align(*both(boxes=boxes), (3, 2), sampling_ratio=ratio)
    np.testing.assert_allclose(got, reference.roi_align(X, boxes, (3, 2), sampling_ratio=ratio), atol=2e-6)
    assert not got[1, 0].any()


@pytest.mark.parametrize(("ratio", "aligned"), [(2, False), (None, True)])
def test_gradient_of_align(ratio, aligned):
    options = {"scale": 0.5, "sampling_ratio": ratio, "aligned": aligned}
    dy = np.random.RandomState(1).standard_normal((2, 2, 2, 1, 2))
    expected = numerical_gradient(lambda x: np.vdot(dy, reference.roi_align(x, BOXES, (2, 1), **options)), X)
    with jax.enable_x64(True):
        x, boxes = both(dtype=np.float64)
        y, pull = jax.vjp(lambda x, boxes: ops.roi_align(x, boxes, (2, 1), **options), x, boxes)
        dx, to_boxes = pull(jnp.asarray(dy))
    np.testing.assert_allclose(dx, expected, atol=1e-6)
    assert not to_boxes.any()  # constants, as in torchvision
    assert y.dtype == jnp.float64


@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_pool_is_its_definition_and_gives_its_gradient_to_the_maxima(scale):
    boxes = np.concatenate([BOXES, BOXES[::-1] + 0.5, [[[30, 30, 40, 40]]] * 2], axis=1)
    dy = np.random.RandomState(1).standard_normal((2, 5, 3, 2, 2)).astype(np.float32)
    expected = reference.roi_pool(X, boxes, (3, 2), scale=scale)
    x, box = both(boxes=boxes)
    y, pull = jax.vjp(lambda x: ops.roi_pool(x, box, (3, 2), scale=scale), x)
    np.testing.assert_allclose(y, expected, rtol=1e-6)
    slope = numerical_gradient(lambda x: np.vdot(dy, reference.roi_pool(x, boxes, (3, 2), scale=scale)), X)
    np.testing.assert_allclose(pull(jnp.asarray(dy))[0], slope, atol=1e-5)


def test_pool_by_hand():
    """Figure 1 of what it is: 4 × 4 pixels in 2 × 2 bins; a box outside gives zeros, and no gradient."""
    x = jnp.arange(1.0, 17.0).reshape(1, 4, 4, 1)
    boxes = jnp.array([[[0.0, 0.0, 3.0, 3.0], [9.0, 9.0, 12.0, 12.0]]])
    y, pull = jax.vjp(lambda x: ops.roi_pool(x, boxes, 2), x)
    assert y.ravel().tolist() == [6, 8, 14, 16, 0, 0, 0, 0]
    assert float(pull(jnp.ones_like(y))[0].sum()) == 4


def test_levels_are_equation_1():
    side = jnp.array([1.0, 111.0, 112.0, 223.0, 224.0, 448.0, 9000.0, 0.0])
    boxes = jnp.stack([side * 0, side * 0, side, side], axis=1)
    assert ops.roi_levels(boxes, 2, 5).tolist() == [2, 2, 3, 3, 4, 5, 5, 2]


def test_a_pyramid_takes_each_box_from_its_level():
    rng = np.random.default_rng(0)
    maps = [jnp.asarray(rng.standard_normal((2, n, n + 1, 3)).astype(np.float32)) for n in (8, 4, 2)]
    boxes = jnp.array([[[0.0, 0.0, 3.0, 9.0], [1.0, 2.0, 30.0, 30.0]], [[0.0, 0.0, 12.0, 15.0], [3.0, 0.0, 8.0, 31.0]]])
    levels = ops.roi_levels(boxes, 2, 4, canonical_size=16.0, canonical_level=3)
    assert len(set(levels.ravel().tolist())) > 1
    each = [ops.roi_align(x, boxes, 2, scale=1 / s, sampling_ratio=2) for x, s in zip(maps, (4, 8, 16), strict=True)]
    got = ops.pyramid_roi_align(maps, boxes, 2, strides=(4, 8, 16), canonical_size=16.0, canonical_level=3)
    for n, r in np.ndindex(2, 2):
        np.testing.assert_allclose(got[n, r], each[int(levels[n, r]) - 2][n, r], atol=1e-6)


def test_half_precision_and_no_boxes():
    x, boxes = both()
    for op in (lambda x, b: ops.roi_align(x, b, 2, sampling_ratio=1), lambda x, b: ops.roi_pool(x, b, 2)):
        half = op(x.astype(jnp.bfloat16), boxes)
        assert half.dtype == jnp.bfloat16
        np.testing.assert_allclose(half.astype(jnp.float32), op(x, boxes), atol=0.05)
        assert op(x, boxes[:, :0]).shape == (2, 0, 2, 2, 2)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda x, b: ops.roi_align(x[0], b, 2), ValueError, r"x has shape \(9, 7, 2\) and boxes"),
        (lambda x, b: ops.roi_align(x, b[0], 2), ValueError, r"boxes has shape \(2, 4\); pass \(N, boxes, 4\)"),
        (lambda x, b: ops.roi_pool(x[:1], b, 2), ValueError, "as many boxes for each image"),
        (lambda x, b: ops.roi_align(x, b, (2, 0)), ValueError, r"output_size\[1\] is 0"),
        (lambda x, b: ops.roi_align(x, b, 2, sampling_ratio=0), ValueError, "sampling_ratio is 0"),
        (lambda x, b: ops.roi_pool(x.astype(jnp.int32), b, 2), TypeError, "cast it first"),
        (lambda x, b: ops.pyramid_roi_align([x], b, 2), ValueError, r"1 maps have strides \(4, 8, 16, 32\)"),
        (lambda x, b: ops.pyramid_roi_align([x, x], b, 2, strides=(4, 16)), ValueError, "each twice the one before"),
        (lambda x, b: ops.pyramid_roi_align([x, x[..., :1]], b, 2, strides=(4, 8)), ValueError, "channels differ"),
    ],
)
def test_bad_arguments(call, error, message):
    with pytest.raises(error, match=message):
        call(*both())
