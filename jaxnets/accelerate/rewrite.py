"""A traced program with every convolution and window of lax's replaced by ours, wherever in it they stand.

Equations are replaced one for one; all others stay as they were traced, with their order, effects, named scopes and
parameters. Programs inside equations are rewritten in place, so that a `scan` stays a scan, and a `jit` keeps its name,
donation and shardings.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from weakref import WeakKeyDictionary

import jax
from jax import lax
from jax.extend.core import primitives

from jaxnets import compat
from jaxnets.ops.kernels import from_lax, switch, windows_from_lax
from jaxnets.ops.kernels.family import conv_p
from jaxnets.ops.kernels.planning import LAX

Function = Callable[..., jax.Array]

# The programs rewritten so far, by the lowering asked for; None where there was nothing to replace. A function that is
# called in many places, or by many programs, stays one function.
_done: dict[str | None, WeakKeyDictionary[Any, Any]] = {}


def rewritten(jaxpr: Any) -> Any:
    """The jaxpr, open or closed, with our kernels: itself where it has nothing of ours, or under `lowering("lax")`."""
    asked = switch.asked()
    if asked == LAX:
        return jaxpr
    done = _done.setdefault(asked, WeakKeyDictionary())
    if jaxpr not in done:
        equations = _equations(jaxpr)
        same = len(equations) == len(jaxpr.eqns) and all(map(_is, equations, jaxpr.eqns))
        done[jaxpr] = None if same else compat.with_equations(jaxpr, equations)
    result = done[jaxpr]
    return jaxpr if result is None else result


def _is(a: Any, b: Any) -> bool:
    return a is b


def _equations(jaxpr: Any) -> list[Any]:
    """What stands in the place of the equations of a jaxpr."""
    pads = {each.outvars[0]: each for each in jaxpr.eqns if each.primitive is primitives.pad_p}
    equations: list[Any] = []
    taken: set[Any] = set()  # paddings that have become part of another equation
    for equation in jaxpr.eqns:
        merged = _merged(equation, pads)
        if merged is not None:
            taken.add(equation.invars[0])
        equations += _equation(equation) if merged is None else merged
    if taken:
        taken -= {v for each in equations for v in each.invars if not compat.is_literal(v)}
        taken -= {v for v in jaxpr.outvars if not compat.is_literal(v)}
    return [each for each in equations if not taken.intersection(each.outvars)]


def _merged(equation: Any, pads: dict[Any, Any]) -> Sequence[Any] | None:
    """A sum over windows and the padding before it, in one: as JAX writes the gradient of such a sum."""
    if equation.primitive is not primitives.reduce_window_sum_p or compat.is_literal(equation.invars[0]):
        return None
    pad = pads.get(equation.invars[0])
    if pad is None or not compat.is_literal(pad.invars[1]) or pad.invars[1].val != 0:
        return None
    dy, (result,) = pad.invars[0], equation.outvars
    if compat.is_explicitly_sharded(dy.aval) or compat.unused(equation):
        return None
    padding = pad.params["padding_config"]
    function = windows_from_lax.padded_total(dy.aval, padding, result.aval, equation.params)
    return function and compat.in_place_of(equation.replace(invars=[dy]), function)


def _equation(equation: Any) -> Sequence[Any]:
    """What stands in an equation's place: the equation itself where it is none of ours and calls none."""
    function = replacement(equation)
    if function is not None:
        if compat.unused(equation):
            return ()
        ours = compat.in_place_of(equation, function)
        return [equation] if ours is None else ours

    with compat.inside(equation):
        params = {name: compat.with_jaxprs(value, rewritten) for name, value in equation.params.items()}
    if "jvp_jaxpr_fun" in params or ("bwd" in params and "call_jaxpr" in params):
        params = compat.with_rules(params, rewritten, _rule)
    elif all(map(_is, params.values(), equation.params.values())):
        return [equation]
    elif params.get("policy") is not None and equation.primitive is primitives.remat_p:
        params["policy"] = Policy(params["policy"])
    return [equation.replace(params=params)]


def replacement(equation: Any) -> Function | None:
    """The function of an equation's operands that does the same by our kernels, None where that is left to XLA."""
    name, params = equation.primitive.name, equation.params
    operands = [v.aval for v in equation.invars]
    if name not in _REPLACED or any(map(compat.is_explicitly_sharded, operands)):
        return None
    if name == "reduce_window":
        if len(operands) != 2:
            return None
        start = equation.invars[1]
        return windows_from_lax.general(operands[0], start.val if compat.is_literal(start) else None, params)
    return _REPLACED[name](*operands, params)


