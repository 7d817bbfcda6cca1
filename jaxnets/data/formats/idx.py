"""IDX, the format of MNIST: a header of four bytes and big-endian sizes, then the numbers."""

import gzip
import math
import os
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from jaxnets.data.sources import Arrays, choose, existing_file, existing_folder

DTYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
PARTS = {"train": "train", "test": "t10k"}


def read_idx(path: str | os.PathLike[str]) -> np.ndarray:
    """Read an array from an IDX file, gzipped or not.

    Returns:
        The array, in this machine's byte order; its rank, sizes and dtype are those of the file.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no IDX file, truncated, or longer than it says.

    Reference: LeCun, Cortes and Burges (1998), The MNIST database, "FILE FORMATS FOR THE MNIST DATABASE".

    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile() as file:
    ...     _ = file.write(bytes([0, 0, 8, 1]) + bytes([0, 0, 0, 3]) + bytes([5, 0, 4]))
    ...     file.flush()
    ...     read_idx(file.name).tolist()
    [5, 0, 4]
    """
    file = existing_file(path, "an IDX file, as train-images-idx3-ubyte.gz")
    content = file.read_bytes()
    if content[:2] == b"\x1f\x8b":
        try:
            content = gzip.decompress(content)
        except (EOFError, OSError, zlib.error) as error:
            raise ValueError(f"{file} is gzipped but damaged or truncated: {error}; get it again") from error
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] not in DTYPES:
        raise ValueError(f"{file} is no IDX file: it begins with {content[:4]!r}, not with 0, 0, a type and a rank")
    dtype, rank = np.dtype(DTYPES[content[2]]), content[3]
    start = 4 + 4 * rank
    if len(content) < start:
        raise ValueError(f"{file} is truncated: {len(content)} bytes end within its header of {start}")
    shape = struct.unpack(f">{rank}I", content[4:start])
    wanted = start + math.prod(shape) * dtype.itemsize
    if len(content) != wanted:
        state = "truncated" if len(content) < wanted else "too long"
        raise ValueError(f"{file} is {state}: shape {shape} of {dtype.name} makes {wanted} bytes, not {len(content)}")
    array: np.ndarray = np.frombuffer(content, dtype, offset=start).reshape(shape)
    return array.astype(dtype.newbyteorder("="))


def mnist(folder: str | os.PathLike[str], split: str = "train") -> Arrays:
    """Read MNIST, or what is laid out like it: Fashion-MNIST, Kuzushiji-MNIST, EMNIST's mnist part.

    Args:
        folder: has train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-..., gzipped (.gz) or not.
        split: "train" or "test".

    Returns:
        A source of `{"image": (28, 28, 1) uint8, "label": int32}`, all in memory.

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: another split, a damaged file, or images and labels that do not belong together.

    Reference: LeCun et al. (1998), https://doi.org/10.1109/5.726791.
    """
    root = existing_folder(folder, "the folder with MNIST's four files")
    part = choose("mnist", "split", split, PARTS)
    images, labels = (read_idx(_find(root, part, kind, rank)) for kind, rank in (("images", 3), ("labels", 1)))
    if images.ndim != 3 or labels.shape != images.shape[:1]:
        raise ValueError(f"{root}: images {images.shape} and labels {labels.shape} do not belong together")
    return Arrays({"image": images[..., None], "label": labels.astype(np.int32)}, tuple("0123456789"))


def _find(root: Path, part: str, kind: str, rank: int) -> Path:
    names: list[Any] = [f"{part}-{kind}{dot}idx{rank}-ubyte{end}" for dot in "-." for end in ("", ".gz")]
    for name in names:
        if (root / name).is_file():
            return root / name
    raise FileNotFoundError(f"there is none of {', '.join(names)} in {root}")
