"""VGG: nothing but 3×3 convolutions, and how deep they can go.

Simonyan and Zisserman (2015), Very Deep Convolutional Networks for Large-Scale Image Recognition,
https://arxiv.org/abs/1409.1556

As torchvision has them: with batch normalization (Ioffe and Szegedy, 2015) in those called `_bn`, and with the last
maps brought to 7×7 whatever the image's size.
"""

from collections.abc import Mapping, Sequence
from functools import partial

import jax

from jaxnets.combine import LayerLike, serial
from jaxnets.core import Layer
from jaxnets.layers import adaptive_avg_pool, batch_norm, conv, dense, dropout, flatten, initializers, max_pool
from jaxnets.models.mapping import Names, Rule, Shapes, find
from jaxnets.models.parts import FAN_OUT, at_least, per_stage, variant

CHANNELS = (64, 128, 256, 512, 512)
MAP = 7
NORMAL = initializers.normal(0.01)


def vgg(
    num_classes: int = 1000,
    *,
    depths: Sequence[int] = (2, 2, 3, 3, 3),
    channels: Sequence[int] = CHANNELS,
    norm: bool = False,
    hidden: int = 4096,
    rate: float = 0.5,
) -> Layer:
    """The classifier: stages of 3×3 convolutions with a pool after each, and three fully connected layers.

    Shapes: `(N, H, W, C) → (N, num_classes)` logits, H and W of at least 32 with five stages, each of which halves
    them.

    Args:
        num_classes: K.
        depths, channels: convolutions and their channels in each stage.
        norm: batch normalization after each convolution.
        hidden: features of the two hidden layers.
        rate: fraction of each hidden layer dropped in training, which then needs a key.

    Raises `ValueError` for a smaller image, and for depths and channels of different lengths. Gradient: to all
    parameters. Cost for an image of 224×224: 7.6 billion multiply-adds in VGG-11, 19.6 in VGG-19.

    >>> import jax.numpy as jnp
    >>> model = vgg(10, depths=(1, 2), channels=(4, 8), norm=True, hidden=16)
    >>> params, state = model.init(jax.random.key(0), jnp.zeros((1, 8, 8, 3)))
    >>> list(params), list(params["stage2"])
    (['stage1', 'stage2', 'classifier'], ['conv1', 'norm1', 'conv2', 'norm2'])
    """
    rows = per_stage("vgg", depths, channels)
    parts: dict[str, LayerLike] = {"image": at_least("vgg", 2 ** len(rows))}
    for s, (depth, maps) in enumerate(rows, start=1):
        stage: dict[str, LayerLike] = {}
        for i in range(1, depth + 1):
            stage[f"conv{i}"] = conv(maps, 3, padding=1, w_init=FAN_OUT)
            if norm:
                stage[f"norm{i}"] = batch_norm()
            stage[f"relu{i}"] = jax.nn.relu
        parts[f"stage{s}"] = serial(**stage, pool=max_pool(2))
    linear = partial(dense, w_init=NORMAL)
    classifier = serial(
        pool=adaptive_avg_pool(MAP),
        flatten=flatten(),
        hidden1=linear(hidden),
        relu1=jax.nn.relu,
        dropout1=dropout(rate),
        hidden2=linear(hidden),
        relu2=jax.nn.relu,
        dropout2=dropout(rate),
        logits=linear(num_classes),
    )
    return serial(**parts, classifier=classifier)


vgg11 = variant(vgg, depths=(1, 1, 2, 2, 2))
vgg13 = variant(vgg, depths=(2, 2, 2, 2, 2))
vgg16 = variant(vgg, depths=(2, 2, 3, 3, 3))
vgg19 = variant(vgg, depths=(2, 2, 4, 4, 4))
vgg11_bn = variant(vgg, depths=(1, 1, 2, 2, 2), norm=True)
vgg13_bn = variant(vgg, depths=(2, 2, 2, 2, 2), norm=True)
vgg16_bn = variant(vgg, depths=(2, 2, 3, 3, 3), norm=True)
vgg19_bn = variant(vgg, depths=(2, 2, 4, 4, 4), norm=True)


def _features(shapes: Shapes) -> list[Rule]:
    """Theirs are numbered through: a convolution, its norm if it has one, a ReLU, and a pool after each stage."""
    rules, number, stage, normed = [], 0, "1", bool(find("stage1/norm{i}", shapes))
    for at in find("stage{s}/conv{i}", shapes):
        number += at["s"] != stage  # the pool
        stage = at["s"]
        rules.append(Rule("stage{s}/conv{i}".format(**at), f"features.{number}"))
        number += 1
        if normed:
            rules.append(Rule("stage{s}/norm{i}".format(**at), f"features.{number}"))
            number += 1
        number += 1  # the ReLU
    return rules


def _torchvision(shapes: Shapes) -> list[Rule]:
    return [
        *_features(shapes),
        Rule("classifier/hidden1", "classifier.0", f"dense_of_maps:{MAP}x{MAP}"),
        Rule("classifier/hidden2", "classifier.3"),
        Rule("classifier/logits", "classifier.6"),
    ]


def _timm(shapes: Shapes) -> list[Rule]:
    return [
        *_features(shapes),
        Rule("classifier/hidden1", "pre_logits.fc1", f"conv_as_dense:{MAP}x{MAP}"),
        Rule("classifier/hidden2", "pre_logits.fc2", "conv_as_dense"),
        Rule("classifier/logits", "head.fc"),
    ]


SOURCES: Mapping[str, Names] = {"torchvision": _torchvision, "timm": _timm}
