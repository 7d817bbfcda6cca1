"""Each example runs, small, and beats a simple baseline that is named here."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from jaxnets import data

EXAMPLES = Path(__file__).parent.parent / "examples"


def example(name):
    spec = importlib.util.spec_from_file_location(f"examples_{name}", EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def nearest_mean():
    """The accuracy of the nearest class mean on the same split."""
    digits = data.digits()
    train, test = (images.reshape(len(images), -1) for images in (digits.train_images, digits.test_images))
    means = np.stack([train[digits.train_labels == k].mean(0) for k in range(10)])
    nearest = ((test[:, None] - means[None]) ** 2).sum(2).argmin(1)
    return float((nearest == digits.test_labels).mean())


def test_digits_beats_the_nearest_class_mean(nearest_mean):
    digits = example("digits")
    found = digits.main(digits.Config(epochs=6, batch_size=32))
    assert found["test_accuracy"] > nearest_mean + 0.03


def test_backprop_by_hand_is_backprop_by_jax(nearest_mean, tmp_path):
    backprop = example("backprop")
    found = backprop.main(backprop.Config(epochs=8, out=str(tmp_path / "backprop.png")))
    assert min(found["accuracy"], found["accuracy_by_hand"]) > nearest_mean + 0.03
    assert found["worst_gradient_difference"] < 1e-5
    assert (tmp_path / "backprop.png").stat().st_size > 10_000


def test_every_example_is_tested_and_short():
    files = sorted(EXAMPLES.glob("*.py"))
    assert [file.stem for file in files] == ["backprop", "digits"]
    for file in files:
        text = file.read_text()
        assert len(text.splitlines()) <= 150
        assert "class Config" in text
        assert "def main(config: Config) -> dict[str, float]" in text
