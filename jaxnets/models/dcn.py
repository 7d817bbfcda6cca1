"""DCN-v2: a network that crosses its features explicitly, one degree more with each layer.

Wang, Shivanna, Cheng, Jain, Lin, Hong and Chi (2021), DCN V2: Improved Deep & Cross Network and Practical Lessons for
Web-scale Learning to Rank Systems, https://arxiv.org/abs/2008.13535
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp

from jaxnets.combine import LayerLike, parallel, serial
from jaxnets.core import Layer, Tree
from jaxnets.layers import dense
from jaxnets.layers.leaves import LECUN_NORMAL
from jaxnets.layers.sequence import of_shape
from jaxnets.models.columns import ADULT, ADULT_ROW, features, hidden
from jaxnets.models.parts import identity
from jaxnets.ops import check

EXAMPLE = ADULT_ROW


def dcn_v2(
    num_classes: int = 1,
    *,
    sizes: Sequence[int] = ADULT,
    embedding: int = 16,
    crosses: int = 3,
    rank: int | None = None,
    channels: Sequence[int] = (256, 128),
    stacked: bool = False,
    rate: float = 0.0,
) -> Layer:
    """Cross layers, `x ← x₀ (x w + b) + x`, beside a multilayer perceptron or before it, and a matrix for the logits.

    x₀ is an embedding of each id and the numbers. Shapes: `{"numbers": (N, F), "ids": (N, S)} → (N, num_classes)`; see
    jaxnets/models/columns.py.

    Args:
        num_classes: K; 1 for a yes or no.
        sizes: how many ids each of the S columns has.
        embedding: features of the vector that stands for an id.
        crosses: cross layers; after l of them x has products of up to l + 1 features.
        rank: w as a product of two matrices with so many features between; None for one square matrix.
        channels: features of each hidden layer of the perceptron.
        stacked: the perceptron follows the cross layers, rather than standing beside them.
        rate: fraction of the hidden features dropped in training, which then needs a key.

    Raises `ValueError` for no cross layer, or another number of columns than of sizes. Gradient: to all parameters.
    Cost: `D²` multiply-adds a row and cross layer, D = S * embedding + F, or `2 D rank`.

    >>> model = dcn_v2(sizes=(5, 9), embedding=4, crosses=1, rank=2, channels=(8,))
    >>> x = {"numbers": jnp.zeros((2, 6)), "ids": jnp.array([[4, 0], [1, 8]])}
    >>> params, state = model.init(jax.random.key(0), x)
    >>> list(params), params["both"]["cross"]["1"]["map"]["down"]["w"].shape
    (['features', 'both', 'classifier'], (14, 2))
    """
    op = "dcn_v2"
    crosses = check.whole(op, crosses, "crosses")
    rank = None if rank is None else check.whole(op, rank, "rank")
    cross, deep = of_shape(lambda x: _crosses(x.shape[-1], crosses, rank)), hidden(channels, rate)
    if stacked:
        both = serial(cross=cross, deep=deep)
    else:
        both = parallel(lambda *ys: jnp.concatenate(ys, -1), cross=cross, deep=deep)
    return serial(features=features(op, sizes, embedding), both=both, classifier=serial(logits=dense(num_classes)))


def _crosses(width: int, count: int, rank: int | None) -> Layer:
    """Each layer is given x₀ beside x, and hands both on."""

    def cross(pair: Tree, mapped: jax.Array) -> Tree:
        first, x = pair
        return first, first * mapped + x

    def mapped() -> dict[str, LayerLike]:
        if rank is None:
            return {"full": dense(width, w_init=LECUN_NORMAL)}
        return {"down": dense(rank, bias=False, w_init=LECUN_NORMAL), "up": dense(width, w_init=LECUN_NORMAL)}

    layers: dict[str, LayerLike] = {"begin": lambda x: (x, x)}
    for i in range(1, count + 1):
        layers[str(i)] = parallel(cross, pair=identity, map=serial(x=lambda pair: pair[1], **mapped()))
    return serial(**layers, end=lambda pair: pair[1])
