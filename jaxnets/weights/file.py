"""Weights in safetensors files, whole or in shards: read as a mapping, tensor by tensor, from mapped memory."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxnets.core import Params, State
from jaxnets.extras import require
from jaxnets.train.files import write
from jaxnets.weights.state_dict import from_state_dict, to_state_dict

FOREIGN = {
    b"PK\x03\x04": "a zip archive, as torch.save writes",
    b"\x80": "a Python pickle, which can run anything when it is opened",
    b"\x89HDF": "an HDF5 file",
    b"version https://git-lfs": "a Git LFS pointer, not the file it points to (git lfs pull)",
    b"<": "a page of HTML or XML, perhaps what a server answered in its place",
    b"{": "JSON",
}
"""How other files begin that come under this name."""

REMEDY = "; convert it with safetensors.torch.save_file(model.state_dict(), path) where PyTorch is, or fetch it again"


def load(path: str | os.PathLike[str], name: str, *, source: str, **options: Any) -> tuple[Params, State]:
    """The parameters and the state of a model, from a file of another library's weights.

    Args:
        path: a safetensors file, or the `model.safetensors.index.json` beside the shards of one.
        name: one of `jaxnets.models.names()`.
        source: whose names the tensors have, "torchvision", "timm" or "transformers".
        **options: those of `from_state_dict` (`strict`, `fresh`, `key`) and what the model is built with.

    Returns:
        `(params, state)`, float32 whatever the floating dtype in the file.

    Raises:
        FileNotFoundError: there is no such file, or no such shard.
        ValueError: the file is cut short, damaged or of another format; what `from_state_dict` raises.
        MissingExtra: safetensors is not installed.

    The file is mapped into memory and its tensors read one by one. No code in it is ever run, and a shard's name may
    not lead out of the folder.
    """
    with tensors(path) as mapping:
        return from_state_dict(name, mapping, source=source, **options)


def save(
    path: str | os.PathLike[str], name: str, params: Mapping[str, Any], state: Mapping[str, Any], *, source: str
) -> Path:
    """Write a model's weights under another library's names, whole or not at all.

    Args:
        path: the safetensors file; missing folders are made, an older file is replaced.
        name, params, state, source: as for `to_state_dict`.

    Raises what `to_state_dict` does, `OSError` if the file cannot be written, and `MissingExtra` without safetensors.
    """
    content = to_state_dict(name, jax.device_get(params), jax.device_get(state), source=source)
    return write(path, require("safetensors.numpy", extra="weights").save(content, metadata={"format": "pt"}))


@contextmanager
def tensors(path: str | os.PathLike[str]) -> Iterator[Mapping[str, np.ndarray]]:
    """The tensors of a safetensors file, or of all shards of an index, by name; each is read when it is asked for.

    Raises as `load` does.
    """
    path = Path(path)
    with ExitStack() as stack:
        if path.suffix == ".json":
            shards = {file: stack.enter_context(_opened(path.parent / file)) for file in _shards(path)}
            owners = {name: shard for shard in shards.values() for name in shard.keys()}  # noqa: SIM118
        else:
            file = stack.enter_context(_opened(path))
            owners = dict.fromkeys(file.keys(), file)
        yield _Tensors(path, owners)


class _Tensors(Mapping[str, np.ndarray]):
    """Names and the open files they are in."""

    def __init__(self, path: Path, owners: dict[str, Any]):
        self.path, self.owners = path, owners

    def __getitem__(self, name: str) -> np.ndarray:
        safetensors = require("safetensors", extra="weights")
        try:
            return self.owners[name].get_tensor(name)  # type: ignore[no-any-return]
        except (safetensors.SafetensorError, TypeError, AttributeError) as error:  # a dtype that NumPy has not
            raise ValueError(f"{self.path}: tensor {name!r} cannot be read as a NumPy array: {error}") from error

    def __iter__(self) -> Iterator[str]:
        return iter(self.owners)

    def __len__(self) -> int:
        return len(self.owners)


def _opened(path: Path) -> Any:
    safetensors = require("safetensors", extra="weights")
    if not path.is_file():
        raise FileNotFoundError(f"there is no weights file at {path}")
    with open(path, "rb") as file:
        begin = file.read(32)
    for mark, what in FOREIGN.items():
        if begin.startswith(mark) and not _header(begin):
            raise ValueError(f"{path} is no safetensors file but {what}{REMEDY}")
    try:
        return safetensors.safe_open(path, framework="np")
    except safetensors.SafetensorError as error:
        raise ValueError(f"{path} is cut short, damaged, or no safetensors file ({error}); fetch it again") from error


def _header(begin: bytes) -> bool:
    """Whether a file may be of safetensors: eight bytes of length, then the brace of the header."""
    return begin[8:9] == b"{" and int.from_bytes(begin[:8], "little") < 1 << 32


def _shards(index: Path) -> list[str]:
    """The file names in an index, which must be those of files beside it."""
    if not index.is_file():
        raise FileNotFoundError(f"there is no index of shards at {index}")
    try:
        files = sorted(set(json.loads(index.read_bytes())["weight_map"].values()))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{index} is no index of safetensors shards: it has no usable 'weight_map'") from error
    for file in files:
        if not isinstance(file, str) or Path(file).name != file:
            raise ValueError(f"{index} names {file!r}, which is no file beside it")
    return files
