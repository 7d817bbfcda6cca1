"""Parameter trees by path: list, pick, count and cast the leaves of nested dicts.

A path is the names from the root joined by "/", as in `backbone/stage0/0/conv/w`, so globs select what a person
would write.
"""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
from flax import traverse_util


def flatten(tree: Mapping[str, Any]) -> dict[str, Any]:
    """The leaves of a nested dict by path, in order of path.

    >>> flatten({"conv": {"w": 1, "b": 2}})
    {'conv/b': 2, 'conv/w': 1}
    """
    return dict(sorted(traverse_util.flatten_dict(dict(tree), sep="/").items()))


def unflatten(leaves: Mapping[str, Any]) -> dict[str, Any]:
    """The nested dict with these leaves: the inverse of `flatten`.

    >>> unflatten({"conv/w": 1, "conv/b": 2})
    {'conv': {'w': 1, 'b': 2}}
    """
    return traverse_util.unflatten_dict(dict(leaves), sep="/")  # type: ignore[no-any-return]


def mask(tree: Mapping[str, Any], *globs: str) -> dict[str, Any]:
    """A tree of bools: True where the leaf's path matches one of the globs. For `optax.masked` and the like.

    Raises `ValueError` for a glob that matches nothing, which is a misspelling.

    >>> mask({"conv": {"w": 1, "b": 2}}, "*/w")
    {'conv': {'b': False, 'w': True}}
    """
    paths = list(flatten(tree))
    for glob in globs:
        if not any(fnmatchcase(path, glob) for path in paths):
            raise ValueError(f"mask: {glob!r} matches no leaf; the paths are {paths}")
    return unflatten({path: any(fnmatchcase(path, glob) for glob in globs) for path in paths})


def count(tree: Any) -> int:
    """How many numbers the leaves hold, arrays or `jax.ShapeDtypeStruct`s.

    >>> import jax.numpy as jnp
    >>> count({"w": jnp.zeros((3, 3)), "b": jnp.zeros(3)})
    12
    """
    return sum(prod(leaf.shape) for leaf in jax.tree.leaves(tree))


def cast(tree: Any, dtype: Any) -> Any:
    """The floating-point leaves in `dtype`, the others as they are.

    >>> import jax.numpy as jnp
    >>> cast({"w": jnp.zeros(2), "steps": jnp.zeros(2, jnp.int32)}, jnp.bfloat16)["w"].dtype
    dtype(bfloat16)
    """
    return jax.tree.map(lambda a: a.astype(dtype) if jnp.issubdtype(a.dtype, jnp.floating) else a, tree)
