"""Files that are either whole or not there."""

import os
import secrets
from pathlib import Path


def write(path: str | os.PathLike[str], content: bytes | str) -> Path:
    """Write a file whole or not at all: beside its place under a hidden name, then moved into it in one step.

    Args:
        path: where to write; missing folders are made. What stood there before is replaced.
        content: bytes, or text (written as UTF-8).

    Returns:
        The path.

    Raises:
        OSError: the folder cannot be made or written to. The old file, if any, is then untouched.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write(f"{folder}/a/b.txt", "whole").read_text()
    'whole'
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with open(draft, "xb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())  # else a power cut could leave the new name with none of its bytes
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)
    return path
