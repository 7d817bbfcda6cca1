"""Layers: what learns, remembers, or acts otherwise in training. Each computes what the op of its name does."""

from jaxnets.layers.adaptive import (
    adaptive_avg_pool,
    adaptive_max_pool,
    blur_pool,
    fractional_max_pool,
    global_avg_pool,
    global_max_pool,
)
from jaxnets.layers.attention import attention
from jaxnets.layers.bidirectional import bidirectional
from jaxnets.layers.channels import channel_shuffle, local_response_norm
from jaxnets.layers.conv import conv, depthwise_conv, separable_conv
from jaxnets.layers.conv_transpose import conv_transpose
from jaxnets.layers.deform_conv import deform_conv
from jaxnets.layers.dense import dense
from jaxnets.layers.dropout import drop_path, dropout
from jaxnets.layers.embed import embed
from jaxnets.layers.frozen import frozen_batch_norm
from jaxnets.layers.layer_scale import layer_scale
from jaxnets.layers.norm import batch_norm, group_norm, instance_norm, layer_norm, rms_norm
from jaxnets.layers.patch_embed import patch_embed
from jaxnets.layers.pool import avg_pool, gem_pool, lp_pool, max_pool, min_pool
from jaxnets.layers.positions import learned_positions, sinusoidal_positions
from jaxnets.layers.recurrent import gru, lstm, rnn
from jaxnets.layers.reparametrize import spectral_norm, weight_norm, weight_standardization
from jaxnets.layers.reshape import flatten
from jaxnets.layers.squeeze_excite import squeeze_excite
from jaxnets.layers.transformer import transformer_block

__all__ = [
    "adaptive_avg_pool",
    "adaptive_max_pool",
    "attention",
    "avg_pool",
    "batch_norm",
    "bidirectional",
    "blur_pool",
    "channel_shuffle",
    "conv",
    "conv_transpose",
    "deform_conv",
    "dense",
    "depthwise_conv",
    "drop_path",
    "dropout",
    "embed",
    "flatten",
    "fractional_max_pool",
    "frozen_batch_norm",
    "gem_pool",
    "global_avg_pool",
    "global_max_pool",
    "group_norm",
    "gru",
    "instance_norm",
    "layer_norm",
    "layer_scale",
    "learned_positions",
    "local_response_norm",
    "lp_pool",
    "lstm",
    "max_pool",
    "min_pool",
    "patch_embed",
    "rms_norm",
    "rnn",
    "separable_conv",
    "sinusoidal_positions",
    "spectral_norm",
    "squeeze_excite",
    "transformer_block",
    "weight_norm",
    "weight_standardization",
]
