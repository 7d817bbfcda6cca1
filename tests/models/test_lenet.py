"""The small convolutional network: its size, its maps, its names."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets import models, tree
from jaxnets.models.lenet5 import CONNECTIONS, connected

IMAGES = jnp.asarray(np.random.default_rng(0).uniform(size=(3, 8, 8, 1)).astype(np.float32))


@pytest.fixture(scope="module")
def trees():
    return models.lenet().init(jax.random.key(0), IMAGES)


def test_parameters_are_as_many_as_the_paper_and_pencil_say(trees):
    params, state = trees
    convolutions = 9 * 1 * 64 + 9 * 64 * 128
    norms = 2 * (64 + 128)
    classifier = (2 * 2 * 128 * 128 + 128) + (128 * 10 + 10)
    assert tree.count(params) == convolutions + norms + classifier
    assert tree.count(state) == norms


def test_paths_read_well(trees):
    paths = list(tree.flatten(trees[0]))
    assert {"features/conv1/w", "features/conv2/w", "classifier/hidden/w", "classifier/logits/b"} <= set(paths)


def test_the_maps_are_those_of_the_classifier(trees):
    params, state = trees
    model = models.lenet(rate=0.0)
    maps, _ = models.lenet_features().apply(params["features"], state["features"], IMAGES)
    shapes = {name: y.shape for name, y in maps.items()}
    assert shapes["conv1"] == shapes["relu1"] == (3, 8, 8, 64)
    assert shapes["pool1"] == (3, 4, 4, 64)
    assert shapes["pool2"] == (3, 2, 2, 128)
    hidden = maps["pool2"].reshape(3, -1) @ params["classifier"]["hidden"]["w"]
    hidden = jax.nn.relu(hidden + params["classifier"]["hidden"]["b"][None, :])
    logits = hidden @ params["classifier"]["logits"]["w"] + params["classifier"]["logits"]["b"][None, :]
    np.testing.assert_allclose(model.apply(params, state, IMAGES)[0], logits, rtol=1e-4, atol=1e-5)


def test_variants_are_arguments():
    model = models.create("lenet", num_classes=3, channels=[4, 6], hidden=5)
    params, _ = jax.eval_shape(model.init, jax.random.key(0), jnp.zeros((1, 12, 20, 3)))
    assert params["features"]["conv2"]["w"].shape == (3, 3, 4, 6)
    assert params["classifier"]["hidden"]["w"].shape == (3 * 5 * 6, 5)
    assert params["classifier"]["logits"]["w"].shape == (5, 3)


def test_lenet5_reads_the_maps_of_the_papers_table():
    """What a map of the second convolution depends on is what stands in Table I, of which three columns are here."""
    reads = np.zeros((6, 16), bool)
    for k, row in enumerate(CONNECTIONS):
        reads[list(row), k] = True
    assert reads.sum(1).tolist() == [10] * 6
    assert [np.flatnonzero(reads[:, k]).tolist() for k in (4, 9, 14)] == [[0, 4, 5], [0, 3, 4, 5], [0, 2, 3, 5]]

    each = jnp.broadcast_to(jnp.eye(6)[:, None, None], (6, 5, 5, 6))  # one map of ones, the others of zeros
    layer = connected(CONNECTIONS)
    y, _ = layer.apply(*layer.init(jax.random.key(0), each), each)
    np.testing.assert_array_equal(y[:, 0, 0] != 0, reads)


@pytest.mark.parametrize("connections", [(), [()], [(0, 6)], [(1, 1)]])
def test_connections_to_maps_there_are_not(connections):
    with pytest.raises(ValueError, match=r"lenet5: connections is .*of 0 to 5"):
        models.lenet5(connections=connections)
