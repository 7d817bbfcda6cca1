"""Scenes: what is drawn, what is said of it, and what cannot be drawn."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets import data

SQUARE = jnp.ones((3, 8, 8, 1))  # scans that are ink all over: their boxes can be told beforehand
LABELS = jnp.array([4, 5, 6])


@pytest.fixture(scope="module")
def scenes():
    make = jax.jit(partial(data.scatter, scans=SQUARE, labels=LABELS, count=6, size=40, things=5, sides=(6, 16)))
    return jax.device_get(make(jax.random.key(0)))


def test_shapes_and_types(scenes):
    assert scenes.images.shape == (6, 40, 40, 1)
    assert scenes.images.dtype == scenes.boxes.dtype == np.float32
    assert scenes.boxes.shape == (6, 5, 4)
    assert scenes.labels.dtype == np.int32
    assert scenes.masks.shape == (6, 5, 40, 40)
    assert scenes.images.min() >= 0
    assert scenes.images.max() <= 1
    assert 6 < scenes.valid.sum() < 30  # some stand, some are left out


def test_what_is_not_there_is_empty(scenes):
    gone = ~scenes.valid
    assert not scenes.masks[gone].any()
    assert not scenes.boxes[gone].any()
    assert not scenes.labels[gone].any()
    assert set(scenes.labels[scenes.valid]) == {4, 5, 6}


def test_boxes_are_round_the_masks_of_what_nothing_covers():
    lone = jax.device_get(data.scatter(jax.random.key(1), SQUARE, LABELS, 8, size=40, things=1, clutter=0, noise=0.0))
    assert lone.valid.all()
    for (box,), (mask,), image in zip(lone.boxes, lone.masks, lone.images[..., 0], strict=True):
        rows, columns = np.nonzero(mask)
        assert box.tolist() == [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        assert image[mask].mean() > image[~mask].mean() + 0.2
        assert 9 <= box[3] - box[1] <= 29


def test_no_pixel_is_two_things_and_no_box_is_covered_by_more_than_was_said(scenes):
    assert scenes.masks.sum(1).max() == 1
    for boxes, valid in zip(scenes.boxes, scenes.valid, strict=True):
        boxes = boxes[valid]
        for i, a in enumerate(boxes):
            for b in boxes[:i]:
                shared = np.clip(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0, None).prod()
                assert shared <= 0.2 * min((c[2:] - c[:2]).prod() for c in (a, b))


def test_clutter_is_seen_but_not_told():
    make = partial(data.scatter, scans=SQUARE, labels=LABELS, count=4, things=1, noise=0.0)
    with_clutter, without = (make(jax.random.key(2), clutter=n) for n in (6, 0))
    for scenes in (with_clutter, without):
        assert scenes.masks.shape == (4, 1, 64, 64)
    bright = [(scenes.images[..., 0] > 0.55) & ~scenes.masks[:, 0] for scenes in (with_clutter, without)]
    assert bright[0].sum() > 4 * bright[1].sum()


def test_the_key_decides():
    make = jax.jit(partial(data.scatter, scans=SQUARE, labels=LABELS, count=2, size=32, things=2))
    first, again, other = (make(jax.random.key(i)).images for i in (0, 0, 1))
    assert jnp.array_equal(first, again)
    assert not jnp.array_equal(first, other)


@pytest.mark.parametrize(
    ("error", "message", "changed"),
    [
        (ValueError, r"scans have shape \(8, 8\)", {"scans": jnp.ones((8, 8))}),
        (ValueError, r"labels have shape \(2,\)", {"labels": jnp.array([1, 2])}),
        (TypeError, "scans have dtype uint8", {"scans": jnp.ones((3, 8, 8, 1), jnp.uint8)}),
        (TypeError, "labels have dtype float32", {"labels": jnp.ones(3)}),
        (ValueError, "count is 0", {"count": 0}),
        (ValueError, "things is 2.5", {"things": 2.5}),
        (ValueError, r"sides is \(10, 99\)", {"sides": (10, 99)}),
        (ValueError, "overlap is 1.5", {"overlap": 1.5}),
        (ValueError, "noise is -0.1", {"noise": -0.1}),
    ],
)
def test_errors_name_what_is_wrong(error, message, changed):
    given = {"scans": SQUARE, "labels": LABELS, "count": 1} | changed
    with pytest.raises(error, match=message):
        data.scatter(jax.random.key(0), **given)
