"""How one of several lowerings is chosen, whatever the operation: asked for, measured, ruled, or plain `lax`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import jax

LAX = "lax"


class Lowering(NamedTuple):
    """A way to compute some problems: `run(problem, *operands)`, and whether it can.

    `copies` says how independent copies along a leading axis are best computed: all in one program by `jax.vmap`, or
    one after the other (`lax.map`), where the lowering holds a convolution of XLA's, whose batching is slow.
    `symbolic`: whether it takes a batch of unknown size, as `jax.export` can have it. `exact`: whether sums of integers
    that a float holds come out whole.
    """

    run: Callable[..., jax.Array]
    fits: Callable[[Any], bool]
    copies: Literal["vmap", "map"] = "vmap"
    symbolic: bool = False
    exact: bool = True


class Rule(NamedTuple):
    """`lowering`, for the problems that `when` holds for; `why` is what `explain` prints."""

    lowering: str
    when: Callable[[Any], bool]
    why: str


class Choice(NamedTuple):
    """The lowering of a problem and the rule that chose it."""

    lowering: str
    rule: str


Table = Mapping[str, Lowering]


def choose(problem: Any, table: Table, rules: Sequence[Rule], measured: str | None = None) -> Choice:
    """The lowering asked for, if it fits; then the one measured fastest; then that of the first rule; then `lax`."""

    def possible(name: str | None) -> bool:
        return name is not None and name in table and table[name].fits(problem)

    if possible(problem.lowering):
        return Choice(problem.lowering, "asked for")
    if possible(measured):
        return Choice(str(measured), "measured on this device by jaxnets tune")
    for rule in rules:
        if possible(rule.lowering) and rule.when(problem):
            return Choice(rule.lowering, rule.why)
    return Choice(LAX, "no rewrite is known to win")


def candidates(problem: Any, table: Table) -> list[str]:
    """Every lowering that fits, `lax` first."""
    return [LAX, *(name for name, each in table.items() if name != LAX and each.fits(problem))]
