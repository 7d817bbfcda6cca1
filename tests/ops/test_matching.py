"""Matching of anchors to true boxes and the choice among them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets import ops

QUALITY = jnp.array([[0.8, 0.45, 0.1, 0.3, 0.2], [0.1, 0.2, 0.0, 0.3, 0.35], [0.9, 0.9, 0.9, 0.9, 0.9]])
VALID = jnp.array([True, True, False])


def test_matches():
    assert ops.match_boxes(QUALITY, VALID, high=0.5, low=0.4).tolist() == [0, -2, -1, -1, -1]
    assert ops.match_boxes(QUALITY, VALID, high=0.3, low=0.1).tolist() == [0, 0, -2, 0, 1]


def test_every_box_gets_the_anchors_it_overlaps_most():
    assert ops.match_boxes(QUALITY, VALID, high=0.5, low=0.4, force=True).tolist() == [0, -2, -1, -1, 1]
    nothing = ops.match_boxes(jnp.zeros((1, 3)), jnp.array([True]), force=True)
    assert nothing.tolist() == [-1, -1, -1]  # a box that no anchor touches has none


@pytest.mark.parametrize("boxes", [0, 2])
def test_an_image_without_boxes_is_background(boxes):
    found = ops.match_boxes(jnp.ones((boxes, 3)), jnp.zeros(boxes, bool), force=True)
    assert found.tolist() == [-1, -1, -1]


def test_samples_are_of_their_kind_and_at_most_so_many():
    matches = jnp.asarray(np.random.default_rng(0).choice([-2, -1, 0, 3], 50, p=[0.2, 0.4, 0.2, 0.2]).astype(np.int32))
    seen = []
    for seed in range(2):
        some, others = ops.sample_matches(jax.random.key(seed), matches, count=12, fraction=0.25)
        assert (matches[some] >= 0).all()
        assert (matches[others] == -1).all()
        assert (int(some.sum()), int(others.sum())) == (3, 9)
        seen.append(some.tolist())
    assert seen[0] != seen[1]


def test_background_fills_up_what_is_not_matched():
    matches = jnp.array([0, -1, -1, -2, -1])
    some, others = ops.sample_matches(jax.random.key(0), matches, count=4)
    assert (int(some.sum()), int(others.sum())) == (1, 3)
    valid = jnp.array([False, True, True, True, False])
    some, others = ops.sample_matches(jax.random.key(1), matches, count=4, valid=valid)
    assert (some.tolist(), others.tolist()) == ([False] * 5, [False, True, True, False, False])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ops.match_boxes(QUALITY, VALID[:2]), r"quality is \(3, 5\) and valid \(2,\)"),
        (lambda: ops.match_boxes(QUALITY, VALID, high=0.3, low=0.4), "low is 0.4, above high"),
        (lambda: ops.sample_matches(jax.random.key(0), jnp.zeros(3, jnp.int32), count=0), "count is 0"),
        (lambda: ops.sample_matches(jax.random.key(0), jnp.zeros(3, jnp.int32), count=2, fraction=2), "fraction is 2"),
    ],
)
def test_bad_arguments(call, message):
    with pytest.raises(ValueError, match=message):
        call()
