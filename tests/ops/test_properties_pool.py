"""Every sliding pool against its naive definition: values and gradients, legal calls drawn, ties and NaN on purpose."""

import hypothesis
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets import ops, reference
from jaxnets.testing import assert_conforms, check_finite_differences, pool_cases

POOLS = ("max_pool", "min_pool", "avg_pool", "lp_pool", "gem_pool")
FEW = hypothesis.settings(
    max_examples=3,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("op", POOLS)
def test_pool(op: str, rank: int) -> None:
    assert_conforms(getattr(ops, op), op, ranks=(rank,), examples=7)


def test_max_pool_with_indices() -> None:
    assert_conforms(ops.max_pool_with_indices, "max_pool_with_indices", examples=12)


@pytest.mark.parametrize("op", ["avg_pool", "lp_pool", "gem_pool"])
def test_pool_in_float64(op: str) -> None:
    assert_conforms(getattr(ops, op), op, dtypes=("float64",), examples=4)


@pytest.mark.parametrize("op", POOLS)
def test_pool_by_finite_differences(op: str) -> None:
    @FEW
    @hypothesis.given(pool_cases(op, dtypes=("float64",), fills=("distinct",)))
    def smooth(case) -> None:
        if op == "gem_pool":  # its floor is a kink, and below 1/4 of x a small power is too curved to be a line
            case = type(case)(case.op, case.shapes, {**case.kwargs, "eps": 1e-6}, case.dtype, case.fill, case.seed)
            check_finite_differences(case.bind(ops.gem_pool), *(abs(x) + 0.5 for x in case.arrays()))
        elif op == "lp_pool":
            check_finite_differences(
                case.bind(ops.lp_pool), *(x + 0.5 * (x >= 0) - 0.5 * (x < 0) for x in case.arrays())
            )
        else:
            check_finite_differences(case.bind(getattr(ops, op)), *case.arrays())

    smooth()


def test_gem_pool_exponent_has_the_naive_gradient() -> None:
    x, dy = np.abs(np.random.default_rng(0).standard_normal((2, 5, 4, 3))) + 0.1, np.ones((2, 2, 2, 3))
    with jax.enable_x64(True):
        got = jax.grad(lambda p: ops.gem_pool(jnp.asarray(x), 2, p=p).sum())(2.5)
    expected = reference.gem_pool_backward_p(dy, x, 2, p=2.5)
    assert float(got) == pytest.approx(float(expected), rel=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16", "float16", "int32", "int8", "uint8"])
@pytest.mark.parametrize("op", [*POOLS, "max_pool_with_indices"])
def test_many(op: str, dtype: str) -> None:
    if "int" in dtype and op in ("lp_pool", "gem_pool"):
        with pytest.raises(TypeError, match="cast"):
            getattr(ops, op)(jnp.zeros((1, 2, 1), dtype), 1)
        return
    assert_conforms(getattr(ops, op), op, dtypes=(dtype,), examples=20)
