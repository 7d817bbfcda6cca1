"""The rivals in this process, modules with the signatures of `jaxnets.ops`, and how each calls the op of a case."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks import naive, plain
from benchmarks.cases import Case
from jaxnets import ops, reference

RIVALS = {"numpy": "NumPy", "naive": "naive jit", "lax": "plain lax", "ours": "ours"}
MODULES: dict[str, ModuleType] = {"naive": naive, "lax": plain, "ours": ops}
GRADIENTS = ("dx", "dw")


def op(rival: str, case: Case) -> Callable[..., Any]:
    """The op of a case by one of `MODULES`: (x) or (x, w) → y, jax arrays as the case's form has them."""
    module = MODULES[rival]
    call, options = getattr(module, case.op), dict(case.options)
    first = case.form == "channels first"
    if first and rival == "lax":
        options["first"] = True

    def run(*arrays: jax.Array) -> jax.Array:
        if first and rival != "lax":
            return jnp.moveaxis(call(jnp.moveaxis(arrays[0], 1, -1), *arrays[1:], **options), -1, 1)
        return call(*arrays, **options)

    def wide(*arrays: jax.Array) -> jax.Array:  # the definition adds half precision up in float32
        return run(*(a.astype(jnp.float32) for a in arrays)).astype(case.dtype)

    one = wide if rival == "naive" and case.dtype == "bfloat16" else run
    if case.form == "batched":
        return jax.vmap(one)
    return jax.vmap(one, (None, 0)) if case.form == "shared x" else one


def both(forward: Callable[..., Any]) -> Callable[..., Any]:
    """The forward pass and the gradients in every array for the last argument, dy."""

    def run(*args: Any) -> Any:
        y, pullback = jax.vjp(forward, *args[:-1])
        return {"y": y} | dict(zip(GRADIENTS, pullback(args[-1]), strict=False))

    return run


def numpy(case: Case, arrays: list[np.ndarray], dy: np.ndarray | None = None) -> dict[str, np.ndarray]:
    """The op of a case by the loops of `jaxnets.reference`, and if dy is given its gradients."""
    first, options = case.form == "channels first", dict(case.options)

    def last(a: np.ndarray) -> np.ndarray:
        return np.moveaxis(a, 1, -1) if first else a

    def one(*given: np.ndarray) -> dict[str, np.ndarray]:
        x, *w = given[: len(arrays)]
        out = {"y": getattr(reference, case.op)(last(x), *w, **options)}
        if dy is not None:
            gradients = getattr(reference, f"{case.op}_backward")(last(given[-1]), last(x), *w, **options)
            gradients = gradients[: len(arrays)] if isinstance(gradients, tuple) else (gradients,)  # a bias is not here
            out |= dict(zip(GRADIENTS, gradients, strict=False))
        return {name: np.moveaxis(a, -1, 1) if first and name != "dw" else a for name, a in out.items()}

    given = [*arrays, *(() if dy is None else (dy,))]
    if case.form not in ("batched", "shared x"):
        return one(*given)
    each = [
        one(*(a if i == 0 and case.form == "shared x" else a[m] for i, a in enumerate(given)))
        for m in range(len(arrays[1]))
    ]
    together = {name: np.stack([result[name] for result in each]) for name in each[0]}
    if case.form == "shared x" and dy is not None:
        together["dx"] = together["dx"].sum(0)
    return together
