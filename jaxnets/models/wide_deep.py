"""Wide & Deep: a linear model of crossed features, which remembers, and a deep one, which generalizes, in one.

Cheng et al. (2016), Wide & Deep Learning for Recommender Systems, https://arxiv.org/abs/1606.07792
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp

from jaxnets import ops
from jaxnets.combine import parallel, serial
from jaxnets.core import Layer, Tree
from jaxnets.layers import dense, embed
from jaxnets.models.columns import ADULT, ADULT_ROW, features, hidden, rows, shared
from jaxnets.ops import check

EXAMPLE = ADULT_ROW
# of Adult: education and occupation, the same and sex, work class and occupation, marital status and relationship
CROSSES = ((1, 3), (1, 3, 6), (0, 3), (2, 4))


def wide_deep(
    num_classes: int = 1,
    *,
    sizes: Sequence[int] = ADULT,
    crosses: Sequence[Sequence[int]] = CROSSES,
    buckets: int = 1000,
    embedding: int = 32,
    channels: Sequence[int] = (1024, 512, 256),
    rate: float = 0.0,
    parts: str = "both",
) -> Layer:
    """The logits of both parts added up: `wide + deep`.

    The wide part has a weight for each id and for each bucket of each cross, zeros to begin with, and adds those of a
    row up. The deep part is a multilayer perceptron of the ids' embeddings and the numbers; its bias serves both.
    Shapes: `{"numbers": (N, F), "ids": (N, S)} → (N, num_classes)`; see jaxnets/models/columns.py.

    Args:
        num_classes: K; 1 for a yes or no.
        sizes: how many ids each of the S columns has.
        crosses: columns whose ids are hashed together, `ops.cross_ids`.
        buckets: of each cross.
        embedding: features of the vector that stands for an id in the deep part.
        channels: features of each hidden layer.
        rate: fraction of the hidden features dropped in training, which then needs a key.
        parts: "both", "wide" or "deep", to see what each is worth.

    Raises `ValueError` for other parts, another number of columns than of sizes, or a cross of a column that is not
    there. Gradient: to all parameters; the paper has FTRL follow that of params["wide"] (`train.ftrl`) and AdaGrad that
    of params["deep"]. Cost: a look-up an id and cross, and the multiply-adds of the deep matrices.

    >>> model = wide_deep(sizes=(5, 9), crosses=[(0, 1)], buckets=10, embedding=4, channels=(8,))
    >>> x = {"numbers": jnp.zeros((2, 6)), "ids": jnp.array([[4, 0], [1, 8]])}
    >>> params, state = model.init(jax.random.key(0), x)
    >>> params["wide"]["table"]["w"].shape, params["deep"]["hidden"]["hidden1"]["w"].shape
    ((24, 1), (14, 8))
    """
    op = "wide_deep"
    if parts not in ("both", "wide", "deep"):
        raise ValueError(f"{op}: parts is {parts!r}; pass 'both', 'wide' or 'deep'")
    buckets = check.whole(op, buckets, "buckets")
    wide, deep = _wide(num_classes, sizes, crosses, buckets), _deep(num_classes, sizes, embedding, channels, rate)
    if parts != "both":
        return parallel(lambda logits: logits, **({"wide": wide} if parts == "wide" else {"deep": deep}))
    return parallel(lambda wide, deep: wide.astype(deep.dtype) + deep, wide=wide, deep=deep)


def _wide(num_classes: int, sizes: Sequence[int], crosses: Sequence[Sequence[int]], buckets: int) -> Layer:
    every = (*sizes, *(buckets for _ in crosses))

    def ids(x: Tree) -> Tree:
        given = rows("wide_deep", x, sizes)
        crossed = ops.cross_ids(given["ids"], crosses, buckets)
        return shared(jnp.concatenate([given["ids"].astype(jnp.int32), crossed], -1), every)

    zeros = jax.nn.initializers.zeros
    return serial(ids=ids, table=embed(sum(every), num_classes, w_init=zeros), sum=lambda w: w.sum(1))


def _deep(num_classes: int, sizes: Sequence[int], embedding: int, channels: Sequence[int], rate: float) -> Layer:
    return serial(
        features=features("wide_deep", sizes, embedding),
        hidden=hidden(channels, rate),
        classifier=serial(logits=dense(num_classes)),
    )
