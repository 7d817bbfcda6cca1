"""The tolerances hold what rounding does, and little more."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets.testing import accumulator, assert_close, tolerance, unit_roundoff


@pytest.mark.parametrize(("dtype", "bits"), [("float64", 53), ("float32", 24), ("float16", 11), ("bfloat16", 8)])
def test_unit_roundoff_is_half_the_last_place(dtype: str, bits: int) -> None:
    u = unit_roundoff(dtype)
    assert u == 2.0**-bits
    kind = jnp.dtype(dtype).type
    assert kind(1 + 2 * u) != kind(1)
    assert kind(1) + kind(u) == kind(1)  # halfway: to even


def test_half_precision_accumulates_in_float32() -> None:
    assert accumulator("bfloat16") == accumulator("float16") == accumulator("float32") == np.float32
    assert accumulator("float64") == np.float64
    assert accumulator("int8") == np.int8


@pytest.mark.parametrize("terms", [10, 100, 1000, 10000])
def test_a_running_sum_is_within_the_bound_and_uses_some_of_it(terms: int) -> None:
    x = np.random.default_rng(terms).random((terms, 50)).astype(np.float32)
    total = np.zeros(50, np.float32)
    for row in x:
        total += row
    exact = x.astype(np.float64).sum(0)
    assert_close(total, exact, exact, tolerance("float32", terms), "sum")
    used = np.abs(total - exact).max() / tolerance("float32", terms).bound(exact, exact).max()
    assert used > 0.3 / terms**0.75  # errors of random sign: about the square root of the bound


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_a_running_sum_in_half_precision_is_not(dtype: str) -> None:
    x = np.random.default_rng(0).random((300, 50)).astype(jnp.dtype(dtype))
    total = np.zeros(50, x.dtype)
    for row in x:
        total = total + row
    exact = x.astype(np.float64).sum(0)
    assert_close(exact.astype(x.dtype), exact, exact, tolerance(dtype, 300), "rounded once")
    with pytest.raises(AssertionError, match="elements wrong"):
        assert_close(total, exact, exact, tolerance(dtype, 300), "rounded 300 times")


def test_copies_are_exact_and_integers_too() -> None:
    one = np.ones(1, np.float32)
    with pytest.raises(AssertionError, match=r"off by 1\.2e-07, allowed 0"):
        assert_close(np.nextafter(one, 2), one, one, tolerance("float32", 0), "copy")
    with pytest.raises(AssertionError, match="8, not 7"):
        assert_close(np.array([8], np.int8), np.array([7], np.int8), 100.0, tolerance("int8", 9), "integers")


@pytest.mark.parametrize(("got", "exact"), [(np.nan, 1.0), (1.0, np.nan), (np.inf, 1.0), (-np.inf, np.inf)])
def test_what_is_not_finite_must_be_the_same(got: float, exact: float) -> None:
    with pytest.raises(AssertionError, match="1 of 1 elements wrong"):
        assert_close(np.array([got]), np.array([exact]), 1.0, tolerance("float64", 100), "odd")
    assert_close(np.array([exact]), np.array([exact]), 1.0, tolerance("float64", 100), "odd")


def test_overflow_of_the_narrow_dtype_may_be_infinite() -> None:
    got = np.array([np.inf], np.float16)
    assert_close(got, np.array([70000.0]), 70000.0, tolerance("float16", 1), "overflow")
    with pytest.raises(AssertionError, match="elements wrong"):
        assert_close(got, np.array([60000.0]), 60000.0, tolerance("float16", 1), "no overflow")
    with pytest.raises(AssertionError, match="elements wrong"):
        assert_close(-got, np.array([70000.0]), 70000.0, tolerance("float16", 1), "the other way")
