"""A job is one row of the table to be: rivals that must agree on the same arrays and are then timed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from zlib import crc32

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks import agree, rivals, timing
from benchmarks.cases import Case
from benchmarks.cases.case import distinct, draw
from benchmarks.cost import cost
from benchmarks.timing import NotRun


@dataclass(frozen=True)
class Job:
    """Functions that must agree on `args` and are then timed.

    `work` in `unit` (GFLOP or GB) is what the formula asks for, `bytes` what it must read and write; `tolerances` is a
    tree like the result. `numpy` is the naive Python call. `missing` says of rivals why they are not here. `peer` is
    what another process needs to know, beside `arrays`, to take part (None: it cannot). A rival that takes less than
    `brief` seconds has an untimed call before each timed one.
    """

    suite: str
    case: str
    shape_class: str
    direction: str
    args: tuple[Any, ...]
    compiled: Mapping[str, Callable[..., Any]]
    tolerances: Any
    work: float
    unit: str
    bytes: float
    numpy: Callable[[], Any] | NotRun
    missing: Mapping[str, NotRun] = field(default_factory=dict)
    description: Mapping[str, Any] = field(default_factory=dict)
    peer: Mapping[str, Any] | None = None
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)
    x64: bool = False
    brief: float = timing.BRIEF
    error: agree.Error = agree.largest


def inputs(case: Case) -> dict[str, np.ndarray]:
    """x, and w of a convolution, as the case's form has them: the same on every run."""
    random = np.random.default_rng(crc32(case.name.encode()))
    arrays = {"x": distinct(case.x, random) if case.op == "max_pool" else draw(case.x, case.dtype, random)}
    if case.form == "channels first":
        arrays["x"] = np.ascontiguousarray(np.moveaxis(arrays["x"], -1, 1))
    if case.w:
        arrays["w"] = draw(case.w, case.dtype, random)
    return arrays


def describe(case: Case) -> dict[str, Any]:
    """What the results say of a case."""
    return {"op": case.op, "shapes": case.shapes, "options": dict(case.options), "dtype": case.dtype, "form": case.form}


def allowed(case: Case, backend: str) -> dict[str, float]:
    """The tolerance of y and of each gradient."""
    eps = agree.rounding(case.dtype, backend, products=case.w is not None)
    inner = np.float32 if case.dtype == "bfloat16" else np.dtype(case.dtype)  # half precision is added up in float32
    return {name: agree.tolerance(terms, eps, inner) for name, terms in cost(case).terms.items()}


def jobs(suite: str, full: Case, quick: bool) -> list[Job]:
    """The forward job and, unless of integers, the one with both gradients, on arrays that live on the device."""
    case = full.quick() if quick else full
    needs, arrays = cost(case), inputs(case)
    x64 = case.dtype == "float64"
    with jax.enable_x64(x64):
        args = tuple(jnp.asarray(a, case.dtype) for a in arrays.values())
        y = jax.eval_shape(rivals.op("ours", case), *args)
        dy = jnp.asarray(draw(y.shape, case.dtype, np.random.default_rng(1)), case.dtype)
    host = [np.asarray(a) for a in args]
    limits = allowed(case, jax.default_backend())
    # A convolution is counted by its arithmetic, each gradient once more the same; a pool by the bytes it must move.
    work, unit = (2 * needs.multiply_adds / 1e9, "GFLOP") if case.w else (needs.bytes / 1e9, "GB")
    forwards = {name: rivals.op(name, case) for name in rivals.MODULES}
    job = partial(
        Job, suite, full.name, full.shape_class, unit=unit, description=describe(case), arrays=arrays, x64=x64
    )

    def peer(direction: str) -> dict[str, Any]:
        return {"kind": "op", "case": case.to_json(), "direction": direction}

    made = [
        job(
            direction="forward",
            args=args,
            compiled={name: partial(_named, fn) for name, fn in forwards.items()},
            tolerances={"y": limits["y"]},
            work=work,
            bytes=needs.bytes,
            numpy=lambda: rivals.numpy(case, host),
            peer=peer("forward"),
        )
    ]
    if not case.differentiable:
        return made
    gone = {"lax": NotRun(case.no_lax_gradient)} if case.no_lax_gradient else {}
    return [
        *made,
        job(
            direction="forward+backward",
            args=(*args, dy),
            compiled={name: rivals.both(fn) for name, fn in forwards.items() if name not in gone},
            tolerances=limits,
            work=work * (1 + len(args)),
            bytes=needs.bytes * (1 + len(args)),
            numpy=lambda: rivals.numpy(case, host, np.asarray(dy)),
            missing=gone,
            peer=peer("forward+backward"),
            arrays={**arrays, "dy": np.asarray(dy, np.float32 if case.dtype == "bfloat16" else None)},
        ),
    ]


def _named(fn: Callable[..., Any], *arrays: Any) -> dict[str, Any]:
    return {"y": fn(*arrays)}
