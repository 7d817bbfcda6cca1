"""Rows of pictures: what is drawn, in which colours, and what is no picture."""

import numpy as np
import pytest

from jaxnets import viz


def test_every_picture_is_drawn_under_its_heading(pixels):
    map = np.linspace(-2, 2, 48).reshape(6, 8)
    map[0, 0] = np.nan
    rows = {
        "A row": [viz.Picture("map", map, corner=np.eye(3)), viz.Picture("gray", map, gray=True)],
        "": [viz.Picture("colour", np.full((6, 8, 3), 0.5))],
    }
    figure = viz.gallery(rows, title="Seen", subtitle="a note")
    assert [text.get_text() for text in figure.texts] == ["Seen", "a note", "A row"]
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["map", "gray", "colour"]
    low, high = figure.axes[0].images[0].get_clim()
    assert low == -high  # zero is white
    assert 1.9 < high < 2  # the strongest values do not set the scale
    assert figure.axes[1].images[0].get_clim() == (pytest.approx(-1.91, abs=0.01), 2)
    assert len(figure.axes[0].child_axes) == 1
    pixels(figure)


def test_frames_lie_on_the_edges_of_pixels_and_carry_their_text(pixels):
    frames = [viz.Frame((1, 2, 4, 6)), viz.Frame((0, 0, 8, 3), "7", "#ff0000", dashed=True)]
    figure = viz.gallery({"": [viz.Picture("found", np.zeros((6, 8)), gray=True, frames=frames)]}, title="Seen")
    first, second = figure.axes[0].lines
    assert (min(first.get_xdata()), max(first.get_xdata())) == (0.5, 3.5)
    assert (min(first.get_ydata()), max(first.get_ydata())) == (1.5, 5.5)
    assert (first.get_linestyle(), second.get_linestyle(), second.get_color()) == ("-", "--", "#ff0000")
    assert [(text.get_text(), text.get_position()) for text in figure.axes[0].texts][-1] == ("7", (-0.5, -0.5))
    pixels(figure)


@pytest.mark.parametrize("map", [np.zeros((4, 4)), np.full((4, 4), np.nan)], ids=["zero", "nothing"])
def test_a_map_without_values_is_drawn(map, pixels):
    pixels(viz.gallery({"": [viz.Picture("map", map)]}, title="Seen"))


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ({}, "at least one picture"),
        ({"A row": []}, "at least one picture"),
        ({"A row": [viz.Picture("map", np.zeros((2, 2, 2)))]}, r"'map' must be .* got shape \(2, 2, 2\)"),
        ({"A row": [viz.Picture("map", np.full((2, 2), np.inf))]}, "'map' has 4 NaN or infinite"),
    ],
)
def test_what_is_no_picture(rows, message):
    with pytest.raises(ValueError, match=message):
        viz.gallery(rows, title="Seen")
