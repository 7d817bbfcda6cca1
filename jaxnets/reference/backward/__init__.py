"""The naive gradient of every operation, from the chain rule, in NumPy: `<op>_backward(dy, *the op's arguments)`."""

from jaxnets.reference.backward.attention import attention_backward, attention_weights_backward, rotary_backward
from jaxnets.reference.backward.average import (
    adaptive_avg_pool_backward,
    avg_pool_backward,
    blur_pool_backward,
    global_avg_pool_backward,
)
from jaxnets.reference.backward.conv import (
    conv_backward,
    conv_transpose_backward,
    dense_backward,
    depthwise_conv_backward,
    separable_conv_backward,
)
from jaxnets.reference.backward.extremum import (
    adaptive_max_pool_backward,
    fractional_max_pool_backward,
    global_max_pool_backward,
    max_pool_backward,
    max_unpool_backward,
    min_pool_backward,
)
from jaxnets.reference.backward.linear import (
    depth_to_space_backward,
    fold_backward,
    pad_backward,
    resize_backward,
    space_to_depth_backward,
    unfold_backward,
)
from jaxnets.reference.backward.norm import (
    batch_norm_backward,
    group_norm_backward,
    instance_norm_backward,
    layer_norm_backward,
    rms_norm_backward,
)
from jaxnets.reference.backward.power import gem_pool_backward, gem_pool_backward_p, lp_pool_backward

__all__ = [
    "adaptive_avg_pool_backward",
    "adaptive_max_pool_backward",
    "attention_backward",
    "attention_weights_backward",
    "avg_pool_backward",
    "batch_norm_backward",
    "blur_pool_backward",
    "conv_backward",
    "conv_transpose_backward",
    "dense_backward",
    "depth_to_space_backward",
    "depthwise_conv_backward",
    "fold_backward",
    "fractional_max_pool_backward",
    "gem_pool_backward",
    "gem_pool_backward_p",
    "global_avg_pool_backward",
    "global_max_pool_backward",
    "group_norm_backward",
    "instance_norm_backward",
    "layer_norm_backward",
    "lp_pool_backward",
    "max_pool_backward",
    "max_unpool_backward",
    "min_pool_backward",
    "pad_backward",
    "resize_backward",
    "rms_norm_backward",
    "rotary_backward",
    "separable_conv_backward",
    "space_to_depth_backward",
    "unfold_backward",
]
