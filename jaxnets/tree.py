"""Parameter trees by path: list, pick, count and cast the leaves of nested dicts.

A path is the names from the root joined by "/", as in `backbone/stage0/0/conv/w`, so globs select what a person
would write.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    return unflatten(_matches("mask", tree, globs))


def select(tree: Mapping[str, Any], *globs: str) -> dict[str, Any]:
    """The leaves whose paths match one of the globs, in a nested dict of their own.

    `*` matches any text, "/" too. Raises `ValueError` for a glob that matches nothing.

    >>> select({"stem": {"w": 1, "b": 2}, "head": {"w": 3}}, "stem/*")
    {'stem': {'b': 2, 'w': 1}}
    """
    return split(tree, *globs)[0]


def split(tree: Mapping[str, Any], *globs: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The leaves that match one of the globs, and the others: `merge` puts them together again.

    For a gradient in some leaves alone: `jax.grad(lambda some: loss(merge(some, others)))`. Raises `ValueError` for a
    glob that matches nothing.

    >>> split({"stem": {"w": 1}, "head": {"w": 3}}, "head/*")
    ({'head': {'w': 3}}, {'stem': {'w': 1}})
    """
    leaves, chosen = flatten(tree), _matches("split", tree, globs)
    some, others = ({path: leaf for path, leaf in leaves.items() if chosen[path] is side} for side in (True, False))
    return unflatten(some), unflatten(others)


def merge(*trees: Mapping[str, Any]) -> dict[str, Any]:
    """One nested dict with the leaves of all. Raises `ValueError` where two have the same leaf (`replace` is for that).

    >>> merge({"stem": {"w": 1}}, {"stem": {"b": 2}, "head": {"w": 3}})
    {'stem': {'w': 1, 'b': 2}, 'head': {'w': 3}}
    """
    leaves: dict[str, Any] = {}
    for tree in trees:
        own = flatten(tree)
        if twice := sorted(own.keys() & leaves.keys()):
            raise ValueError(f"merge: more than one tree has {', '.join(twice[:3])}; replace(tree, new) lets new win")
        leaves |= own
    return unflatten(leaves)


def replace(tree: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """The tree with the leaves of `new` in place of its own: another network's stem, an average, another head.

    Raises `ValueError` for a leaf of `new` that the tree has not, or has in another shape.

    >>> replace({"stem": {"w": 1.0}, "head": {"w": 2.0}}, {"head": {"w": 3.0}})
    {'head': {'w': 3.0}, 'stem': {'w': 1.0}}
    """
    leaves, own = flatten(tree), flatten(new)
    for path, leaf in own.items():
        if path not in leaves:
            raise ValueError(f"replace: the tree has no leaf {path!r}; its paths are {list(leaves)}")
        if jnp.shape(leaf) != jnp.shape(leaves[path]):
            raise ValueError(f"replace: {path} has shape {jnp.shape(leaf)}, not {jnp.shape(leaves[path])}")
    return unflatten(leaves | own)


def freeze(tree: Mapping[str, Any], *globs: str) -> dict[str, Any]:
    """A tree of labels: "frozen" where the path matches one of the globs, elsewhere "trained".

    For `optax.partition({"trained": optimizer, "frozen": optax.set_to_zero()}, freeze(params, "stem/*"))`, which keeps
    no moments of what is frozen. Raises `ValueError` for a glob that matches nothing.

    >>> freeze({"stem": {"w": 1}, "head": {"w": 3}}, "stem/*")
    {'head': {'w': 'trained'}, 'stem': {'w': 'frozen'}}
    """
    chosen = _matches("freeze", tree, globs)
    return unflatten({path: "frozen" if yes else "trained" for path, yes in chosen.items()})


def average(*trees: Any) -> Any:
    """The mean of trees of the same structure, leaf by leaf, in each leaf's dtype: a soup, or the end of SWA.

    Batch norm's statistics are those of one network and not of a mean of several: after averaging `params`, run some
    training batches through `apply(..., train=True)` for the state. For a running mean see `optax.incremental_update`,
    for an exponential one too. Raises `ValueError` without trees, or for other structures. Izmailov et al., 2018,
    https://arxiv.org/abs/1803.05407; Wortsman et al., 2022, https://arxiv.org/abs/2203.05482.

    >>> average({"w": jnp.array(1.0)}, {"w": jnp.array(4.0)})
    {'w': Array(2.5, dtype=float32)}
    """
    if not trees:
        raise ValueError("average: no trees given; pass at least one")
    return jax.tree.map(lambda *leaves: (sum(leaves[1:], leaves[0]) / len(leaves)).astype(leaves[0].dtype), *trees)


def _matches(function: str, tree: Mapping[str, Any], globs: Sequence[str]) -> dict[str, bool]:
    """Whether the path of each leaf matches one of the globs; an error for a glob that matches none."""
    paths = list(flatten(tree))
    for glob in globs:
        if not any(fnmatchcase(path, glob) for path in paths):
            raise ValueError(f"{function}: {glob!r} matches no leaf; the paths are {paths}")
    return {path: any(fnmatchcase(path, glob) for glob in globs) for path in paths}


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
