"""CIFAR-10 and CIFAR-100, the binary version and the pickled one."""

import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxnets.data.formats import safe_pickle
from jaxnets.data.sources import Arrays, choose, existing_folder

PIXELS = 3 * 32 * 32


class Layout(NamedTuple):
    """Where one of the two data sets keeps what."""

    splits: dict[str, tuple[str, ...]]  # the files, without ending
    label_bytes: int  # before each image of the binary version; the last is the class
    label_key: bytes  # of the pickled version
    names: str  # the file of class names, of the binary version
    meta: tuple[str, bytes]  # the file of class names and its key, of the pickled version


CIFAR10 = Layout(
    {"train": tuple(f"data_batch_{i}" for i in range(1, 6)), "test": ("test_batch",)},
    1,
    b"labels",
    "batches.meta.txt",
    ("batches.meta", b"label_names"),
)
CIFAR100 = Layout(
    {"train": ("train",), "test": ("test",)}, 2, b"fine_labels", "fine_label_names.txt", ("meta", b"fine_label_names")
)


def cifar10(folder: str | os.PathLike[str], split: str = "train") -> Arrays:
    """Read CIFAR-10 as unpacked from cifar-10-binary.tar.gz or cifar-10-python.tar.gz.

    Pickles are read without calling anything they name, so a folder from a stranger does no harm.

    Args:
        folder: has data_batch_1.bin ... test_batch.bin, or the same without ".bin".
        split: "train" or "test".

    Returns:
        A source of `{"image": (32, 32, 3) uint8, "label": int32}`, all in memory.

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: another split, a damaged file, or a pickle of something else.

    Reference: Krizhevsky (2009), https://www.cs.toronto.edu/~kriz/cifar.html.
    """
    return _read("cifar10", CIFAR10, folder, split)


def cifar100(folder: str | os.PathLike[str], split: str = "train") -> Arrays:
    """Read CIFAR-100 with its 100 fine classes: train.bin and test.bin, or the pickles train and test.

    Everything else is as `cifar10`.
    """
    return _read("cifar100", CIFAR100, folder, split)


def _read(where: str, layout: Layout, folder: Any, split: str) -> Arrays:
    root = existing_folder(folder, f"the unpacked folder of {where}")
    names = choose(where, "split", split, layout.splits)
    parts = [_part(root, name, layout) for name in names]
    images, labels = (np.concatenate(each) for each in zip(*parts, strict=True))
    images = images.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)  # the planes red, green, blue, one after another
    return Arrays({"image": np.ascontiguousarray(images), "label": labels}, _class_names(root, layout))


def _part(root: Path, name: str, layout: Layout) -> tuple[np.ndarray, np.ndarray]:
    """The images `(N, 3072)` and labels `(N,)` of one file."""
    binary, pickled = root / f"{name}.bin", root / name
    if binary.is_file():
        row = layout.label_bytes + PIXELS
        content = np.fromfile(binary, np.uint8)
        if content.size == 0 or content.size % row:
            raise ValueError(f"{binary} is truncated or no CIFAR: {content.size} bytes are not rows of {row}")
        rows = content.reshape(-1, row)
        return rows[:, layout.label_bytes :], rows[:, layout.label_bytes - 1].astype(np.int32)
    if not pickled.is_file():
        raise FileNotFoundError(f"there is neither {binary.name} nor {pickled.name} in {root}")
    batch = _unpickle(pickled)
    images, labels = batch.get(b"data"), np.asarray(batch.get(layout.label_key, ()))
    if not isinstance(images, np.ndarray) or images.dtype != np.uint8 or images.shape != (len(labels), PIXELS):
        found = ", ".join(sorted(map(str, batch)))
        raise ValueError(f"{pickled} is no batch of CIFAR: data (N, {PIXELS}) and {layout.label_key!r} not in {found}")
    return images, labels.astype(np.int32)


def _unpickle(path: Path) -> dict[bytes, Any]:
    try:
        content: Any = safe_pickle.loads(path.read_bytes())
    except ValueError as error:
        raise type(error)(f"{path} cannot be read: {error}; get it again") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} is no file of CIFAR: it holds a {type(content).__name__}, not a dict")
    return {key.encode() if isinstance(key, str) else key: value for key, value in content.items()}


def _class_names(root: Path, layout: Layout) -> tuple[str, ...]:
    """Their names where the file is there."""
    text, (pickled, key) = root / layout.names, layout.meta
    if text.is_file():
        return tuple(text.read_text().split())
    if (root / pickled).is_file():
        return tuple(name.decode() if isinstance(name, bytes) else name for name in _unpickle(root / pickled)[key])
    return ()
