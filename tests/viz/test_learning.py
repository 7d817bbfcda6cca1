"""The learning curves."""

import numpy as np
import pytest

from jaxnets.viz import learning_curves
from jaxnets.viz.style import BLUE, VERMILLION, percent, spread

HISTORY = {
    "epoch": [1, 2, 3, 4],
    "train_loss": [1.9, 0.4, 0.1, 0.02],
    "train_accuracy": [0.5, 0.9, 0.97, 1.0],
    "test_loss": [1.2, 0.35, 0.2, 0.25],
    "test_accuracy": [0.7, 0.91, 0.95, 0.94],
    "seconds": [1.0, 1.0, 1.0, 1.0],
}


def texts(axes):
    return [text.get_text() for text in axes.texts]


def test_curves_labels_and_best(pixels):
    figure = learning_curves(HISTORY)
    loss, accuracy = figure.axes
    for axes, quantity in ((loss, "loss"), (accuracy, "accuracy")):
        train, test, best = axes.lines
        np.testing.assert_array_equal(train.get_ydata(), HISTORY[f"train_{quantity}"])
        np.testing.assert_array_equal(test.get_ydata(), HISTORY[f"test_{quantity}"])
        np.testing.assert_array_equal(train.get_xdata(), HISTORY["epoch"])
        assert (train.get_color(), test.get_color()) == (BLUE, VERMILLION)
        assert list(best.get_xdata()) == [3], "the third epoch is the best in both"
    assert texts(loss) == ["train 0.02", "test 0.25", "lowest 0.2\nepoch 3"]
    assert texts(accuracy) == ["train 100 %", "test 94.0 %", "best 95.0 %\nepoch 3"]
    assert figure.texts[1].get_text() == "94.0 % of the test data right after 4 epochs; at best 95.0 %"
    pixels(figure)


def test_log_scale_only_where_it_helps():
    assert learning_curves(HISTORY).axes[0].get_yscale() == "log"
    flat = HISTORY | {"train_loss": [0.4, 0.3, 0.3, 0.2], "test_loss": [0.5, 0.4, 0.4, 0.4]}
    assert learning_curves(flat).axes[0].get_yscale() == "linear"
    with_zero = HISTORY | {"train_loss": [1.9, 0.4, 0.1, 0.0]}
    assert learning_curves(with_zero).axes[0].get_yscale() == "linear"


def test_close_labels_are_moved_apart():
    same = HISTORY | {"test_accuracy": HISTORY["train_accuracy"], "test_loss": HISTORY["train_loss"]}
    for axes in learning_curves(same).axes:
        train, test = (text.get_position()[1] for text in axes.texts[:2])
        assert abs(train - test) >= 0.0749
    assert spread([0.1, 0.1, 0.1], 0.2) == pytest.approx([-0.1, 0.1, 0.3], abs=1e-3)


def test_the_last_epochs_are_always_in_view():
    for accuracies in ([0.1, 0.1, 0.1, 0.1], [1.0, 1.0, 1.0, 1.0], [0.2, 0.99, 0.99, 0.99], [0.0, 0.0, 0.0, 0.0]):
        low, high = learning_curves(HISTORY | {"test_accuracy": accuracies}).axes[1].get_ylim()
        assert low < min(accuracies[-1], HISTORY["train_accuracy"][-1]) <= high


def test_one_epoch(pixels):
    figure = learning_curves({key: values[:1] for key, values in HISTORY.items()})
    assert list(figure.axes[0].get_xticks()) == [1]
    pixels(figure)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"test_loss": [1.0]}, "one value per epoch.*'test_loss': \\(1,\\)"),
        ({"test_loss": [1.0, 2.0, float("nan"), 3.0]}, "test_loss.*NaN.*index \\(2,\\).*learning rate"),
        ({"train_accuracy": [50, 90, 97, 100]}, "train_accuracy holds 100.*divide percents"),
        ({"test_accuracy": [0.5, 0.6, -0.1, 0.7]}, "test_accuracy holds -0.1"),
        ({"epoch": ["one", "two", "three", "four"]}, "epoch.*real numbers"),
        ({key: [] for key in HISTORY}, "at least one epoch"),
    ],
)
def test_bad_history(change, message):
    with pytest.raises(ValueError, match="learning_curves: .*" + message):
        learning_curves(HISTORY | change)


def test_missing_key():
    with pytest.raises(ValueError, match=r"no \['test_loss'\]"):
        learning_curves({key: values for key, values in HISTORY.items() if key != "test_loss"})


def test_percent_never_calls_an_imperfect_score_perfect():
    assert [percent(x) for x in (0.5, 0.9996, 0.0004, 1.0)] == ["50.0 %", "99.96 %", "0.04 %", "100 %"]
