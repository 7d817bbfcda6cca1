"""The digits are split fairly, and batches are a shuffled partition."""

import numpy as np
import pytest

from jaxnets import data


def test_the_split_is_stratified_disjoint_and_repeatable():
    one, two, other = data.digits(), data.digits(), data.digits(seed=1)
    assert one.train_images.shape == (1437, 8, 8, 1)
    assert one.test_images.shape == (360, 8, 8, 1)
    assert one.train_images.dtype == np.float32
    assert one.train_labels.dtype == np.int32
    assert one.train_images.min() == 0
    assert one.train_images.max() == 1
    np.testing.assert_array_equal(one.test_images, two.test_images)
    assert not np.array_equal(one.test_labels, other.test_labels)
    train = {image.tobytes() for image in one.train_images}
    assert not any(image.tobytes() in train for image in one.test_images)
    shares = [np.bincount(labels) / len(labels) for labels in (one.train_labels, one.test_labels)]
    np.testing.assert_allclose(*shares, atol=0.002)


@pytest.mark.parametrize("fraction", [0.0, 1.0, -0.1, 0.001])
def test_a_useless_fraction_is_named(fraction):
    with pytest.raises(ValueError, match="test_fraction"):
        data.digits(test_fraction=fraction)


def test_batches_keep_rows_together_and_see_every_row_once():
    x, y = np.arange(10), np.arange(10) * 3
    cut = list(data.batches((x, y), 4, seed=0, drop_remainder=False))
    assert [len(a) for a, _ in cut] == [4, 4, 2]
    assert all((b == 3 * a).all() for a, b in cut)
    assert sorted(np.concatenate([a for a, _ in cut])) == list(range(10))
    assert [len(a) for a, _ in data.batches((x, y), 4, seed=0)] == [4, 4]


def test_the_order_depends_on_seed_and_epoch_alone():
    def order(**kwargs):
        return np.concatenate([a for (a,) in data.batches((np.arange(50),), 10, **kwargs)]).tolist()

    assert order(seed=3, epoch=2) == order(seed=3, epoch=2)
    assert order(seed=3, epoch=2) != order(seed=3, epoch=3)
    assert order(seed=3, epoch=2) != order(seed=2, epoch=3)


@pytest.mark.parametrize(
    ("arrays", "size", "message"),
    [
        ((np.zeros(4), np.zeros(5)), 2, r"one length, not \[4, 5\]"),
        ((), 2, "one length"),
        ((np.zeros(4),), 5, "size 5 gives no batch"),
        ((np.zeros(4),), 0, "size 0 gives no batch"),
        ((np.zeros(0),), 1, "size 1 gives no batch"),
    ],
)
def test_batches_name_wrong_input_at_once(arrays, size, message):
    with pytest.raises(ValueError, match=message):
        data.batches(arrays, size, seed=0)
