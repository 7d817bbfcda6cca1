"""Boxes and anchors: the definitions, torchvision's values, gradients that stay finite, bad input."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from jaxnets import ops, reference
from jaxnets.ops.boxes import KINDS

# minus the gradient of torchvision's complete_box_iou_loss, float64
RECORDED_CIOU = [0.05823306, 0.00636373, -0.05823306, 0.16334113]


def boxes(n, seed=0, side=20.0):
    """Boxes of at least a tenth of a pixel, some of them equal, some apart."""
    rng = np.random.default_rng(seed)
    first = rng.uniform(0, side, (n, 2))
    return np.concatenate([first, first + rng.uniform(0.1, side, (n, 2))], axis=1).astype(np.float32)


@pytest.mark.parametrize("kind", KINDS)
def test_overlap_is_its_definition(kind):
    a, b = boxes(6), np.concatenate([boxes(4, 1), boxes(6)[:1]])
    got = ops.box_iou(jnp.asarray(a), jnp.asarray(b), kind=kind)
    np.testing.assert_allclose(got, reference.box_iou(a, b, kind=kind), atol=2e-6)


def test_overlap_of_touching_equal_and_empty_boxes():
    box = jnp.array([[0.0, 0.0, 2.0, 2.0], [2.0, 0.0, 3.0, 2.0], [1.0, 1.0, 1.0, 1.0]])
    assert ops.box_iou(box, box).tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 0]]  # torchvision: NaN for the last
    gradient = jax.jit(jax.grad(lambda a: sum(ops.box_iou(a, box, kind=kind).sum() for kind in KINDS)))(box)
    assert np.isfinite(gradient).all()


@pytest.mark.parametrize("kind", ["giou", "diou"])  # both have that of iou in them
def test_gradient_of_overlap(kind):
    with jax.enable_x64(True):
        a, b = (jnp.asarray(boxes(3, seed).astype(np.float64)) for seed in (2, 3))
        check_grads(jax.jit(lambda a, b: ops.box_iou(a, b, kind=kind)), (a, b), order=1, modes=("rev",))


def test_the_penalty_of_ciou_has_a_constant_weight():
    """The gradient is that of diou less alpha times that of v, alpha from the values: torchvision's, recorded."""
    a, b = jnp.array([0.0, 0.0, 4.0, 2.0]), jnp.array([1.0, 0.0, 3.0, 4.0])
    got = jax.grad(lambda a: ops.box_iou(a[None], b[None], kind="ciou")[0, 0])(a)
    np.testing.assert_allclose(got, RECORDED_CIOU, atol=1e-5)


@pytest.mark.parametrize("source", ["xyxy", "xywh", "cxcywh"])
def test_forms_there_and_back(source):
    form = ops.box_convert(jnp.asarray(boxes(5)), "xyxy", source)
    for target in ("xywh", "cxcywh", "xyxy"):
        form, source = ops.box_convert(form, source, target), target
    np.testing.assert_allclose(form, boxes(5), rtol=1e-5)


def test_forms_by_hand():
    box = jnp.array([[1.0, 2.0, 5.0, 4.0]])
    assert ops.box_convert(box, "xyxy", "xywh").tolist() == [[1, 2, 4, 2]]
    assert ops.box_convert(box, "xywh", "cxcywh").tolist() == [[3.5, 4, 5, 4]]
    assert ops.box_convert(box, "cxcywh", "xyxy").tolist() == [[-1.5, 0, 3.5, 4]]
    assert ops.box_area(ops.clip_boxes(box, (3, 4))).tolist() == [3]


def test_cell_anchors_are_torchvisions():
    """RetinaNet's smallest: three sizes of three ratios, as torchvision 0.28 prints them."""
    got = ops.cell_anchors([32, int(32 * 2 ** (1 / 3)), int(32 * 2 ** (2 / 3))], [0.5, 1.0, 2.0])
    wide = [[-23, -11, 23, 11], [-28, -14, 28, 14], [-35, -18, 35, 18]]
    square = [[-16, -16, 16, 16], [-20, -20, 20, 20], [-25, -25, 25, 25]]
    tall = [[-11, -23, 11, 23], [-14, -28, 14, 28], [-18, -35, 18, 35]]
    assert got.tolist() == wide + square + tall


def test_grid_anchors_go_row_by_row():
    cells = ops.cell_anchors([4], [1.0])
    got = ops.grid_anchors(jnp.concatenate([cells, 2 * cells]), (2, 3), (8, 4))
    centers = np.asarray(got).reshape(2, 3, 2, 2, 2).mean(3)
    np.testing.assert_array_equal(centers[..., 0, 0], [[0, 4, 8], [0, 4, 8]])
    np.testing.assert_array_equal(centers[..., 1, 1], [[0, 0, 0], [8, 8, 8]])


def test_codes_there_and_back():
    target, anchors = jnp.asarray(np.stack([boxes(5), boxes(5, 1)])), jnp.asarray(boxes(5, 2))
    weights = (10.0, 10.0, 5.0, 5.0)
    codes = ops.encode_boxes(target, anchors, weights=weights)
    np.testing.assert_allclose(ops.decode_boxes(codes, anchors, weights=weights), target, rtol=1e-4, atol=1e-4)
    sides = ops.encode_sides(target, anchors)
    np.testing.assert_allclose(ops.decode_sides(sides, anchors), target, rtol=1e-4, atol=1e-4)


def test_codes_by_hand_and_their_limit():
    anchor = jnp.array([[0.0, 0.0, 2.0, 4.0]])
    codes = ops.encode_boxes(jnp.array([[1.0, 1.0, 5.0, 3.0]]), anchor, weights=(2.0, 1.0, 1.0, 1.0))
    np.testing.assert_allclose(codes, [[2.0, 0.0, np.log(2), np.log(0.5)]], rtol=1e-6)
    wild = ops.decode_boxes(jnp.array([[0.0, 0.0, 99.0, 0.0]]), anchor)
    np.testing.assert_allclose(wild, [[1 - 62.5, 0, 1 + 62.5, 4]], rtol=1e-5)


BOX = jnp.ones((2, 4))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: ops.box_area(jnp.ones((2, 4), jnp.int32)), TypeError, "box_area: boxes has dtype int32.*cast"),
        (lambda: ops.box_iou(BOX, jnp.ones((2, 5))), ValueError, r"box_iou: b has shape \(2, 5\); pass \(..., 4\)"),
        (lambda: ops.box_iou(BOX, BOX[None]), ValueError, "leading axes equal"),
        (lambda: ops.box_iou(BOX, BOX, kind="IoU"), ValueError, "kind is 'IoU'; pass one of iou, giou"),
        (lambda: ops.box_convert(BOX, "xyxy", "yxyx"), ValueError, "target is 'yxyx'"),
        (lambda: ops.clip_boxes(BOX, (0, 4)), ValueError, r"size\[0\] is 0"),
        (lambda: ops.cell_anchors([], [1.0]), ValueError, "sizes is ().*at least one"),
        (lambda: ops.cell_anchors([8], [0.0]), ValueError, "ratios is .*above 0"),
        (lambda: ops.grid_anchors(BOX, 2, 0), ValueError, "stride is 0"),
        (lambda: ops.encode_boxes(BOX, jnp.ones((3, 4))), ValueError, "one anchor for each"),
        (lambda: ops.decode_boxes(BOX, BOX, weights=(1, 1, 0, 1)), ValueError, "four numbers above 0"),
    ],
)
def test_bad_arguments(call, error, message):
    with pytest.raises(error, match=message):
        call()
