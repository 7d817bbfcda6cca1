"""Equal before fast: results held against the naive ones, leaf by leaf, to the rounding that their sums explain."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

# What a float32 product is rounded to by default: as float32, as TF32 (10 bits), as bfloat16 (8 bits).
PRODUCT = {"cpu": float(np.finfo(np.float32).eps), "gpu": 2.0**-10, "tpu": 2.0**-8}
EXACT = float(np.finfo(np.float64).tiny)  # integers wrap alike, or they do not

TINY = float(np.finfo(np.float32).tiny)

Leaves = Sequence[tuple[str, Any]]  # of a tree, by path
Error = Callable[[Leaves, Leaves], Iterable[float]]  # how far apart each two leaves are
UNIT = {"largest": "largest element", "norm": "norm", "network": "norm"}


class Disagreement(AssertionError):
    """A rival computes something other than the naive definition."""


def rounding(dtype: Any, platform: str, products: bool) -> float:
    """The relative rounding of the factors of a product: the dtype's own (none for integers), or the coarser one that
    the platform multiplies float32 with."""
    if jnp.issubdtype(dtype, jnp.integer):
        return 0.0
    own = float(jnp.finfo(dtype).eps)
    return max(own, PRODUCT.get(platform, PRODUCT["tpu"])) if products and dtype == np.float32 else own


def tolerance(terms: int, factors: float, dtype: Any = np.float32) -> float:
    """How far two sums of `terms` products may lie apart, as a share of the largest element.

    Partial sums are rounded to `dtype`, errors that add up like a random walk: `eps * sqrt(terms)`. Factors are
    rounded to `factors`, errors that shrink as the sum does: `factors` once. Times 4, for the largest of millions of
    elements and for other orders of summation.
    """
    if jnp.issubdtype(dtype, jnp.integer):
        return EXACT
    return 4 * (factors + float(jnp.finfo(dtype).eps) * float(np.sqrt(terms)))


def largest(got: Leaves, wanted: Leaves) -> Iterator[float]:
    """The largest difference of two elements of each leaf, as a share of the largest element wanted."""
    for (_, a), (_, b) in zip(got, wanted, strict=True):
        a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
        yield float(np.max(np.abs(a - b), initial=0.0)) / max(float(np.max(np.abs(b), initial=0.0)), TINY)


def norm(got: Leaves, wanted: Leaves) -> Iterator[float]:
    """The Euclidean norm of the difference of each leaf, as a share of that of what is wanted: for results in which
    rounding may flip a few elements altogether, as it does a maximum's gradient."""
    for (_, a), (_, b) in zip(got, wanted, strict=True):
        a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
        yield float(np.linalg.norm(a - b)) / max(float(np.linalg.norm(b)), TINY)


def network(got: Leaves, wanted: Leaves) -> Iterator[float]:
    """As `norm`, of a network's tree, where some gradients are zero but for rounding: that of a shift that a
    normalization takes off again. A leaf counts as at least a hundredth of all leaves of its kind (the first and the
    last name of its path), element for element."""
    kinds: dict[tuple[str, str], list[tuple[float, int]]] = defaultdict(list)
    for path, b in wanted:
        names = path.strip("[]'").split("']['")
        kinds[names[0], names[-1]].append((float(np.linalg.norm(np.asarray(b, np.float64))) ** 2, np.size(b)))
    for share, (path, b) in zip(norm(got, wanted), wanted, strict=True):
        names = path.strip("[]'").split("']['")
        squares, sizes = zip(*kinds[names[0], names[-1]], strict=True)
        typical = float(np.sqrt(sum(squares) / max(sum(sizes), 1) * np.size(b)))
        own = max(float(np.linalg.norm(np.asarray(b, np.float64))), TINY)
        yield share * own / max(own, typical / 100)


def require(rival: str, got: Any, wanted: Any, tolerances: Any, error: Error = largest) -> float:
    """Raise `Disagreement` unless every leaf of `got` is within its tolerance, of a tree alike, of that of `wanted`.

    `error` says how far apart the leaves are. A NaN agrees with nothing. Returns the worst error as a share of what is
    allowed.
    """
    mine, theirs = (_leaves(tree) for tree in (got, wanted))
    if [path for path, _ in mine] != [path for path, _ in theirs]:
        raise Disagreement(f"{rival} returns another tree than the naive definition")
    for (path, a), (_, b) in zip(mine, theirs, strict=True):
        if np.shape(a) != np.shape(b):
            raise Disagreement(f"{rival}: {path} has shape {np.shape(a)}, the naive definition {np.shape(b)}")
    worst = 0.0
    for (path, _), apart, allowed in zip(mine, error(mine, theirs), jax.tree.leaves(tolerances), strict=True):
        if not apart <= allowed:
            raise Disagreement(
                f"{rival}: {path} differs from the naive definition by {apart:.2e} of its {UNIT[error.__name__]}; "
                f"rounding explains {allowed:.2e}"
            )
        worst = max(worst, apart / allowed)
    return worst


def _leaves(tree: Any) -> list[tuple[str, Any]]:
    return [(jax.tree_util.keystr(path) or "output", leaf) for path, leaf in jax.tree_util.tree_leaves_with_path(tree)]
