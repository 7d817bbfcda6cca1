"""One image through a network."""

from itertools import pairwise

import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets.viz import feature_maps
from jaxnets.viz.mosaic import mosaic


def test_a_row_per_layer(digits, pixels):
    rng = np.random.default_rng(0)
    maps = {
        "conv": rng.normal(size=(1, 8, 8, 16)),
        "pool": jnp.asarray(rng.normal(size=(4, 4, 20)), jnp.bfloat16),
        "flatten": rng.normal(size=(1, 64)),
        "logits": rng.normal(size=10),
    }
    figure = feature_maps(maps, digits[0])
    assert [axes.get_label() for axes in figure.axes] == ["input", "conv", "pool", "flatten", "logits"]
    picture, conv, pool, flatten, logits = figure.axes
    np.testing.assert_allclose(
        picture.images[0].get_array(), digits[0] / digits[0].max(), err_msg="stretched to [0, 1]"
    )
    np.testing.assert_array_equal(conv.images[0].get_array(), mosaic(np.moveaxis(maps["conv"][0], 2, 0), 16))
    top = np.abs(maps["conv"]).max()
    assert conv.images[0].get_clim() == (-top, top)
    assert pool.images[0].get_array().shape == mosaic(np.zeros((20, 4, 4)), 16).shape
    np.testing.assert_array_equal(flatten.images[0].get_array(), maps["flatten"])
    np.testing.assert_allclose([bar.get_height() for bar in logits.patches], maps["logits"])
    words = [text.get_text() for text in figure.texts[2:]]
    assert words == [
        *("input", "8×8×1", "conv", "8×8×16", "pool", "4×4×20", "flatten", "64", "logits", "10"),
    ]
    pixels(figure)


def test_rows_do_not_overlap(digits):
    figure = feature_maps({str(i): np.ones((8, 8, 4 * i)) for i in range(1, 9)}, digits[0])
    boxes = [axes.get_position() for axes in figure.axes]
    assert all(above.y0 > below.y1 for above, below in pairwise(boxes))
    assert boxes[-1].y0 > 0


def test_at_most_max_channels(digits):
    value = np.zeros((4, 4, 64))
    value[..., 63] = 5.0
    figure = feature_maps({"conv": value}, digits[0], max_channels=8)
    image = figure.axes[1].images[0]
    assert image.get_array().shape == mosaic(np.zeros((8, 4, 4)), 8).shape
    assert image.get_clim() == (-5, 5), "the scale is the layer's, not that of the channels drawn"
    assert figure.texts[-1].get_text() == "4×4×64, first 8"


@pytest.mark.parametrize("shape", [(8, 8), (8, 8, 1), (1, 8, 8, 1), (20, 30, 3), (1, 20, 30, 3)])
def test_image_shapes(shape, pixels):
    image = np.random.default_rng(0).random(shape)
    figure = feature_maps({"a/layer/with/a/rather/long/path": np.ones((3, 5, 2)), "y": np.zeros(3)}, image)
    np.testing.assert_array_equal(
        figure.axes[0].images[0].get_array(), image.reshape(figure.axes[0].images[0].get_array().shape)
    )
    pixels(figure)


@pytest.mark.parametrize(
    ("maps", "image", "message"),
    [
        ({}, np.zeros((8, 8)), "maps is empty"),
        (
            {"conv": np.zeros((2, 8, 8, 3))},
            np.zeros((8, 8)),
            r"maps\['conv'\].*shape \(2, 8, 8, 3\): pass the outputs for one",
        ),
        ({"fc": np.zeros((5, 10))}, np.zeros((8, 8)), r"maps\['fc'\].*shape \(5, 10\)"),
        ({"fc": np.zeros(0)}, np.zeros((8, 8)), r"shape \(0,\)"),
        ({"fc": np.array([1.0, np.nan])}, np.zeros((8, 8)), r"maps\['fc'\] has 1 NaN"),
        ({"fc": np.zeros(3)}, np.zeros((2, 8, 8, 1)), r"one image, got shape \(2, 8, 8, 1\)"),
        ({"fc": np.zeros(3)}, np.zeros(8), r"got shape \(8,\)"),
        ({"fc": np.zeros(3)}, np.zeros((8, 8, 2)), r"shape \(1, 8, 8, 2\)"),
        ({"fc": np.zeros(3)}, np.full((8, 8), np.nan), "64 NaN"),
    ],
)
def test_bad_input(maps, image, message):
    with pytest.raises(ValueError, match="feature_maps: .*" + message):
        feature_maps(maps, image)


def test_bad_max_channels():
    with pytest.raises(ValueError, match="feature_maps: max_channels must be at least 1, got 0"):
        feature_maps({"fc": np.zeros(3)}, np.zeros((8, 8)), max_channels=0)
