"""Checkpoints: one safetensors file with the parameters, the state, and how to build the model again.

The leaves are named by their paths, `params/features/conv1/w`, so any safetensors reader can list them. What else is
needed to use them stands as JSON under "jaxnets" in the file's metadata.
"""

import importlib.metadata
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxnets import tree
from jaxnets.extras import require
from jaxnets.train.files import write

NAME = "model.safetensors"
"""The file's name in a run's folder: `load` finds it there."""

FORMAT = 1


@dataclass(frozen=True)
class Checkpoint:
    """What `load` returns.

    Attributes:
        params, state: nested dicts of NumPy arrays, on no device yet.
        model: the model's name, for `models.create(model, **config)`.
        config: the keyword arguments it was built with.
        extra: whatever else was saved, as the names of the classes.
        versions: the versions of jax and others that wrote the file.
    """

    params: dict[str, Any]
    state: dict[str, Any]
    model: str
    config: dict[str, Any] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)


def save(
    path: str | os.PathLike[str],
    params: Mapping[str, Any],
    state: Mapping[str, Any],
    *,
    model: str,
    config: Mapping[str, Any] | None = None,
    extra: Mapping[str, Any] | None = None,
) -> Path:
    """Write a checkpoint whole or not at all; a reader never sees half of one.

    Args:
        path: the file; missing folders are made, an older file is replaced.
        params, state: nested dicts of arrays, as from `init`. Every dtype of JAX but the sub-byte and 8-bit floats.
        model, config: for `models.create(model, **config)`.
        extra: anything that JSON can hold.

    Raises:
        TypeError: a leaf is no array, has a dtype that would not come back exactly, or `config` or `extra` is not
            JSON.
        OSError: the file cannot be written.
        MissingExtra: safetensors is not installed.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = save(f"{folder}/m.safetensors", {"w": np.ones(2, np.float32)}, {}, model="line", extra={"unit": "m"})
    ...     loaded = load(path)
    >>> loaded.params, loaded.model, loaded.extra
    ({'w': array([1., 1.], dtype=float32)}, 'line', {'unit': 'm'})
    """
    arrays = _flatten("params", params) | _flatten("state", state)
    about = {
        "format": FORMAT,
        "model": model,
        "config": dict(config or {}),
        "extra": dict(extra or {}),
        "versions": versions("jax", "flax", "numpy"),
    }
    metadata = {"jaxnets": json.dumps(about)}
    return write(path, require("safetensors.numpy").save(arrays, metadata=metadata))


def load(path: str | os.PathLike[str]) -> Checkpoint:
    """Read a checkpoint; `path` is the file, or a run's folder that holds a `model.safetensors`.

    Values and dtypes come back exactly, as NumPy arrays.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is cut short, no safetensors file, or not one that `save` wrote.
        MissingExtra: safetensors is not installed.
    """
    safetensors = require("safetensors")
    path = Path(path)
    if path.is_dir():
        path = path / NAME
    if not path.is_file():
        raise FileNotFoundError(f"there is no checkpoint at {path}: train one, or give the path of another")
    try:
        with safetensors.safe_open(path, framework="np") as file:
            metadata = file.metadata() or {}
            leaves = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (it is no dict)
    except safetensors.SafetensorError as error:
        raise ValueError(f"{path} is cut short, damaged, or no safetensors file: {error}") from error
    try:
        about = json.loads(metadata["jaxnets"])
        if about["format"] > FORMAT:
            raise ValueError(f"{path} was written by a newer jaxnets (format {about['format']}): upgrade jaxnets")
        trees: dict[str, Any] = {"params": {}, "state": {}, **tree.unflatten(leaves)}
        return Checkpoint(
            trees["params"], trees["state"], about["model"], about["config"], about["extra"], about["versions"]
        )
    except (KeyError, TypeError, json.JSONDecodeError) as error:
        raise ValueError(
            f"{path} is a safetensors file, but not a jaxnets checkpoint: its metadata has no usable entry 'jaxnets'"
        ) from error


def check(checkpoint: Checkpoint, params: Mapping[str, Any], state: Mapping[str, Any]) -> None:
    """Raise unless the checkpoint has exactly these leaves, with these shapes and dtypes.

    Args:
        params, state: what the model's `init` returns, or `jax.eval_shape` of it.

    Raises:
        ValueError: names what is missing, left over, or of another shape.

    >>> check(Checkpoint({"w": np.ones(2)}, {}, "line"), {"w": np.ones(3)}, {})
    Traceback (most recent call last):
    ValueError: the checkpoint of 'line' does not fit this model: params/w is float64[2], not float64[3]
    """
    have = _shapes({"params": checkpoint.params, "state": checkpoint.state})
    want = _shapes({"params": params, "state": state})
    faults = [f"missing {name}" for name in sorted(want.keys() - have.keys())]
    faults += [f"left over {name}" for name in sorted(have.keys() - want.keys())]
    both = sorted(have.keys() & want.keys())
    faults += [f"{name} is {have[name]}, not {want[name]}" for name in both if have[name] != want[name]]
    if faults:
        listed = "; ".join(faults[:6]) + (f"; and {len(faults) - 6} more" if len(faults) > 6 else "")
        raise ValueError(f"the checkpoint of {checkpoint.model!r} does not fit this model: {listed}")


def versions(*packages: str) -> dict[str, str]:
    """The installed versions of these packages and of jaxnets; one that is not installed is left out."""
    found = {}
    for package in ("jaxnets", *packages):
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:  # jaxnets itself, run from a checkout
            continue
    return found


# safetensors for NumPy cannot read back 8-bit floats or complex128; refuse to write what would be lost.
_DTYPES = {"float64", "float32", "float16", "bfloat16", "bool", "complex64"}
_DTYPES |= {f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)}


def _flatten(root: str, nested: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Leaves by path under `root`, as contiguous NumPy arrays."""
    arrays = {}
    for name, leaf in tree.flatten({root: dict(nested)}).items():
        dtype = str(getattr(leaf, "dtype", type(leaf).__name__))
        if dtype not in _DTYPES:
            raise TypeError(f"checkpoint: {name} is {dtype}, which a checkpoint cannot hold: cast it, or leave it out")
        arrays[name] = np.asarray(jax.device_get(leaf), order="C")
    return arrays


def _shapes(nested: Mapping[str, Any]) -> dict[str, str]:
    return {name: f"{leaf.dtype}[{','.join(map(str, leaf.shape))}]" for name, leaf in tree.flatten(nested).items()}
