"""Random-access sources: what `len` and `[index]` can read, and therefore grain, and any loop."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

Record = dict[str, Any]
"""One example by name: arrays, numbers and strings."""


class Source(Protocol):
    """Examples by number, each read when it is asked for. Readers in `jaxnets.data` give one; so is a list."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Any: ...


@dataclass(frozen=True)
class Arrays:
    """Examples that lie in memory, one row of every array.

    Attributes:
        arrays: by name, each `(N, ...)`.
        class_names: what the classes are called, if there are any.

    >>> source = Arrays({"image": np.zeros((3, 28, 28, 1)), "label": np.array([7, 2, 1])})
    >>> len(source), source[1]["image"].shape, int(source[1]["label"])
    (3, (28, 28, 1), 2)
    """

    arrays: Mapping[str, np.ndarray]
    class_names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        lengths = {name: len(array) for name, array in self.arrays.items()}
        if len(set(lengths.values())) != 1:
            raise ValueError(f"Arrays: the arrays must have one length, not {lengths}")

    def __len__(self) -> int:
        return len(next(iter(self.arrays.values())))

    def __getitem__(self, index: int) -> Record:
        return {name: array[index] for name, array in self.arrays.items()}


def existing_folder(path: Any, what: str) -> Path:
    """The path of a folder, or an error that says what should be there."""
    folder = Path(path)
    if not folder.exists():
        raise FileNotFoundError(f"there is no folder {folder}: give {what}")
    if not folder.is_dir():
        raise NotADirectoryError(f"{folder} is a file: give {what}")
    return folder


def existing_file(path: Any, what: str) -> Path:
    """The path of a file, or an error that says what should be there."""
    file = Path(path)
    if not file.exists():
        raise FileNotFoundError(f"there is no file {file}: give {what}")
    if not file.is_file():
        raise IsADirectoryError(f"{file} is a folder: give {what}")
    return file


def choose(where: str, name: str, value: str, choices: Any) -> Any:
    """`choices[value]`, or an error that lists them."""
    if value not in choices:
        raise ValueError(f"{where}: {name} is {value!r}; take one of {', '.join(map(repr, choices))}")
    return choices[value]
