"""DeepLabV3: one map seen at several scales at once, by convolutions of several dilations.

Chen, Papandreou, Schroff and Adam (2017), Rethinking Atrous Convolution for Semantic Image Segmentation,
https://arxiv.org/abs/1706.05587
"""

from collections.abc import Mapping, Sequence

import jax

from jaxnets.combine import parallel, serial
from jaxnets.core import Layer
from jaxnets.layers import batch_norm, conv, dropout, global_avg_pool
from jaxnets.models.mapping import Names, Rule, Shapes
from jaxnets.models.maps import everywhere, joined
from jaxnets.models.mobilenet_v3 import LARGE, Stage
from jaxnets.models.parts import centered_conv, divisible, unit, variant
from jaxnets.models.resnet import CHANNELS, resnet_stages
from jaxnets.models.segmentation.fcn import BACKBONE, head_rules
from jaxnets.models.segmentation.segmenter import fcn_head, mobilenet_rules, mobilenet_stages, segmenter

DILATIONS = (12, 24, 36)


def deeplab_head(
    num_classes: int, channels: int = 256, dilations: Sequence[int] = DILATIONS, rate: float = 0.5
) -> Layer:
    """Atrous spatial pyramid pooling and two convolutions: `(N, h, w, C) → (N, h, w, num_classes)`."""

    def relu_unit(size: int, dilation: int = 1) -> Layer:
        return unit(centered_conv(channels, size, dilation=dilation), batch_norm(), jax.nn.relu)

    dilated = {f"dilated{i}": relu_unit(3, dilation) for i, dilation in enumerate(dilations, start=1)}
    whole = everywhere(serial(pool=global_avg_pool(keepdims=True), unit=relu_unit(1)))
    return serial(
        pyramid=parallel(joined, point=relu_unit(1), **dilated, whole=whole),
        project=relu_unit(1),
        drop=dropout(rate),
        refine=relu_unit(3),
        logits=conv(num_classes, 1),
    )


def deeplab_v3_resnet(
    num_classes: int = 21,
    *,
    depths: Sequence[int] = (3, 4, 6, 3),
    channels: Sequence[int] = CHANNELS,
    output_stride: int = 8,
    width: int = 256,
    dilations: Sequence[int] = DILATIONS,
    aux: bool = True,
    rate: float = 0.5,
    aux_rate: float = 0.1,
) -> Layer:
    """The segmenter: a dilated ResNet, a pyramid of dilations, and interpolation to the size of the image.

    Shapes: `(N, H, W, C) → {"out": (N, H, W, num_classes), "aux": the same}` logits; any H and W.

    Args:
        num_classes: K, the background among them.
        depths, channels, output_stride: of `resnet`, with bottlenecks; at least two stages.
        width: channels of the pyramid's branches and of what follows it.
        dilations: of its 3×3 convolutions, in pixels of the last map.
        aux: a second head, as in `fcn_resnet50`, on the last stage but one. Without it the output is the array alone.
        rate, aux_rate: fraction dropped in each head in training, which then needs a key.

    Raises `ValueError` as `resnet` does. Gradient: to all parameters. Cost for an image of 520×520: 179 billion
    multiply-adds with 50 layers.

    >>> import jax.numpy as jnp
    >>> model = deeplab_v3_resnet(3, depths=(1, 1), channels=(4, 8), width=8, dilations=(2,), aux=False)
    >>> params, state = model.init(jax.random.key(0), jnp.zeros((1, 32, 32, 3)))
    >>> list(params["heads"]["out"]), list(params["heads"]["out"]["pyramid"])
    (['pyramid', 'project', 'refine', 'logits'], ['point', 'dilated1', 'whole'])
    """
    last = len(depths)
    return segmenter(
        resnet_stages(depths, channels, output_stride=output_stride),
        (f"stage{last}", deeplab_head(num_classes, width, dilations, rate)),
        (f"stage{last - 1}", fcn_head(num_classes, channels[-2], aux_rate)) if aux else None,
    )


deeplabv3_resnet50 = variant(deeplab_v3_resnet, depths=(3, 4, 6, 3))
deeplabv3_resnet101 = variant(deeplab_v3_resnet, depths=(3, 4, 23, 3))


def deeplabv3_mobilenet_v3_large(
    num_classes: int = 21,
    *,
    stages: Sequence[Stage] = LARGE,
    width: float = 1.0,
    low: int = 3,
    aux: bool = True,
    rate: float = 0.5,
    aux_rate: float = 0.1,
) -> Layer:
    """DeepLabV3 on a MobileNetV3 whose last stage dilates: an output stride of 16.

    Shapes, `rate`s, errors and gradient: those of `deeplabv3_resnet50`; `stages` and `width` are those of
    `mobilenet_v3_large`, and the second head looks at the first block of stage `low`. Cost for an image of 520×520: 10
    billion multiply-adds.

    >>> model = deeplabv3_mobilenet_v3_large(3)
    >>> sorted(jax.eval_shape(model.init, jax.random.key(0), jax.ShapeDtypeStruct((1, 64, 64, 3), "float32"))[0])
    ['backbone', 'heads']
    """
    return segmenter(
        mobilenet_stages(stages, width, low),
        ("head", deeplab_head(num_classes, rate=rate)),
        (f"stage{low}/0", fcn_head(num_classes, divisible(stages[low - 1][1] * width) // 4, aux_rate)) if aux else None,
    )


def deeplab_head_rules(dilations: int = len(DILATIONS)) -> tuple[Rule, ...]:
    """The rules of torchvision's DeepLabHead."""
    pyramid, convs = "heads/out/pyramid", "classifier.0.convs"
    where = {f"{pyramid}/point": (f"{convs}.0", 0), f"{pyramid}/whole/unit": (f"{convs}.{dilations + 1}", 1)}
    where |= {f"{pyramid}/dilated{i}": (f"{convs}.{i}", 0) for i in range(1, dilations + 1)}
    where |= {"heads/out/project": ("classifier.0.project", 0), "heads/out/refine": ("classifier", 1)}
    rules = [Rule("heads/out/logits", "classifier.4")]
    for ours, (theirs, first) in where.items():
        rules += [Rule(f"{ours}/conv", f"{theirs}.{first}"), Rule(f"{ours}/norm", f"{theirs}.{first + 1}")]
    return tuple(rules)


def _torchvision(shapes: Shapes) -> list[Rule]:
    backbone = BACKBONE if "backbone/stage1/0/main/conv1/w" in shapes else mobilenet_rules(shapes)
    return [*backbone, *deeplab_head_rules(), *head_rules("heads/aux", "aux_classifier")]


SOURCES: Mapping[str, Names] = {"torchvision": _torchvision}
