"""Equal before fast: results held against the naive ones, leaf by leaf, to the rounding that their sums explain."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

# What a float32 product is rounded to by default: as float32, as TF32 (10 bits), as bfloat16 (8 bits).
PRODUCT = {"cpu": float(np.finfo(np.float32).eps), "gpu": 2.0**-10, "tpu": 2.0**-8}


class Disagreement(AssertionError):
    """A rival computes something other than the naive definition."""


def rounding(dtype: Any, platform: str, products: bool) -> float:
    """The relative rounding of the factors of a product: the dtype's own, or the coarser one that the platform
    multiplies float32 with."""
    own = float(jnp.finfo(dtype).eps)
    return max(own, PRODUCT.get(platform, PRODUCT["tpu"])) if products and dtype == np.float32 else own


def tolerance(terms: int, factors: float, dtype: Any = np.float32) -> float:
    """How far two sums of `terms` products may lie apart, as a share of the largest element.

    Partial sums are rounded to `dtype`, errors that add up like a random walk: `eps * sqrt(terms)`. Factors are
    rounded to `factors`, errors that shrink as the sum does: `factors` once. Times 4, for the largest of millions of
    elements and for other orders of summation.
    """
    return 4 * (factors + float(jnp.finfo(dtype).eps) * float(np.sqrt(terms)))


def require(rival: str, got: Any, wanted: Any, tolerances: Any) -> float:
    """Raise `Disagreement` unless every leaf of `got` is within its tolerance, of a tree alike, of that of `wanted`.

    Errors are measured against the largest element of the leaf. A NaN agrees with nothing. Returns the worst error as
    a share of what is allowed.
    """
    mine, theirs = (jax.tree_util.tree_leaves_with_path(tree) for tree in (got, wanted))
    if [path for path, _ in mine] != [path for path, _ in theirs]:
        raise Disagreement(f"{rival} returns another tree than the naive definition")
    worst = 0.0
    for (path, a), (_, b), allowed in zip(mine, theirs, jax.tree.leaves(tolerances), strict=True):
        a, b = (np.asarray(leaf, np.float64) for leaf in (a, b))
        where = jax.tree_util.keystr(path) or "output"
        if a.shape != b.shape:
            raise Disagreement(f"{rival}: {where} has shape {a.shape}, the naive definition {b.shape}")
        scale = max(float(np.max(np.abs(b), initial=0.0)), float(np.finfo(np.float32).tiny))
        error = float(np.max(np.abs(a - b), initial=0.0)) / scale
        if not error <= allowed:
            raise Disagreement(
                f"{rival}: {where} differs from the naive definition by {error:.2e} of its largest element; "
                f"rounding explains {allowed:.2e}"
            )
        worst = max(worst, error / allowed)
    return worst
