"""AlexNet, of one column: the network that began it.

Krizhevsky, Sutskever and Hinton (2012), ImageNet Classification with Deep Convolutional Neural Networks,
https://papers.nips.cc/paper/4824-imagenet-classification-with-deep-convolutional-neural-networks
Krizhevsky (2014), One Weird Trick for Parallelizing Convolutional Neural Networks, https://arxiv.org/abs/1404.5997

As torchvision has it: the second paper's network, whose convolutions are not split in two, without local response
normalization, and with the last maps brought to 6×6 whatever the image's size.
"""

from collections.abc import Mapping, Sequence
from functools import partial

import jax

from jaxnets.combine import LayerLike, serial
from jaxnets.core import Layer
from jaxnets.layers import adaptive_avg_pool, conv, dense, dropout, flatten, initializers, max_pool
from jaxnets.models.mapping import Names, Rule
from jaxnets.models.parts import at_least
from jaxnets.ops import check

# window, stride, padding, and whether a pool follows: figure 2 of the first paper
CONVS = ((11, 4, 2, True), (5, 1, 2, True), (3, 1, 1, False), (3, 1, 1, False), (3, 1, 1, True))
MAP = 6
UNIFORM = initializers.variance_scaling(1 / 3, "fan_in", "uniform")


def alexnet(
    num_classes: int = 1000,
    *,
    channels: Sequence[int] = (64, 192, 384, 256, 256),
    hidden: int = 4096,
    rate: float = 0.5,
) -> Layer:
    """The classifier: five convolutions, three of them pooled, and three fully connected layers.

    Shapes: `(N, H, W, C) → (N, num_classes)` logits, H and W of at least 63.

    Args:
        num_classes: K.
        channels: of each convolution.
        hidden: features of the two hidden layers.
        rate: fraction of what enters each hidden layer dropped in training, which then needs a key.

    Raises `ValueError` for a smaller image, and for other than five numbers of channels. Gradient: to all parameters.
    Cost for an image of 224×224: 0.7 billion multiply-adds.

    >>> import jax.numpy as jnp
    >>> model = alexnet(10, channels=(4, 4, 8, 8, 8), hidden=16)
    >>> params, state = model.init(jax.random.key(0), jnp.zeros((1, 64, 64, 3)))
    >>> list(params["features"]), list(params["classifier"])
    (['conv1', 'conv2', 'conv3', 'conv4', 'conv5'], ['hidden1', 'hidden2', 'logits'])
    """
    if len(channels) != len(CONVS):
        raise ValueError(f"alexnet: channels is {tuple(channels)}; pass {len(CONVS)} numbers, one for each convolution")
    features: dict[str, LayerLike] = {"image": at_least("alexnet", 63)}
    for i, (maps, (size, stride, padding, pooled)) in enumerate(zip(channels, CONVS, strict=True), start=1):
        maps = check.whole("alexnet", maps, f"channels[{i - 1}]")
        features[f"conv{i}"] = conv(maps, size, stride, padding=padding, w_init=UNIFORM)
        features[f"relu{i}"] = jax.nn.relu
        if pooled:
            features[f"pool{i}"] = max_pool(3, 2)
    linear = partial(dense, w_init=UNIFORM)
    return serial(
        features=serial(**features),
        classifier=serial(
            pool=adaptive_avg_pool(MAP),
            flatten=flatten(),
            dropout1=dropout(rate),
            hidden1=linear(hidden),
            relu1=jax.nn.relu,
            dropout2=dropout(rate),
            hidden2=linear(hidden),
            relu2=jax.nn.relu,
            logits=linear(num_classes),
        ),
    )


SOURCES: Mapping[str, Names] = {
    "torchvision": (
        Rule("features/conv1", "features.0"),
        Rule("features/conv2", "features.3"),
        Rule("features/conv3", "features.6"),
        Rule("features/conv4", "features.8"),
        Rule("features/conv5", "features.10"),
        Rule("classifier/hidden1", "classifier.1", f"dense_of_maps:{MAP}x{MAP}"),
        Rule("classifier/hidden2", "classifier.4"),
        Rule("classifier/logits", "classifier.6"),
    )
}
