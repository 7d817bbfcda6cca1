"""Text files: a line is an example, plain or in JSON; lines are found again by where they begin."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from jaxnets.data.sources import existing_file


@dataclass(frozen=True)
class Lines:
    """The lines of a text file, read when they are asked for; made by `text_lines` and `json_lines`.

    Attributes:
        path: the file.
        spans: where each line begins and ends, in bytes, `(N, 2)`.
        numbers: of each line in the file, from 1.
        json: whether a line is a JSON value.
    """

    path: Path
    spans: np.ndarray
    numbers: np.ndarray
    json: bool

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, index: int) -> Any:
        first, last = self.spans[index].tolist()
        with self.path.open("rb") as file:
            file.seek(first)
            line = file.read(last - first)
        here = f"{self.path} line {self.numbers[index]}"
        try:
            text = line.decode("utf-8-sig" if first == 0 else "utf-8").rstrip("\r\n")
            return json.loads(text) if self.json else {"text": text}
        except UnicodeDecodeError as error:
            raise ValueError(f"{here} is not UTF-8: {error}; convert the file, as with iconv") from error
        except ValueError as error:
            raise ValueError(f"{here} is no JSON, or truncated: {error}") from error


def text_lines(path: str | os.PathLike[str]) -> Lines:
    """The lines of a UTF-8 text file that are not blank; it need not fit into memory.

    Returns:
        A source of `{"text": str}`, without the end of the line.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: no lines. When a line is read: it is not UTF-8.

    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile("w", encoding="utf-8") as file:
    ...     _ = file.write("eins\\n\\nzwölf\\n")
    ...     file.flush()
    ...     source = text_lines(file.name)
    ...     len(source), source[1]
    (2, {'text': 'zwölf'})
    """
    return _lines(path, json=False)


def json_lines(path: str | os.PathLike[str]) -> Lines:
    """The lines of a JSON-lines file, one value each; it need not fit into memory.

    Returns:
        A source of what the lines hold.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: no lines. When a line is read: it is no JSON, and its number is named.

    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile("w") as file:
    ...     _ = file.write('{"text": "good", "label": 1}\\n{"text": "bad", "label": 0}')
    ...     file.flush()
    ...     json_lines(file.name)[1]
    {'text': 'bad', 'label': 0}
    """
    return _lines(path, json=True)


def _lines(path: Any, *, json: bool) -> Lines:
    file = existing_file(path, "a text file")
    spans, numbers, start = [], [], 0
    with file.open("rb") as opened:
        for number, line in enumerate(opened, 1):
            if line.strip():
                spans.append((start, start + len(line)))
                numbers.append(number)
            start += len(line)
    if not spans:
        raise ValueError(f"{file} has no lines: it is empty, or blank")
    return Lines(file, np.array(spans, np.int64), np.array(numbers, np.int64), json)


def read_text(path: str | os.PathLike[str]) -> str:
    """A whole UTF-8 text file, for a language model of characters or tokens.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is empty or not UTF-8.
    """
    file = existing_file(path, "a text file")
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{file} is not UTF-8: {error}; convert it, as with iconv") from error
    if not text:
        raise ValueError(f"{file} is empty")
    return text
