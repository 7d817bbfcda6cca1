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


def test_convolution_is_what_scipy_says(tmp_path):
    convolution = example("convolution")
    found = convolution.main(convolution.Config(tiny=True, out=str(tmp_path / "convolution.png")))
    assert len(found) == 7
    assert max(found.values()) < 1e-6
    assert (tmp_path / "convolution.png").stat().st_size > 100_000
    image, flipped = np.eye(6, 5, dtype=np.float32), convolution.SOBEL[::-1, ::-1].copy()
    ours, theirs = (convolution.on(convolution.ops.conv, image, w) for w in (flipped, convolution.SOBEL))
    assert convolution.gap(ours, theirs) > 1  # the measure would see it
    assert convolution.gap(np.where(image, image, np.nan), image) > 1


def test_every_example_is_tested_and_short():
    tests, shown = Path(__file__).read_text(), (EXAMPLES.parent / "docs" / "examples.md").read_text()
    for file in sorted(EXAMPLES.glob("*.py")):
        text = file.read_text()
        assert f'example("{file.stem}")' in tests
        assert f"(../examples/{file.name})" in shown
        assert len(text.splitlines()) <= 150
        assert "class Config" in text
        assert "def main(config: Config) -> dict[str, float]" in text
