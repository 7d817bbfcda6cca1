"""Recurrent layers: `ops.lstm`, `ops.gru` and `ops.rnn` with learned weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from jaxnets import ops
from jaxnets.core import Layer, Params, Tree, pure
from jaxnets.layers import arguments
from jaxnets.layers.initializers import Initializer
from jaxnets.layers.leaves import LECUN_NORMAL, ZEROS, Example, Shapes, draw, example, fit, read
from jaxnets.ops import check
from jaxnets.ops.recurrent import CELLS, sequence

ORTHOGONAL = jax.nn.initializers.orthogonal()
"""Rows at right angles, of length 1: keeps what is remembered as long as it was. Saxe et al., 2014,
https://arxiv.org/abs/1312.6120."""


def remember(key: jax.Array, shape: tuple[int, ...], dtype: Any) -> jax.Array:
    """The biases of an LSTM's gates: 0, and 1 for the one that forgets, which so begins by remembering.

    Jozefowicz, Zaremba & Sutskever, 2015, https://proceedings.mlr.press/v37/jozefowicz15.html.

    >>> remember(jax.random.key(0), (4,), jnp.float32)
    Array([0., 1., 0., 0.], dtype=float32)
    """
    quarter = shape[0] // 4
    return jnp.zeros(shape, dtype).at[quarter : 2 * quarter].set(1)


def parts(op: str, x: Tree) -> dict[str, Any]:
    """What a recurrent layer is given: "x", and perhaps "lengths" and "state"."""
    if not isinstance(x, Mapping):
        return {"x": x}
    if "x" not in x or not set(x) <= {"x", "lengths", "state"}:
        raise ValueError(
            f"{op}: the input has {sorted(x)}; pass an array, or a dict of x and perhaps lengths and state"
        )
    return dict(x)


def _recurrent(
    op: str, channels: int, last: bool, bias: bool, w_init: Initializer, u_init: Initializer, b_init: Initializer
) -> Layer:
    channels = check.whole(op, channels, "channels")
    for name, initializer in {"w_init": w_init, "u_init": u_init, "b_init": b_init}.items():
        arguments.function(op, initializer, name)
    wide = CELLS[op][1] * channels
    initializers = {"w": w_init, "u": u_init, "b": b_init, "b_hidden": ZEROS}

    def shapes(x: Example) -> Shapes:
        matrices = {"w": (x.shape[-1], wide), "u": (channels, wide)}
        return matrices | ({"b": (wide,), "b_hidden": (wide,)} if bias else {})

    def init(key: jax.Array, x: Tree) -> Params:
        return draw(op, key, shapes(example(op, parts(op, x)["x"], sequence)), initializers)

    def apply(params: Params, x: Tree) -> Tree:
        given = parts(op, x)
        values = sequence(op, given["x"])
        leaves = read(op, params, shapes(values), values.dtype)
        fit(op, leaves, shapes(values), values)
        y, final = getattr(ops, op)(values, **leaves, initial=given.get("state"), lengths=given.get("lengths"))
        if last:
            y = final["h"].astype(values.dtype)
        if not isinstance(x, Mapping):
            return y
        kept = {} if last or "lengths" not in given else {"lengths": given["lengths"]}
        return {"x": y} | kept | ({"state": final} if "state" in given else {})

    return pure(init, apply)


def lstm(
    channels: int,
    *,
    last: bool = False,
    bias: bool = True,
    w_init: Initializer = LECUN_NORMAL,
    u_init: Initializer = ORTHOGONAL,
    b_init: Initializer = remember,
) -> Layer:
    """Long short-term memory over time: `ops.lstm` with learned weights.

    Shapes: (N, T, D) → (N, T, channels), or (N, channels), the hidden state at the end of each sample, with `last`.
    A dict `{"x": (N, T, D), "lengths": (N,), "state": {"h": (N, channels), "c": …}}`, of which only x is required,
    gives a dict: x the output, lengths as they were (not with `last`), and, if a state was given to begin with, the
    state at the end. So lengths go through a `serial` of recurrent layers; a state is for one of them.

    Parameters, float32: w (D, 4 * channels), u (channels, 4 * channels), b and b_hidden (4 * channels,), the gates in
    PyTorch's order: input, forget, cell, output. `bias=False` leaves both biases out; b_hidden, which is PyTorch's and
    here adds nothing to b, begins with zeros. `w_init`, `u_init` and `b_init` are `initializer(key, shape, dtype)`.
    Raises `ValueError` or `TypeError` for channels below 1, an integer x (cast it), another entry of the dict, or
    params made for another D. Gradient and cost: those of the op. Hochreiter & Schmidhuber, 1997,
    https://doi.org/10.1162/neco.1997.9.8.1735.

    >>> layer = lstm(3, last=True)
    >>> params, state = layer.init(jax.random.key(0), jnp.ones((2, 5, 4)))
    >>> layer.apply(params, state, {"x": jnp.ones((2, 5, 4)), "lengths": jnp.array([5, 2])})[0]["x"].shape
    (2, 3)
    """
    return _recurrent("lstm", channels, last, bias, w_init, u_init, b_init)


def gru(
    channels: int,
    *,
    last: bool = False,
    bias: bool = True,
    w_init: Initializer = LECUN_NORMAL,
    u_init: Initializer = ORTHOGONAL,
    b_init: Initializer = ZEROS,
) -> Layer:
    """Gated recurrent units over time: `ops.gru` with learned weights.

    Shapes and arguments: those of `lstm`, with three gates, reset, update and new, and "h" alone in the state. Cho et
    al., 2014, https://arxiv.org/abs/1406.1078.

    >>> params, _ = gru(2).init(jax.random.key(0), jnp.ones((2, 5, 4)))
    >>> {name: leaf.shape for name, leaf in params.items()}
    {'w': (4, 6), 'u': (2, 6), 'b': (6,), 'b_hidden': (6,)}
    """
    return _recurrent("gru", channels, last, bias, w_init, u_init, b_init)


def rnn(
    channels: int,
    *,
    last: bool = False,
    bias: bool = True,
    w_init: Initializer = LECUN_NORMAL,
    u_init: Initializer = ORTHOGONAL,
    b_init: Initializer = ZEROS,
) -> Layer:
    """The simple recurrent network over time: `ops.rnn` with learned weights.

    Shapes and arguments: those of `lstm`, without gates, and "h" alone in the state. Elman, 1990,
    https://doi.org/10.1207/s15516709cog1402_1.

    >>> params, _ = rnn(2).init(jax.random.key(0), jnp.ones((2, 5, 4)))
    >>> params["w"].shape, params["u"].shape
    ((4, 2), (2, 2))
    """
    return _recurrent("rnn", channels, last, bias, w_init, u_init, b_init)
