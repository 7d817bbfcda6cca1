"""Picture files as arrays, and folders of them with a sub-folder for each class."""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from jaxnets.data.sources import Record, existing_folder
from jaxnets.extras import require

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")


def read_rgb(path: str | os.PathLike[str]) -> np.ndarray:
    """Read a picture, turned upright as its camera says, `(H, W, 3)` uint8; gray becomes color, transparency is lost.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no picture, damaged or far too large.
        MissingExtra: Pillow is not installed.
    """
    with opened(path) as picture:
        return np.array(picture.convert("RGB"))


@contextlib.contextmanager
def opened(path: str | os.PathLike[str]) -> Iterator[Any]:
    """A Pillow image, turned upright. What fails while it is decoded is an error that names the file."""
    image = require("PIL.Image")
    if not Path(path).exists():
        raise FileNotFoundError(f"there is no image at {path}")
    try:
        with image.open(path) as picture:
            yield require("PIL.ImageOps").exif_transpose(picture)
    except (OSError, SyntaxError, ValueError, image.DecompressionBombError) as error:
        raise ValueError(f"{path} cannot be read as an image: {error}") from error


@dataclass(frozen=True)
class ImageFolder:
    """Pictures with a class each, read when they are asked for; made by `image_folder`.

    Attributes:
        paths: the files, class by class, in alphabetical order.
        labels: `(N,)` int32, positions in `class_names`.
        class_names: the names of the sub-folders.
    """

    paths: tuple[Path, ...]
    labels: np.ndarray
    class_names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> Record:
        return {"image": read_rgb(self.paths[index]), "label": self.labels[index]}


def image_folder(folder: str | os.PathLike[str]) -> ImageFolder:
    """A folder with a sub-folder of pictures for each class, as ImageNet's: `train/cat/1.jpg`, `train/dog/2.png`.

    Classes are the sub-folders in alphabetical order; deeper folders belong to the class they are in. What is hidden,
    or does not end as a picture does, is left out.

    Returns:
        A source of `{"image": (H, W, 3) uint8, "label": int32}`, each picture of its own size.

    Raises:
        FileNotFoundError, NotADirectoryError: there is no such folder.
        ValueError: it has no sub-folders, or one of them has no picture. When a picture is read: as `read_rgb`.

    >>> import tempfile, pathlib
    >>> from PIL import Image
    >>> with tempfile.TemporaryDirectory() as root:
    ...     for name in ("cat", "dog"):
    ...         (pathlib.Path(root) / name).mkdir()
    ...         Image.new("L", (6, 4)).save(pathlib.Path(root) / name / "1.png")
    ...     source = image_folder(root)
    ...     source.class_names, len(source), source[1]["image"].shape, int(source[1]["label"])
    (('cat', 'dog'), 2, (4, 6, 3), 1)
    """
    root = existing_folder(folder, "one with a sub-folder of pictures for each class")
    classes = sorted(each for each in root.iterdir() if each.is_dir() and not each.name.startswith("."))
    if not classes:
        raise ValueError(f"{root} has no sub-folders: put the pictures of each class into one, named after the class")
    paths: list[Path] = []
    labels: list[int] = []
    for label, each in enumerate(classes):
        found = sorted(
            path for path in each.rglob("*") if path.suffix.lower() in SUFFIXES and not path.name.startswith(".")
        )
        if not found:
            raise ValueError(f"{each} has no pictures ({', '.join(SUFFIXES)}): remove the folder, or fill it")
        paths += found
        labels += [label] * len(found)
    return ImageFolder(tuple(paths), np.array(labels, np.int32), tuple(each.name for each in classes))
