"""`conv_transpose` against the naive definition, and against `conv`, whose adjoint it is."""

import hypothesis
import numpy as np
import pytest

from jaxnets import ops
from jaxnets.testing import assert_conforms, check_adjoint, check_finite_differences, conv_transpose_cases

FEW = hypothesis.settings(
    max_examples=6,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)


@pytest.mark.parametrize(("rank", "examples"), [(1, 12), (2, 12), (3, 10)])
def test_conv_transpose(rank: int, examples: int) -> None:
    assert_conforms(ops.conv_transpose, "conv_transpose", ranks=(rank,), examples=examples)


def test_conv_transpose_in_float64() -> None:
    assert_conforms(ops.conv_transpose, "conv_transpose", dtypes=("float64",), examples=8)


@FEW
@hypothesis.given(conv_transpose_cases(dtypes=("float64",)))
def test_conv_transpose_by_finite_differences(case) -> None:
    check_finite_differences(case.bind(ops.conv_transpose), *case.arrays())


@FEW
@hypothesis.given(conv_transpose_cases(dtypes=("float64",), bias=False))
def test_conv_transpose_is_the_adjoint_of_conv(case) -> None:
    x, w = case.arrays()
    options = dict(case.kwargs)
    up = {"output_padding": options.pop("output_padding")} | options
    a = np.random.default_rng(case.seed).standard_normal(ops.conv_transpose(x, w, **up).shape)
    check_adjoint(lambda a: ops.conv(a, w, **options), lambda x: ops.conv_transpose(x, w, **up), a, x)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16", "float16", "int32", "int8", "uint8"])
def test_many(dtype: str) -> None:
    assert_conforms(ops.conv_transpose, "conv_transpose", dtypes=(dtype,), examples=30)
