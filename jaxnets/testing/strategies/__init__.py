"""Hypothesis strategies that draw legal calls only, built so that nothing is ever drawn and thrown away."""

from jaxnets.testing.strategies.conv import conv_cases, conv_transpose_cases, depthwise_conv_cases, separable_conv_cases
from jaxnets.testing.strategies.others import (
    NORMS,
    adaptive_cases,
    block_cases,
    blur_cases,
    dense_cases,
    fractional_cases,
    global_cases,
    norm_cases,
    pad_cases,
    patch_cases,
    resize_cases,
    unpool_cases,
)
from jaxnets.testing.strategies.pool import pool_cases

__all__ = [
    "NORMS",
    "adaptive_cases",
    "block_cases",
    "blur_cases",
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
    "unpool_cases",
]
