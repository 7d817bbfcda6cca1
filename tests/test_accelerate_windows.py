"""Every sliding window that lax can express, drawn at random, against lax: value, tangent and gradient."""

from typing import Any

import hypothesis
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from accelerated import REPLACED, assert_close, assert_ours, names
from hypothesis import strategies as st
from jax import lax

from jaxnets import accelerate

KINDS = {"max": (-np.inf, lax.max), "min": (np.inf, lax.min), "sum": (0.0, lax.add)}


@st.composite
def windows(draw: st.DrawFn) -> tuple[str, tuple[int, ...], dict[str, Any]]:
    """The kind of a window, the shape it slides over and its numbers: over any one to three axes of up to five."""
    rank = draw(st.integers(1, 5))
    slid = draw(st.sets(st.integers(0, rank - 1), min_size=1, max_size=min(rank, 3)))
    shape, size, stride, padding, dilation = [], [], [], [], []
    for axis in range(rank):
        n = draw(st.integers(1, 6 if axis in slid else 3))
        k, s, d = (draw(st.integers(1, 3)) if axis in slid else 1 for _ in range(3))
        low, high = (draw(st.integers(0, 2)) if axis in slid else 0 for _ in range(2))
        short = (k - 1) * d + 1 - (n + low + high)
        shape.append(n + max(short, 0))
        size.append(k)
        stride.append(s)
        dilation.append(d)
        padding.append((low, high))
    plain = draw(st.booleans())
    numbers = {
        "window_dimensions": tuple(size),
        "window_strides": tuple(stride),
        "padding": tuple(padding),
        "window_dilation": (1,) * rank if plain else tuple(dilation),
    }
    hypothesis.assume(max(size) > 1)  # else there is no window: XLA sees as much
    return draw(st.sampled_from(list(KINDS))), tuple(shape), numbers


def _sees_something(n: int, k: int, s: int, pads: tuple[int, int], d: int) -> bool:
    """Whether each window lies on a real element."""
    out = (n + sum(pads) - (k - 1) * d - 1) // s + 1
    return all(any(0 <= i * s - pads[0] + t * d < n for t in range(k)) for i in range(out))


def check(kind: str, shape: tuple[int, ...], numbers: dict[str, Any]) -> None:
    """Accelerated before and behind differentiation, against lax."""
    init, computation = KINDS[kind]
    draw = np.random.default_rng(sum(shape))
    x, t = draw.standard_normal((2, *shape)).astype(np.float32)
    tied = draw.integers(-2, 3, shape).astype(np.float32)

    def pool(x: jax.Array) -> jax.Array:
        return lax.reduce_window(x, np.float32(init), computation, **numbers)

    g = draw.standard_normal(jax.eval_shape(pool, x).shape).astype(np.float32)

    def tangent(fn: Any, x: jax.Array, t: jax.Array) -> Any:
        return jax.jvp(fn, (x,), (t,))

    def gradient(fn: Any, x: jax.Array, g: jax.Array) -> Any:
        return jax.vjp(fn, x)[1](g)

    differentiable = kind == "sum" or set(numbers["window_dilation"]) == {1}

    def all_of(x: jax.Array, tied: jax.Array, t: jax.Array, g: jax.Array) -> Any:
        fast = accelerate(pool)
        pairs = [(pool(x), fast(x))]
        # Of ties, lax's gradient on a CPU goes to the first, as ours, but its tangent comes from any.
        for derivative, at, v in ((tangent, x, t), (gradient, tied, g)) if differentiable else ():
            before, behind = derivative(fast, at, v), accelerate(lambda x, v, d=derivative: d(pool, x, v))(at, v)
            pairs += [(derivative(pool, at, v), before), (derivative(pool, at, v), behind)]
        return pairs

    if kind == "sum" or all(_sees_something(*axis) for axis in zip(shape, *numbers.values(), strict=True)):
        assert_ours(accelerate(pool), x)
        assert not differentiable or not {*names(accelerate(lambda x, g: gradient(pool, x, g)), x, g)} & REPLACED
    for expected, fast in jax.jit(all_of)(x, tied, t, g):
        assert_close(fast, expected, 1e-5)


