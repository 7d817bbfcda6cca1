"""Examples of many sizes brought to one, on the host and one by one, since a batch has one shape."""

import math

import numpy as np

from jaxnets.extras import require


def pad_to(array: np.ndarray, length: int, *, value: float = 0) -> np.ndarray:
    """Cut or fill up the first axis: recordings, token lists, the boxes of an image.

    Shapes: `(n, ...) → (length, ...)`; the dtype stays.

    Args:
        length: of the first axis.
        value: to fill up with.

    Raises:
        ValueError: an array without axes, or a length below 0.

    >>> pad_to(np.array([3, 4]), 4, value=-1).tolist(), pad_to(np.array([3, 4]), 1).tolist()
    ([3, 4, -1, -1], [3])
    """
    if array.ndim == 0 or length < 0:
        raise ValueError(
            f"pad_to: array has shape {array.shape} and length is {length}: give one axis or more, and a length from 0"
        )
    padded = np.full((length, *array.shape[1:]), value, array.dtype)
    padded[: len(array)] = array[:length]
    return padded


def center_crop(image: np.ndarray, size: tuple[int, int], *, share: float = 0.875) -> np.ndarray:
    """Resize a picture and cut out its middle, as classifiers are tested.

    Shapes: `(h, w, C) uint8 → (H, W, C) uint8`.

    Args:
        size: (H, W) in pixels.
        share: of the shorter side that the crop covers; 1 cuts only what the other proportions need.

    Raises:
        ValueError: not `(h, w, 1 or 3)` uint8, or a share outside (0, 1].
        MissingExtra: Pillow is not installed.

    Reference: Krizhevsky et al. (2012), ImageNet Classification with Deep Convolutional Neural Networks.

    >>> center_crop(np.zeros((40, 60, 3), np.uint8), (16, 24)).shape
    (16, 24, 3)
    """
    if not 0 < share <= 1:
        raise ValueError(f"center_crop: share is {share}; take more than 0 and at most 1")
    h, w = image.shape[:2]
    scale = share * min(h / size[0], w / size[1])  # pixels of the picture for one of the crop
    height, width = size[0] * scale, size[1] * scale
    return _resized("center_crop", image, ((h - height) / 2, (w - width) / 2, height, width), size)


def random_resized_crop(
    image: np.ndarray,
    size: tuple[int, int],
    rng: np.random.Generator,
    *,
    area: tuple[float, float] = (0.08, 1.0),
    ratio: tuple[float, float] = (3 / 4, 4 / 3),
) -> np.ndarray:
    """Cut out a random part of a picture and resize it, as classifiers are trained.

    Shapes: `(h, w, C) uint8 → (H, W, C) uint8`.

    Args:
        size: (H, W) in pixels.
        rng: as `jaxnets.data.pipeline` hands it to `augment`.
        area: smallest and largest share of the picture's area, drawn uniformly.
        ratio: smallest and largest width over height of the part, drawn uniformly in the logarithm.

    Raises:
        ValueError: not `(h, w, 1 or 3)` uint8.
        MissingExtra: Pillow is not installed.

    Reference: Szegedy et al. (2015), https://arxiv.org/abs/1409.4842; ten draws, then the whole, as torchvision.

    >>> random_resized_crop(np.zeros((40, 60, 3), np.uint8), (16, 24), np.random.default_rng(0)).shape
    (16, 24, 3)
    """
    h, w = image.shape[:2]
    for _ in range(10):
        wanted, proportion = rng.uniform(*area) * h * w, math.exp(rng.uniform(*np.log(ratio)))
        height, width = round(math.sqrt(wanted / proportion)), round(math.sqrt(wanted * proportion))
        if 0 < height <= h and 0 < width <= w:
            top, left = rng.integers(0, h - height + 1), rng.integers(0, w - width + 1)
            return _resized("random_resized_crop", image, (top, left, height, width), size)
    height, width = min(h, w / ratio[0]), min(w, h * ratio[1])
    return _resized("random_resized_crop", image, ((h - height) / 2, (w - width) / 2, height, width), size)


def _resized(
    where: str, image: np.ndarray, box: tuple[float, float, float, float], size: tuple[int, int]
) -> np.ndarray:
    """The part (top, left, height, width) of a picture, resized by antialiased linear interpolation."""
    if image.ndim != 3 or image.shape[2] not in (1, 3) or image.dtype != np.uint8 or not image.size:
        raise ValueError(f"{where}: image must be (h, w, 1 or 3) uint8, not {image.shape} {image.dtype}")
    pillow = require("PIL.Image", extra="data")
    top, left, height, width = map(float, box)
    whole = pillow.fromarray(image if image.shape[2] == 3 else image[:, :, 0])
    part = whole.resize((size[1], size[0]), pillow.Resampling.BILINEAR, (left, top, left + width, top + height))
    return np.array(part).reshape(*size, image.shape[2])
