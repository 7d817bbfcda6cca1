"""What a layer's constructor can refuse before it has seen any input: better there than three combinators away."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from numbers import Real
from typing import Any

import numpy as np

from jaxnets.ops import check
from jaxnets.ops.geometry import Ints, Padding, pads
from jaxnets.ops.pad import modes_per_axis


def is_sequence(value: Any) -> bool:
    """Whether `value` is one entry per axis rather than one for all."""
    if isinstance(value, np.ndarray):
        return value.ndim > 0
    return isinstance(value, Sequence) and not isinstance(value, (str, bytes))


def rank_of(op: str, value: Any, name: str) -> int:
    """How many spatial axes `value` speaks of, 1 where it speaks of all at once."""
    rank = len(value) if is_sequence(value) else 1
    if not 1 <= rank <= 3:
        raise ValueError(f"{op}: {name} is {value!r}, {rank} entries; pass one int, or one for each of 1 to 3 axes")
    return rank


def ints(op: str, value: Any, name: str, minimum: int = 1) -> Ints:
    """An int of at least `minimum`, or a tuple of one per spatial axis; how many axes there are, the input decides.

    >>> ints("conv", [3, 1], "size")
    (3, 1)
    """
    if not is_sequence(value):
        return check.whole(op, value, name, minimum)
    rank_of(op, value, name)
    return tuple(check.whole(op, v, f"{name}[{i}]", minimum) for i, v in enumerate(value))


def output_size(op: str, value: Any) -> int | tuple[int | None, ...]:
    """An int, or a tuple of an int or None per spatial axis, None being to keep that axis."""
    if not is_sequence(value):
        return check.whole(op, value, "output_size")
    rank_of(op, value, "output_size")
    return tuple(None if v is None else check.whole(op, v, f"output_size[{i}]") for i, v in enumerate(value))


def padding(op: str, value: Any) -> Padding:
    """`value` if it is a padding that some input could have: a known name, or numbers of at least 0."""
    rank = rank_of(op, value, "padding")
    resolved = pads(value, (1,) * rank, 1, op=op)
    return resolved if is_sequence(value) else value


def padding_mode(op: str, value: Any) -> str | tuple[str, ...]:
    """A known padding mode, or a tuple of one per spatial axis."""
    if isinstance(value, str):
        return modes_per_axis(op, value, 1)[0]
    if not is_sequence(value):
        raise TypeError(f"{op}: padding_mode is {value!r} ({type(value).__name__}); pass its name, such as 'reflect'")
    return modes_per_axis(op, value, rank_of(op, value, "padding_mode"))


def divides(op: str, groups: int, channels: int, what: str) -> int:
    """`channels // groups`; `ValueError` unless it is whole."""
    if channels % groups:
        raise ValueError(f"{op}: groups={groups} does not divide the {channels} channels {what}; use a divisor")
    return channels // groups


def number(op: str, value: Any, name: str) -> float:
    """`value` as a float; bools, strings and arrays are refused."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, Real):
        raise TypeError(f"{op}: {name} is {value!r} ({type(value).__name__}); pass a number")
    return float(value)


def rate(op: str, value: Any) -> float:
    """A fraction dropped: at least 0 and below 1."""
    value = number(op, value, "rate")
    if not 0 <= value < 1:
        raise ValueError(f"{op}: rate is {value}; it is the fraction dropped, at least 0 and below 1")
    return value


def momentum(op: str, value: Any) -> float:
    """A fraction of the old statistic kept: 0 to 1."""
    value = number(op, value, "momentum")
    if not 0 <= value <= 1:
        raise ValueError(f"{op}: momentum is {value}; it is the fraction of the old statistic kept, 0 to 1")
    return value


def positive(op: str, value: Any, name: str, *, infinite: bool = False) -> float:
    """A number above 0; infinity only if `infinite`."""
    value = number(op, value, name)
    if not value > 0 or (value == np.inf and not infinite):
        raise ValueError(f"{op}: {name} is {value}; it must be above 0{'' if infinite else ' and finite'}")
    return value


def function(op: str, value: Any, name: str) -> Callable[..., Any]:
    """`value` if it can be called: an initializer."""
    if not callable(value):
        raise TypeError(
            f"{op}: {name} is {value!r} ({type(value).__name__}); pass a function of (key, shape, dtype), "
            f"such as jax.nn.initializers.he_normal()"
        )
    return value
