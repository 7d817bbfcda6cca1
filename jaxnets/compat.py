"""What jaxnets needs of JAX beyond its documented API, all in one place, so that a new JAX breaks one file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
from jax._src import api_util, config, core
from jax._src.interpreters import partial_eval
from jax.extend import core as jex_core
from jax.extend import linear_util
from jax.sharding import PartitionSpec


def inner_jaxprs(equation: Any) -> list[Any]:
    """The jaxprs an equation calls: those of `jit`, `scan`, `cond`, `while`, `checkpoint` and custom derivatives.

    Their last outputs are the equation's, in order. The scalar programs of reductions and scatters do not count.
    """
    if equation.primitive.name.startswith(("reduce", "scatter", "select_and", "sort", "arg")):
        return []
    return [getattr(each, "jaxpr", each) for each in jex_core.jaxprs_in_params(equation.params)]


def equations(jaxpr: Any, path: str = "", times: int = 1) -> Iterator[tuple[str, Any, int]]:
    """Every equation of a jaxpr, in program order, a call after the equations of what it calls.

    Each comes with its path, the named scopes it was traced in joined by "/", and how many times it runs: the
    lengths of the scans around it. Of a `cond` every branch is listed, of a `while` loop one turn.
    """
    for equation in jaxpr.eqns:
        here = "/".join(part for part in (path, str(equation.source_info.name_stack)) if part)
        turns = times * equation.params["length"] if equation.primitive.name == "scan" else times
        for each in inner_jaxprs(equation):
            yield from equations(each, here, turns)
        yield here, equation, times


def is_literal(variable: Any) -> bool:
    """Whether what stands in a jaxpr is a constant written out, rather than a variable."""
    return isinstance(variable, jex_core.Literal)


def alike(*arrays: Any) -> tuple[Any, ...]:
    """Operands of one primitive, brought to the same mesh and the same varying axes of a `jax.shard_map`."""
    return tuple(core.auto_insert_reshard(*arrays))


def aval_like(operands: Any, shape: tuple[int, ...], dtype: Any) -> Any:
    """The abstract value of a result of this shape and dtype, on the mesh of the operands, varying as they do."""
    core.standard_vma_rule("jaxnets", *operands)
    first = operands[0]
    sharding = first.sharding.update(spec=PartitionSpec(*(None,) * len(shape)))
    return first.update(shape=shape, dtype=dtype, weak_type=False, sharding=sharding)


def aval_along(operand: Any, axis: int, size: int) -> Any:
    """The abstract value of a result that differs from the operand in the size of one axis, which no mesh splits."""
    spec = list(operand.sharding.spec)
    spec[axis] = None
    shape = (*operand.shape[:axis], size, *operand.shape[axis + 1 :])
    return operand.update(shape=shape, weak_type=False, sharding=operand.sharding.update(spec=PartitionSpec(*spec)))


# Tracing a function, and evaluating what came of it: what `jaxnets.accelerate` stands on.


def is_array(leaf: Any) -> bool:
    """Whether JAX traces this as an array: not Python's own numbers, which a function may compare and branch on."""
    if isinstance(leaf, np.generic):  # np.float64 is a Python float too
        return core.valid_jaxtype(leaf)
    return not isinstance(leaf, (bool, int, float, complex)) and core.valid_jaxtype(leaf)


def aval_of(array: Any) -> Any:
    """The abstract value of an array: shape, dtype, weak type, sharding and varying axes. Hashable."""
    return core.shaped_abstractify(array)


def context() -> Any:
    """Everything beside its arguments that the trace of a function depends on: configuration, meshes, named axes."""
    return config.trace_context()


def is_tracer(value: Any) -> bool:
    """Whether this value belongs to a transformation in progress."""
    return isinstance(value, core.Tracer)


def call_info(fn: Callable[..., Any], args: Any, kwargs: Any, arrays: Sequence[bool]) -> Any:
    """The names by which errors call the arguments of `fn`, of those leaves alone that are arrays."""
    info = api_util.debug_info("jaxnets.accelerate", fn, args, kwargs)
    if info.arg_names is None:
        return info
    return info._replace(arg_names=tuple(n for n, keep in zip(info.arg_names, arrays, strict=True) if keep))


def trace(fn: Callable[..., Sequence[Any]], avals: Sequence[Any], info: Any = None) -> tuple[Any, list[Any]]:
    """The jaxpr of a function from arrays to a list of arrays, and its constants: arrays and outer tracers."""
    info = info or api_util.debug_info("jaxnets", fn, tuple(avals), {})
    jaxpr, _, consts = partial_eval.trace_to_jaxpr_dynamic(linear_util.wrap_init(fn, debug_info=info), list(avals))
    return jaxpr, list(consts)


