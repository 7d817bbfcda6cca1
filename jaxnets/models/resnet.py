"""Residual networks: ResNet, and its relatives ResNeXt and Wide ResNet.

He, Zhang, Ren and Sun (2016), Deep Residual Learning for Image Recognition, https://arxiv.org/abs/1512.03385
Xie, Girshick, Dollár, Tu and He (2017), Aggregated Residual Transformations, https://arxiv.org/abs/1611.05431
Zagoruyko and Komodakis (2016), Wide Residual Networks, https://arxiv.org/abs/1605.07146

As torchvision has them, "version 1.5": the 3×3 convolution of a bottleneck has its stride, not the 1×1 before it.
"""

from collections.abc import Callable, Mapping, Sequence

import jax

from jaxnets.combine import LayerLike, parallel, serial
from jaxnets.core import Layer
from jaxnets.layers import batch_norm, dense, global_avg_pool, initializers, max_pool
from jaxnets.models.mapping import Names, Rule
from jaxnets.models.parts import centered_conv, identity, per_stage, unit, variant
from jaxnets.ops import check

CHANNELS = (64, 128, 256, 512)
UNIFORM = initializers.variance_scaling(1 / 3, "fan_in", "uniform")


def resnet(
    num_classes: int = 1000,
    *,
    depths: Sequence[int] = (3, 4, 6, 3),
    channels: Sequence[int] = CHANNELS,
    bottleneck: bool = True,
    groups: int = 1,
    group_width: int = 64,
    output_stride: int | None = None,
    small_images: bool = False,
) -> Layer:
    """The classifier: a stem, stages of residual blocks, the mean over space, a matrix.

    Shapes: `(N, H, W, C) → (N, num_classes)` logits; any H and W, of which the stem leaves a quarter and each stage
    but the first half.

    Args:
        num_classes: K.
        depths: blocks in each stage.
        channels: of the 3×3 convolutions in each stage; the stem has as many as the first.
        bottleneck: 1×1, 3×3 and 1×1 convolutions to `4 * channels`, rather than two 3×3.
        groups: of the bottleneck's 3×3 convolution: above 1 it is a ResNeXt.
        group_width: channels of one group where `channels` is 64: above 64 it is a Wide ResNet.
        output_stride: pixels of the image per pixel of the last map at most, from 4; a stage that would go beyond
            dilates its 3×3 convolutions instead, so that a segmenter has larger maps of the same features.
        small_images: a stem of one 3×3 convolution, which leaves all of H and W, for images of some 32 pixels, as
            CIFAR's; section 4.2 of He et al. has `depths=(3, 3, 3), channels=(16, 32, 64), bottleneck=False`. No
            published file fits it.

    Raises `ValueError` for depths and channels of different lengths, for groups without a bottleneck, and an output
    stride below 4. Gradient: to all parameters. Cost for an image of 224×224: 1.8 billion multiply-adds in ResNet-18,
    4.1 in ResNet-50.

    >>> import jax.numpy as jnp
    >>> model = resnet(10, depths=(1, 1), channels=(8, 16))
    >>> params, state = model.init(jax.random.key(0), jnp.zeros((1, 32, 32, 3)))
    >>> list(params), list(params["stage2"]["0"]["main"])
    (['stem', 'stage1', 'stage2', 'classifier'], ['conv1', 'norm1', 'conv2', 'norm2', 'conv3', 'norm3'])
    """
    stages = resnet_stages(depths, channels, bottleneck, groups, group_width, output_stride, small_images=small_images)
    return serial(**stages, classifier=serial(pool=global_avg_pool(), logits=dense(num_classes, w_init=UNIFORM)))


def resnet_stages(
    depths: Sequence[int],
    channels: Sequence[int] = CHANNELS,
    bottleneck: bool = True,
    groups: int = 1,
    group_width: int = 64,
    output_stride: int | None = None,
    norm: Callable[[], Layer] = batch_norm,
    small_images: bool = False,
) -> dict[str, Layer]:
    """The layers before the classifier by name: "stem", "stage1" and so on. Arguments: those of `resnet`; `norm` makes
    each norm. `collect(**resnet_stages((3, 4, 6, 3)))` gives their maps: strides 4, 4, 8, 16 and 32
    (1, 1, 2, 4 and 8 with `small_images`)."""
    if not bottleneck and (groups, group_width) != (1, 64):
        raise ValueError(
            f"resnet: groups is {groups} and group_width {group_width}, but only a bottleneck has groups; "
            f"pass bottleneck=True"
        )
    rows = per_stage("resnet", depths, channels)
    if output_stride is not None:
        check.whole("resnet", output_stride, "output_stride", 4)
    before, now, dilation = rows[0][1], 1 if small_images else 4, 1
    parts = {"stem": _stem(before, norm, small_images)}
    for i, (depth, maps) in enumerate(rows, start=1):
        inner = int(maps * group_width / 64) * groups
        after = 4 * maps if bottleneck else maps
        blocks, dilate = [], i > 1 and output_stride is not None and 2 * now > output_stride
        now *= 2 if i > 1 and not dilate else 1
        for j in range(depth):
            stride = 2 if i > 1 and j == 0 and not dilate else 1
            if bottleneck:  # a first block that does not stride has the dilation of the stage before
                main = _bottleneck(inner, after, stride, groups, dilation, norm)
            else:
                main = _basic(after, stride, dilation, norm)
            blocks.append(_residual(main, after, stride, norm, project=stride > 1 or before != after))
            dilation *= 2 if dilate and j == 0 else 1
            before = after
        parts[f"stage{i}"] = serial(*blocks)
    return parts


