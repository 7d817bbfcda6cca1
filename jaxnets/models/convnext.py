"""ConvNeXt: a residual network with the habits of a vision transformer.

Liu, Mao, Wu, Feichtenhofer, Darrell and Xie (2022), A ConvNet for the 2020s, https://arxiv.org/abs/2201.03545
"""

from collections.abc import Mapping, Sequence
from functools import partial

from jaxnets.combine import LayerLike, serial
from jaxnets.core import Layer
from jaxnets.layers import (
    conv,
    dense,
    depthwise_conv,
    drop_path,
    global_avg_pool,
    initializers,
    layer_norm,
    layer_scale,
)
from jaxnets.models.mapping import Names, Rule
from jaxnets.models.parts import at_least, block, per_stage, variant
from jaxnets.ops import gelu

PATCH = 4
NORMAL = initializers.normal(0.02)
norm = partial(layer_norm, eps=1e-6)
patches = partial(conv, padding=0, w_init=NORMAL)


def convnext(
    num_classes: int = 1000,
    *,
    depths: Sequence[int] = (3, 3, 9, 3),
    channels: Sequence[int] = (96, 192, 384, 768),
    scale: float = 1e-6,
    path_rate: float = 0.1,
) -> Layer:
    """The classifier: 4×4 patches, stages of residual blocks with 2×2 patches between, the mean over space, a matrix.

    Shapes: `(N, H, W, C) → (N, num_classes)` logits, H and W of at least 32 with four stages: the patches divide
    them by 4, and by 2 before each stage but the first.

    Args:
        num_classes: K.
        depths, channels: blocks and channels in each stage.
        scale: what the factor of each residual branch begins with.
        path_rate: fraction of samples that skip the last block in training, which then needs a key; it grows
            linearly from 0 at the first block.

    Raises `ValueError` for a smaller image, and for depths and channels of different lengths. Gradient: to all
    parameters. Cost for an image of 224×224: 4.5 billion multiply-adds in ConvNeXt-Tiny.

    >>> import jax, jax.numpy as jnp
    >>> model = convnext(10, depths=(1, 1), channels=(8, 16))
    >>> params, state = model.init(jax.random.key(0), jnp.zeros((1, 16, 16, 3)))
    >>> list(params), list(params["stage2"])
    (['stem', 'stage1', 'stage2', 'classifier'], ['downsample', '0'])
    >>> list(params["stage2"]["0"]["main"])
    ['depthwise', 'norm', 'expand', 'project', 'scale']
    """
    last, done = max(1, sum(depths) - 1), 0
    parts: dict[str, Layer] = {}
    for i, (depth, maps) in enumerate(per_stage("convnext", depths, channels), start=1):
        stage: dict[str, LayerLike] = {}
        if i == 1:
            smallest = at_least("convnext", PATCH * 2 ** (len(depths) - 1))
            parts["stem"] = serial(image=smallest, conv=patches(maps, PATCH, PATCH), norm=norm())
        else:
            stage["downsample"] = serial(norm=norm(), conv=patches(maps, 2, 2))
        for j in range(depth):
            stage[str(j)] = block(_main(maps, scale, path_rate * done / last), residual=True)
            done += 1
        parts[f"stage{i}"] = serial(**stage)
    logits = dense(num_classes, w_init=NORMAL)
    return serial(**parts, classifier=serial(pool=global_avg_pool(), norm=norm(), logits=logits))


def _main(channels: int, scale: float, rate: float) -> Layer:
    return serial(
        depthwise=depthwise_conv(7, padding=3, w_init=NORMAL),
        norm=norm(),
        expand=dense(4 * channels, w_init=NORMAL),
        gelu=gelu,
        project=dense(channels, w_init=NORMAL),
        scale=layer_scale(scale),
        drop=drop_path(rate),
    )


convnext_tiny = variant(convnext, depths=(3, 3, 9, 3), channels=(96, 192, 384, 768), path_rate=0.1)
convnext_small = variant(convnext, depths=(3, 3, 27, 3), channels=(96, 192, 384, 768), path_rate=0.4)
convnext_base = variant(convnext, depths=(3, 3, 27, 3), channels=(128, 256, 512, 1024), path_rate=0.5)
convnext_large = variant(convnext, depths=(3, 3, 27, 3), channels=(192, 384, 768, 1536), path_rate=0.5)

SOURCES: Mapping[str, Names] = {
    "torchvision": (
        Rule("stem/conv", "features.0.0"),
        Rule("stem/norm", "features.0.1"),
        Rule("stage{s}/downsample/norm", "features.{2*s-2}.0"),
        Rule("stage{s}/downsample/conv", "features.{2*s-2}.1"),
        Rule("stage{s}/{i}/main/depthwise", "features.{2*s-1}.{i}.block.0"),
        Rule("stage{s}/{i}/main/norm", "features.{2*s-1}.{i}.block.2"),
        Rule("stage{s}/{i}/main/expand", "features.{2*s-1}.{i}.block.3"),
        Rule("stage{s}/{i}/main/project", "features.{2*s-1}.{i}.block.5"),
        Rule("stage{s}/{i}/main/scale/scale", "features.{2*s-1}.{i}.layer_scale", "column"),
        Rule("classifier/norm", "classifier.0"),
        Rule("classifier/logits", "classifier.2"),
    ),
    "timm": (
        Rule("stem/conv", "stem.0"),
        Rule("stem/norm", "stem.1"),
        Rule("stage{s}/downsample/norm", "stages.{s-1}.downsample.0"),
        Rule("stage{s}/downsample/conv", "stages.{s-1}.downsample.1"),
        Rule("stage{s}/{i}/main/depthwise", "stages.{s-1}.blocks.{i}.conv_dw"),
        Rule("stage{s}/{i}/main/norm", "stages.{s-1}.blocks.{i}.norm"),
        Rule("stage{s}/{i}/main/expand", "stages.{s-1}.blocks.{i}.mlp.fc1"),
        Rule("stage{s}/{i}/main/project", "stages.{s-1}.blocks.{i}.mlp.fc2"),
        Rule("stage{s}/{i}/main/scale/scale", "stages.{s-1}.blocks.{i}.gamma", "array"),
        Rule("classifier/norm", "head.norm"),
        Rule("classifier/logits", "head.fc"),
    ),
    "transformers": (
        Rule("stem/conv", "convnext.embeddings.patch_embeddings"),
        Rule("stem/norm", "convnext.embeddings.layernorm"),
        Rule("stage{s}/downsample/norm", "convnext.encoder.stages.{s-1}.downsampling_layer.0"),
        Rule("stage{s}/downsample/conv", "convnext.encoder.stages.{s-1}.downsampling_layer.1"),
        Rule("stage{s}/{i}/main/depthwise", "convnext.encoder.stages.{s-1}.layers.{i}.dwconv"),
        Rule("stage{s}/{i}/main/norm", "convnext.encoder.stages.{s-1}.layers.{i}.layernorm"),
        Rule("stage{s}/{i}/main/expand", "convnext.encoder.stages.{s-1}.layers.{i}.pwconv1"),
        Rule("stage{s}/{i}/main/project", "convnext.encoder.stages.{s-1}.layers.{i}.pwconv2"),
        Rule(
            "stage{s}/{i}/main/scale/scale", "convnext.encoder.stages.{s-1}.layers.{i}.layer_scale_parameter", "array"
        ),
        Rule("classifier/norm", "convnext.layernorm"),
        Rule("classifier/logits", "classifier"),
    ),
}