_REPLACED: dict[str, Callable[..., Function | None]] = {
    "conv_general_dilated": from_lax.convolution,
    "reduce_window_max": lambda x, params: windows_from_lax.extremum(x, params, "max"),
    "reduce_window_min": lambda x, params: windows_from_lax.extremum(x, params, "min"),
    "reduce_window_sum": windows_from_lax.total,
    "reduce_window": windows_from_lax.general,
    "select_and_scatter_add": windows_from_lax.spread,
    "select_and_gather_add": windows_from_lax.pick,
}


class Policy:
    """A rematerialization policy that is asked of our convolutions what it says of lax's."""

    def __init__(self, policy: Callable[..., Any]):
        self.policy = policy

    def __call__(self, primitive: Any, *avals: Any, **params: Any) -> Any:
        return self.policy(lax.conv_general_dilated_p if primitive is conv_p else primitive, *avals, **params)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Policy) and self.policy == other.policy

    def __hash__(self) -> int:
        return hash((Policy, self.policy))


def _rule(rule: Callable[..., Any]) -> Callable[..., Any]:
    """A backward rule, which JAX calls when it transposes, with our kernels."""

    def ours(*arguments: Any) -> Any:
        leaves, tree = jax.tree.flatten((arguments, {}))
        return Program.of(rule, tree, leaves).run(leaves)

    return ours


class Program:
    """A function traced for arguments of one kind, and rewritten: arrays are its inputs, all else is part of it."""

    def __init__(self, jaxpr: Any, consts: list[Any], arrays: Sequence[bool], rebuild: Callable[[list[Any]], Any]):
        self.jaxpr, self.consts, self.arrays, self.rebuild = jaxpr, consts, arrays, rebuild

    @classmethod
    def of(cls, fn: Callable[..., Any], tree: Any, leaves: Sequence[Any]) -> Program:
        """Trace `fn` at arguments `(args, kwargs)`, flattened."""
        arrays = [compat.is_array(leaf) for leaf in leaves]
        rebuild: Callable[[list[Any]], Any] | None = None

        def flat(*traced: Any) -> list[Any]:
            nonlocal rebuild
            args, kwargs = jax.tree.unflatten(tree, _filled(traced, leaves, arrays))
            outputs, rebuild = _parted(fn(*args, **kwargs))
            return outputs

        args, kwargs = jax.tree.unflatten(tree, leaves)
        info = compat.call_info(fn, args, kwargs, arrays)
        jaxpr, consts = compat.trace(flat, [compat.aval_of(leaf) for leaf in _kept(leaves, arrays)], info)
        assert rebuild is not None
        return cls(rewritten(jaxpr), consts, arrays, rebuild)

    @property
    def lasts(self) -> bool:
        """Whether it can be run again: it holds no value of a transformation in progress."""
        return not any(map(compat.is_tracer, self.consts))

    def run(self, leaves: Sequence[Any]) -> Any:
        """The result for arguments of the same structure, flattened."""
        return self.rebuild(compat.evaluate(self.jaxpr, self.consts, _kept(leaves, self.arrays)))


def _kept(leaves: Sequence[Any], arrays: Sequence[bool]) -> list[Any]:
    return [leaf for leaf, array in zip(leaves, arrays, strict=True) if array]


def _filled(values: Sequence[Any], leaves: Sequence[Any], arrays: Sequence[bool]) -> list[Any]:
    """The leaves, with these values in place of the arrays."""
    given = iter(values)
    return [next(given) if array else leaf for leaf, array in zip(leaves, arrays, strict=True)]


def _parted(result: Any) -> tuple[list[Any], Callable[[list[Any]], Any]]:
    """The arrays of a result, and the function that puts arrays in their place again."""
    leaves, tree = jax.tree.flatten(result)
    arrays = [compat.is_array(leaf) for leaf in leaves]
    rest = [None if array else leaf for leaf, array in zip(leaves, arrays, strict=True)]

    def rebuild(outputs: list[Any]) -> Any:
        return jax.tree.unflatten(tree, _filled(outputs, rest, arrays))

    return _kept(leaves, arrays), rebuild
