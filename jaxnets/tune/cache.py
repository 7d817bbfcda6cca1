"""Writing the file that `ops.kernels.measured` reads: whole or not at all, nothing of it lost."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jaxnets.ops.kernels import measured
from jaxnets.train import write


def _aside(file: Path) -> Path:
    """Where a file that is not ours is moved: beside it, to a name that is free."""
    names = (file.with_name(f"{file.name}{f'.{n}' if n else ''}.bak") for n in range(1_000_000))
    return next(name for name in names if not name.exists())


def _contents(file: Path) -> measured.Contents:
    """What the file holds, to be written again with more; one that is not ours is moved out of the way first."""
    try:
        return measured.read(file)
    except measured.Unusable as error:
        saved = _aside(file)
        os.replace(file, saved)
        warnings.warn(f"jaxnets tune: {error}; it is kept as {saved}", stacklevel=2)
        return {}


def _write(file: Path, contents: measured.Contents) -> None:
    whole = {"about": measured.ABOUT, "format": measured.FORMAT, "devices": contents}
    write(file, json.dumps(whole, indent=1, sort_keys=True) + "\n")
    measured.reload()


def _device() -> str:
    name = measured.device(measured.this_platform())
    assert name is not None
    return name


def known() -> frozenset[str]:
    """The keys of the problems measured on this device with these versions."""
    try:
        contents = measured.read(measured.path())
    except measured.Unusable:
        return frozenset()
    return frozenset(contents.get(_device(), {}).get(measured.versions(), {}))


def keep(entries: Mapping[str, dict[str, Any]]) -> Path:
    """Add entries, problem by problem, to what is there for this device and these versions; the file's path.

    Raises `OSError` where it cannot be written.
    """
    file = measured.path()
    contents = _contents(file)
    contents.setdefault(_device(), {}).setdefault(measured.versions(), {}).update(entries)
    _write(file, contents)
    return file


def forget() -> int:
    """Drop all that was measured on this device, with whatever versions; how many problems that were.

    What was measured on other devices stays; a file that is not ours is moved aside, and an empty one removed.
    """
    file = measured.path()
    contents = _contents(file)
    dropped = sum(len(entries) for entries in contents.pop(_device(), {}).values())
    if contents:
        _write(file, contents)
    else:
        file.unlink(missing_ok=True)
        measured.reload()
    return dropped
