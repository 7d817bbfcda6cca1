"""A film shows the frames that it says, and refuses what it cannot draw."""

import numpy as np
import pytest

from jaxnets import viz


def test_frames_stand_over_their_moves():
    frames = np.zeros((20, 3, 4, 2), np.float32)
    frames[np.arange(20), np.arange(20) % 3, 0, 1] = 1
    lines = {"up": np.arange(20.0), "down": -np.arange(20.0)}
    learned = (np.array([10, 20]), np.array([1.0, np.nan]))
    levels = {"random": 0.5, "unknown": np.nan}
    figure = viz.film(frames, {"value": lines}, title="Played", shown=4, learned=learned, levels=levels)
    *strip, value, score = figure.axes
    assert len(strip) == 4
    assert [int(np.argwhere(axes.images[0].get_array())[0, 0]) for axes in strip] == [2 % 3, 7 % 3, 12 % 3, 17 % 3]
    assert [line.get_label() for line in value.lines] == ["up", "down"]
    assert [line.get_label() for line in score.lines] == ["while learning", "random 0.5"]
    middles = [axes.get_position().x0 + axes.get_position().width / 2 for axes in strip]
    place = value.get_position()
    np.testing.assert_allclose(middles, place.x0 + place.width * (np.arange(4) + 0.5) / 4, atol=0.01)


def test_what_cannot_be_drawn():
    with pytest.raises(ValueError, match=r"\(T, H, W, C\).*\(5, 3, 3\)"):
        viz.film(np.zeros((5, 3, 3)), {}, title="Played")
    with pytest.raises(ValueError, match="'value' has shape"):
        viz.film(np.zeros((5, 3, 3, 1)), {"value": {"value": np.zeros(4)}}, title="Played")
