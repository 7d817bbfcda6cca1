"""Suppression against its definition: ties, classes, missing boxes, fewer and more than the maximum."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets import ops, reference

COUNT = 24


def scene(seed):
    """Boxes in clusters, with scores of few values, so that some are equal."""
    rng = np.random.default_rng(seed)
    corner = rng.integers(0, 3, (COUNT, 2)) * 10 + rng.uniform(0, 4, (COUNT, 2))
    boxes = np.concatenate([corner, corner + rng.uniform(3, 9, (COUNT, 2))], axis=1).astype(np.float32)
    return boxes, (rng.integers(1, 12, COUNT) / 12).astype(np.float32), rng.integers(0, 3, COUNT).astype(np.int32)


@jax.jit
def suppressed(boxes, scores, classes):
    return {
        "all": ops.nms(boxes, scores, 0.3, max_output=COUNT + 2),
        "by class": ops.nms(boxes, scores, 0.3, max_output=COUNT + 2, classes=classes),
        "linear": ops.soft_nms(boxes, scores, method="linear", max_output=COUNT, min_score=0.05),
        "gaussian": ops.soft_nms(boxes, scores, max_output=COUNT, min_score=0.05, classes=classes),
    }


@pytest.mark.parametrize("seed", range(4))
def test_suppression_is_its_definition(seed):
    boxes, scores, classes = scene(seed)
    got = suppressed(*map(jnp.asarray, (boxes, scores, classes)))
    for name, options in (("all", {}), ("by class", {"classes": classes})):
        positions, valid = got[name]
        assert positions[valid].tolist() == reference.nms(boxes, scores, 0.3, **options)
        assert not positions[~valid].any()
    for name, options in (("linear", {}), ("gaussian", {"classes": classes})):
        positions, lowered, valid = got[name]
        expected = reference.soft_nms(boxes, scores, name, min_score=0.05, **options)
        assert positions[valid].tolist() == [i for i, _ in expected]
        np.testing.assert_allclose(lowered[valid], [score for _, score in expected], rtol=1e-5)
        assert not lowered[~valid].any()


def test_the_maximum_keeps_the_best():
    boxes, scores, _ = map(jnp.asarray, scene(0))
    few, valid = ops.nms(boxes, scores, 0.3, max_output=3)
    many, _ = ops.nms(boxes, scores, 0.3, max_output=COUNT)
    assert valid.all()
    assert few.tolist() == many[:3].tolist()


def test_only_boxes_that_stand():
    boxes = jnp.array([[0.0, 0.0, 1.0, 1.0]]) + jnp.arange(0.0, 8.0, 2.0)[:, None]
    scores = jnp.array([0.2, jnp.nan, -3.0, 0.9])  # logits may be below 0
    positions, valid = ops.nms(boxes, scores, max_output=4, valid=jnp.array([True, True, True, False]))
    assert positions[valid].tolist() == [0, 2]
    positions, valid = ops.nms(boxes, scores, max_output=4, min_score=0.2)
    assert positions[valid].tolist() == [3]


@pytest.mark.parametrize(("threshold", "kept"), [(0.5, [0, 1]), (0.6, [0, 1]), (0.49, [0])])
def test_a_box_at_the_threshold_stays(threshold, kept):
    """Overlap of exactly a half; 0.6 is rounded up to float32, and stays above."""
    boxes = jnp.array([[0.0, 0.0, 2.0, 2.0], [0.0, 0.0, 2.0, 1.0]])
    positions, valid = ops.nms(boxes, jnp.array([0.9, 0.8]), threshold, max_output=2)
    assert positions[valid].tolist() == kept


def test_a_threshold_is_compared_as_torchvision_does():
    """Overlap 3 / 5 in float32 is above the number 0.6 in float64, so torchvision drops the box."""
    boxes = jnp.array([[0.0, 0.0, 5.0, 1.0], [0.0, 0.0, 3.0, 1.0]])
    assert float(ops.box_iou(boxes[:1], boxes[1:])[0, 0]) > 0.6
    assert ops.nms(boxes, jnp.array([0.9, 0.8]), 0.6, max_output=2)[1].tolist() == [True, False]


def test_no_boxes_and_a_batch():
    _, valid = ops.nms(jnp.zeros((0, 4)), jnp.zeros(0), max_output=2)
    assert not valid.any()
    boxes, scores, _ = (jnp.stack([jnp.asarray(scene(seed)[i]) for seed in (0, 1)]) for i in range(3))
    both, _ = jax.vmap(lambda b, s: ops.nms(b, s, 0.3, max_output=5))(boxes, scores)
    for i in range(2):
        assert both[i].tolist() == ops.nms(boxes[i], scores[i], 0.3, max_output=5)[0].tolist()


BOXES, SCORES = jnp.ones((3, 4)), jnp.ones(3)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: ops.nms(BOXES, SCORES, 1.5, max_output=1), ValueError, "threshold is 1.5; pass a number from 0 to 1"),
        (lambda: ops.nms(BOXES, SCORES, max_output=0), ValueError, "nms: max_output is 0"),
        (lambda: ops.nms(BOXES[None], SCORES, max_output=1), ValueError, r"boxes has shape \(1, 3, 4\)"),
        (lambda: ops.nms(BOXES, SCORES[:2], max_output=1), ValueError, r"scores has shape \(2,\); 3 boxes need \(3,\)"),
        (lambda: ops.nms(BOXES, SCORES, max_output=1, classes=SCORES), TypeError, "classes has dtype float32"),
        (lambda: ops.soft_nms(BOXES, SCORES, max_output=1, method="hard"), ValueError, "unknown method 'hard'"),
        (lambda: ops.soft_nms(BOXES, SCORES, max_output=1, sigma=0), ValueError, "sigma is 0"),
    ],
)
def test_bad_arguments(call, error, message):
    with pytest.raises(error, match=message):
        call()
