"""The filters of a convolution."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets.viz import filters
from jaxnets.viz.mosaic import mosaic, scale


def tile(picture, row, column, height, width):
    """The tile at a place of a mosaic, one value per pixel again."""
    zoom, space = scale(height, width)
    top, left = row * (zoom * height + space), column * (zoom * width + space)
    return np.asarray(picture)[top : top + zoom * height : zoom, left : left + zoom * width : zoom]


def test_gray_filters_share_a_scale_about_zero(pixels):
    w = np.random.default_rng(0).normal(size=(3, 3, 1, 16))
    figure = filters(w)
    axes, bar = figure.axes
    (image,) = axes.images
    for k in range(16):
        np.testing.assert_array_equal(tile(image.get_array(), k // 8, k % 8, 3, 3), w[:, :, 0, k])
    assert image.get_clim() == (-np.abs(w).max(), np.abs(w).max())
    assert min(image.cmap(0.5)[:3]) > 0.95, "zero is white"
    assert len(bar.get_yticks()) == 3
    assert figure.texts[0].get_text() == "16 filters of 3×3"
    pixels(figure)


def test_color_filters(pixels):
    w = np.random.default_rng(0).normal(size=(7, 5, 3, 12))
    figure = filters(jnp.asarray(w, jnp.float32))
    (axes,) = figure.axes
    expected = w[..., 11] / (2 * np.abs(w).max()) + 0.5
    np.testing.assert_allclose(tile(axes.images[0].get_array(), 0, 11, 7, 5), expected, atol=1e-6)
    pixels(figure)


def test_many_channels_make_a_grid(pixels):
    w = np.random.default_rng(0).normal(size=(3, 3, 20, 6))
    figure = filters(w)
    picture = figure.axes[0].images[0].get_array()
    np.testing.assert_array_equal(tile(picture, 15, 4, 3, 3), w[:, :, 15, 4])
    assert picture.shape == mosaic(np.zeros((16 * 6, 3, 3)), 6).shape, "16 of the 20 channels"
    assert "first 16 of 20 input channels" in figure.texts[1].get_text()
    pixels(figure)


def test_at_most_max_filters():
    figure = filters(np.ones((3, 3, 1, 100)), max_filters=10)
    assert figure.texts[0].get_text() == "100 filters of 3×3"
    assert figure.texts[1].get_text().startswith("the first 10; ")
    assert figure.axes[0].images[0].get_array().shape == mosaic(np.zeros((10, 3, 3)), 10).shape


@pytest.mark.parametrize("w", [np.zeros((3, 3, 1, 4)), np.ones((1, 1, 1, 1)), np.ones((5, 1, 2, 2))])
def test_degenerate_filters_are_drawn(w):
    image = filters(w).axes[0].images[0]
    assert image.get_clim()[1] == 1.0, "a scale of zero would divide by zero"


def test_mosaic_gaps_are_nan():
    picture = mosaic(np.ones((3, 10, 10)), 2)
    assert picture.shape == (21, 21)
    assert np.isnan(picture[10]).all()
    assert np.isnan(picture[11:, 10:]).all()
    assert np.nansum(picture) == 300


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.zeros((3, 1, 16)),), r"shape \(3, 1, 16\): pass params"),
        ((np.zeros((3, 3, 3, 1, 16)),), r"2-D convolution, got shape \(3, 3, 3, 1, 16\)"),
        ((np.zeros((3, 3, 1, 0)),), r"shape \(3, 3, 1, 0\)"),
        ((np.full((3, 3, 1, 2), np.inf),), "18 NaN or infinite values among 18"),
        ((np.ones((3, 3, 1, 2), complex),), "real numbers.*complex"),
        ((np.zeros((3, 3, 1, 2)), 0), "max_filters must be at least 1, got 0"),
    ],
)
def test_bad_input(arguments, message):
    with pytest.raises(ValueError, match="filters: .*" + message):
        filters(*arguments)
