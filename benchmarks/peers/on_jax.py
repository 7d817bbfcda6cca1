"""What the peers that stand on JAX share: their layer as a function, compiled and differentiated as ours is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks import rivals, scans
from benchmarks.cases import Case, ScanCase
from benchmarks.peers.guest import Arrays, Columns, Guest, Unsupported
from benchmarks.timing import compile_apart

Move = Callable[[np.ndarray], np.ndarray]


def _stay(a: np.ndarray) -> np.ndarray:
    return a


@dataclass(frozen=True)
class Native:
    """A peer's layer as a function of one batch, x or (x, w), in its own layout, and the ways into that layout from
    the case's and back: of feature maps (x, y and their gradients) and of kernels. A leading axis may be batched."""

    fn: Callable[..., Any]
    maps: tuple[Move, Move] = (_stay, _stay)
    kernels: tuple[Move, Move] = (_stay, _stay)

    def way(self, name: str) -> tuple[Move, Move]:
        """How the array of this name goes into the layout, and back."""
        if name in ("w", "dw"):
            return self.kernels
        return (_stay, _stay) if name == "measured" else self.maps


def _program(spec: Mapping[str, Any], case: Case, fn: Callable[..., Any]) -> Callable[..., Any]:
    """The program of a job on a peer's function."""
    if spec["kind"] == "scan":
        return scans.program(fn, ScanCase(case, spec["learned"], spec["steps"]), spec["direction"])
    if case.form == "batched":
        fn = jax.vmap(fn)
    elif case.form == "shared x":
        fn = jax.vmap(fn, (None, 0))
    return rivals.both(fn) if spec["direction"] == "forward+backward" else lambda *a: {"y": fn(*a)}


def columns(name: str, spec: Mapping[str, Any], arrays: Arrays, native: Callable[[Case], Native]) -> Columns:
    """The one column of a peer on JAX; `native` makes its layer for a case or raises `Unsupported`."""
    if spec["kind"] == "model":
        raise Unsupported("no such model")
    case = Case.from_json(spec["case"])
    jax.config.update("jax_enable_x64", case.dtype == "float64")
    layer = native(case)

    def make() -> Guest:
        given = {key: layer.way(key)[0](array) for key, array in arrays.items()}
        args = tuple(jnp.asarray(array, case.dtype) for array in given.values())
        program = compile_apart(_program(spec, case, layer.fn), args)

        def results(made: Mapping[str, jax.Array]) -> dict[str, np.ndarray]:
            wide = np.float64 if case.dtype == "float64" else np.float32
            return {key: layer.way(key)[1](np.asarray(leaf).astype(wide)) for key, leaf in made.items()}

        return Guest(lambda: jax.block_until_ready(program.call()), results, program.compile, program.memory)

    return {name: make}
