"""Which lowering computes a pool, on which platform and why; and the entry that computes it."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from jaxnets.ops.kernels import measured, pool_rules_cpu
from jaxnets.ops.kernels.planning import Choice, Rule, choose
from jaxnets.ops.kernels.pool_lowerings import TABLE
from jaxnets.ops.kernels.pool_problem import PoolProblem, lowest
from jaxnets.ops.kernels.record import nested

# On other platforms nothing has been measured, and XLA's own windows are the lowering.
RULES: dict[str, tuple[Rule, ...]] = {"cpu": pool_rules_cpu.RULES}


def plan(problem: PoolProblem, platform: str) -> Choice:
    """The lowering of this problem when XLA compiles for this platform ("cpu", "cuda", "rocm" or "tpu")."""
    return choose(problem, TABLE, RULES.get(platform, ()), measured.lookup(problem, platform))


def compute(problem: PoolProblem, *operands_and_platform: Any) -> jax.Array:
    """The result of the problem for its operands, by the lowering planned for the platform, the last argument."""
    *operands, platform = operands_and_platform
    if problem.empty:
        nothing = lowest(problem.dtype, problem.kind) if problem.selects and problem.form == "value" else 0
        return jnp.full(problem.result, problem.taps if problem.form == "tap" else nothing, problem.result_dtype)
    choice = plan(problem, platform)
    with nested(problem, choice):
        return TABLE[choice.lowering].run(problem, *operands)
