"""Figures to files."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def save(figure: Figure, path: str | os.PathLike[str]) -> Path:
    """Write `figure` to `path`, whole or not at all, and return the path.

    The file is written under another name beside its target and then moved over it: a reader, or a run that is cut
    off, never sees half a picture. Missing folders are made.

    Args:
        figure: the picture.
        path: its suffix chooses the format: .png, .pdf, .svg, whatever matplotlib writes.

    Raises:
        ValueError: a suffix that matplotlib cannot write.
        OSError: as the file system says.

    >>> import tempfile
    >>> from jaxnets.viz import overlay_curves
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(overlay_curves({"a": [2.0, 1.0], "b": [2.0, 1.0]}), f"{folder}/new/curves.png").name
    'curves.png'
    """
    target = Path(path)
    formats = figure.canvas.get_supported_filetypes()
    kind = target.suffix.lstrip(".").lower()
    if kind not in formats:
        known = ", ".join(f".{name}" for name in sorted(formats))
        raise ValueError(f"save: {target.name!r} has no suffix of a picture ({target.suffix!r}): use one of {known}")
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        with open(draft, "xb") as file:
            figure.savefig(file, format=kind, dpi=figure.dpi)
        os.replace(draft, target)
    finally:
        draft.unlink(missing_ok=True)
    return target