def _settings(examples: int) -> hypothesis.settings:
    return hypothesis.settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=[hypothesis.HealthCheck.too_slow, hypothesis.HealthCheck.filter_too_much],
    )


@_settings(15)
@hypothesis.given(windows())
def test_every_window_of_lax(window: Any) -> None:
    check(*window)


@pytest.mark.slow
@_settings(150)
@hypothesis.given(windows())
def test_many_windows_of_lax(window: Any) -> None:
    check(*window)


def test_the_gradient_of_a_sum_is_one_operation() -> None:
    def pool(x: jax.Array) -> jax.Array:
        return lax.reduce_window(x, 0.0, lax.add, (1, 3, 3, 1), (1, 2, 2, 1), "SAME")

    def gradient(x: jax.Array, g: jax.Array) -> jax.Array:
        return jax.vjp(pool, x)[1](g)[0]

    x = jnp.zeros((2, 7, 8, 3))
    g = jnp.asarray(np.random.default_rng(0).standard_normal((2, 4, 4, 3)).astype(np.float32))
    assert [n for n in names(accelerate(gradient), x, g) if n in ("pad", "jaxnets_pool")] == ["jaxnets_pool"] * 2
    (spread,) = [e for e in jax.make_jaxpr(accelerate(gradient))(x, g).eqns if e.params.get("form") == "spread"]
    assert spread.params["window"].stride == (2, 2)
    assert_close(accelerate(gradient)(x, g), gradient(x, g))


@pytest.mark.parametrize("kind", ["max", "min"])
def test_a_start_that_is_no_identity(kind: str) -> None:
    _, computation = KINDS[kind]

    def pool(x: jax.Array, start: jax.Array) -> jax.Array:
        return lax.reduce_window(x, start, computation, (2, 2), (1, 1), ((1, 0), (0, 0)))

    x = jnp.asarray(np.random.default_rng(0).standard_normal((4, 5)).astype(np.float32))
    for start in (0.0, 0.3):
        start = jnp.asarray(start)
        assert "reduce_window" in names(pool, x, start)
        assert_ours(accelerate(pool), x, start)
        assert_close(jax.jit(accelerate(pool))(x, start), pool(x, start))


@pytest.mark.parametrize("computation", [lax.mul, lambda a, b: lax.max(a, 2 * b), lambda a, b: lax.add(a, a)])
def test_other_computations_are_left(computation: Any) -> None:
    def pool(x: jax.Array) -> jax.Array:
        return lax.reduce_window(x, np.float32(1), computation, (2,), (1,), "VALID")

    x = jnp.asarray([1.0, 2.0, 3.0])
    assert_close(accelerate(pool)(x), pool(x))
    assert "reduce_window" in names(accelerate(pool), x)


@pytest.mark.parametrize("dtype", ["int32", "int8", "uint8", "bfloat16", "float16"])
@pytest.mark.parametrize("kind", ["max", "min", "sum"])
def test_dtypes(kind: str, dtype: str) -> None:
    init, computation = KINDS[kind]
    if jnp.issubdtype(dtype, jnp.integer) and kind != "sum":
        init = jnp.iinfo(dtype).min if kind == "max" else jnp.iinfo(dtype).max
    x = jnp.asarray(np.random.default_rng(0).integers(0, 50, (2, 5, 4, 3)), dtype)

    def pool(x: jax.Array) -> jax.Array:
        return lax.reduce_window(x, np.asarray(init, dtype), computation, (1, 3, 2, 1), (1, 2, 1, 1), "SAME")

    assert_ours(accelerate(pool), x)
    fast, expected = accelerate(pool)(x), pool(x)
    assert fast.dtype == expected.dtype
    np.testing.assert_array_equal(fast, expected)
