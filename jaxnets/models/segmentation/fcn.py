"""FCN: a classifier made fully convolutional, so that it answers at every place.

Long, Shelhamer and Darrell (2015), Fully Convolutional Networks for Semantic Segmentation,
https://arxiv.org/abs/1411.4038

As torchvision has it: on a ResNet whose last two stages dilate rather than stride, without skip connections.
"""

from collections.abc import Mapping, Sequence

from jaxnets.core import Layer
from jaxnets.models.mapping import Names, Rule
from jaxnets.models.parts import variant
from jaxnets.models.resnet import CHANNELS, RULES, resnet_stages
from jaxnets.models.segmentation.segmenter import fcn_head, segmenter


def fcn_resnet(
    num_classes: int = 21,
    *,
    depths: Sequence[int] = (3, 4, 6, 3),
    channels: Sequence[int] = CHANNELS,
    output_stride: int = 8,
    aux: bool = True,
    rate: float = 0.1,
) -> Layer:
    """The segmenter: a dilated ResNet, two convolutions, and interpolation to the size of the image.

    Shapes: `(N, H, W, C) → {"out": (N, H, W, num_classes), "aux": the same}` logits; any H and W.

    Args:
        num_classes: K, the background among them.
        depths, channels, output_stride: of `resnet`, with bottlenecks; at least two stages.
        aux: a second head on the last stage but one, whose loss, at 0.4 or so, helps training. Without it the output is
            the array alone.
        rate: fraction dropped before the logits in training, which then needs a key.

    Raises `ValueError` as `resnet` does. Gradient: to all parameters. Cost for an image of 520×520: 153 billion
    multiply-adds with 50 layers.

    >>> import jax, jax.numpy as jnp
    >>> model = fcn_resnet(3, depths=(1, 1), channels=(4, 8))
    >>> params, state = model.init(jax.random.key(0), jnp.zeros((1, 32, 32, 3)))
    >>> list(params), list(params["heads"]["out"])
    (['backbone', 'heads'], ['conv', 'norm', 'logits'])
    >>> model.apply(params, state, jnp.zeros((1, 32, 32, 3)))[0]["out"].shape
    (1, 32, 32, 3)
    """
    stages = resnet_stages(depths, channels, output_stride=output_stride)
    last = len(depths)
    return segmenter(
        stages,
        (f"stage{last}", fcn_head(num_classes, channels[-1], rate)),
        (f"stage{last - 1}", fcn_head(num_classes, channels[-2], rate)) if aux else None,
    )


fcn_resnet50 = variant(fcn_resnet, depths=(3, 4, 6, 3))
fcn_resnet101 = variant(fcn_resnet, depths=(3, 4, 23, 3))

BACKBONE = tuple(
    Rule(f"backbone/{rule.ours}", f"backbone.{rule.theirs}") for rule in RULES if "classifier" not in rule.ours
)


def head_rules(ours: str, theirs: str) -> tuple[Rule, ...]:
    """The rules of torchvision's FCNHead."""
    names = (("conv", 0), ("norm", 1), ("logits", 4))
    return tuple(Rule(f"{ours}/{own}", f"{theirs}.{i}") for own, i in names)


SOURCES: Mapping[str, Names] = {
    "torchvision": (*BACKBONE, *head_rules("heads/out", "classifier"), *head_rules("heads/aux", "aux_classifier"))
}
