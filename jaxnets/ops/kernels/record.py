"""What the planners decide while a program is traced, for those who ask to see it: `explain` and `tune`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from jaxnets.ops.kernels.planning import Choice


@dataclass
class Plan:
    """A problem, the lowering chosen for it, and the plans of the smaller problems that the lowering makes of it."""

    problem: Any
    choice: Choice
    parts: list[Plan] = field(default_factory=list)

    def __iter__(self) -> Iterator[Plan]:
        """This plan and all inside it, the innermost first."""
        for part in self.parts:
            yield from part
        yield self

    def __str__(self) -> str:
        """The lowerings, each followed by those it rests on.

        >>> inner = Plan(None, Choice("matmul", ""))
        >>> print(Plan(None, Choice("phases", ""), [inner, inner, Plan(None, Choice("turned", ""), [inner])]))
        phases > matmul, (turned > matmul)
        """
        inside = list(dict.fromkeys(str(part) for part in self.parts))
        if len(inside) > 1:
            inside = [f"({each})" if " > " in each else each for each in inside]
        return " > ".join([self.choice.lowering, ", ".join(inside)] if inside else [self.choice.lowering])


_open: ContextVar[list[Plan] | None] = ContextVar("jaxnets_record", default=None)


@contextmanager
def recording() -> Iterator[list[Plan]]:
    """A list that fills with the plan of every problem whose computation is traced inside."""
    plans: list[Plan] = []
    token = _open.set(plans)
    try:
        yield plans
    finally:
        _open.reset(token)


@contextmanager
def nested(problem: Any, choice: Choice) -> Iterator[None]:
    """Around the computation of a problem: what is planned inside becomes part of its plan."""
    into = _open.get()
    if into is None:
        yield
        return
    plan = Plan(problem, choice)
    into.append(plan)
    token = _open.set(plan.parts)
    try:
        yield
    finally:
        _open.reset(token)
