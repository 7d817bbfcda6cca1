"""Arrays in, arrays out: every operation as a pure function of (N, *spatial, C), with 1, 2 or 3 spatial axes."""

from jaxnets.ops import audio, geometry
from jaxnets.ops.activation import gelu, silu
from jaxnets.ops.adaptive import adaptive_avg_pool, adaptive_max_pool
from jaxnets.ops.anchors import cell_anchors, decode_boxes, decode_sides, encode_boxes, encode_sides, grid_anchors
from jaxnets.ops.attention import attention, attention_cache, attention_weights
from jaxnets.ops.audio import log_mel, spec_augment
from jaxnets.ops.blur import blur_pool
from jaxnets.ops.boxes import box_area, box_convert, box_iou, clip_boxes
from jaxnets.ops.channels import channel_shuffle, local_response_norm
from jaxnets.ops.conv import conv, conv_transpose, depthwise_conv, separable_conv
from jaxnets.ops.ctc import ctc_beam, ctc_greedy
from jaxnets.ops.deform_conv import deform_conv
from jaxnets.ops.dense import dense
from jaxnets.ops.features import bucketize, cross_ids, hash_ids, hash_strings
from jaxnets.ops.fractional import fractional_max_pool
from jaxnets.ops.global_pool import global_avg_pool, global_max_pool
from jaxnets.ops.matching import match_boxes, sample_matches
from jaxnets.ops.nms import nms, soft_nms
from jaxnets.ops.norm import batch_norm, group_norm, instance_norm, layer_norm, rms_norm
from jaxnets.ops.pad import pad
from jaxnets.ops.patches import depth_to_space, fold, space_to_depth, unfold
from jaxnets.ops.pool import avg_pool, gem_pool, lp_pool, max_pool, min_pool
from jaxnets.ops.positions import rotary, sinusoidal
from jaxnets.ops.recurrent import gru, lstm, reverse, rnn
from jaxnets.ops.resize import resize
from jaxnets.ops.roi_align import pyramid_roi_align, roi_align, roi_levels
from jaxnets.ops.roi_pool import roi_pool
from jaxnets.ops.unpool import max_pool_with_indices, max_unpool

__all__ = [
    "adaptive_avg_pool",
    "adaptive_max_pool",
    "attention",
    "attention_cache",
    "attention_weights",
    "audio",
    "avg_pool",
    "batch_norm",
    "blur_pool",
    "box_area",
    "box_convert",
    "box_iou",
    "bucketize",
    "cell_anchors",
    "channel_shuffle",
    "clip_boxes",
    "conv",
    "conv_transpose",
    "cross_ids",
    "ctc_beam",
    "ctc_greedy",
    "decode_boxes",
    "decode_sides",
    "deform_conv",
    "dense",
    "depth_to_space",
    "depthwise_conv",
    "encode_boxes",
    "encode_sides",
    "fold",
    "fractional_max_pool",
    "gelu",
    "gem_pool",
    "geometry",
    "global_avg_pool",
    "global_max_pool",
    "grid_anchors",
    "group_norm",
    "gru",
    "hash_ids",
    "hash_strings",
    "instance_norm",
    "layer_norm",
    "local_response_norm",
    "log_mel",
    "lp_pool",
    "lstm",
    "match_boxes",
    "max_pool",
    "max_pool_with_indices",
    "max_unpool",
    "min_pool",
    "nms",
    "pad",
    "pyramid_roi_align",
    "resize",
    "reverse",
    "rms_norm",
    "rnn",
    "roi_align",
    "roi_levels",
    "roi_pool",
    "rotary",
    "sample_matches",
    "separable_conv",
    "silu",
    "sinusoidal",
    "soft_nms",
    "space_to_depth",
    "spec_augment",
    "unfold",
]
