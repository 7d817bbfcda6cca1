"""Arrays in, arrays out: every operation as a pure function of (N, *spatial, C), with 1, 2 or 3 spatial axes."""

from jaxnets.ops import geometry
from jaxnets.ops.conv import conv, conv_transpose, depthwise_conv, separable_conv
from jaxnets.ops.pad import pad
from jaxnets.ops.pool import avg_pool, gem_pool, lp_pool, max_pool, min_pool

__all__ = [
    "avg_pool",
    "conv",
    "conv_transpose",
    "depthwise_conv",
    "gem_pool",
    "geometry",
    "lp_pool",
    "max_pool",
    "min_pool",
    "pad",
    "separable_conv",
]
