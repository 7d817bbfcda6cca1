"""One op held against its naive definition: the value, the gradients, finite differences, and its adjoint."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np

from jaxnets.testing.case import Array, Case
from jaxnets.testing.oracles import ORACLES, Oracle
from jaxnets.testing.rounding import Tolerance, assert_close, tolerance, unit_roundoff


@contextmanager
def full_precision(dtype: str) -> Iterator[None]:
    """float64 switched on where `dtype` is that, and no fewer bits in products, as accelerators have by default."""
    with (
        jax.enable_x64(jax.config.read("jax_enable_x64") or dtype == "float64"),
        jax.default_matmul_precision("highest"),
    ):
        yield


def _oracle(oracle: Oracle | Callable[..., Any] | None, case: Case) -> Oracle:
    if oracle is None:
        return ORACLES[case.op]
    return oracle if isinstance(oracle, Oracle) else Oracle(oracle)


def _leaves(tree: Any) -> list[Array]:
    return [np.asarray(leaf) for leaf in jax.tree.leaves(tree)]


def _allowed(case: Case, oracle: Oracle, *arrays: Array, exact: bool = False, gradient: bool = False) -> Tolerance:
    """No element is a sum of more numbers than the largest of the arrays, arguments and result, has.

    Between two roundings lies what is added last, a bias, and what an op does in two steps, such as padding by copies.
    """
    terms = max(a.size for a in arrays) + oracle.extra + 1
    padded = set(np.ravel(case.kwargs.get("padding_mode", "zeros"))) != {"zeros"}  # by another op, before
    added = "b" in case.shapes and not gradient
    rounded = oracle.roundings if added or padded or oracle.roundings > 1 else 0
    return tolerance(oracle.result_dtype(case.dtype), 0 if exact else terms, roundings=rounded)


def check_forward(
    fn: Callable[..., Any],
    case: Case,
    oracle: Oracle | Callable[..., Any] | None = None,
    *,
    compiled: bool = True,
) -> None:
    """Hold `fn(*arrays, **kwargs)` against the naive definition: shape, rank, dtype and every element, to rounding.

    Arguments: `fn` has the signature of the op `case.op`; `oracle`, by default `ORACLES[case.op]`, may be a plain
    NumPy function; with `compiled=False` `fn` is called without `jax.jit`. Raises `AssertionError`, naming the case
    and the worst element.

    >>> check_forward(lambda x, size: x, Case("max_pool", {"x": (1, 2, 1)}, {"size": 1}))
    """
    oracle, arrays = _oracle(oracle, case), case.arrays()
    bound = case.bind(fn)
    with full_precision(case.dtype):
        got = (jax.jit(bound) if compiled else bound)(*map(jnp.asarray, arrays))
    check_value(got, case, oracle, arrays)


def check_value(got: Any, case: Case, oracle: Oracle, arrays: tuple[Array, ...]) -> None:
    """`check_forward` for a result that is there already."""
    definition, inputs = case.bind(oracle.forward), oracle.inputs(arrays, case.dtype)
    with np.errstate(all="ignore"):
        exact = _leaves(definition(*inputs))
        if oracle.magnitude is not None:
            sizes: list[Any] = [oracle.magnitude(case, inputs, None)] * len(exact)
        else:
            sizes = _leaves(definition(*oracle.positive(inputs)))
    results = _leaves(got)
    if len(results) != len(exact):
        raise AssertionError(f"{case}: {len(results)} results, not {len(exact)}")
    for position, (y, expected, size) in enumerate(zip(results, exact, sizes, strict=True)):
        chex.assert_rank(y, expected.ndim, custom_message=str(case))
        chex.assert_shape(y, expected.shape, custom_message=str(case))
        dtype = oracle.result_dtype(case.dtype) if position == 0 else expected.dtype
        chex.assert_type(y, jnp.dtype(dtype))
        allowed = _allowed(case, oracle, *inputs, expected, exact=oracle.exact)
        assert_close(y, expected, np.abs(size), allowed, f"{case}: value")


def check_gradients(fn: Callable[..., Any], case: Case, oracle: Oracle | Callable[..., Any] | None = None) -> None:
    """Hold the value of `fn` and the gradients of all its float arrays against the naive definitions.

    The gradient is `jax.vjp`'s, in one compiled program, for a random gradient of the (first) result. `oracle` as in
    `check_forward`, but a plain function is the naive *backward*, `backward(dy, *arrays, **kwargs)`: the value is
    then not looked at. Raises `AssertionError`, naming the case, the array and the worst element; `ValueError` for a
    case of integers.

    >>> case = Case("avg_pool", {"x": (1, 4, 1)}, {"size": 2})
    >>> check_gradients(lambda x, size: x.reshape(1, -1, size, 1).mean(2), case)
    >>> check_gradients(lambda x, size: x.reshape(1, -1, size, 1).sum(2), case)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    AssertionError: Case(op='avg_pool', ...): value: 2 of 2 elements wrong; ...
    """
    if not case.differentiable:
        raise ValueError(f"check_gradients: {case} has no float arrays; draw it with dtypes=('float32',)")
    only_backward = oracle is not None and not isinstance(oracle, Oracle)
    known = ORACLES[case.op]
    backward = oracle if only_backward else _oracle(oracle, case).backward
    rules = known if only_backward else _oracle(oracle, case)
    if backward is None:
        raise ValueError(f"check_gradients: there is no naive backward of {case.op}; pass one as oracle=")

    arrays, bound = case.arrays(), case.bind(fn)
    with full_precision(case.dtype):
        on_device = tuple(map(jnp.asarray, arrays))
        result = jax.tree.leaves(jax.eval_shape(bound, *on_device))[0]
        dy = case.cotangent(result.shape, result.dtype)
        value, gradients = jax.jit(lambda dy, *given: _pull_back(bound, case, given, dy))(jnp.asarray(dy), *on_device)
    if not only_backward:
        check_value(value, case, rules, arrays)

    definition = case.bind_backward(backward)  # type: ignore[arg-type]
    inputs, wide = rules.inputs(arrays, case.dtype), dy.astype(np.float64)
    with np.errstate(all="ignore"):
        exact = definition(wide, *inputs)
        if rules.magnitude is not None:
            sizes: tuple[Any, ...] = (rules.magnitude(case, inputs, wide),) * len(exact)
        else:
            sizes = definition(np.abs(wide), *rules.positive(inputs))
    names = [list(case.shapes)[i] for i in case.differentiable]
    for name, g, expected, size in zip(names, gradients, exact, sizes, strict=True):
        chex.assert_shape(g, case.shapes[name], custom_message=f"{case}: gradient of {name}")
        chex.assert_type(g, jnp.dtype(case.dtype))
        if np.isfinite(expected).all():
            chex.assert_tree_all_finite(np.asarray(g, np.float32 if g.dtype.itemsize < 4 else g.dtype))
        allowed = _allowed(case, rules, *inputs, wide, gradient=True)
        assert_close(np.asarray(g), expected, np.abs(size), allowed, f"{case}: gradient of {name}")


def _pull_back(bound: Callable[..., Any], case: Case, arrays: tuple[Any, ...], dy: Any) -> tuple[Any, tuple[Any, ...]]:
    """The value of `bound`, and `dy`, a gradient of its first result, pulled back to the differentiable arrays."""

    def of_floats(*floats: Any) -> tuple[Any, Any]:
        given = list(arrays)
        for position, value in zip(case.differentiable, floats, strict=True):
            given[position] = value
        result = bound(*given)
        return jax.tree.leaves(result)[0], result

    _, pull, value = jax.vjp(of_floats, *(arrays[i] for i in case.differentiable), has_aux=True)
    return value, pull(dy)


def check_finite_differences(f: Callable[..., Any], *arrays: Any, seed: int = 0, curvature: float = 16.0) -> None:
    """Hold the gradients of `f` against central differences, along a random direction, in float64.

    Two evaluations, whatever the number of elements: `<dy, (f(a + εv) - f(a - εv)) / 2ε>` beside `<vjp(dy), v>`. With
    ε the cube root of the unit roundoff u both errors, u |f| / ε of rounding and ε² |f'''| / 6 of the difference, are
    about u^(2/3) = 2.3e-11 of the terms' size; `curvature` is how many times larger than that f''' may be. f must be
    smooth within ε: no ties.

    Arguments: `arrays`, all differentiated, cast to float64. Raises `AssertionError` where they disagree.

    >>> check_finite_differences(jnp.sin, np.linspace(0.0, 3.0, 7))
    """
    rng = np.random.default_rng(seed)
    wide = [np.asarray(a, np.float64) for a in arrays]
    along = [rng.standard_normal(a.shape) for a in wide]
    unit = unit_roundoff("float64")
    step = unit ** (1 / 3)
    with full_precision("float64"):
        compiled = jax.jit(f)
        ahead, behind = (
            _leaves(compiled(*(jnp.asarray(a + sign * step * v) for a, v in zip(wide, along, strict=True))))[0]
            for sign in (1, -1)
        )
        dy = rng.standard_normal(ahead.shape)
        gradients = jax.jit(lambda dy, *given: jax.vjp(lambda *a: jax.tree.leaves(f(*a))[0], *given)[1](dy))(
            jnp.asarray(dy), *map(jnp.asarray, wide)
        )
    difference = np.sum(dy * (ahead - behind)) / (2 * step)
    gradient = sum(np.sum(np.asarray(g) * v) for g, v in zip(gradients, along, strict=True))
    parts = sum(np.sum(np.abs(np.asarray(g) * v)) for g, v in zip(gradients, along, strict=True))
    size = np.sum(np.abs(dy) * (np.abs(ahead) + np.abs(behind))) + parts + 1
    bound = curvature * unit ** (2 / 3) * size
    if not abs(difference - gradient) <= bound:
        raise AssertionError(
            f"the gradient along a random direction is {gradient:.12g}, but finite differences give {difference:.12g} "
            f"(off by {abs(difference - gradient):.2g}, allowed {bound:.2g})"
        )


def check_adjoint(f: Callable[[Any], Any], transposed: Callable[[Any], Any], a: Any, x: Any) -> None:
    """Check that `<f(a), x> == <a, transposed(x)>`, in float64: `transposed` is the adjoint of the linear `f`.

    With n elements in the largest array, sums err by at most n u Σ|terms|, and Σ|terms| is at most n times the largest
    product. Raises `AssertionError` where the products differ, `chex`'s where the shapes do.

    >>> m = np.arange(6.0).reshape(2, 3)
    >>> check_adjoint(lambda a: m @ a, lambda x: m.T @ x, np.ones(3), np.ones(2))
    """
    with full_precision("float64"):
        a, x = jnp.asarray(a, jnp.float64), jnp.asarray(x, jnp.float64)
        y, back = np.asarray(jax.jit(f)(a)), np.asarray(jax.jit(transposed)(x))
    chex.assert_shape(y, x.shape)
    chex.assert_shape(back, a.shape)
    left, right = np.asarray(y * np.asarray(x)), np.asarray(np.asarray(a) * back)
    n = max(left.size, right.size, 1)
    largest = max(np.max(np.abs(left), initial=0.0), np.max(np.abs(right), initial=0.0))
    bound = n * unit_roundoff("float64") * n * largest
    if not abs(left.sum() - right.sum()) <= bound:
        raise AssertionError(
            f"<f(a), x> is {left.sum():.15g} but <a, transposed(x)> is {right.sum():.15g} (allowed {bound:.2g} apart)"
        )
