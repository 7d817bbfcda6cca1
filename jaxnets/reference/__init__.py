"""The naive definition of every operation, in NumPy: the specification, the oracle and the baseline.

Each function follows its formula, one output position and one window tap after another; only samples and channels are
computed together. Signatures and meanings are those of `jaxnets.ops`. Start reading with `windows.py`, then `conv.py`.
Gradients are in `backward/`, from the chain rule; `numeric.py` checks them by finite differences.
"""

from jaxnets.reference.activation import gelu, gelu_backward, silu, silu_backward
from jaxnets.reference.adaptive import adaptive_avg_pool, adaptive_max_pool, global_avg_pool, global_max_pool
from jaxnets.reference.attention import attention, attention_weights, rotary, sinusoidal
from jaxnets.reference.audio import log_mel
from jaxnets.reference.average import avg_pool
from jaxnets.reference.backward import (
    adaptive_avg_pool_backward,
    adaptive_max_pool_backward,
    attention_backward,
    attention_weights_backward,
    avg_pool_backward,
    batch_norm_backward,
    blur_pool_backward,
    conv_backward,
    conv_transpose_backward,
    dense_backward,
    depth_to_space_backward,
    depthwise_conv_backward,
    fold_backward,
    fractional_max_pool_backward,
    gem_pool_backward,
    gem_pool_backward_p,
    global_avg_pool_backward,
    global_max_pool_backward,
    group_norm_backward,
    instance_norm_backward,
    layer_norm_backward,
    lp_pool_backward,
    max_pool_backward,
    max_unpool_backward,
    min_pool_backward,
    pad_backward,
    resize_backward,
    rms_norm_backward,
    rotary_backward,
    separable_conv_backward,
    space_to_depth_backward,
    unfold_backward,
)
from jaxnets.reference.blur import blur_pool
from jaxnets.reference.boxes import box_iou, nms, soft_nms
from jaxnets.reference.conv import conv, depthwise_conv, separable_conv
from jaxnets.reference.conv_transpose import conv_transpose
from jaxnets.reference.ctc import ctc_beam, ctc_greedy
from jaxnets.reference.deform_conv import deform_conv
from jaxnets.reference.dense import dense
from jaxnets.reference.extremum import max_pool, max_pool_with_indices, min_pool
from jaxnets.reference.features import bucketize, cross_ids, hash_ids
from jaxnets.reference.fractional import fractional_max_pool
from jaxnets.reference.neighbors import channel_shuffle, local_response_norm
from jaxnets.reference.norm import batch_norm, group_norm, instance_norm, layer_norm, rms_norm
from jaxnets.reference.numeric import finite_difference, numerical_gradient
from jaxnets.reference.padding import pad
from jaxnets.reference.patches import fold, unfold
from jaxnets.reference.pixels import depth_to_space, space_to_depth
from jaxnets.reference.power import gem_pool, lp_pool
from jaxnets.reference.recurrent import gru, lstm, reverse, rnn
from jaxnets.reference.resize import resize
from jaxnets.reference.roi import roi_align, roi_pool
from jaxnets.reference.unpool import max_unpool

__all__ = [
    "adaptive_avg_pool",
    "adaptive_avg_pool_backward",
    "adaptive_max_pool",
    "adaptive_max_pool_backward",
    "attention",
    "attention_backward",
    "attention_weights",
    "attention_weights_backward",
    "avg_pool",
    "avg_pool_backward",
    "batch_norm",
    "batch_norm_backward",
    "blur_pool",
    "blur_pool_backward",
    "box_iou",
    "bucketize",
    "channel_shuffle",
    "conv",
    "conv_backward",
    "conv_transpose",
    "conv_transpose_backward",
    "cross_ids",
    "ctc_beam",
    "ctc_greedy",
    "deform_conv",
    "dense",
    "dense_backward",
    "depth_to_space",
    "depth_to_space_backward",
    "depthwise_conv",
    "depthwise_conv_backward",
    "finite_difference",
    "fold",
    "fold_backward",
    "fractional_max_pool",
    "fractional_max_pool_backward",
    "gelu",
    "gelu_backward",
    "gem_pool",
    "gem_pool_backward",
    "gem_pool_backward_p",
    "global_avg_pool",
    "global_avg_pool_backward",
    "global_max_pool",
    "global_max_pool_backward",
    "group_norm",
    "group_norm_backward",
    "gru",
    "hash_ids",
    "instance_norm",
    "instance_norm_backward",
    "layer_norm",
    "layer_norm_backward",
    "local_response_norm",
    "log_mel",
    "lp_pool",
    "lp_pool_backward",
    "lstm",
    "max_pool",
    "max_pool_backward",
    "max_pool_with_indices",
    "max_unpool",
    "max_unpool_backward",
    "min_pool",
    "min_pool_backward",
    "nms",
    "numerical_gradient",
    "pad",
    "pad_backward",
    "resize",
    "resize_backward",
    "reverse",
    "rms_norm",
    "rms_norm_backward",
    "rnn",
    "roi_align",
    "roi_pool",
    "rotary",
    "rotary_backward",
    "separable_conv",
    "separable_conv_backward",
    "silu",
    "silu_backward",
    "sinusoidal",
    "soft_nms",
    "space_to_depth",
    "space_to_depth_backward",
    "unfold",
    "unfold_backward",
]
