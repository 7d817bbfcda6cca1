"""What the pictures are tested on: real digits, and what a linear classifier makes of them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.image import imread
from sklearn.datasets import load_digits

from jaxnets import viz


@pytest.fixture(scope="session")
def digits() -> np.ndarray:
    """(300, 8, 8) float64 from 0 to 16, as scikit-learn has them."""
    return load_digits().images[:300]


@pytest.fixture(scope="session")
def answers(digits: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """True classes, predicted classes and probabilities (300, 10) of a nearest-mean classifier: mostly right."""
    true = load_digits().target[:300]
    means = np.stack([digits[true == k].mean(axis=0) for k in range(10)])
    scores = -((digits[:, None] - means[None]) ** 2).sum(axis=(2, 3)) / 200
    chances = np.exp(scores - scores.max(axis=1, keepdims=True))
    return true, scores.argmax(axis=1), chances / chances.sum(axis=1, keepdims=True)


@pytest.fixture
def pixels(tmp_path: Path) -> Callable[[Any], np.ndarray]:
    """A figure as it is saved: PNG pixels (H, W, 3) from 0 to 1, with the checks every picture must pass."""

    def render(figure: Any) -> np.ndarray:
        path = viz.save(figure, tmp_path / "picture.png")
        image = imread(path)[..., :3]
        width, height = np.round(figure.get_size_inches() * figure.dpi)
        assert abs(image.shape[0] - height) <= 1
        assert abs(image.shape[1] - width) <= 1
        assert image.std() > 0.03, "the picture is blank"
        ink = image.min(axis=2) < 0.9
        edges = (ink[:3].any(), ink[-3:].any(), ink[:, :3].any(), ink[:, -3:].any())
        assert not any(edges), f"something is cut off at the edge (top, bottom, left, right): {edges}"
        return image

    return render
