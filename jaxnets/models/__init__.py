"""Models by name. Each is a function that returns a `Layer`; one paper a file."""

import inspect
from collections.abc import Callable
from typing import Any

from jaxnets.core import Layer
from jaxnets.models.lenet import lenet, lenet_features

__all__ = ["MODELS", "create", "lenet", "lenet_features", "names"]

MODELS: dict[str, Callable[..., Layer]] = {
    "lenet": lenet,
}


def names() -> list[str]:
    """The names that `create` knows, sorted.

    >>> "lenet" in names()
    True
    """
    return sorted(MODELS)


def create(name: str, **config: Any) -> Layer:
    """Build a model: `create("lenet", num_classes=10)` is `lenet(num_classes=10)`.

    Raises:
        ValueError: there is no model of that name; the message lists those there are.
        TypeError: the model does not take one of these arguments; the message lists those it takes.

    >>> create("lenett")
    Traceback (most recent call last):
    ValueError: there is no model 'lenett'; the models are lenet
    """
    if name not in MODELS:
        raise ValueError(f"there is no model {name!r}; the models are {', '.join(names())}")
    known = inspect.signature(MODELS[name]).parameters
    unknown = [key for key in config if key not in known]
    if unknown:
        raise TypeError(f"model {name!r} takes no {', '.join(unknown)}; it takes {', '.join(known)}")
    return MODELS[name](**config)
