"""The confusion matrix."""

import numpy as np
import pytest

from jaxnets.viz import confusion
from jaxnets.viz.style import MUTED

MATRIX = np.array([[8, 2, 0], [0, 10, 0], [1, 4, 5]])


def test_counts_shading_and_recall(pixels):
    figure = confusion(MATRIX, ["a", "b", "c"])
    cells, recall = figure.axes
    shades, diagonal = (image.get_array() for image in cells.images)
    np.testing.assert_allclose(shades, [[0, 0.2, 0], [0, 0, 0], [0.1, 0.4, 0]])
    np.testing.assert_array_equal(np.ma.getmaskarray(np.ma.masked_invalid(diagonal)), ~np.eye(3, dtype=bool))
    written = {text.get_position(): text for text in cells.texts}
    assert {place: text.get_text() for place, text in written.items()} == {
        (predicted, true): str(MATRIX[true, predicted]) for true, predicted in np.argwhere(MATRIX > 0).tolist()
    }
    assert written[0, 0].get_color() == MUTED, "the diagonal steps back"
    assert written[1, 2].get_weight() == "bold", "errors step forward"
    assert [text.get_text() for text in recall.texts] == ["80.0 %", "100 %", "50.0 %"]
    assert [bar.get_width() for bar in recall.patches[3:]] == pytest.approx([0.8, 1.0, 0.5])
    assert figure.texts[0].get_text() == "76.7 % right"
    assert figure.texts[1].get_text().startswith("7 errors in 30 examples")
    assert [tick.get_text() for tick in cells.get_yticklabels()] == ["a", "b", "c"]
    pixels(figure)


def test_rows_and_columns_are_in_line():
    cells, recall = confusion(MATRIX, ["a", "b", "c"]).axes
    assert cells.get_ylim() == recall.get_ylim()
    assert cells.get_position().y0 == recall.get_position().y0
    assert cells.get_position().y1 == recall.get_position().y1


def test_a_class_without_examples(pixels):
    figure = confusion([[3, 0], [0, 0]], ["here", "not here"])
    assert [text.get_text() for text in figure.axes[1].texts] == ["100 %", "no example"]
    assert [text.get_text() for text in figure.axes[0].texts] == ["3"]
    assert [bar.get_width() for bar in figure.axes[1].patches] == [1, 0, 1, 0]
    assert figure.texts[1].get_text().startswith("0 errors in 3")
    pixels(figure)


def test_a_class_that_is_never_right_shows_its_zero():
    figure = confusion([[0, 3], [0, 3]], [0, 1])
    assert sorted(text.get_text() for text in figure.axes[0].texts) == ["0", "3", "3"]


def test_many_classes_have_no_counts(pixels):
    figure = confusion(np.eye(40, dtype=int) * 5, [f"class {i}" for i in range(40)])
    assert not figure.axes[0].texts
    pixels(figure)


@pytest.mark.parametrize(
    ("matrix", "names", "message"),
    [
        ([[1, 2, 3], [4, 5, 6]], "ab", r"\(K, K\).*shape \(2, 3\)"),
        ([1, 2], "ab", r"shape \(2,\)"),
        (np.zeros((0, 0)), "", r"shape \(0, 0\)"),
        ([[1, 0], [0, 1]], "abc", "2 classes but 3 class_names"),
        ([[0.9, 0.1], [0.2, 0.8]], "ab", "before any normalisation"),
        ([[1, -1], [0, 1]], "ab", "whole numbers"),
        ([[1, float("nan")], [0, 1]], "ab", "NaN"),
        ([[0, 0], [0, 0]], "ab", "counts no example"),
    ],
)
def test_bad_input(matrix, names, message):
    with pytest.raises(ValueError, match="confusion: .*" + message):
        confusion(matrix, names)
