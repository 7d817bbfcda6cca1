"""`conv`, depthwise and separable convolution against the naive definition: values and gradients, legal calls drawn."""

import hypothesis
import pytest

from jaxnets import ops
from jaxnets.testing import assert_conforms, check_finite_differences, conv_cases, depthwise_conv_cases

SMOOTH = hypothesis.settings(
    max_examples=5,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)


@pytest.mark.parametrize(("rank", "examples"), [(1, 14), (2, 14), (3, 12)])
def test_conv(rank: int, examples: int) -> None:
    assert_conforms(ops.conv, "conv", ranks=(rank,), examples=examples)


def test_conv_in_float64() -> None:
    assert_conforms(ops.conv, "conv", dtypes=("float64",), examples=8)


@pytest.mark.parametrize("op", ["depthwise_conv", "separable_conv"])
def test_conv_in_two_steps(op: str) -> None:
    assert_conforms(getattr(ops, op), op, examples=8)


@SMOOTH
@hypothesis.given(conv_cases(dtypes=("float64",)))
def test_conv_by_finite_differences(case) -> None:
    check_finite_differences(case.bind(ops.conv), *case.arrays())


@SMOOTH
@hypothesis.given(depthwise_conv_cases(dtypes=("float64",), ranks=(2,)))
def test_depthwise_conv_by_finite_differences(case) -> None:
    check_finite_differences(case.bind(ops.depthwise_conv), *case.arrays())


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16", "float16", "int32", "int8", "uint8"])
@pytest.mark.parametrize("op", ["conv", "depthwise_conv", "separable_conv"])
def test_many(op: str, dtype: str) -> None:
    assert_conforms(getattr(ops, op), op, dtypes=(dtype,), examples=30)
