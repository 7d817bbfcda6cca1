"""The grid of misread images."""

import numpy as np
import pytest

from jaxnets.viz import misread
from jaxnets.viz.style import BLUE, VERMILLION


def test_only_the_misread_the_surest_first(digits, answers, pixels):
    true, predicted, chances = answers
    wrong = np.flatnonzero(true != predicted)
    figure = misread(digits, true, predicted, chances)
    assert figure.texts[0].get_text() == f"{len(wrong)} of 300 misread"
    assert 3 < len(wrong) <= 24, "the fixture makes a few mistakes"
    order = wrong[np.argsort(-chances[wrong, predicted[wrong]], kind="stable")]
    pictures, bars = figure.axes[::2], figure.axes[1::2]
    assert len(pictures) == len(bars) == len(wrong)
    for i, picture, bar in zip(order, pictures, bars, strict=True):
        np.testing.assert_allclose(picture.images[0].get_array(), digits[i] / 16)
        np.testing.assert_allclose([patch.get_height() for patch in bar.patches], chances[i])
    words = [text.get_text() for text in figure.texts[2:]]
    assert words[1::2] == [f"is {true[i]}" for i in order]
    assert [word.split(",")[0] for word in words[::2]] == [f"read {predicted[i]}" for i in order]
    assert words[0].endswith(f"{100 * chances[order[0], predicted[order[0]]]:.0f} %")
    pixels(figure)


def test_colors_tell_true_from_predicted():
    figure = misread(np.zeros((1, 4, 4)), [2], [0], [[0.7, 0.0, 0.3]], class_names=["cat", "cow", "dog"])
    to_hex = [
        "#{:02X}{:02X}{:02X}".format(*(round(255 * part) for part in bar.get_facecolor()[:3]))
        for bar in figure.axes[1].patches
    ]
    assert to_hex[0] == VERMILLION
    assert to_hex[2] == BLUE
    assert [(text.get_text(), text.get_color()) for text in figure.texts[2:]] == [
        ("read cat, 70 %", VERMILLION),
        ("is dog", BLUE),
    ]


def test_more_than_fit(digits):
    figure = misread(digits, np.zeros(300, int), np.ones(300, int), np.full((300, 2), 0.5), max_images=5)
    assert len(figure.axes) == 10
    assert figure.texts[0].get_text() == "300 of 300 misread"
    assert figure.texts[1].get_text().startswith("the 5 surest")


def test_none_misread_shows_the_closest_calls(digits, answers, pixels):
    true, predicted, chances = answers
    right = true == predicted
    figure = misread(digits[right], true[right], predicted[right], chances[right])
    assert figure.texts[0].get_text() == f"None of {right.sum()} misread"
    least = np.sort(chances[right].max(axis=1))[:6]
    drawn = [max(patch.get_height() for patch in axes.patches) for axes in figure.axes[1::2]]
    np.testing.assert_allclose(drawn, least)
    assert all(text.get_color() == BLUE for text in figure.texts[2:])
    pixels(figure)


def test_bytes_color_and_certainty(pixels):
    photographs = np.random.default_rng(0).integers(0, 256, (2, 30, 50, 3), dtype=np.uint8)
    figure = misread(photographs, [0, 1], [1, 0], [[0.0, 1.0], [1.0, 0.0]], class_names=["a long name", "another"])
    np.testing.assert_allclose(figure.axes[0].images[0].get_array(), photographs[0] / 255)
    assert figure.texts[2].get_text() == "read another, 99.99 %", "no more digits than are sure"
    pixels(figure)


ONE = {"images": np.zeros((2, 8, 8)), "true": [0, 1], "predicted": [1, 1], "probabilities": [[0.1, 0.9], [0.2, 0.8]]}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"images": np.zeros((8, 8))}, r"images must be .*shape \(8, 8\): add the batch axis"),
        ({"images": np.zeros((2, 8, 8, 2))}, r"shape \(2, 8, 8, 2\)"),
        ({"images": np.full((2, 8, 8), np.nan)}, "images has 128 NaN"),
        ({"images": np.zeros((0, 8, 8))}, "no images"),
        ({"true": [0]}, r"true must be 2 integers.*shape \(1,\)"),
        ({"true": [0.0, 1.0]}, "true must be 2 integers.*float64"),
        ({"predicted": [1, 2]}, "predicted holds class 2, but there are 2"),
        ({"predicted": [1, -1]}, "predicted holds class -1"),
        ({"probabilities": [0.9, 0.8]}, r"probabilities must be \(2, K\).*shape \(2,\)"),
        ({"probabilities": [[1.0, 3.0], [-2.0, 3.0]]}, "softmax"),
        ({"probabilities": [[np.nan, 1.0], [0.0, 1.0]]}, "probabilities has 1 NaN"),
        ({"class_names": ["a"]}, "2 classes but 1 class_names"),
        ({"max_images": 0}, "max_images must be at least 1"),
    ],
)
def test_bad_input(change, message):
    with pytest.raises(ValueError, match="misread: .*" + message):
        misread(**(ONE | change))


def test_standardized_images_are_stretched():
    pictures = np.linspace(-2.0, 6.0, 2 * 16).reshape(2, 4, 4)
    figure = misread(pictures, [0, 0], [1, 0], [[0.0, 1.0], [1.0, 0.0]])
    np.testing.assert_allclose(figure.axes[0].images[0].get_array(), (pictures[0] + 2) / 8)
