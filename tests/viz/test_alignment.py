"""A spectrogram, and under it what was read, when."""

import numpy as np
import pytest

from jaxnets.viz import alignment

NAMES = ["", "yes", "no"]


def test_every_word_stands_at_its_peak(pixels):
    p = np.full((10, 3), 0.1)
    p[:, 0] = 0.8
    for step, label, value in [(2, 1, 0.7), (3, 1, 0.8), (6, 2, 0.8), (8, 1, 0.8)]:
        p[step] = (1 - value) / 2
        p[step, label] = value
    figure = alignment(np.eye(20, 8), p, NAMES, seconds=2.0, cuts=[0.5, 1.5], title="Heard", subtitle="well")
    sound, axes = figure.axes
    assert [text.get_text() for text in axes.texts] == ["yes", "no", "yes"]
    np.testing.assert_allclose([text.get_position()[0] for text in axes.texts], [0.7, 1.3, 1.7])
    assert axes.texts[0].get_color() == axes.texts[2].get_color() != axes.texts[1].get_color()
    np.testing.assert_allclose([line.get_xdata()[0] for line in sound.lines], [0.5, 1.5])
    np.testing.assert_array_equal(sound.images[0].get_array(), np.eye(20, 8).T)
    assert sound.get_xlim() == axes.get_xlim() == (0, 2)
    assert [text.get_text() for text in figure.texts] == ["Heard", "well"]
    pixels(figure)


def test_nothing_but_blanks(pixels):
    figure = alignment(np.ones((4, 2)), np.eye(3)[[0, 0]], NAMES, seconds=1.0)
    assert list(figure.axes[1].texts) == []
    pixels(figure)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"probabilities": np.ones((4, 2))}, "3 names"),
        ({"spectrogram": np.ones(4)}, r"\(T, D\)"),
        ({"blank": 3}, "blank is 3"),
        ({"seconds": 0.0}, "seconds is 0"),
        ({"spectrogram": np.full((2, 2), np.nan)}, "spectrogram"),
    ],
)
def test_bad_input(changed, message):
    good = {"spectrogram": np.ones((4, 2)), "probabilities": np.ones((4, 3)) / 3, "names": NAMES, "seconds": 1.0}
    with pytest.raises(ValueError, match=message):
        alignment(**(good | changed))
