"""The convolution primitive: the three members of one trilinear form as one operation that JAX can transform.

Each is bilinear and transposes to the other two, so `grad`, `jvp`, `hessian` and the like stay inside the family;
`vmap` merges a batched operand into the batch, the filters or the channels, and two into copies. What computes a member
is chosen when XLA lowers it, where the platform is known: `planner.compute`.
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
from jaxnets.ops.kernels import planner
from jaxnets.ops.kernels.alone import held
from jaxnets.ops.kernels.planning import LAX
from jaxnets.ops.kernels.problem import Member, Problem

conv_p = Primitive("jaxnets_conv")


def bind(
    member: Member,
    a: jax.Array,
    b: jax.Array,
    window: Window,
    groups: int,
    *,
    precision: Any = None,
    lowering: str | None = None,
    copies: int = 0,
) -> jax.Array:
    """One member of the family on its two operands: (x, w), (y, w) or (x, y), of one dtype, which the result has."""
    a, b = compat.alike(a, b)
    return conv_p.bind(
        a, b, member=member, window=window, groups=groups, precision=precision, lowering=lowering, copies=copies
    )


def _abstract(a: Any, b: Any, *, copies: int, **how: Any) -> Any:
    problem = Problem.of(a=a, b=b, copies=copies, **how)
    lead = (copies,) if copies else ()
    given = tuple((*lead, *shape) for shape in problem.operands)
    if given != (a.shape, b.shape) or a.dtype != b.dtype:
        raise ValueError(
            f"{conv_p.name}: {problem.member} takes operands of shapes {given} and one dtype, not {a.shape} {a.dtype} "
            f"and {b.shape} {b.dtype}"
        )
    return compat.aval_like((a, b), (*lead, *problem.result), a.dtype)


conv_p.def_abstract_eval(_abstract)


@conv_p.def_impl
def _eager(a: jax.Array, b: jax.Array, **how: Any) -> jax.Array:
    return _compiled(a, b, **how)


@partial(jax.jit, static_argnames=("member", "window", "groups", "precision", "lowering", "copies"))
def _compiled(a: jax.Array, b: jax.Array, **how: Any) -> jax.Array:
    return conv_p.bind(a, b, **how)


# The derivative: which member gives the cotangent of the first operand, and of the second, from which operands.


def _of_first(ct: jax.Array, a: Any, b: jax.Array, *, member: Member, **how: Any) -> jax.Array:
    if member == "forward":
        return bind("input_gradient", ct, b, **how)  # x of y and w
    if member == "input_gradient":
        return bind("forward", ct, b, **how)  # y of x and w
    return bind("input_gradient", b, ct, **how)  # x of y and w


def _of_second(ct: jax.Array, a: jax.Array, b: Any, *, member: Member, **how: Any) -> jax.Array:
    if member == "forward":
        return bind("weight_gradient", a, ct, **how)  # w of x and y
    if member == "input_gradient":
        return bind("weight_gradient", ct, a, **how)  # w of x and y
    return bind("forward", a, ct, **how)  # y of x and w


ad.defbilinear(conv_p, _of_first, _of_second)


# Batching. `x` and `y` merge a batch axis with N; a kernel's merges with its filters where x is shared, and with its
# channels where y is; with both operands batched there are as many copies of the problem.


def _merged(array: jax.Array, source: int, axis: int, groups: int = 1) -> jax.Array:
    """`array` with its batch axis `source` merged into `axis` (counted without it): within each group the batch runs
    slower."""
    front = jnp.moveaxis(array, source, 0)
    size, *shape = front.shape
    parted = front.reshape(size, *shape[:axis], groups, shape[axis] // groups, *shape[axis + 1 :])
    return jnp.moveaxis(parted, 0, axis + 1).reshape(*shape[:axis], size * shape[axis], *shape[axis + 1 :])


def _parted(array: jax.Array, axis: int, size: int, groups: int = 1) -> jax.Array:
    """The inverse: the batch axis in front again."""
    shape = array.shape
    parted = array.reshape(*shape[:axis], groups, size, shape[axis] // (groups * size), *shape[axis + 1 :])
    return jnp.moveaxis(parted, axis + 1, 0).reshape(size, *shape[:axis], shape[axis] // size, *shape[axis + 1 :])


def _no_results(operands: Any, dims: Any, *, copies: int, **how: Any) -> jax.Array:
    """The result of a batch of none: 0 copies would mean that there is no axis of them."""
    pairs = zip(operands, dims, strict=True)
    shapes = [v.shape if at is None else v.shape[:at] + v.shape[at + 1 :] for v, at in pairs]
    a, b = (jax.ShapeDtypeStruct(shape, operands[0].dtype) for shape in shapes)
    lead = (copies,) if copies else ()
    return jnp.zeros((0, *lead, *Problem.of(a=a, b=b, copies=copies, **how).result), a.dtype)


def _batch(operands: Any, dims: Any, *, member: Member, copies: int, **how: Any) -> Any:
    (a, b), (at_a, at_b) = operands, dims
    if any(at is not None and v.shape[at] == 0 for v, at in zip(operands, dims, strict=True)):
        return _no_results(operands, dims, member=member, copies=copies, **how), 0
    if at_a is not None and at_b is not None:
        size = a.shape[at_a]
        if not copies:
            return bind(member, jnp.moveaxis(a, at_a, 0), jnp.moveaxis(b, at_b, 0), copies=size, **how), 0
        made = bind(member, _merged(a, at_a, 0), _merged(b, at_b, 0), copies=size * copies, **how)
        return _parted(made, 0, size), 0

    groups, n = how["groups"], int(bool(copies))  # n is where the axis N is
    if at_a is not None:
        size, last = a.shape[at_a], b.ndim - 1
        if member != "weight_gradient":
            return _parted(bind(member, _merged(a, at_a, n), b, copies=copies, **how), n, size), 0
        made = bind(member, _merged(a, at_a, last, groups), b, copies=copies, **how)
        return _parted(made, last - 1, size), 0
    size, last = b.shape[at_b], a.ndim - 1
    if member == "input_gradient":  # the channels of a kernel are those of one group
        made = bind(member, a, _merged(b, at_b, last - 1), copies=copies, **how)
    else:
        made = bind(member, a, _merged(b, at_b, last, groups), copies=copies, **how)
    return _parted(made, last, size, groups), 0


batching.primitive_batchers[conv_p] = _batch


def _lowered(platform: str) -> Any:
    def program(a: jax.Array, b: jax.Array, **how: Any) -> jax.Array:
        problem = Problem.of(a=a, b=b, **how)
        # What XLA's own convolution reads is in memory anyway, as what a library reads is.
        if platform == "cpu" and not problem.empty and planner.plan(problem, platform).lowering != LAX:
            a = held(a)
            if problem.member == "weight_gradient":  # otherwise b is a kernel
                b = held(b)
        return planner.compute(problem, a, b, platform)

    return mlir.lower_fun(program, multiple_results=False)


mlir.register_lowering(conv_p, _lowered("other"))
for _platform in planner.PLATFORMS:
    mlir.register_lowering(conv_p, _lowered(_platform), platform=_platform)
