"""A block of a transformer: attention between tokens, then a small network on each, both added to what was there."""

from __future__ import annotations

from collections.abc import Callable

import jax

from jaxnets.combine import LayerLike, serial
from jaxnets.core import Layer, Tree
from jaxnets.layers import arguments
from jaxnets.layers.attention import attention
from jaxnets.layers.dense import dense
from jaxnets.layers.dropout import drop_path, dropout
from jaxnets.layers.initializers import Initializer
from jaxnets.layers.layer_scale import layer_scale
from jaxnets.layers.leaves import LECUN_NORMAL
from jaxnets.layers.norm import layer_norm
from jaxnets.layers.sequence import of_shape, on_tokens, residual, tokens
from jaxnets.ops import gelu


def transformer_block(
    heads: int,
    *,
    ratio: float = 4.0,
    act: Callable[[jax.Array], jax.Array] = gelu,
    norm: Callable[[], Layer] = layer_norm,
    norm_first: bool = True,
    kv_heads: int | None = None,
    head_dim: int | None = None,
    causal: bool = False,
    rotary: float | None = None,
    bias: bool = True,
    rate: float = 0.0,
    attention_rate: float = 0.0,
    path_rate: float = 0.0,
    scale: float | None = None,
    w_init: Initializer = LECUN_NORMAL,
) -> Layer:
    """Self-attention, then two matrices with an activation between on each token; each is added to its input.

    Shapes: (N, T, D) → (N, T, D), or a dict with it as "x" and any of "mask", "positions" and "cache", as `attention`.
    The tree: attention/norm, attention/heads/{q, k, v, out}, mlp/norm, mlp/expand, mlp/project; the norms come after
    the sums, as norm1 and norm2, with `norm_first=False`.

    Arguments: `ratio`, how many times D the width between the matrices is; `act`; `norm()`, a norm, before each branch
    (Xiong et al., 2020, https://arxiv.org/abs/2002.04745) or, `norm_first=False`, after each sum, as the first paper
    has it; `bias`, of all matrices; `rate`, the fraction of each branch's elements *dropped* in training,
    `attention_rate`, of its weights, `path_rate`, of samples that skip a branch; `scale`, what a `layer_scale` at
    the end of each branch begins with, None for none; `w_init`, of all matrices; the rest as in `attention`.

    Raises what `attention` and `dense` do. Needs a key in training where something is dropped. Gradient: to x and all
    parameters, save k/b (see `attention`). Cost: `(4 + 2 ratio) D²` multiply-adds a token, and `2 T D` for attention.
    Vaswani et al., 2017, https://arxiv.org/abs/1706.03762.

    >>> import jax.numpy as jnp
    >>> layer = transformer_block(2)
    >>> params, state = layer.init(jax.random.key(0), jnp.zeros((1, 3, 8)))
    >>> list(params), list(params["mlp"]), params["mlp"]["expand"]["w"].shape
    (['attention', 'mlp'], ['norm', 'expand', 'project'], (8, 32))
    """
    op = "transformer_block"
    ratio = arguments.positive(op, ratio, "ratio")
    heads_of = attention(
        heads,
        kv_heads=kv_heads,
        head_dim=head_dim,
        causal=causal,
        rotary=rotary,
        bias=bias,
        rate=attention_rate,
        w_init=w_init,
    )
    before: dict[str, LayerLike] = {"norm": on_tokens(norm())} if norm_first else {}
    after: dict[str, LayerLike] = {"drop": on_tokens(dropout(rate))}
    if scale is not None:
        after["scale"] = on_tokens(layer_scale(scale))
    after["path"] = on_tokens(drop_path(path_rate))

    def mlp(x: Tree) -> Layer:
        channels = tokens(x).shape[-1]
        expand = dense(int(ratio * channels), bias=bias, w_init=w_init)
        project = dense(channels, bias=bias, w_init=w_init)
        return residual(**before, expand=on_tokens(expand), act=on_tokens(act), project=on_tokens(project), **after)

    parts = {"attention": residual(**before, heads=heads_of, **after), "mlp": of_shape(mlp)}
    if norm_first:
        return serial(**parts)
    return serial(attention=parts["attention"], norm1=on_tokens(norm()), mlp=parts["mlp"], norm2=on_tokens(norm()))
