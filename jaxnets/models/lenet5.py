"""LeNet-5: the network that read the digits of cheques.

LeCun, Bottou, Bengio and Haffner (1998), Gradient-Based Learning Applied to Document Recognition,
http://yann.lecun.com/exdb/publis/pdf/lecun-98.pdf, section II.B and appendix A

As in the paper: trained averages between the convolutions, maps that are connected to a few of those before them, and
the scaled tangent. For its last layer, distances to prototypes drawn by hand, stands a matrix.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets import ops
from jaxnets.combine import LayerLike, serial
from jaxnets.core import Layer, Params, pure, require_key
from jaxnets.layers import avg_pool, conv, dense, flatten
from jaxnets.layers.leaves import LECUN_NORMAL
from jaxnets.models.parts import at_least
from jaxnets.ops import check

EXAMPLE = jax.ShapeDtypeStruct((1, 32, 32, 1), jnp.float32)
# Table I: the maps of the second pool that each map of the third layer reads, so that they come to see other things
CONNECTIONS = (
    *((i, (i + 1) % 6, (i + 2) % 6) for i in range(6)),
    *((i, (i + 1) % 6, (i + 2) % 6, (i + 3) % 6) for i in range(6)),
    *((i, i + 1, (i + 3) % 6, (i + 4) % 6) for i in range(3)),
    tuple(range(6)),
)


def lenet5(
    num_classes: int = 10,
    *,
    channels: int = 6,
    connections: Sequence[Sequence[int]] = CONNECTIONS,
    hidden: Sequence[int] = (120, 84),
) -> Layer:
    """The classifier: two 5×5 convolutions, an average after each with a factor and a shift for each map, and three
    fully connected layers. The first of those is the paper's third convolution, whose window is its whole input.

    Shapes: `(N, H, W, C) → (N, num_classes)` logits, in the paper of images 32×32×1; H and W of at least 16.

    Args:
        num_classes: K.
        channels: maps of the first convolution.
        connections: of those, the ones that each map of the second convolution reads.
        hidden: features of the fully connected layers before the logits.

    Raises `ValueError` for a smaller image, and connections to maps there are not. Gradient: to all parameters, of
    which there are 60,000 before the logits, as in the paper. Cost for an image of 32×32: 0.42 million multiply-adds,
    with the absent connections of the second convolution, which are zeros.

    >>> model = lenet5()
    >>> params, state = model.init(jax.random.key(0), jnp.zeros((1, 32, 32, 1)))
    >>> list(params), params["conv2"]["w"].shape
    (['conv1', 'average1', 'conv2', 'average2', 'hidden1', 'hidden2', 'logits'], (5, 5, 60))
    """
    rows = [tuple(check.whole("lenet5", i, f"connections[{k}]", 0) for i in row) for k, row in enumerate(connections)]
    if not rows or any(not row or max(row) >= channels or len(set(row)) < len(row) for row in rows):
        raise ValueError(
            f"lenet5: connections is {tuple(rows)}; pass for each map of the second convolution the maps it reads, "
            f"each once, of 0 to {channels - 1}"
        )
    layers: dict[str, LayerLike] = {}
    for i, features in enumerate(hidden, start=1):
        layers |= {f"hidden{i}": dense(features, w_init=LECUN_NORMAL), f"act{i + 2}": _squash}
    return serial(
        image=at_least("lenet5", 16),
        conv1=conv(channels, 5, padding="VALID", w_init=LECUN_NORMAL),
        act1=_squash,
        average1=_trained_average(),
        conv2=connected(rows),
        act2=_squash,
        average2=_trained_average(),
        flatten=flatten(),
        **layers,
        logits=dense(num_classes, w_init=LECUN_NORMAL),
    )


def _squash(x: jax.Array) -> jax.Array:
    """The tangent that maps 1 to 1 and -1 to -1, appendix A."""
    return 1.7159 * jnp.tanh(2 / 3 * x)


def _trained_average() -> Layer:
    """The mean of 2×2, times a factor plus a shift for each map, squashed."""

    def init(key: jax.Array, x: jax.Array) -> Params:
        return {"scale": jnp.ones(x.shape[-1], jnp.float32), "shift": jnp.zeros(x.shape[-1], jnp.float32)}

    def apply(params: Params, x: jax.Array) -> jax.Array:
        scale, shift = (params[name].astype(x.dtype)[None, None, None] for name in ("scale", "shift"))
        return scale * x + shift

    return serial(pool=avg_pool(2), affine=pure(init, apply), act=_squash)


def connected(rows: Sequence[Sequence[int]]) -> Layer:
    """A 5×5 convolution of which `w` has only the connections that there are: (5, 5, connections)."""
    before = np.concatenate(rows)
    after = np.repeat(np.arange(len(rows)), [len(row) for row in rows])
    deviation = (25 * np.bincount(after)[after].astype(np.float32)) ** -0.5  # variance 1 / fan-in, as LECUN_NORMAL

    def init(key: jax.Array, x: jax.Array) -> Params:
        w = jax.random.normal(require_key("lenet5", key), (5, 5, len(after)), jnp.float32)
        return {"w": w * deviation[None, None], "b": jnp.zeros(len(rows), jnp.float32)}

    def apply(params: Params, x: jax.Array) -> jax.Array:
        w = jnp.zeros((5, 5, x.shape[-1], len(rows)), x.dtype)
        w = w.at[:, :, before, after].set(params["w"].astype(x.dtype))
        return ops.conv(x, w, params["b"].astype(x.dtype), padding="VALID")

    return pure(init, apply)
