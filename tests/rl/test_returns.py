"""Returns and advantages are their sums, written out."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from jaxnets import rl

RNG = np.random.default_rng(0)
T = 7
REWARDS = RNG.normal(size=(T, 2)).astype(np.float32)
DISCOUNTS = (0.9 * (RNG.random((T, 2)) > 0.3)).astype(np.float32)
VALUES = RNG.normal(size=(T + 1, 2)).astype(np.float32)


def returns(n):
    """The definition, by loops."""
    result = np.zeros((T, 2))
    for t in range(T):
        factor = np.ones(2)
        for k in range(t, min(t + n, T)):
            result[t] += factor * REWARDS[k]
            factor *= DISCOUNTS[k]
        result[t] += factor * VALUES[min(t + n, T)]
    return result


@pytest.mark.parametrize("n", [1, 3, T, T + 5])
def test_n_step_returns_are_their_definition(n):
    np.testing.assert_allclose(
        rl.n_step_returns(*map(jnp.asarray, (REWARDS, DISCOUNTS, VALUES)), n), returns(n), rtol=1e-5
    )


@pytest.mark.parametrize("decay", [0.0, 0.8, 1.0])
def test_gae_is_the_papers_mean_of_n_step_advantages(decay):
    got = jax.jit(rl.gae, static_argnums=3)(REWARDS, DISCOUNTS, VALUES, decay)
    if decay == 1:
        want = returns(T) - VALUES[:-1]
    else:  # (1 - λ) Σ λ^(n-1) A⁽ⁿ⁾, equation 16; beyond the end all of them are alike
        want = sum((1 - decay) * decay ** (n - 1) * (returns(n) - VALUES[:-1]) for n in range(1, T))
        want = want + decay ** (T - 1) * (returns(T) - VALUES[:-1])
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)


def test_an_end_cuts_off_what_comes_after():
    ended = DISCOUNTS.copy()
    ended[3] = 0
    other = VALUES.copy()
    other[4:] += 5
    for function in (rl.gae, lambda *a: rl.n_step_returns(*a, 4)):
        one, two = (
            np.asarray(function(jnp.asarray(REWARDS), jnp.asarray(ended), jnp.asarray(v))) for v in (VALUES, other)
        )
        np.testing.assert_array_equal(one[:4], two[:4])
        assert (one[4:] != two[4:]).any()


def test_gradients_and_leading_axis_alone():
    arrays = tuple(jnp.asarray(a[:, 0]) for a in (REWARDS, DISCOUNTS, VALUES))
    check_grads(lambda *a: rl.gae(*a, 0.9), arrays, order=1, modes=["rev"], rtol=1e-2)
    check_grads(lambda *a: rl.n_step_returns(*a, 3), arrays, order=1, modes=["rev"], rtol=1e-2)


ONES = jnp.ones((3, 2))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: rl.gae(ONES, ONES, ONES), r"values \(3, 2\); pass .* one value more"),
        (lambda: rl.gae(ONES, ONES[:, 0], jnp.ones((4, 2))), r"discounts \(3,\)"),
        (lambda: rl.gae(ONES, ONES > 0, jnp.ones((4, 2))), "discounts are bool, not floating point"),
        (lambda: rl.gae(ONES, ONES, jnp.ones((4, 2)), 1.5), "decay is 1.5"),
        (lambda: rl.n_step_returns(ONES[:0], ONES[:0], ONES[:1], 2), "T from 1"),
        (lambda: rl.n_step_returns(ONES, ONES, jnp.ones((4, 2)), 0), "n is 0"),
    ],
)
def test_wrong_input_is_named(call, message):
    with pytest.raises((TypeError, ValueError), match=message):
        call()
