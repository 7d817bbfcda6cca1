"""The jobs of the scan suite: steps of an op in a `lax.scan`, beside the same steps written one after the other."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from benchmarks import agree, rivals
from benchmarks.cases import Case, ScanCase
from benchmarks.cases.case import draw
from benchmarks.cost import cost
from benchmarks.jobs import Job, describe, inputs
from benchmarks.timing import NotRun

Carry = dict[str, jax.Array]
Step = Callable[[Carry], tuple[Carry, jax.Array]]
FAR = 0.01  # how far a forward step moves x: enough that no step can be left out
FLIPS = 5e-3  # how much of the norm of a maximum's gradient the few maxima may hold that rounding moves


def learned(scan: ScanCase) -> tuple[str, ...]:
    """The names of the arrays that a training step updates."""
    return ("x", "w") if scan.learned == "both" else (scan.learned,)


def rates(scan: ScanCase) -> dict[str, float]:
    """Rates with which gradient descent moves each array by about its own size in a few steps."""
    terms = cost(scan.case).terms
    return {name: 0.25 / terms[f"d{name}"] for name in learned(scan)}


def forward_step(y_of: Callable[[Carry], jax.Array], target: jax.Array) -> Step:
    """y, and x moved by how much of `target` there is in y: the next step has to wait for all of it."""

    def step(carry: Carry) -> tuple[Carry, jax.Array]:
        y = y_of(carry)
        share = jnp.vdot(y, target) / float(np.sqrt(y.size))
        return {"x": carry["x"] + FAR * share}, share

    return step


def training_step(y_of: Callable[[Carry], jax.Array], target: jax.Array, rate: dict[str, float]) -> Step:
    """Gradient descent towards `target`, by half the squared distance."""

    def step(carry: Carry) -> tuple[Carry, jax.Array]:
        loss, gradients = jax.value_and_grad(lambda arrays: 0.5 * jnp.sum((y_of(arrays) - target) ** 2))(carry)
        return {name: array - rate[name] * gradients[name] for name, array in carry.items()}, loss

    return step


def program(fn: Callable[..., jax.Array], scan: ScanCase, direction: str, outside: bool = False) -> Callable[..., Any]:
    """`steps` steps of (x, w) → y on arrays (x, w, target), in a scan or one after the other.

    Returns the change of each array that moves, and what each step measured.
    """
    names = ("x", "w") if scan.case.w else ("x",)
    moving = ("x",) if direction == "forward" else learned(scan)

    def run(*arrays: jax.Array) -> dict[str, jax.Array]:
        given, target = dict(zip(names, arrays[:-1], strict=True)), arrays[-1]

        def y_of(carry: Carry) -> jax.Array:
            now = given | carry
            return fn(*(now[name] for name in names))

        step = forward_step(y_of, target) if direction == "forward" else training_step(y_of, target, rates(scan))
        start = carry = {name: given[name] for name in moving}
        if outside:
            each = []
            for _ in range(scan.steps):
                carry, said = step(carry)
                each.append(said)
            measured = jnp.stack(each)
        else:
            carry, measured = lax.scan(lambda carry, _: step(carry), start, length=scan.steps)
        return {"measured": measured} | {name: carry[name] - start[name] for name in moving}

    return run


def tolerances(scan: ScanCase, direction: str, backend: str) -> dict[str, float]:
    """What rounding explains of the norm of each result: the sums of all steps, whose errors the next ones carry on."""
    needs = cost(scan.case)
    eps = agree.rounding(np.float32, backend, products=scan.case.w is not None)
    longest = max(prod(needs.out), *needs.terms.values())
    each = scan.steps * agree.tolerance(longest, eps) + (FLIPS if scan.case.op == "max_pool" else 0)
    moved = ("x",) if direction == "forward" else learned(scan)
    return dict.fromkeys(("measured", *moved), each)


def jobs(full: ScanCase, quick: bool) -> list[Job]:
    """The forward job and the training steps'."""
    case: Case = full.case.quick() if quick else full.case
    scan = ScanCase(case, full.learned, full.steps)
    arrays = inputs(case)
    y = jax.eval_shape(rivals.op("ours", case), *(jnp.asarray(a) for a in arrays.values()))
    arrays["target"] = draw(y.shape, case.dtype, np.random.default_rng(1))
    args = tuple(jnp.asarray(a) for a in arrays.values())
    needs = cost(case)
    work, unit = (2 * needs.multiply_adds / 1e9, "GFLOP") if case.w else (needs.bytes / 1e9, "GB")
    made = []
    for direction in ("forward", "training step"):
        passes = scan.steps * (1 if direction == "forward" else 1 + len(learned(scan)))
        compiled = {name: program(rivals.op(name, case), scan, direction) for name in rivals.MODULES}
        compiled["outside"] = program(rivals.op("ours", case), scan, direction, outside=True)
        made.append(
            Job(
                suite="scan",
                case=full.case.name,
                shape_class=case.shape_class,
                direction=direction,
                args=args,
                compiled=compiled,
                tolerances=tolerances(scan, direction, jax.default_backend()),
                work=work * passes,
                unit=unit,
                bytes=needs.bytes * passes,
                numpy=NotRun("no NumPy steps"),
                description={**describe(case), "steps": scan.steps, "learned": scan.learned},
                peer={
                    "kind": "scan",
                    "case": case.to_json(),
                    "direction": direction,
                    "learned": scan.learned,
                    "steps": scan.steps,
                },
                arrays=arrays,
                error=agree.norm,
            )
        )
    return made
