"""Every layer, every combinator and a small form of every family of models, as data.

A new row inherits every law of test_contract. Its name begins with the function it makes the layer with. `exempt` names
the laws that do not hold for the row, each with the reason; test_contract checks that they really do not.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxnets import collect, lift, models, parallel, pure, remat, repeat, serial
from jaxnets.core import Layer, Tree
from jaxnets.layers import (
    adaptive_avg_pool,
    adaptive_max_pool,
    attention,
    avg_pool,
    batch_norm,
    bidirectional,
    blur_pool,
    channel_shuffle,
    conv,
    conv_transpose,
    deform_conv,
    dense,
    depthwise_conv,
    drop_path,
    dropout,
    embed,
    flatten,
    fractional_max_pool,
    frozen_batch_norm,
    gem_pool,
    global_avg_pool,
    global_max_pool,
    group_norm,
    gru,
    instance_norm,
    layer_norm,
    layer_scale,
    learned_positions,
    local_response_norm,
    lp_pool,
    lstm,
    max_pool,
    min_pool,
    patch_embed,
    rms_norm,
    rnn,
    separable_conv,
    sinusoidal_positions,
    spectral_norm,
    squeeze_excite,
    transformer_block,
    weight_norm,
    weight_standardization,
)


class Case(NamedTuple):
    """A layer under test: how to make it, what it takes, and which laws it is exempt from, and why."""

    name: str
    make: Callable[[], Layer]
    input: Tree
    exempt: Mapping[str, str] = {}


def floats(*shape: int) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(shape, jnp.float32)


def ids(*shape: int) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(shape, jnp.int32)


LINE, IMAGE, VOLUME = floats(2, 7, 4), floats(2, 6, 5, 4), floats(2, 4, 3, 4, 2)

ORDER = {"integers": "it compares or moves elements, which integers allow"}
MEAN = {"integers": "the mean of integers is float32, as jax.numpy.mean has it"}
DRAWS = {
    "key_changes_nothing": "it draws random numbers in training",
    "trains_without_key": "it draws random numbers in training",
}
LINEAR = {
    "gradient": "in training a norm takes away the shift of the linear map before it; tests/models looks at the others"
}
SMALL_TEXT = {"depth": 1, "channels": 4, "heads": 2, "vocabulary": 7, "length": 6}
KEYS = {"gradient": "the softmax takes away the bias of the keys; tests/layers looks at the others"}
LOOKUP = {
    "integers": "it looks rows up by integer",
    "bfloat16": "it looks rows up by integer; the argument dtype sets the output's",
    "input_gradient": "integers have no gradient",
}


def affine() -> Layer:
    return pure(
        lambda key, x: {"w": jax.random.normal(key, (x.shape[-1],))},
        lambda params, x: x * params["w"].astype(x.dtype).reshape((1,) * (x.ndim - 1) + (-1,)),
    )


def padded(layer: Layer) -> Layer:
    """`layer` of sequences whose last two tokens only fill them up."""
    return serial(
        mask=lambda x: {"x": x, "mask": jnp.broadcast_to(jnp.arange(x.shape[1]) < x.shape[1] - 2, x.shape[:2])},
        layer=layer,
        tokens=lambda y: y["x"],
    )


def residual() -> Layer:
    main = serial(conv=conv(4, 3, bias=False), norm=batch_norm(), relu=jax.nn.relu, drop=dropout(0.3))
    return parallel(jnp.add, skip=lambda x: x, main=main)


def stack() -> Layer:
    return serial(
        conv(4, 3, bias=False), batch_norm(), jax.nn.relu, dropout(0.2), max_pool(2), flatten(), head=dense(3)
    )


LAYERS = [
    Case("conv 1-D causal", lambda: conv(3, 3, padding="CAUSAL", dilation=2), LINE),
    Case("conv 2-D", lambda: conv(3, (3, 2), 2, padding=((1, 0), (2, 1))), IMAGE),
    Case("conv 2-D grouped", lambda: conv(6, 3, groups=2, bias=False, padding_mode=("reflect", "circular")), IMAGE),
    Case("conv 3-D", lambda: conv(3, 2, padding="VALID"), VOLUME),
    Case("conv_transpose 1-D", lambda: conv_transpose(3, 3, 2, padding=1, output_padding=1), LINE),
    Case("conv_transpose 2-D grouped", lambda: conv_transpose(6, (3, 2), 2, groups=2), IMAGE),
    Case("conv_transpose 3-D", lambda: conv_transpose(2, 2, 2, bias=False), VOLUME),
    Case("depthwise_conv 1-D", lambda: depthwise_conv(3, padding="CAUSAL"), LINE),
    Case("depthwise_conv 2-D", lambda: depthwise_conv(3, 2, multiplier=2), IMAGE),
    Case("depthwise_conv 3-D", lambda: depthwise_conv(2, bias=False), VOLUME),
    Case("separable_conv 1-D", lambda: separable_conv(3, 3, dilation=2), LINE),
    Case("separable_conv 2-D", lambda: separable_conv(3, 3, 2, multiplier=2), IMAGE),
    Case("separable_conv 3-D", lambda: separable_conv(3, 2, bias=False), VOLUME),
    Case("dense", lambda: dense(3), floats(2, 5)),
    Case("dense on every position", lambda: dense(3, bias=False), LINE),
    Case("max_pool 1-D", lambda: max_pool(3, 1, padding="SAME"), LINE, ORDER),
    Case("max_pool 2-D", lambda: max_pool((3, 2), 2, ceil_mode=True), IMAGE, ORDER),
    Case("max_pool 3-D", lambda: max_pool(2, 1, dilation=2), VOLUME, ORDER),
    Case("min_pool 1-D", lambda: min_pool(2), LINE, ORDER),
    Case("min_pool 2-D", lambda: min_pool(3, 2, padding=1), IMAGE, ORDER),
    Case("avg_pool 1-D", lambda: avg_pool(3, 2, padding="CAUSAL"), LINE, MEAN),
    Case("avg_pool 2-D", lambda: avg_pool(3, 2, padding=1, count_include_pad=True), IMAGE, MEAN),
    Case("avg_pool 3-D", lambda: avg_pool(2, ceil_mode=True), VOLUME, MEAN),
    Case("lp_pool 1-D", lambda: lp_pool(3, 1, p=3), LINE),
    Case("lp_pool 2-D", lambda: lp_pool(2), IMAGE),
    Case("gem_pool 1-D", lambda: gem_pool(3, 2), LINE),
    Case("gem_pool 2-D", lambda: gem_pool(2, p=1.5), IMAGE),
    Case("adaptive_avg_pool 1-D", lambda: adaptive_avg_pool(3), LINE, MEAN),
    Case("adaptive_avg_pool 2-D", lambda: adaptive_avg_pool((4, None)), IMAGE, MEAN),
    Case("adaptive_max_pool 1-D", lambda: adaptive_max_pool(3), LINE, ORDER),
    Case("adaptive_max_pool 2-D", lambda: adaptive_max_pool((2, 3)), IMAGE, ORDER),
    Case("global_avg_pool", lambda: global_avg_pool(), IMAGE, MEAN),
    Case("global_max_pool", lambda: global_max_pool(keepdims=True), VOLUME, ORDER),
    Case("blur_pool 1-D", lambda: blur_pool(4, 2, padding_mode="circular"), LINE, MEAN),
    Case("blur_pool 2-D", lambda: blur_pool(), IMAGE, MEAN),
    Case("fractional_max_pool 1-D", lambda: fractional_max_pool(2, 5), LINE, ORDER | DRAWS),
    Case("fractional_max_pool 2-D", lambda: fractional_max_pool(2, (4, 3)), IMAGE, ORDER | DRAWS),
    Case("batch_norm", lambda: batch_norm(), IMAGE),
    Case("batch_norm of rows", lambda: batch_norm(momentum=0.5, scale=False), floats(4, 3)),
    Case("frozen_batch_norm", lambda: frozen_batch_norm(), IMAGE),
    Case("layer_norm", lambda: layer_norm(), LINE),
    Case("group_norm", lambda: group_norm(2), IMAGE),
    Case("instance_norm", lambda: instance_norm(shift=False), VOLUME),
    Case("rms_norm", lambda: rms_norm(), LINE),
    Case("layer_scale", lambda: layer_scale(0.1), LINE),
    Case("squeeze_excite 1-D", lambda: squeeze_excite(3, gate=jnp.tanh), LINE),
    Case("squeeze_excite 2-D", lambda: squeeze_excite(2, act=jax.nn.silu), IMAGE),
    Case("dropout", lambda: dropout(0.5), IMAGE, DRAWS),
    Case("dropout of nothing", lambda: dropout(0), LINE),
    Case("drop_path", lambda: drop_path(0.5), floats(8, 3, 2), DRAWS),
    Case("attention", lambda: attention(2, rate=0.3), LINE, DRAWS | KEYS),
    Case("attention causal, grouped", lambda: attention(4, kv_heads=2, head_dim=2, causal=True, rotary=100.0), LINE),
    Case("attention with a mask", lambda: padded(attention(2, bias=False)), LINE),
    Case("transformer_block", lambda: padded(transformer_block(2, bias=False)), LINE),
    Case(
        "transformer_block after Vaswani",
        lambda: transformer_block(2, ratio=1.5, norm_first=False, scale=0.5, rate=0.1, path_rate=0.2),
        floats(8, 3, 4),
        DRAWS | KEYS,
    ),
    Case("sinusoidal_positions", lambda: sinusoidal_positions(), LINE),
    Case("learned_positions", lambda: learned_positions(), LINE),
    Case("patch_embed 1-D", lambda: patch_embed(3, 7, bias=False), LINE),
    Case("patch_embed 2-D", lambda: patch_embed(3, (3, 5)), IMAGE),
    Case("flatten", lambda: flatten(), IMAGE, ORDER),
    Case("embed", lambda: embed(7, 3), ids(2, 5), LOOKUP),
    Case("lstm", lambda: lstm(3), LINE),
    Case("gru", lambda: gru(3, last=True), LINE),
    Case("rnn", lambda: rnn(3, bias=False), LINE),
    Case("bidirectional", lambda: bidirectional(gru(3)), LINE),
    Case("local_response_norm", lambda: local_response_norm(3), IMAGE),
    Case("channel_shuffle", lambda: channel_shuffle(2), IMAGE, ORDER),
    Case("weight_standardization", lambda: weight_standardization(conv(3, 3, groups=1)), LINE),
    Case("weight_norm", lambda: weight_norm(conv(3, 3), axis=0), LINE),
    Case("spectral_norm", lambda: spectral_norm(dense(3)), floats(4, 5)),
    Case("spectral_norm of what remembers", lambda: spectral_norm(conv(3, 3, bias=False)), IMAGE),
    Case("deform_conv 1-D", lambda: deform_conv(3, 3, 2, mask=False, bias=False), LINE),
    Case("deform_conv 2-D", lambda: deform_conv(4, (3, 2), groups=2, offset_groups=2), IMAGE),
    Case("embed in bfloat16", lambda: embed(7, 3, dtype=jnp.bfloat16), ids(4), LOOKUP),
]

COMBINATORS = [
    Case("lift", lambda: lift(jnp.abs), LINE, {"integers": "the function takes them"}),
    Case("pure", affine, LINE, {"integers": "the function takes them"}),
    Case("serial", stack, floats(4, 4, 4, 2), DRAWS),
    Case("parallel", residual, IMAGE, DRAWS),
    Case("parallel of branches", lambda: parallel(jnp.multiply, a=dense(3), b=serial(dense(3), jax.nn.sigmoid)), LINE),
    Case("collect", lambda: collect(conv=conv(3, 3), relu=jax.nn.relu, pool=global_avg_pool()), IMAGE),
    Case("repeat", lambda: repeat(residual(), 3), IMAGE, DRAWS),
    Case("remat", lambda: remat(serial(conv(3, 3), jax.nn.gelu, dropout(0.4))), LINE, DRAWS),
]

MOBILE = ((3, 8, False, "relu", 2, (8, 8)), (3, 8, True, "hard_swish", 2, (8,)))

TINY = {"depths": (1, 1, 1, 1), "channels": (2, 2, 2, 2), "width": 4}

MODELS = [
    Case("alexnet", lambda: models.alexnet(3, channels=(4, 5, 6, 5, 4), hidden=8), floats(4, 63, 64, 2), DRAWS),
    Case("vgg11", lambda: models.vgg11(3, depths=(1, 2), channels=(4, 6), hidden=8), floats(4, 8, 9, 2), DRAWS),
    Case(
        "densenet121",
        lambda: models.densenet121(3, depths=(1, 1), growth=2, stem=4, rate=0.2),
        floats(4, 16, 15, 2),
        DRAWS,
    ),
    Case("lenet", lambda: models.create("lenet", num_classes=3, channels=(4, 5), hidden=8), floats(4, 8, 8, 1), DRAWS),
    Case("lenet5", lambda: models.lenet5(3, channels=2, connections=[(0,), (1, 0)], hidden=(8,)), floats(4, 16, 16, 1)),
    Case("resnet18", lambda: models.resnet18(3, depths=(1, 1), channels=(4, 6)), floats(4, 16, 16, 2)),
    Case(
        "resnext50_32x4d",
        lambda: models.resnext50_32x4d(3, depths=(1, 1), channels=(4, 4), groups=2, group_width=32),
        floats(4, 16, 16, 2),
    ),
    Case(
        "mobilenet_v2",
        lambda: models.mobilenet_v2(3, stages=((1, 8, 1, 1), (2, 8, 2, 2)), stem=8, head=16),
        floats(4, 8, 8, 2),
        DRAWS | LINEAR,
    ),
    Case(
        "mobilenet_v3_small",
        lambda: models.mobilenet_v3_small(
            3, stages=((3, 8, True, "relu", 1, (8,)), (5, 8, True, "hard_swish", 2, (16, 24))), stem=8, hidden=8
        ),
        floats(4, 8, 8, 2),
        DRAWS | LINEAR,
    ),
    Case(
        "efficientnet_v2_s",
        lambda: models.efficientnet_v2_s(
            3, stages=(("fused", 1, 3, 1, 8, 1), ("fused", 2, 3, 2, 8, 1), ("mbconv", 2, 3, 1, 8, 1)), stem=8, head=16
        ),
        floats(4, 8, 8, 2),
        DRAWS | LINEAR,
    ),
    Case(
        "vit_b_16",
        lambda: models.vit_b_16(3, image_size=(8, 12), patch=4, channels=8, depth=2, heads=2, rate=0.1, path_rate=0.2),
        floats(4, 8, 12, 2),
        DRAWS | KEYS,
    ),
    Case(
        "convnext_tiny",
        lambda: models.convnext_tiny(3, depths=(1, 1), channels=(4, 4), scale=0.5, path_rate=0.5),
        floats(4, 8, 8, 2),
        DRAWS,
    ),
    Case("bert_base", lambda: models.bert_base(3, **SMALL_TEXT), ids(2, 5), LOOKUP | DRAWS | KEYS),
    Case("bert_tiny masked tokens", lambda: models.bert_tiny(None, **SMALL_TEXT), ids(2, 5), LOOKUP | DRAWS | KEYS),
    Case("distilbert_base", lambda: models.distilbert_base(3, **SMALL_TEXT), ids(2, 5), LOOKUP | DRAWS | KEYS),
    Case("gpt2", lambda: models.gpt2(**SMALL_TEXT), ids(2, 5), LOOKUP | DRAWS | KEYS),
    Case(
        "textcnn", lambda: models.textcnn(3, vocabulary=7, channels=4, sizes=(2, 3), maps=5), ids(2, 6), LOOKUP | DRAWS
    ),
    Case(
        "retinanet_resnet50_fpn",
        lambda: models.retinanet_resnet50_fpn(3, **TINY, convs=1, anchors=2),
        floats(2, 32, 32, 2),
    ),
    Case("fcos_resnet50_fpn", lambda: models.fcos_resnet50_fpn(3, **TINY, convs=1, groups=2), floats(2, 32, 32, 2)),
    Case(
        "fasterrcnn_resnet50_fpn",
        lambda: models.fasterrcnn_resnet50_fpn(3, **TINY, hidden=4, candidates=4, proposals=3),
        floats(2, 32, 32, 2),
        {"bfloat16": "boxes stay in float32"},
    ),
]

MODELS += [
    Case(
        "quartznet5x5",
        lambda: models.quartznet5x5(3, groups=[(4, 3)], blocks=1, repeats=2, stem=(4, 3), head=[(4, 3, 2)], rate=0.5),
        floats(2, 12, 5),
        DRAWS,
    ),
    Case("nature_dqn", lambda: models.nature_dqn(3, torso=[(4, 3, 2)], hidden=8), floats(2, 8, 8, 2)),
    Case("dueling_dqn", lambda: models.dueling_dqn(3, torso=[(4, 3, 2)], hidden=8), floats(2, 8, 8, 2)),
    Case("impala", lambda: models.impala(3, channels=(4,), blocks=1, hidden=8, memory=5), floats(2, 3, 8, 8, 2)),
    Case("mlp", lambda: models.mlp(2, channels=(8, 4), rate=0.5), floats(4, 5), DRAWS),
    Case(
        "wav2vec2_base",
        lambda: models.wav2vec2_base(
            3, depth=1, channels=8, heads=2, features=[(4, 4, 2), (4, 3, 2)], positions=(4, 2), norm_first=True
        ),
        floats(2, 24),
        DRAWS | KEYS,
    ),
    Case(
        "wide_deep",
        lambda: models.wide_deep(2, sizes=(7, 8), crosses=[(0, 1)], buckets=5, embedding=3, channels=(8,)),
        {"numbers": floats(4, 3), "ids": ids(4, 2)},
    ),
    Case(
        "dcn_v2",
        lambda: models.dcn_v2(2, sizes=(7, 8), embedding=3, crosses=2, rank=2, channels=(8,)),
        {"numbers": floats(4, 3), "ids": ids(4, 2)},
    ),
    Case(
        "fcn_resnet50",
        lambda: models.fcn_resnet50(3, depths=(1, 1), channels=(4, 4), output_stride=4),
        floats(2, 12, 12, 2),
        DRAWS,
    ),
    Case(
        "deeplabv3_resnet50",
        lambda: models.deeplabv3_resnet50(3, depths=(1, 1), channels=(4, 4), width=4, dilations=(2,), aux=False),
        floats(4, 16, 16, 2),
        DRAWS,
    ),
    Case(
        "deeplabv3_mobilenet_v3_large",
        lambda: models.deeplabv3_mobilenet_v3_large(3, stages=MOBILE, low=1),
        floats(4, 16, 16, 2),
        DRAWS,
    ),
    Case(
        "lraspp_mobilenet_v3_large",
        lambda: models.lraspp_mobilenet_v3_large(3, stages=MOBILE, low=1, channels=4),
        floats(4, 16, 16, 2),
    ),
    Case("unet", lambda: models.unet(3, channels=(4, 6)), floats(2, 5, 6, 2)),
]

CASES = {case.name: case for case in LAYERS + COMBINATORS + MODELS}
