"""One row of an explanation: a convolution or a pool, ours or plain `lax`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import prod
from typing import Any

from jaxnets.ops.kernels.record import Plan

Ints = tuple[int, ...]

FOREIGN = "lax (not accelerated)"


@dataclass(frozen=True)
class Row:
    """One convolution or pool of a program.

    Attributes:
        path: the named scopes it was traced in.
        member: what is computed, as "forward", "input gradient", "max pool".
        operands, result: shapes, a leading axis of copies included.
        dtype: of the result.
        window: size, stride, dilation, groups and copies, the usual ones left out.
        times: how often it runs: the lengths of the scans around it.
        lowering: what computes it, and what that rests on.
        rule: why.
        multiply_adds: of all times together; products with padding counted. 0 for a maximum.
        comparisons: likewise of a maximum or minimum, and the additions of a sum of elements.
        bytes: what is read and written at the least, of all times together.
        plan: the problem, the choice and the plans inside; None for plain `lax`.
    """

    path: str
    member: str
    operands: tuple[tuple[int, ...], ...]
    result: tuple[int, ...]
    dtype: str
    window: str
    times: int
    lowering: str
    rule: str
    multiply_adds: int
    comparisons: int
    bytes: int
    plan: Plan | None = None

    @property
    def ours(self) -> bool:
        """Whether it is jaxnets' own, rather than plain `lax` in somebody else's layer."""
        return self.plan is not None

    @property
    def shapes(self) -> str:
        """Operands and result, as "1x8x8x4, 1x1x4x6 → 1x8x8x6"."""
        return f"{', '.join(map(by, self.operands))} → {by(self.result)}"

    @property
    def arithmetic(self) -> int:
        """Multiply-adds or comparisons, whichever it has."""
        return self.multiply_adds or self.comparisons

    @property
    def intensity(self) -> float:
        """Arithmetic per byte."""
        return self.arithmetic / max(self.bytes, 1)


def by(shape: tuple[int, ...]) -> str:
    """A shape as "8x56x56x144".

    >>> by((8, 56, 56, 144)), by(())
    ('8x56x56x144', 'scalar')
    """
    return "x".join(map(str, shape)) or "scalar"


def window_words(size: Ints, stride: Ints, dilation: Ints, groups: int = 1, copies: int = 0) -> str:
    """A window without what is usual.

    >>> window_words((3, 3), (2, 2), (1, 1), groups=144)
    '3x3 stride 2 groups 144'
    """
    words = [by(size)]
    for name, value in (("stride", stride), ("dilation", dilation)):
        if set(value) != {1}:
            words.append(f"{name} {value[0] if len(set(value)) == 1 else by(value)}")
    words += [f"groups {groups}"] * (groups > 1) + [f"copies {copies}"] * (copies > 0)
    return " ".join(words)


_WRAPPED = re.compile(r"\b(?:jvp|transpose|vmap|jit|pjit|remat|checkpoint|shard_map)\(([^()]*)\)")


def clean(path: str) -> str:
    """A path of named scopes as the layers have it, without what transformations write around it.

    >>> clean("transpose(jvp(stem))/conv"), clean("transpose(jvp(head))/jvp(head)/conv"), clean("jvp()/a")
    ('stem/conv', 'head/conv', 'a')
    """
    parts: list[str] = []
    backward = None  # where what a transposition wraps begins: what is computed once more repeats its name
    for part in re.split(r"/(?![^()]*\))", path):
        bare = part
        while bare != (bare := _WRAPPED.sub(r"\1", bare)):
            pass
        if part.startswith("transpose("):
            backward = len(parts)
        elif backward is not None and part.startswith("jvp(") and parts[backward : backward + 1] == [bare]:
            del parts[backward:]
        parts.append(bare)
    return "/".join(part for part in parts if part)


def own(path: str, plan: Plan, times: int) -> Row:
    """The row of a problem of ours, run so many times."""
    problem, window = plan.problem, plan.problem.window
    lead = (problem.copies,) * bool(problem.copies)
    return Row(
        path,
        problem.member.replace("_", " "),
        tuple((*lead, *shape) for shape in problem.operands),
        (*lead, *problem.result),
        str(problem.dtype),
        window_words(window.size, window.stride, window.dilation, getattr(problem, "groups", 1), problem.copies),
        times,
        str(plan),
        plan.choice.rule,
        times * getattr(problem, "multiply_adds", 0),
        times * getattr(problem, "comparisons", 0),
        times * problem.bytes,
        plan,
    )


_FOREIGN = {
    "conv_general_dilated": "convolution",
    "reduce_window": "pool",
    "reduce_window_sum": "sum pool",
    "reduce_window_max": "max pool",
    "reduce_window_min": "min pool",
    "select_and_scatter_add": "max pool gradient",
    "select_and_gather_add": "max pool derivative",
}


def foreign(path: str, equation: Any, times: int) -> Row | None:
    """The row of a convolution or pool of plain `lax`; None for any other equation."""
    member = _FOREIGN.get(equation.primitive.name)
    if member is None:
        return None
    operands = [v.aval for v in equation.invars if v.aval.shape]  # without a reduction's initial value
    out = equation.outvars[0].aval
    cost, window = (_convolution if member == "convolution" else _pool)(equation.params, operands, out)
    return Row(
        path,
        member,
        tuple(aval.shape for aval in operands),
        out.shape,
        str(out.dtype),
        window,
        times,
        FOREIGN,
        "plain lax: see jaxnets.accelerate",
        times * cost * (member == "convolution"),
        times * cost * (member != "convolution"),
        times * sum(aval.size * aval.dtype.itemsize for aval in (*operands, *(v.aval for v in equation.outvars))),
    )


def _convolution(params: Any, operands: Any, out: Any) -> tuple[int, str]:
    """Multiply-adds and window of `lax.conv_general_dilated`."""
    lhs, rhs = operands
    filters, per_group, *size = (rhs.shape[axis] for axis in params["dimension_numbers"].rhs_spec)
    groups = params["feature_group_count"]
    cost = out.size * prod(size) * per_group
    if max(params["lhs_dilation"], default=1) > 1:  # transposed: every input meets every tap once
        cost = lhs.size * prod(size) * (filters // groups)
    groups = max(groups, params["batch_group_count"])
    return cost, window_words(tuple(size), params["window_strides"], params["rhs_dilation"], groups)


def _pool(params: Any, operands: Any, out: Any) -> tuple[int, str]:
    """Comparisons (or additions) and window of one of `lax`'s reductions over windows, or of a gradient of it."""
    size, stride = params["window_dimensions"], params["window_strides"]
    dilation = params.get("window_dilation") or (1,) * len(size)
    windows = min((each.size for each in (*operands, out)), default=0)
    spatial = [axis for axis, each in enumerate(zip(size, stride, dilation, strict=True)) if set(each) != {1}] or [0]
    kept = slice(spatial[0], spatial[-1] + 1)  # without batch and channels
    return windows * prod(size), window_words(size[kept], stride[kept], dilation[kept])
