"""What jaxnets needs of JAX beyond its documented API, all in one place, so that a new JAX breaks one file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from jax.extend import core as jex_core


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
