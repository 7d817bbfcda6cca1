"""Curves over each other."""

import numpy as np
import pytest

from jaxnets.viz import overlay_curves

FALLING = np.exp(-np.arange(50) / 10)


def test_two_curves_and_their_difference(pixels):
    near = FALLING.copy()
    near[::2] *= 1 + 1e-7
    figure = overlay_curves({"by hand": FALLING, "jax.grad": near}, title="One line", xlabel="step", ylabel="loss")
    top, below = figure.axes
    under, over = top.lines
    np.testing.assert_array_equal(under.get_ydata(), FALLING)
    np.testing.assert_array_equal(over.get_ydata(), near)
    assert under.get_linewidth() > 3 * over.get_linewidth(), "the first must be seen on both sides of the second"
    assert [text.get_text() for text in top.get_legend().get_texts()] == ["by hand", "jax.grad"]
    points, equal = below.lines
    np.testing.assert_allclose(points.get_ydata()[::2], np.abs(near - FALLING)[::2])
    assert np.isnan(points.get_ydata()[1::2]).all()
    assert len(equal.get_xdata()) == 25
    assert "exactly equal at 25 of 50 points" in below.get_title(loc="right")
    assert (top.get_yscale(), below.get_yscale()) == ("log", "log")
    assert figure.texts[0].get_text() == "One line"
    assert figure.texts[1].get_text().startswith("never further apart than 1.0e-07")
    low, high = below.get_ylim()
    assert low < equal.get_ydata()[0] < np.nanmin(points.get_ydata())
    assert np.nanmax(points.get_ydata()) < high
    pixels(figure)


def test_identical_curves(pixels):
    figure = overlay_curves({"a": FALLING, "b": FALLING, "c": FALLING})
    assert figure.texts[1].get_text() == "identical at every point"
    assert figure.axes[1].texts[0].get_text() == "every difference is exactly 0"
    pixels(figure)


def test_without_the_difference(pixels):
    figure = overlay_curves({"only": [3.0, 2.5, 2.0]}, difference=False)
    (axes,) = figure.axes
    assert axes.get_yscale() == "linear"
    assert list(axes.lines[0].get_xdata()) == [1, 2, 3]
    pixels(figure)


@pytest.mark.parametrize(
    ("curves", "message"),
    [
        ({}, "need curves"),
        ({"a": [1.0]}, "a difference needs two curves, got one"),
        ({"a": [1.0, 2.0], "b": [1.0]}, r"'a': \(2,\), 'b': \(1,\)"),
        ({"a": [], "b": []}, r"T >= 1, got shapes"),
        ({"a": 1.0, "b": 1.0}, r"'a': \(\)"),
        ({"a": [[1.0]], "b": [[1.0]]}, r"'a': \(1, 1\)"),
        ({"a": [1.0, 2.0], "b": [1.0, float("inf")]}, r"curves\['b'\] has 1 NaN or infinite"),
    ],
)
def test_bad_input(curves, message):
    with pytest.raises(ValueError, match="overlay_curves: .*" + message):
        overlay_curves(curves)
