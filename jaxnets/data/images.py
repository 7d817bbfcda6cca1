"""Image files of handwriting, brought to the form of the digits: bright strokes on black, cropped, small."""

import os
from pathlib import Path

import numpy as np

from jaxnets.data.formats.pictures import opened
from jaxnets.extras import require

CONTRAST = 0.1  # of the range from black to white: an image with less has nothing written on it
FAINT = 0.15  # of the strongest stroke: what is fainter is paper, shadow or noise, and no reason to crop wider


def read_image(path: str | os.PathLike[str], size: tuple[int, int] = (8, 8)) -> np.ndarray:
    """Read a picture of one character as the digits were made: gray, bright on black, cropped to the ink, scaled down.

    The paper is the median of the image's border. What differs from it is ink, whether darker (a pen on paper) or
    brighter (the digits themselves). The crop keeps its proportions, fills the height or the width, is centered,
    and is scaled by averaging areas, as the digits were. The strongest stroke becomes 1.

    Args:
        path: any format that Pillow reads; color, transparency, 16 bits and a camera's orientation are understood.
        size: height and width of the result, in pixels.

    Returns:
        `(1, height, width, 1)` float32 in [0, 1].

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no image, damaged, far too large, or blank.
        MissingExtra: Pillow is not installed.

    Reference: the crop is the normalization of Alpaydin and Kaynak (1998), https://archive.ics.uci.edu/dataset/80.

    >>> import tempfile
    >>> from PIL import Image
    >>> page = np.full((40, 40), 255, np.uint8)
    >>> page[4:36, 18:22] = 0  # a one, drawn with a dark pen on white paper
    >>> with tempfile.NamedTemporaryFile(suffix=".png") as file:
    ...     Image.fromarray(page).save(file.name)
    ...     read_image(file.name)[0, 0, :, 0].tolist()
    [0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0]
    """
    gray = _read_gray(Path(path))
    border = np.concatenate([gray[0], gray[-1], gray[1:-1, 0], gray[1:-1, -1]])
    difference = gray - np.median(border)
    if -difference.min() > difference.max():  # the strongest mark is darker than the paper
        difference = -difference
    contrast = difference.max()
    if contrast < CONTRAST:
        raise ValueError(
            f"{path} is blank: its brightest and darkest pixel differ from the paper by {contrast:.0%} at most; "
            "give a picture of one character with clear strokes"
        )
    ink = np.clip(difference / contrast, 0, 1)
    marked = ink > FAINT
    rows, columns = (np.flatnonzero(marked.any(axis)) for axis in (1, 0))
    crop = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return _fit(crop, size)[None, :, :, None]


def _fit(ink: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Scale to fill the height or the width of `size` by averaging areas, and center."""
    image = require("PIL.Image")
    ratio = min(size[0] / ink.shape[0], size[1] / ink.shape[1])
    height, width = (max(1, round(length * ratio)) for length in ink.shape)
    small = image.fromarray(ink.astype(np.float32)).resize((width, height), image.Resampling.BOX)
    top, left = (size[0] - height) // 2, (size[1] - width) // 2
    result = np.zeros(size, np.float32)
    result[top : top + height, left : left + width] = small
    return np.clip(result / result.max(), 0, 1)


def _read_gray(path: Path) -> np.ndarray:
    """The file as `(H, W)` float32 from 0, black, to 1, white."""
    with opened(path) as picture:
        if picture.mode.startswith("I"):  # 16 bits, which convert("L") would clip
            return (np.asarray(picture, np.float32) / 65535).clip(0, 1)
        if not picture.has_transparency_data:
            return np.asarray(picture.convert("L"), np.float32) / 255
        channels = np.asarray(picture.convert("RGBA"), np.float32) / 255
    gray, alpha = channels[..., :3] @ np.array([0.299, 0.587, 0.114], np.float32), channels[..., 3]
    # Transparent paper shows through as whatever the strokes stand out from.
    paper = 1.0 if (gray * alpha).sum() < 0.5 * alpha.sum() else 0.0
    return gray * alpha + paper * (1 - alpha)
