"""The conformance kit: hold your own convolutions and pools to the definitions that jaxnets is held to.

Hypothesis draws legal calls (ranks, shapes, strides, paddings, dilations, groups, dtypes), NumPy loops say what is
right, in float64, and the error allowed follows from the dtype's rounding. One call does it all, with the options
that your function takes:

>>> import jax
>>> from jaxnets import testing
>>> def my_conv(x, w, padding):
...     return jax.lax.conv_general_dilated(x, w, (1, 1), padding, dimension_numbers=("NHWC", "HWIO", "NHWC"))
>>> takes = {"ranks": (2,), "options": ("padding",), "paddings": ("SAME", "VALID"), "bias": False}
>>> testing.assert_conforms(my_conv, "conv", **takes, dtypes=("float32",), examples=4)

A wrong function fails with the smallest wrong call, which can be pasted into a test and looked at alone:

>>> case = testing.Case("max_pool", {"x": (1, 4, 1)}, {"size": 2}, fill="ties", seed=1)
>>> testing.check_gradients(lambda x, size: x.reshape(1, -1, size, 1).max(2), case)  # doctest: +ELLIPSIS
Traceback (most recent call last):
AssertionError: Case(op='max_pool', ...): gradient of x: 4 of 4 elements wrong; worst at ...

(`jnp.max` shares the gradient of a tie; pooling gives it to the first maximum.) In a property test of your own:

    @hypothesis.given(testing.cases("max_pool", ranks=(2,), dtypes=("float32", "bfloat16")))
    def test_my_pool(case):
        testing.check_forward(my_pool, case)
        testing.check_gradients(my_pool, case)

`Case` is one call; `cases(op, ...)` and the strategies by name draw them; `check_forward`, `check_gradients`,
`check_finite_differences`, `check_adjoint` and `check_transformations` check one; `ORACLES` is the table of
definitions, `tolerance` the rounding. Needs Hypothesis: `pip install "jaxnets[test]"`.
"""

from jaxnets.testing.case import Case
from jaxnets.testing.checks import check_adjoint, check_finite_differences, check_forward, check_gradients
from jaxnets.testing.conformance import assert_conforms, cases
from jaxnets.testing.oracles import ORACLES, Oracle
from jaxnets.testing.rounding import Tolerance, accumulator, assert_close, tolerance, unit_roundoff
from jaxnets.testing.strategies import (
    NORMS,
    adaptive_cases,
    block_cases,
    blur_cases,
    conv_cases,
    conv_transpose_cases,
    dense_cases,
    depthwise_conv_cases,
    fractional_cases,
    global_cases,
    norm_cases,
    pad_cases,
    patch_cases,
    pool_cases,
    resize_cases,
    separable_conv_cases,
    unpool_cases,
)
from jaxnets.testing.transformations import check_transformations

__all__ = [
    "NORMS",
    "ORACLES",
    "Case",
    "Oracle",
    "Tolerance",
    "accumulator",
    "adaptive_cases",
    "assert_close",
    "assert_conforms",
    "block_cases",
    "blur_cases",
    "cases",
    "check_adjoint",
    "check_finite_differences",
    "check_forward",
    "check_gradients",
    "check_transformations",
    "conv_cases",
    "conv_transpose_cases",
    "dense_cases",
    "depthwise_conv_cases",
    "fractional_cases",
    "global_cases",
    "norm_cases",
    "pad_cases",
    "patch_cases",
    "pool_cases",
    "resize_cases",
    "separable_conv_cases",
    "tolerance",
    "unit_roundoff",
    "unpool_cases",
]
