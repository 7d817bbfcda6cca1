"""`explain`: a program traced, and the convolutions and pools found in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
from jax.interpreters import partial_eval

from jaxnets import compat
from jaxnets.explain import peaks
from jaxnets.explain.rows import Row, clean, foreign, own
from jaxnets.explain.table import Explanation
from jaxnets.ops.kernels import families, measured
from jaxnets.ops.kernels.planner import PLATFORMS
from jaxnets.ops.kernels.record import Plan, recording


def explain(fn: Callable[..., Any], *args: Any, platform: str | None = None) -> Explanation:
    """Each convolution and pool in `fn(*args)`, the lowering chosen for it and the rule that chose it.

    The result prints as a table and iterates over its rows, in the order of the program. With `fn` a gradient,
    as `jax.grad(loss)`, the input and weight gradients are rows of their own. What runs inside a `scan` counts as
    often as it does, every branch of a `cond` once, and a `while` loop one turn; what nothing depends on is left out.
    Convolutions and pools that are not jaxnets' own but plain `lax`, in somebody else's layers, are listed as such.

    Arguments: `fn` any function of arrays, as a layer's `apply`, jitted or not; `args` what it is called with, arrays
    or `jax.ShapeDtypeStruct`s; wrap what is static, as in `lambda p, s, x: net.apply(p, s, x, train=True)`. `platform`
    is what XLA is to compile for, "cpu", "cuda" (or "gpu"), "rocm" or "tpu", by default this machine's.

    A row has the path of named scopes, what is computed (`member`), the shapes, the window, the lowering with those
    it rests on ("phases > matmul"), the rule, the arithmetic, the bytes that are moved at the least, and, for the
    machine at hand, the floor: the seconds that arithmetic and bytes take at this machine's measured peaks, whichever
    is more. It is an estimate, and what fits in a cache moves faster.

    Raises `ValueError` for an unknown platform and `TypeError` for what is no function. Cost: one trace, and 0.2 s,
    once, to measure the peaks. The floor is the roofline's (Williams et al., 2009,
    https://doi.org/10.1145/1498765.1498785).

    >>> import jax, jax.numpy as jnp
    >>> from jaxnets import ops
    >>> x, w = jnp.ones((1, 8, 8, 4)), jnp.ones((1, 1, 4, 6))
    >>> for row in explain(ops.conv, x, w, platform="cpu"):
    ...     print(row.member, row.shapes, row.lowering, row.multiply_adds, sep=" | ")
    forward | 1x8x8x4, 1x1x4x6 → 1x8x8x6 | matmul | 1536
    """
    if not callable(fn):
        hint = "; pass its apply" if hasattr(fn, "apply") else ""
        raise TypeError(f"explain: {type(fn).__name__} is not a function of arrays{hint}")
    here = measured.this_platform()
    platform = here if platform is None else {"gpu": "cuda"}.get(platform, platform)
    if platform not in {*PLATFORMS, here}:
        raise ValueError(f"explain: platform is {platform!r}; use one of {', '.join(map(repr, PLATFORMS))}")

    plans: dict[Any, Plan] = {}
    rows: list[Row] = []
    poses = {each.primitive: each.pose for each in families.FAMILIES}
    for path, equation, times in compat.equations(_traced(fn, args)):
        name, operands = equation.primitive.name, [v.aval for v in equation.invars]
        if name in poses:
            problem = poses[name](*operands, **equation.params)
            if problem not in plans:
                plans[problem] = planned(problem, platform)
            rows.append(own(clean(path), plans[problem], times))
        elif found := foreign(clean(path), equation, times):
            rows.append(found)
    ceilings = peaks.measured if platform == here else None
    return Explanation(tuple(rows), platform, ceilings)


def _traced(fn: Callable[..., Any], args: tuple[Any, ...]) -> Any:
    """The jaxpr of the call, without what nothing depends on: XLA would drop that as well."""
    if hasattr(fn, "trace") and hasattr(fn, "lower"):  # jitted, perhaps with static arguments
        closed = fn.trace(*args).jaxpr
    else:
        closed = jax.make_jaxpr(lambda *a: fn(*a))(*args)  # a fresh function each time, so that no cache answers
    jaxpr, _ = partial_eval.dce_jaxpr(closed.jaxpr, [True] * len(closed.jaxpr.outvars))
    return jaxpr


def planned(problem: Any, platform: str) -> Plan:
    """The plan of a problem with all that is planned inside it, found by tracing its computation."""
    family = families.of(problem)
    with recording() as plans:
        jax.eval_shape(lambda *operands: family.compute(problem, *operands, platform), *problem.structs())
    return plans[0] if plans else Plan(problem, family.plan(problem, platform))
