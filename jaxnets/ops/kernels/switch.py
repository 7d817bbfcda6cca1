"""Which lowering is asked for: by an argument, a context, or the environment variable JAXNETS_LOWERING. None of them,
and the planner chooses."""

from __future__ import annotations

import os
import warnings
from contextlib import AbstractContextManager
from difflib import get_close_matches
from functools import cache
from typing import Any

import jax

VARIABLE = "JAXNETS_LOWERING"

# A user context is part of the key of jit's cache: a function traced outside it is traced again inside.
_context = jax.make_user_context(None)


def _names() -> list[str]:
    from jaxnets.ops.kernels import families  # which ends in the primitives, and those ask this module

    return families.names()


def require_known(op: str, name: Any) -> str | None:
    """`name`, if it is None or a lowering's.

    Raises:
        TypeError: it is no string.
        ValueError: there is no such lowering; the message lists the nearest.
    """
    if name is None:
        return None
    if not isinstance(name, str):
        raise TypeError(f"{op}: lowering is {name!r} ({type(name).__name__}); pass a lowering's name, or None")
    if name not in _names():
        near = ", ".join(repr(each) for each in get_close_matches(name, _names(), n=3, cutoff=0))
        raise ValueError(f"{op}: there is no lowering {name!r}; the nearest are {near}")
    return name


def require_fitting(op: str, name: str | None, problem: Any) -> str | None:
    """`name`, if it is None or that of a lowering which can compute the problem; else a `ValueError` with those."""
    if require_known(op, name) is None:
        return None
    from jaxnets.ops.kernels import families

    able = families.candidates(problem)
    if name not in able:
        shapes = " and ".join(map(str, problem.operands))
        raise ValueError(
            f"{op}: lowering {name!r} cannot compute this {problem.member.replace('_', ' ')} of {shapes}; "
            f"those that can are {', '.join(map(repr, able))}"
        )
    return name


def lowering(name: str | None) -> AbstractContextManager[None]:
    """A context in which every convolution and pool uses the lowering of this name wherever it can.

    Args:
        name: a lowering's name as `jaxnets.explain` prints it; `"lax"` switches jaxnets' own off; None leaves the
            choice to the planner again. Where the named one does not fit a shape, the planner chooses.

    Raises:
        ValueError: there is no lowering of that name.

    The context counts when a program is traced, and is part of `jax.jit`'s cache key; what is traced inside keeps its
    lowerings in every gradient taken of it. The environment variable JAXNETS_LOWERING does the same for a whole
    process; the argument `lowering=` of an op goes before both.

    >>> import jax, jax.numpy as jnp
    >>> from jaxnets import ops
    >>> with lowering("lax"):
    ...     y = jax.jit(ops.conv)(jnp.ones((1, 4, 4, 1)), jnp.ones((3, 3, 1, 1)))
    >>> lowering("slicse")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ValueError: jaxnets.lowering: there is no lowering 'slicse'; the nearest are 'slices', ...
    """
    return _context(require_known("jaxnets.lowering", name) or "")


@cache
def _environment(name: str) -> str | None:
    """The lowering that the variable names, or a warning, once, and the planner."""
    try:
        return require_known(f"the environment variable {VARIABLE}", name)
    except ValueError as error:
        warnings.warn(f"{error}; it is ignored, and the planner chooses", stacklevel=2)
        return None


def asked() -> str | None:
    """The lowering asked for here and now by a context or the environment, if any."""
    inside = _context.value
    if inside is not None:
        return inside or None
    return _environment(os.environ[VARIABLE]) if os.environ.get(VARIABLE) else None
