"""What a peer brings to a job: its columns, each a call to be timed and a way to read its result."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

Arrays = Mapping[str, np.ndarray]


class Unsupported(Exception):
    """The peer has no such operation; the message says so in a few words."""


@dataclass(frozen=True)
class Guest:
    """`call` runs once and waits for the result; `results` turns that into arrays in our layout, or None where there
    is nothing to compare. `compile` seconds (None: nothing to) and `memory` bytes are those of `call`."""

    call: Callable[[], Any]
    results: Callable[[Any], dict[str, np.ndarray] | None]
    compile: float | None = None
    memory: int | None = None


Columns = Mapping[str, Callable[[], Guest]]
