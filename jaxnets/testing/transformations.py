"""One function under JAX's transformations: each result held against what it must equal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np

from jaxnets.testing.case import is_float
from jaxnets.testing.checks import full_precision
from jaxnets.testing.rounding import tolerance

Fn = Callable[..., Any]


def check_transformations(fn: Fn, *arrays: Any, seed: int = 0) -> None:
    """Check `fn(*arrays)` under jit, vmap, jvp, vjp and twice differentiated. Each array is an argument to be mapped.

    `jax.jit` gives what eager gives; `jax.vmap` over each argument alone, and over all of them, what a loop gives;
    forward and reverse mode agree, `<dy, J v> == <Jᵀ dy, v>`; the second derivative of `Σ c f² / 2` is finite and
    symmetric, forward over reverse and reverse over forward. Derivatives are those in the floating arrays (integers
    are mapped only). Raises `AssertionError` naming the transformation. Cost: about eight compilations.

    >>> check_transformations(lambda a, b: a * b, np.ones(3, np.float32), np.ones(3, np.float32))
    """
    dtype = str(jnp.result_type(arrays[0]))
    with full_precision(dtype):
        given = [jnp.asarray(a) for a in arrays]
        eager = fn(*given)
        leaves = jax.tree.leaves(eager)
        terms = max([*(a.size for a in given), *(leaf.size for leaf in leaves), 1])
        same = _Comparison(terms)
        same(jax.jit(fn)(*given), eager, "jit")
        _check_vmap(fn, given, same, seed)
        if all(is_float(a.dtype) for a in given):
            _check_modes(fn, given, leaves[0], terms, seed)
            _check_second(fn, given, leaves[0], terms, seed)


class _Comparison:
    """Two results of sums of at most `terms` products, each within the tolerance of the exact one."""

    def __init__(self, terms: int) -> None:
        self.terms = terms

    def __call__(self, got: Any, expected: Any, name: str) -> None:
        got, expected = jax.tree.leaves(got), jax.tree.leaves(expected)
        if len(got) != len(expected):
            raise AssertionError(f"{name}: {len(got)} results, not {len(expected)}")
        for a, b in zip(got, expected, strict=True):
            chex.assert_shape(a, b.shape, custom_message=name)
            chex.assert_type(a, b.dtype)
            allowed = tolerance(b.dtype, self.terms, roundings=1)
            a, b = (np.asarray(v).astype(np.float64) for v in (a, b))
            largest = float(np.max(np.abs(b), initial=0.0, where=np.isfinite(b)))
            chex.assert_trees_all_close(
                a,
                b,
                rtol=2 * allowed.result,
                atol=2 * (allowed.summed * largest + allowed.tiny),
                custom_message=f"{name} does not give what the plain function gives",
            )


def _variations(a: jax.Array, count: int, rng: np.random.Generator) -> jax.Array:
    """`count` arrays like `a`, stacked: `a` itself and shuffles of it, so that they are of its kind."""
    flat = np.asarray(a).reshape(-1)
    rest = [rng.permutation(flat).reshape(a.shape) for _ in range(count - 1)]
    return jnp.asarray(np.stack([np.asarray(a), *rest]))


def _check_vmap(fn: Fn, given: Sequence[jax.Array], same: _Comparison, seed: int) -> None:
    rng = np.random.default_rng(seed)
    count = 3
    stacks = [_variations(a, count, rng) for a in given]
    which = [tuple(i == j for j in range(len(given))) for i in range(len(given))]
    if len(given) > 1:
        which.append((True,) * len(given))
    for mapped in which:
        arguments = [stack if m else a for stack, a, m in zip(stacks, given, mapped, strict=True)]
        got = jax.jit(jax.vmap(fn, tuple(0 if m else None for m in mapped)))(*arguments)
        jitted = jax.jit(fn)
        one_by_one = [jitted(*(a[i] if m else a for a, m in zip(arguments, mapped, strict=True))) for i in range(count)]
        expected = jax.tree.map(lambda *leaves: jnp.stack(leaves), *one_by_one)
        same(got, expected, f"vmap over arguments {[i for i, m in enumerate(mapped) if m]}")


def _directions(given: Sequence[jax.Array], rng: np.random.Generator) -> tuple[jax.Array, ...]:
    return tuple(jnp.asarray(rng.standard_normal(a.shape), a.dtype) for a in given)


def _inner(a: Sequence[jax.Array], b: Sequence[jax.Array]) -> tuple[float, float]:
    """Σ a b and Σ |a b|, in float64."""
    products = [np.asarray(u, np.float64) * np.asarray(v, np.float64) for u, v in zip(a, b, strict=True)]
    return sum(float(p.sum()) for p in products), sum(float(np.abs(p).sum()) for p in products)


def _assert_equal(left: tuple[float, float], right: tuple[float, float], dtype: Any, terms: int, name: str) -> None:
    """Two inner products of results whose own errors are those of sums of `terms` products, twice over."""
    allowed = tolerance(dtype, 2 * terms, roundings=2)
    bound = (allowed.result + allowed.summed) * (left[1] + right[1]) + allowed.tiny
    if not abs(left[0] - right[0]) <= bound:
        raise AssertionError(f"{name}: {left[0]:.9g} and {right[0]:.9g} differ by more than {bound:.2g}")


def _first(fn: Fn) -> Fn:
    return lambda *arrays: jax.tree.leaves(fn(*arrays))[0]


def _check_modes(fn: Fn, given: Sequence[jax.Array], result: jax.Array, terms: int, seed: int) -> None:
    rng = np.random.default_rng(seed + 1)
    first, along = _first(fn), _directions(given, rng)
    (dy,) = _directions([result], rng)
    value, pushed = jax.jit(lambda p, t: jax.jvp(first, tuple(p), tuple(t)))(tuple(given), along)
    chex.assert_shape(pushed, value.shape)
    pulled = jax.jit(lambda dy, *a: jax.vjp(first, *a)[1](dy))(dy, *given)
    chex.assert_trees_all_equal_shapes_and_dtypes(tuple(pulled), tuple(given))
    _assert_equal(_inner([dy], [pushed]), _inner(pulled, along), result.dtype, terms, "jvp and vjp disagree")
    linear = jax.linearize(first, *given)[1](*along)
    _assert_equal(_inner([dy], [linear]), _inner([dy], [pushed]), result.dtype, terms, "linearize and jvp disagree")


def _check_second(fn: Fn, given: Sequence[jax.Array], result: jax.Array, terms: int, seed: int) -> None:
    rng = np.random.default_rng(seed + 2)
    first, arguments = _first(fn), tuple(given)
    v, w = _directions(given, rng), _directions(given, rng)
    (c,) = _directions([result], rng)
    positions = tuple(range(len(given)))

    def energy(*arrays: jax.Array) -> jax.Array:
        y = first(*arrays)
        return jnp.sum((c * y * y).astype(jnp.promote_types(y.dtype, jnp.float32))) / 2

    gradient = jax.grad(energy, positions)

    def forward_over_reverse(v: tuple[jax.Array, ...]) -> tuple[jax.Array, ...]:
        return jax.jvp(gradient, arguments, v)[1]

    def reverse_over_forward(v: tuple[jax.Array, ...]) -> tuple[jax.Array, ...]:
        return jax.grad(lambda a: jax.jvp(energy, a, v)[1])(arguments)

    hv, hw = jax.jit(lambda v, w: (forward_over_reverse(v), forward_over_reverse(w)))(v, w)
    chex.assert_tree_all_finite(jax.tree.map(lambda a: a.astype(jnp.promote_types(a.dtype, jnp.float32)), (hv, hw)))
    _assert_equal(_inner(w, hv), _inner(v, hw), result.dtype, terms, "the second derivative is not symmetric")
    other = jax.jit(reverse_over_forward)(v)
    _assert_equal(_inner(w, other), _inner(w, hv), result.dtype, terms, "two ways to the second derivative disagree")
