"""The pooling primitive: the forms of an extremum and of a sum over windows as one operation that JAX can transform.

An extremum's derivative picks from the tangent, and the transpose of that spreads, so that `grad`, `jvp`, `hessian` and
the like stay inside the family; a sum is linear, and its transpose spreads. `vmap` merges the batch into N. What
computes a form is chosen when XLA lowers it, where the platform is known: `pool_planner.compute`.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

from jaxnets import compat
from jaxnets.ops.geometry import Window
from jaxnets.ops.kernels import pool_planner
from jaxnets.ops.kernels.planner import PLATFORMS
from jaxnets.ops.kernels.pool_problem import EXTREMA, Form, Kind, PoolProblem

pool_p = Primitive("jaxnets_pool")


def bind(form: Form, kind: Kind, *operands: jax.Array, window: Window, lowering: str | None = None) -> jax.Array:
    """One form of a pool of its operands: (x), (dy), (x, tap, t) or (x, tap, dy)."""
    return pool_p.bind(*compat.alike(*operands), form=form, kind=kind, window=window, lowering=lowering)


def pose(*operands: Any, **how: Any) -> PoolProblem:
    """The problem that operands, anything with a shape and a dtype, and the primitive's parameters pose."""
    return PoolProblem.of(last=operands[-1], **how)


def _abstract(*operands: Any, **how: Any) -> Any:
    problem = pose(*operands, **how)
    given = tuple((each.shape, each.dtype) for each in operands)
    wanted = tuple(zip(problem.operands, problem.operand_dtypes, strict=True))
    if given != wanted:
        raise ValueError(f"{pool_p.name}: {problem.member} takes operands {wanted}, not {given}")
    return compat.aval_like(operands, problem.result, problem.result_dtype)


pool_p.def_abstract_eval(_abstract)


@pool_p.def_impl
def _eager(*operands: jax.Array, **how: Any) -> jax.Array:
    return _compiled(*operands, **how)


@partial(jax.jit, static_argnames=("form", "kind", "window", "lowering"))
def _compiled(*operands: jax.Array, **how: Any) -> jax.Array:
    return pool_p.bind(*operands, **how)


def _derivative(primals: Any, tangents: Any, *, form: Form, kind: Kind, **how: Any) -> Any:
    """Linear in the last operand; of an extremum the derivative picks, and of a tap there is none."""
    result, tangent = bind(form, kind, *primals, **how), tangents[-1]
    if form == "tap" or isinstance(tangent, ad.Zero):
        return result, ad.Zero(jax.typeof(result).to_tangent_aval())
    if form == "value" and kind in EXTREMA:
        (x,) = primals
        return result, bind("pick", kind, x, bind("tap", kind, x, **how), tangent, **how)
    return result, bind(form, kind, *primals[:-1], tangent, **how)


_ADJOINT: dict[Form, Form] = {"value": "spread", "pick": "spread", "spread": "pick"}


def _transposed(cotangent: Any, *operands: Any, form: Form, kind: Kind, **how: Any) -> Any:
    *known, linear = operands
    if isinstance(cotangent, ad.Zero):
        return [*(None for _ in known), ad.Zero(linear.aval)]
    adjoint = _ADJOINT[form] if kind in EXTREMA or form == "value" else "value"
    return [*(None for _ in known), bind(adjoint, kind, *known, cotangent, **how)]


ad.primitive_jvps[pool_p] = _derivative
ad.primitive_transposes[pool_p] = _transposed


def _batched(operands: Any, axes: Any, **how: Any) -> Any:
    """The batch merged into N, what is not batched repeated."""
    size = next(each.shape[axis] for each, axis in zip(operands, axes, strict=True) if axis is not None)

    def merged(operand: jax.Array, axis: int | None) -> jax.Array:
        if axis is None:
            operand, axis = jnp.broadcast_to(operand, (size, *operand.shape)), 0
        operand = jnp.moveaxis(operand, axis, 0)
        return operand.reshape(size * operand.shape[1], *operand.shape[2:])

    result = bind(how.pop("form"), how.pop("kind"), *map(merged, operands, axes), **how)
    return result.reshape(size, result.shape[0] // size, *result.shape[1:]), 0


batching.primitive_batchers[pool_p] = _batched


def _lowered(platform: str) -> Any:
    def program(*operands: jax.Array, **how: Any) -> jax.Array:
        return pool_planner.compute(pose(*operands, **how), *operands, platform)

    return mlir.lower_fun(program, multiple_results=False)


mlir.register_lowering(pool_p, _lowered("other"))
for _platform in PLATFORMS:
    mlir.register_lowering(pool_p, _lowered(_platform), platform=_platform)
