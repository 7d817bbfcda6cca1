"""The four rivals, each a module with the signatures of `jaxnets.ops`, and the jobs that a case makes of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import prod
from types import ModuleType
from typing import Any
from zlib import crc32

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks import agree, naive, plain
from benchmarks.cases import Case
from benchmarks.timing import NotRun
from jaxnets import ops, reference
from jaxnets.ops.geometry import Window, multiply_adds, transpose_window

RIVALS = {"numpy": "NumPy", "naive": "naive jit", "lax": "plain lax", "ours": "ours"}
MODULES: dict[str, ModuleType] = {"naive": naive, "lax": plain, "ours": ops}
GRADIENTS = ("dx", "dw")


@dataclass(frozen=True)
class Job:
    """One row of the table to be: functions that must agree on `args` and are then timed.

    `work` in `unit` (GFLOP or GB) is what the formula asks for; `tolerances` is a tree like the result.
    """

    suite: str
    case: str
    direction: str
    args: tuple[Any, ...]
    compiled: Mapping[str, Callable[..., Any]]
    tolerances: Any
    work: float
    unit: str
    numpy: Callable[[], Any] | NotRun
    missing: Mapping[str, NotRun] = field(default_factory=dict)
    description: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Cost:
    """What the formula of a case asks for: how many `terms` are summed into an element of y, of dx and of dw."""

    terms: Mapping[str, int]
    multiply_adds: int = 0


def cost(case: Case, x: jax.Array, w: jax.Array | None) -> Cost:
    """The sums behind each element of y and of the gradients, and the multiply-adds of a convolution."""
    options = dict(case.options)
    if w is None:
        if "output_size" in options:
            taps = prod(-(-n // options["output_size"]) + 1 for n in x.shape[1:-1])
        else:
            taps = options["size"] ** (x.ndim - 2)
        return Cost({"y": taps, "dx": taps})
    groups = x.shape[-1] if case.op == "depthwise_conv" else options.pop("groups", 1)
    size, per_group, filters = w.shape[:-2], w.shape[-2], w.shape[-1]
    stride, padding, dilation = (options.get(k, v) for k, v in (("stride", 1), ("padding", "SAME"), ("dilation", 1)))
    forward, backward = prod(size) * per_group, prod(size) * filters // groups
    if case.op == "conv_transpose":
        window = transpose_window(case.op, x.shape[1:-1], size, stride, padding, 0, dilation)
        forward, backward = backward, forward
    else:
        window = Window.of(case.op, x.shape[1:-1], size, stride, padding, dilation)
    positions = x.shape[0] * prod(window.out)
    products = multiply_adds(window, per_group * groups, filters, groups=groups, batch=x.shape[0])
    return Cost({"y": forward, "dx": backward, "dw": positions}, products)


def _forward(module: ModuleType, case: Case) -> Callable[..., Any]:
    op = getattr(module, case.op)
    return lambda *arrays: {"y": op(*arrays, **case.options)}


def _both(forward: Callable[..., Any]) -> Callable[..., Any]:
    """The forward pass and the gradients in every array for the last argument, dy."""

    def run(*args: Any) -> Any:
        y, pullback = jax.vjp(forward, *args[:-1])
        return y | dict(zip(GRADIENTS, pullback({"y": args[-1]}), strict=False))

    return run


def _numpy_both(case: Case, arrays: list[np.ndarray], dy: np.ndarray) -> Any:
    y = _forward(reference, case)(*arrays)
    gradients = getattr(reference, f"{case.op}_backward")(dy, *arrays, **case.options)
    gradients = gradients[: len(arrays)] if isinstance(gradients, tuple) else (gradients,)  # a bias there is not
    return y | dict(zip(GRADIENTS, gradients, strict=False))


def jobs(suite: str, case: Case, quick: bool) -> list[Job]:
    """The forward job and the one with both gradients, on random normal arrays that live on the device."""
    sizes = case.quick if quick else case.full
    draw = np.random.default_rng(crc32(case.name.encode()))
    shapes = [sizes.x] if sizes.w is None else [sizes.x, sizes.w]
    arrays = [draw.standard_normal(shape, np.float32) for shape in shapes]
    args = tuple(jnp.asarray(a) for a in arrays)
    y = jax.eval_shape(_forward(ops, case), *args)["y"]
    dy = draw.standard_normal(y.shape, np.float32)

    x, w = args[0], args[1] if len(args) > 1 else None
    needs = cost(case, x, w)
    eps = agree.rounding(x.dtype, jax.default_backend(), products=w is not None)
    allowed = {name: agree.tolerance(terms, eps) for name, terms in needs.terms.items()}
    # A convolution is counted by its arithmetic, each gradient once more the same; a pool by the bytes it must move.
    moved = (x.size + y.size) * x.dtype.itemsize / 1e9
    work, unit = (2 * needs.multiply_adds / 1e9, "GFLOP") if w is not None else (moved, "GB")
    forwards = {name: _forward(module, case) for name, module in MODULES.items()}
    backwards = {name: _both(fn) for name, fn in forwards.items() if not (name == "lax" and case.no_lax_gradient)}
    missing = {"lax": NotRun(case.no_lax_gradient)} if case.no_lax_gradient else {}
    about = {"op": case.op, "shapes": [list(shape) for shape in shapes], "options": dict(case.options)}
    return [
        Job(
            suite,
            case.name,
            "forward",
            args,
            forwards,
            {"y": allowed["y"]},
            work,
            unit,
            numpy=lambda: _forward(reference, case)(*arrays),
            description=about,
        ),
        Job(
            suite,
            case.name,
            "forward+backward",
            (*args, jnp.asarray(dy)),
            backwards,
            allowed,
            work * (1 + len(args)),
            unit,
            numpy=lambda: _numpy_both(case, arrays, dy),
            missing=missing,
            description=about,
        ),
    ]
