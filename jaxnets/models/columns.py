"""What networks of tables share: how a row of a table comes in, and how its columns become features.

Rows are a dict of `"numbers"`, floating point (N, F), best standardized, and `"ids"`, integers (N, S), column s of
which runs from 0 to `sizes[s] - 1`; either may be missing. `ops.hash_strings`, `ops.hash_ids` and `ops.bucketize` make
such ids of anything else. An array (N, F) is the numbers alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets.combine import LayerLike, parallel, serial
from jaxnets.core import Layer, Tree
from jaxnets.layers import dense, dropout, embed, flatten
from jaxnets.ops import check

Rows = Mapping[str, jax.Array]

ADULT = (9, 16, 7, 15, 6, 5, 2, 42)
"""Work class, education, marital status, occupation, relationship, race, sex and country of the census table Adult,
which has six numbers beside them. Becker & Kohavi, 1996, https://doi.org/10.24432/C5XW20."""

ADULT_ROW = {"numbers": jax.ShapeDtypeStruct((1, 6), jnp.float32), "ids": jax.ShapeDtypeStruct((1, 8), jnp.int32)}


def rows(model: str, x: Any, sizes: Sequence[int]) -> Rows:
    """`x` as a dict of both parts, what is missing without columns; `ValueError` unless there is a size for each id."""
    if not isinstance(x, Mapping):
        x = {"numbers": x}
    if not x or not set(x) <= {"numbers", "ids"}:
        raise ValueError(f"{model}: the rows have {sorted(x)}; pass numbers (N, F) and ids (N, S), or one of them")
    for name, part in x.items():
        if getattr(part, "ndim", 2) != 2:
            raise ValueError(f"{model}: {name} has shape {part.shape}; pass (N, columns)")
    count = len(next(iter(x.values())))
    numbers = check.floating(model, x["numbers"], "numbers") if "numbers" in x else jnp.zeros((count, 0))
    ids = check.array(model, x["ids"], "ids") if "ids" in x else jnp.zeros((count, 0), jnp.int32)
    if not jnp.issubdtype(ids.dtype, jnp.integer):
        raise TypeError(f"{model}: ids has dtype {ids.dtype}; pass integers, such as those of ops.hash_strings")
    if ids.shape[1] != len(sizes):
        raise ValueError(
            f"{model}: the rows have {ids.shape[1]} columns of ids, but sizes {tuple(sizes)} is of {len(sizes)}"
        )
    if not isinstance(ids, jax.core.Tracer) and ids.size:  # as `embed` does: where the values are known
        low, high = np.min(ids, 0), np.max(ids, 0)
        for s, size in enumerate(sizes):
            if low[s] < 0 or high[s] >= size:
                raise ValueError(
                    f"{model}: column {s} of ids has {low[s]} to {high[s]}, but its size is {size}; pass 0..{size - 1}"
                )
    return {"numbers": numbers, "ids": ids}


def shared(ids: jax.Array, sizes: Sequence[int]) -> jax.Array:
    """Ids of columns as rows of one table, one column's after the other's; -1, for which `embed` has the zero vector,
    for an id that its column does not have.

    >>> shared(jnp.array([[1, 0], [0, 9]]), (2, 3))
    Array([[ 1,  2],
           [ 0, -1]], dtype=int32)
    """
    ids, size = ids.astype(jnp.int32), np.asarray(sizes, np.int32)[None]
    return jnp.where((ids >= 0) & (ids < size), ids + (np.cumsum(size, dtype=np.int32)[None] - size), -1)


def features(model: str, sizes: Sequence[int], width: int) -> Layer:
    """Rows as vectors: an embedding of each id, side by side, then the numbers: (N, S * width + F).

    Parameters: ids/table/w (sum of sizes, width).
    """
    sizes = tuple(check.whole(model, size, f"sizes[{s}]") for s, size in enumerate(sizes))

    def numbers(x: Tree) -> jax.Array:
        return rows(model, x, sizes)["numbers"]

    if not sizes:
        return serial(numbers=numbers)
    ids = serial(
        rows=lambda x: shared(rows(model, x, sizes)["ids"], sizes), table=embed(sum(sizes), width), flat=flatten()
    )
    return parallel(lambda i, n: jnp.concatenate([i.astype(n.dtype), n], -1), ids=ids, numbers=numbers)


def hidden(channels: Sequence[int], rate: float) -> Layer:
    """Matrices, each rectified: hidden1, hidden2, …"""
    parts: dict[str, LayerLike] = {}
    for i, width in enumerate(channels, start=1):
        parts |= {f"hidden{i}": dense(width), f"relu{i}": jax.nn.relu, f"drop{i}": dropout(rate)}
    return serial(**parts) if parts else serial(identity=lambda x: x)
