"""The whole kit in one call: hold a function of your own to an op's definition."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jaxnets.extras import require
from jaxnets.testing import strategies
from jaxnets.testing.case import Case
from jaxnets.testing.checks import check_forward, check_gradients

_POOLS = ("max_pool", "min_pool", "max_pool_with_indices", "avg_pool", "lp_pool", "gem_pool")
_STRATEGIES: dict[str, tuple[Callable[..., Any], tuple[str, ...]]] = {
    "conv": (strategies.conv_cases, ()),
    "conv_transpose": (strategies.conv_transpose_cases, ()),
    "depthwise_conv": (strategies.depthwise_conv_cases, ()),
    "separable_conv": (strategies.separable_conv_cases, ()),
    "dense": (strategies.dense_cases, ()),
    "adaptive_avg_pool": (strategies.adaptive_cases, ("adaptive_avg_pool",)),
    "adaptive_max_pool": (strategies.adaptive_cases, ("adaptive_max_pool",)),
    "global_avg_pool": (strategies.global_cases, ("global_avg_pool",)),
    "global_max_pool": (strategies.global_cases, ("global_max_pool",)),
    "fractional_max_pool": (strategies.fractional_cases, ()),
    "blur_pool": (strategies.blur_cases, ()),
    "max_unpool": (strategies.unpool_cases, ()),
    "pad": (strategies.pad_cases, ()),
    "unfold": (strategies.patch_cases, ("unfold",)),
    "fold": (strategies.patch_cases, ("fold",)),
    "space_to_depth": (strategies.block_cases, ("space_to_depth",)),
    "depth_to_space": (strategies.block_cases, ("depth_to_space",)),
    "resize": (strategies.resize_cases, ()),
    **{op: (strategies.pool_cases, (op,)) for op in _POOLS},
    **{op: (strategies.norm_cases, (op,)) for op in strategies.NORMS},
}


def cases(op: str, **limits: Any) -> Any:
    """The strategy of legal calls of `op`; `limits` are its keyword arguments (`ranks=`, `dtypes=`, `max_size=`, …).

    >>> cases("conv", ranks=(2,), dtypes=("float32",))  # doctest: +ELLIPSIS
    conv_cases(ranks=(2,), dtypes=('float32',))
    """
    if op not in _STRATEGIES:
        raise ValueError(f"cases: unknown op {op!r}; the ops are {', '.join(sorted(_STRATEGIES))}")
    make, arguments = _STRATEGIES[op]
    return make(*arguments, **limits)


def assert_conforms(
    fn: Callable[..., Any], op: str, *, examples: int = 100, gradients: bool = True, shrink: bool = True, **limits: Any
) -> None:
    """Hold `fn`, which has the signature of `jaxnets.ops.<op>`, against the naive definition on `examples` legal calls.

    The value is checked in every dtype, and where the arrays are floating the gradients too, unless `gradients=False`.
    `limits` narrow the calls to what `fn` takes: `ranks=(2,)`, `dtypes=("float32",)`, `options=("stride", "padding")`,
    `paddings=("SAME",)`, `max_size=`, as the strategy of the op has them. Calls are the same in every run.

    Raises `AssertionError` for the smallest wrong call that Hypothesis finds (the first one, with `shrink=False`);
    its message has the `Case` to paste into a test. Cost: a compilation a call, about a tenth of a second.

    >>> import jax.numpy as jnp
    >>> def product(x, w):
    ...     return jnp.einsum("nhwc,ck->nhwk", x, w[0, 0])
    >>> takes = {"ranks": (2,), "max_kernel": 1, "options": (), "bias": False, "dtypes": ("float32",)}
    >>> assert_conforms(product, "conv", **takes, examples=3)
    """
    hypothesis = require("hypothesis", extra="test")

    @hypothesis.settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[hypothesis.Phase.generate, *([hypothesis.Phase.shrink] if shrink else [])],
        report_multiple_bugs=False,
        suppress_health_check=[hypothesis.HealthCheck.too_slow],
    )
    @hypothesis.given(cases(op, **limits))
    def conforms(case: Case) -> None:
        if gradients and case.differentiable:
            check_gradients(fn, case)
        else:
            check_forward(fn, case)

    conforms()
