"""A small convolutional network in the manner of LeNet-5.

LeCun, Bottou, Bengio and Haffner (1998), Gradient-Based Learning Applied to Document Recognition,
http://yann.lecun.com/exdb/publis/pdf/lecun-98.pdf

The plan is theirs: convolve and pool, twice, each time to more and smaller maps, then fully connected layers. The
parts are of a later day: 3×3 filters for 5×5, as the digits are 8×8 and not 32×32; ReLU for tanh; batch normalization
(Ioffe and Szegedy, 2015); maximum for trained average pooling; every map connected to all before it, not to a chosen
few; dropout (Srivastava et al., 2014); and a softmax for the distances to drawn prototypes. LeNet-5 itself is `lenet5`.
"""

import jax
import jax.numpy as jnp

from jaxnets.combine import LayerLike, collect, serial
from jaxnets.core import Layer
from jaxnets.layers import batch_norm, conv, dense, dropout, flatten, max_pool
from jaxnets.models.parts import at_least

CHANNELS = (64, 128)
EXAMPLE = jax.ShapeDtypeStruct((1, 8, 8, 1), jnp.float32)


def lenet(
    num_classes: int = 10, *, channels: tuple[int, int] = CHANNELS, hidden: int = 128, rate: float = 0.5
) -> Layer:
    """The classifier.

    Shapes: `(N, H, W, C) → (N, num_classes)` logits, H and W of at least 4 (two poolings by 2).

    Args:
        num_classes: K.
        channels: maps after the first and the second convolution.
        hidden: features of the fully connected layer.
        rate: fraction of those dropped in training, which then needs a key.

    Raises `ValueError` for a smaller image. Gradient: to all parameters. Cost: 1.3 million multiply-adds for each 8×8
    image, 142 thousand parameters.

    >>> import jax.numpy as jnp
    >>> model = lenet()
    >>> params, state = model.init(jax.random.key(0), jnp.zeros((1, 8, 8, 1)))
    >>> model.apply(params, state, jnp.zeros((2, 8, 8, 1)))[0].shape
    (2, 10)
    """
    return serial(
        image=at_least("lenet", 2 ** len(channels)),
        features=serial(**_features(channels)),
        classifier=serial(
            flatten=flatten(),
            hidden=dense(hidden),
            relu=jax.nn.relu,
            dropout=dropout(rate),
            logits=dense(num_classes),
        ),
    )


def lenet_features(*, channels: tuple[int, int] = CHANNELS) -> Layer:
    """Every map of the convolutional part by name, from the classifier's own parameters and state.

    Shapes: `(N, H, W, C) → {"conv1": (N, H, W, channels[0]), ..., "pool2": (N, H // 4, W // 4, channels[1])}`.

    >>> import jax.numpy as jnp
    >>> params, state = lenet().init(jax.random.key(0), jnp.zeros((1, 8, 8, 1)))
    >>> maps, _ = lenet_features().apply(params["features"], state["features"], jnp.zeros((1, 8, 8, 1)))
    >>> list(maps)
    ['conv1', 'norm1', 'relu1', 'pool1', 'conv2', 'norm2', 'relu2', 'pool2']
    """
    return collect(**_features(channels))


def _features(channels: tuple[int, int]) -> dict[str, LayerLike]:
    stages: dict[str, LayerLike] = {}
    for i, maps in enumerate(channels, start=1):
        stages[f"conv{i}"] = conv(maps, 3, bias=False)  # the norm's shift is its bias
        stages[f"norm{i}"] = batch_norm(momentum=0.9)
        stages[f"relu{i}"] = jax.nn.relu
        stages[f"pool{i}"] = max_pool(2)
    return stages
