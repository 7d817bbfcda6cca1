"""The handwritten digits that come with scikit-learn: 1,797 real scans of 8 by 8 pixels, no download."""

from dataclasses import dataclass

import numpy as np

from jaxnets.extras import require


@dataclass(frozen=True)
class Dataset:
    """Images with a class each, in two parts that share no image.

    Attributes:
        train_images, test_images: `(N, H, W, C)` float32 in [0, 1].
        train_labels, test_labels: `(N,)` int32, positions in `class_names`.
        class_names: what the classes are called.
    """

    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray
    class_names: tuple[str, ...]


def digits(*, test_fraction: float = 0.2, seed: int = 0) -> Dataset:
    """Load the digits and split them, every class in the same proportion on both sides.

    Shapes: images `(N, 8, 8, 1)`, labels `(N,)`. The strokes are bright on black. Each pixel is the count of inked
    dots in a 4 by 4 block of the scan, divided by 16.

    Args:
        test_fraction: share of the images held out, in (0, 1).
        seed: of the split; the same seed gives the same split.

    Raises:
        ValueError: `test_fraction` leaves too few images on one side for every class to be there.
        MissingExtra: scikit-learn is not installed.

    Reference: Alpaydin and Kaynak (1998), https://archive.ics.uci.edu/dataset/80. The digits here are the test
    part of theirs.

    >>> data = digits()
    >>> data.train_images.shape, data.test_images.shape
    ((1437, 8, 8, 1), (360, 8, 8, 1))
    >>> np.bincount(data.test_labels).tolist()
    [36, 36, 35, 37, 36, 37, 36, 36, 35, 36]
    """
    if not 0 < test_fraction < 1:
        raise ValueError(f"digits: test_fraction must be between 0 and 1, not {test_fraction}")
    scans = require("sklearn.datasets").load_digits()
    images = (scans.images / 16).astype(np.float32)[..., None]
    labels = scans.target.astype(np.int32)
    classes = len(scans.target_names)
    smaller = min(test_fraction, 1 - test_fraction) * len(labels)
    if smaller < classes:
        raise ValueError(
            f"digits: test_fraction {test_fraction} leaves one part with {int(smaller)} of {len(labels)} images, "
            f"fewer than the {classes} classes"
        )
    train_images, test_images, train_labels, test_labels = require("sklearn.model_selection").train_test_split(
        images, labels, test_size=test_fraction, stratify=labels, random_state=seed
    )
    return Dataset(train_images, train_labels, test_images, test_labels, tuple(map(str, scans.target_names)))
