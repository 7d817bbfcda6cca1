"""The primitives whose lowerings are planned, as one looks at them from outside: to list, to name, to measure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax

from jaxnets.ops.kernels import family, lowerings, planner, pool_family, pool_lowerings, pool_planner
from jaxnets.ops.kernels.planning import Choice, Table
from jaxnets.ops.kernels.pool_problem import PoolProblem
from jaxnets.ops.kernels.problem import Problem


class Family(NamedTuple):
    """A primitive: what problem its operands and parameters pose, who plans it, who computes it, and by what."""

    primitive: str
    problem: type
    pose: Callable[..., Any]
    plan: Callable[[Any, str], Choice]
    compute: Callable[..., jax.Array]
    table: Table


def _convolution(a: Any, b: Any, **how: Any) -> Problem:
    return Problem.of(a=a, b=b, **how)


FAMILIES = (
    Family(family.conv_p.name, Problem, _convolution, planner.plan, planner.compute, lowerings.TABLE),
    Family(
        pool_family.pool_p.name,
        PoolProblem,
        pool_family.pose,
        pool_planner.plan,
        pool_planner.compute,
        pool_lowerings.TABLE,
    ),
)


def of(problem: Any) -> Family:
    """The family of a problem."""
    return next(each for each in FAMILIES if isinstance(problem, each.problem))


def names() -> list[str]:
    """Every lowering there is, `lax` first."""
    return list(dict.fromkeys(name for each in FAMILIES for name in each.table))


def candidates(problem: Any, platform: str = "cpu") -> list[str]:
    """The lowerings that can compute a problem: those that it gets when it asks for them."""
    own = of(problem)
    return [name for name in own.table if own.plan(problem.but(lowering=name), platform).lowering == name]
