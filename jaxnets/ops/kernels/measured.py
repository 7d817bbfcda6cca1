"""Which lowering was the fastest where somebody measured: the file that `jaxnets tune` writes and the planners read.

It holds, for each device, for each pair of versions of JAX and jaxnets, the lowering of each problem. A file that
cannot be read or is not ours is left alone: a warning, once, and the built-in rules choose.
"""

from __future__ import annotations

import json
import os
import platform as system
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import fields, is_dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import jax

ABOUT = "lowerings measured by jaxnets tune"
FORMAT = 1

Entries = dict[str, dict[str, Any]]
"""By problem: the lowering, and what was measured."""

Contents = dict[str, dict[str, Entries]]
"""By device and by versions."""


class Unusable(ValueError):
    """The file is there, but not one of ours; the message says why."""


def path() -> Path:
    """Where the results are kept.

    `$JAXNETS_CACHE`, a folder (or a file whose name ends in .json); else `jaxnets` in `$XDG_CACHE_HOME` or ~/.cache.
    """
    own = os.environ.get("JAXNETS_CACHE")
    if own:
        return Path(own) if own.endswith(".json") else Path(own) / "tuned.json"
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "jaxnets" / "tuned.json"


def this_platform() -> str:
    """What XLA compiles for by default here: "cpu", "cuda", "rocm", "tpu", or another's name."""
    backend = jax.default_backend()
    if backend != "gpu":
        return backend
    return "rocm" if "rocm" in jax.devices()[0].client.platform_version.lower() else "cuda"


@cache
def device(platform: str) -> str | None:
    """The name of this machine's device of a platform, or None where it has none."""
    if platform == "cpu":
        threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        return f"{processor()}, {threads} threads"
    return jax.devices()[0].device_kind if platform == this_platform() else None


def processor(told: Path = Path("/proc/cpuinfo")) -> str:
    """The CPU's name (JAX calls them all "cpu"), with its family and model where the system tells them: to a virtual
    machine the generations of a maker often bear one name, though one does twice the arithmetic of the other."""
    try:
        first = told.read_text().partition("\n\n")[0]
    except (OSError, UnicodeDecodeError):
        first = ""
    fields = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in first.splitlines())}
    name = fields.get("model name") or system.processor() or system.machine() or "cpu"
    if "cpu family" in fields and "model" in fields:
        name += f", family {fields['cpu family']} model {fields['model']}"
    return name


@cache
def versions() -> str:
    """The versions that a measurement holds for."""
    # Read off the package when it is all there, not imported: this module stands below the front door.
    return f"jax {jax.__version__}, jaxnets {sys.modules['jaxnets'].__version__}"


def _words(value: Any, name: str = "") -> Iterator[str]:
    if is_dataclass(value):
        for each in fields(value):
            if each.name != "lowering":  # what was asked for is no part of the question
                yield from _words(getattr(value, each.name), each.name)
    else:
        yield f"{name}={value}".replace(" ", "")


@lru_cache(maxsize=4096)
def key(problem: Any) -> str:
    """A problem as a line of text, whatever lowering it asks for."""
    return " ".join([type(problem).__name__, *_words(problem)])


def read(file: Path) -> Contents:
    """All that the file holds; nothing where there is none.

    Raises:
        Unusable: it cannot be read, is cut short, or was not written by this format of `jaxnets tune`.
    """
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise Unusable(f"{file} cannot be read ({error.strerror or error})") from error
    except ValueError as error:  # of JSON, or of its encoding
        raise Unusable(f"{file} is damaged, or no JSON ({error})") from error
    if not isinstance(found, dict) or found.get("about") != ABOUT:
        raise Unusable(f"{file} was not written by jaxnets tune")
    if found.get("format") != FORMAT:
        raise Unusable(f"{file} has format {found.get('format')!r}, and this jaxnets reads {FORMAT}")
    devices: Any = found.get("devices")
    if not _sound(devices):
        raise Unusable(f"{file} is damaged: its entries are not as jaxnets tune writes them")
    return devices


def _sound(devices: Any) -> bool:
    """Whether this is a table of tables of entries, each with the name of a lowering."""

    def tables(value: Any) -> list[Any]:
        return list(value.values()) if isinstance(value, dict) else [None]

    entries = [entry for version in tables(devices) for table in tables(version) for entry in tables(table)]
    return all(isinstance(entry, dict) and isinstance(entry.get("lowering"), str) for entry in entries)


@lru_cache(maxsize=8)
def _entries(file: Path, platform: str) -> dict[str, str]:
    """The lowerings measured on this machine's device of the platform with these versions, read once."""
    try:
        contents = read(file)
    except Unusable as error:
        warnings.warn(
            f"jaxnets: {error}; the built-in rules choose the lowerings. The file is left as it is: move it away, or "
            f"run jaxnets tune, which puts it aside",
            stacklevel=2,
        )
        return {}
    if not contents or jax.process_count() > 1:  # processes of one program must all compile the same
        return {}
    own = contents.get(device(platform) or "", {})
    if own and versions() not in own:
        warnings.warn(
            f"jaxnets: {file} holds measurements of this device for other versions ({'; '.join(own)}) and none for "
            f"{versions()}; the built-in rules choose the lowerings. Run jaxnets tune again, or jaxnets tune --forget",
            stacklevel=2,
        )
    return {problem: entry["lowering"] for problem, entry in own.get(versions(), {}).items()}


def reload() -> None:
    """Forget what was read, so that the next look-up reads the file again."""
    _entries.cache_clear()


_supposed: ContextVar[tuple[str, str | None] | None] = ContextVar("jaxnets_measured_supposed", default=None)


@contextmanager
def supposing(problem: Any, lowering: str | None) -> Iterator[None]:
    """A context in which this lowering counts as measured for the problem; None: none does, and the rules choose."""
    token = _supposed.set((key(problem), lowering))
    try:
        yield
    finally:
        _supposed.reset(token)


def lookup(problem: Any, platform: str) -> str | None:
    """The lowering measured to be the fastest for a problem on this machine's device of the platform, if any was."""
    supposed, entries = _supposed.get(), _entries(path(), platform)
    if supposed is not None and supposed[0] == key(problem):
        return supposed[1]
    return entries.get(key(problem)) if entries else None
