"""The rest of the family against the naive definitions: adaptive, global, blur, fractional, patches, resize, norms."""

import hypothesis
import pytest

from jaxnets import ops
from jaxnets.testing import NORMS, assert_conforms, cases, check_finite_differences

SLIDING = ("adaptive_avg_pool", "adaptive_max_pool", "blur_pool", "fractional_max_pool")
LINEAR = ("pad", "unfold", "fold", "space_to_depth", "depth_to_space", "resize", "max_unpool")
REST = ("global_avg_pool", "global_max_pool", "dense")


@pytest.mark.parametrize("op", SLIDING)
def test_pools_of_irregular_windows(op: str) -> None:
    assert_conforms(getattr(ops, op), op, examples=9)


@pytest.mark.parametrize("op", LINEAR)
def test_rearrangements(op: str) -> None:
    assert_conforms(getattr(ops, op), op, examples=7)


@pytest.mark.parametrize("op", REST)
def test_global_pools_and_dense(op: str) -> None:
    assert_conforms(getattr(ops, op), op, examples=6)


@pytest.mark.parametrize("op", NORMS)
def test_norms(op: str) -> None:
    assert_conforms(getattr(ops, op), op, examples=4)
    assert_conforms(getattr(ops, op), op, dtypes=("float64",), examples=3)


@pytest.mark.parametrize("op", [*NORMS, "blur_pool", "resize", "adaptive_avg_pool", "dense"])
def test_gradients_by_finite_differences(op: str) -> None:
    @hypothesis.settings(
        max_examples=2,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=[hypothesis.HealthCheck.too_slow],
    )
    @hypothesis.given(cases(op, dtypes=("float64",)))
    def smooth(case) -> None:
        curvature = 1e6 if op in NORMS else 16.0  # eps = 1e-5 makes the third derivative as large as eps ** -1.5
        check_finite_differences(case.bind(getattr(ops, op)), *case.arrays(), curvature=curvature)

    smooth()


@pytest.mark.slow
@pytest.mark.parametrize("op", [*SLIDING, *LINEAR, *REST, *NORMS])
def test_many(op: str) -> None:
    assert_conforms(getattr(ops, op), op, examples=30)
    assert_conforms(getattr(ops, op), op, dtypes=("float64",), examples=10)