def evaluate(jaxpr: Any, consts: Sequence[Any], arguments: Sequence[Any]) -> list[Any]:
    """The outputs of a jaxpr, equation by equation: computed, or traced where an argument is."""
    return core.eval_jaxpr(jaxpr, list(consts), *arguments)


# Rewriting equations.


def with_equations(jaxpr: Any, equations: Sequence[Any]) -> Any:
    """The same jaxpr, open or closed, with other equations for the same variables."""
    inner = jaxpr.jaxpr if isinstance(jaxpr, jex_core.ClosedJaxpr) else jaxpr
    new = inner.replace(eqns=list(equations))
    return new if inner is jaxpr else jaxpr.replace(jaxpr=new)  # jax 0.12 has one class for both


def with_jaxprs(parameter: Any, change: Callable[[Any], Any]) -> Any:
    """A parameter of an equation with its jaxprs changed, in tuples and lists too; itself where there are none."""
    if isinstance(parameter, (jex_core.Jaxpr, jex_core.ClosedJaxpr)):
        return change(parameter)
    if isinstance(parameter, (tuple, list)):
        changed = [with_jaxprs(each, change) for each in parameter]
        if all(a is b for a, b in zip(changed, parameter, strict=True)):
            return parameter
        return type(parameter)(*changed) if hasattr(parameter, "_fields") else type(parameter)(changed)
    return parameter


def with_rules(
    parameters: dict[str, Any], change: Callable[[Any], Any], wrap: Callable[[Callable[..., Any]], Callable[..., Any]]
) -> dict[str, Any]:
    """The parameters of a `custom_jvp` or `custom_vjp` call, its rules changed.

    `change` gets the jaxpr of a rule that JAX traces (jvp, fwd) when that has been traced, `wrap` the function of one
    that JAX calls (bwd).
    """
    parameters = dict(parameters)
    for name in ("jvp_jaxpr_fun", "fwd_jaxpr_thunk"):
        if name in parameters:
            parameters[name] = _then(parameters[name], change)
    backward = parameters.get("bwd")
    # jax 0.12 has rules that take accumulators and must reach the transposition as they are.
    if isinstance(backward, linear_util.WrappedFun) and not hasattr(backward.f, "call_with_accums"):
        parameters["bwd"] = linear_util.wrap_init(wrap(backward.call_wrapped), debug_info=backward.debug_info)
    return parameters


def _then(thunk: Any, change: Callable[[Any], Any]) -> Any:
    def changed(*zeros: bool) -> tuple[Any, ...]:
        jaxpr, *rest = thunk.call_wrapped(*zeros)
        return (change(jaxpr), *rest)

    return linear_util.wrap_init(changed, debug_info=thunk.debug_info)


def inside(equation: Any) -> AbstractContextManager[Any]:
    """The configuration that the jaxprs an equation calls are traced in."""
    if "check_vma" in equation.params:  # of a shard_map
        return config._check_vma(equation.params["check_vma"])
    return nullcontext()


def unused(equation: Any) -> bool:
    """Whether nothing reads what the equation computes."""
    return all(isinstance(v, jex_core.DropVar) for v in equation.outvars)


def is_explicitly_sharded(aval: Any) -> bool:
    """Whether the type of an array says how it is sharded over a mesh (explicit sharding)."""
    return any(part is not None for part in aval.sharding.spec)


def in_place_of(equation: Any, function: Callable[..., Any]) -> list[Any] | None:
    """The equations of `function` of the operands, for the result of an equation of one result.

    They keep the equation's named scopes and place in the source. None where the function's result is of another type.
    """
    with equation.ctx.manager:
        jaxpr, consts = trace(lambda *operands: [function(*operands)], [v.aval for v in equation.invars])
    (result,), (wanted,) = jaxpr.outvars, equation.outvars
    made = [v for each in jaxpr.eqns for v in each.outvars]
    if result not in made or not core.typematch(result.aval, wanted.aval):
        return None
    given = [*jaxpr.constvars, *jaxpr.invars]  # jax 0.12 counts the constants among the latter
    known = dict(zip(given, [*map(_literal, consts), *equation.invars], strict=True))
    known |= {v: wanted if v is result else core.Var(v.aval) for v in made if not isinstance(v, jex_core.DropVar)}

    def own(atom: Any) -> Any:
        return atom if is_literal(atom) else known.get(atom, atom)

    return [
        each.replace(
            invars=[own(v) for v in each.invars],
            outvars=[own(v) for v in each.outvars],
            source_info=equation.source_info,
        )
        for each in jaxpr.eqns
    ]


def _literal(const: Any) -> Any:
    return jex_core.Literal(const, core.typeof(const))