def _stem(channels: int, norm: Callable[[], Layer], small_images: bool) -> Layer:
    if small_images:
        return serial(conv=centered_conv(channels, 3), norm=norm(), relu=jax.nn.relu)
    return serial(conv=centered_conv(channels, 7, 2), norm=norm(), relu=jax.nn.relu, pool=max_pool(3, 2, padding=1))


def _basic(channels: int, stride: int, dilation: int, norm: Callable[[], Layer]) -> Layer:
    return serial(
        conv1=centered_conv(channels, 3, stride, dilation=dilation),
        norm1=norm(),
        relu1=jax.nn.relu,
        conv2=centered_conv(channels, 3, dilation=dilation),
        norm2=norm(),
    )


def _bottleneck(inner: int, channels: int, stride: int, groups: int, dilation: int, norm: Callable[[], Layer]) -> Layer:
    return serial(
        conv1=centered_conv(inner, 1),
        norm1=norm(),
        relu1=jax.nn.relu,
        conv2=centered_conv(inner, 3, stride, groups=groups, dilation=dilation),
        norm2=norm(),
        relu2=jax.nn.relu,
        conv3=centered_conv(channels, 1),
        norm3=norm(),
    )


def _residual(main: Layer, channels: int, stride: int, norm: Callable[[], Layer], project: bool) -> Layer:
    skip: LayerLike = unit(centered_conv(channels, 1, stride), norm()) if project else identity
    return parallel(lambda main, skip: jax.nn.relu(main + skip), main=main, skip=skip)


resnet18 = variant(resnet, depths=(2, 2, 2, 2), bottleneck=False)
resnet34 = variant(resnet, depths=(3, 4, 6, 3), bottleneck=False)
resnet50 = variant(resnet, depths=(3, 4, 6, 3))
resnet101 = variant(resnet, depths=(3, 4, 23, 3))
resnet152 = variant(resnet, depths=(3, 8, 36, 3))
resnext50_32x4d = variant(resnet, depths=(3, 4, 6, 3), groups=32, group_width=4)
resnext101_32x8d = variant(resnet, depths=(3, 4, 23, 3), groups=32, group_width=8)
resnext101_64x4d = variant(resnet, depths=(3, 4, 23, 3), groups=64, group_width=4)
wide_resnet50_2 = variant(resnet, depths=(3, 4, 6, 3), group_width=128)
wide_resnet101_2 = variant(resnet, depths=(3, 4, 23, 3), group_width=128)

RULES = (
    Rule("stem/conv", "conv1"),
    Rule("stem/norm", "bn1"),
    Rule("stage{s}/{i}/main/conv{n}", "layer{s}.{i}.conv{n}"),
    Rule("stage{s}/{i}/main/norm{n}", "layer{s}.{i}.bn{n}"),
    Rule("stage{s}/{i}/skip/conv", "layer{s}.{i}.downsample.0"),
    Rule("stage{s}/{i}/skip/norm", "layer{s}.{i}.downsample.1"),
    Rule("classifier/logits", "fc"),
)
SOURCES: Mapping[str, Names] = {
    "torchvision": RULES,
    "timm": RULES,
    "transformers": (
        Rule("stem/conv", "resnet.embedder.embedder.convolution"),
        Rule("stem/norm", "resnet.embedder.embedder.normalization"),
        Rule("stage{s}/{i}/main/conv{n}", "resnet.encoder.stages.{s-1}.layers.{i}.layer.{n-1}.convolution"),
        Rule("stage{s}/{i}/main/norm{n}", "resnet.encoder.stages.{s-1}.layers.{i}.layer.{n-1}.normalization"),
        Rule("stage{s}/{i}/skip/conv", "resnet.encoder.stages.{s-1}.layers.{i}.shortcut.convolution"),
        Rule("stage{s}/{i}/skip/norm", "resnet.encoder.stages.{s-1}.layers.{i}.shortcut.normalization"),
        Rule("classifier/logits", "classifier.1"),
    ),
}
LACKS = {"transformers": ("resnext*", "wide_resnet*")}
