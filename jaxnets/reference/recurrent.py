"""Recurrence: one step after another, one sample after another, from the formulas of the gates."""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import ArrayLike

from jaxnets.reference.dtypes import Array, cast, widen

Memory = dict[str, Array]


def sigmoid(a: Array) -> Array:
    """1 / (1 + exp(-a)).

    >>> sigmoid(np.array([0.0]))
    array([0.5])
    """
    return 1 / (1 + np.exp(-a))


def lstm_step(x: Array, hidden: Array, memory: Memory) -> Memory:
    """c = sigmoid(f) c + sigmoid(i) tanh(g), h = sigmoid(o) tanh(c), where i, f, g, o are quarters of x + hidden."""
    i, f, g, o = np.split(x + hidden, 4)
    c = sigmoid(f) * memory["c"] + sigmoid(i) * np.tanh(g)
    return {"h": sigmoid(o) * np.tanh(c), "c": c}


def gru_step(x: Array, hidden: Array, memory: Memory) -> Memory:
    """h = (1 - z) n + z h, with r = sigmoid(xr + hr), z = sigmoid(xz + hz), n = tanh(xn + r hn)."""
    (xr, xz, xn), (hr, hz, hn) = np.split(x, 3), np.split(hidden, 3)
    r, z = sigmoid(xr + hr), sigmoid(xz + hz)
    n = np.tanh(xn + r * hn)
    return {"h": (1 - z) * n + z * memory["h"]}


def rnn_step(x: Array, hidden: Array, memory: Memory) -> Memory:
    """h = tanh(x + hidden)."""
    return {"h": np.tanh(x + hidden)}


def recur(
    step: Callable[[Array, Array, Memory], Memory],
    names: tuple[str, ...],
    x: ArrayLike,
    w: ArrayLike,
    u: ArrayLike,
    b: ArrayLike | None,
    b_hidden: ArrayLike | None,
    initial: Mapping[str, ArrayLike] | None,
    lengths: ArrayLike | None,
) -> tuple[Array, Memory]:
    """`step(x[t] w + b, h u + b_hidden, memory)` for every sample, up to its length; y is zero from there on."""
    dtype, x, w, u = np.asarray(x).dtype, widen(x), widen(w), widen(u)
    first = np.zeros(u.shape[1], x.dtype) if b is None else widen(b)
    second = np.zeros(u.shape[1], x.dtype) if b_hidden is None else widen(b_hidden)
    samples, steps = x.shape[:2]
    ends = np.full(samples, steps) if lengths is None else np.asarray(lengths)
    y = np.zeros((samples, steps, u.shape[0]), x.dtype)
    final = {name: np.zeros((samples, u.shape[0]), x.dtype) for name in names}
    for n in range(samples):
        memory = {name: final[name][n] if initial is None else np.asarray(initial[name])[n] for name in names}
        for t in range(ends[n]):
            memory = step(x[n, t] @ w + first, memory["h"] @ u + second, memory)
            y[n, t] = memory["h"]
        for name in names:
            final[name][n] = memory[name]
    return cast(y, dtype), final


def lstm(
    x: ArrayLike,
    w: ArrayLike,
    u: ArrayLike,
    b: ArrayLike | None = None,
    b_hidden: ArrayLike | None = None,
    *,
    initial: Mapping[str, ArrayLike] | None = None,
    lengths: ArrayLike | None = None,
) -> tuple[Array, Memory]:
    """Long short-term memory; see `lstm_step`.

    Shapes: x (N, T, D), w (D, 4 H), u (H, 4 H), b and b_hidden (4 H,) -> y (N, T, H), and h and c (N, H) at the end.
    Reference: Hochreiter and Schmidhuber 1997; Gers et al. 2000; the order of the gates is PyTorch's.

    >>> lstm(np.ones((1, 2, 2)), np.ones((2, 4)), np.zeros((1, 4)))[0].ravel().round(3)
    array([0.608, 0.811])
    """
    return recur(lstm_step, ("h", "c"), x, w, u, b, b_hidden, initial, lengths)


def gru(
    x: ArrayLike,
    w: ArrayLike,
    u: ArrayLike,
    b: ArrayLike | None = None,
    b_hidden: ArrayLike | None = None,
    *,
    initial: Mapping[str, ArrayLike] | None = None,
    lengths: ArrayLike | None = None,
) -> tuple[Array, Memory]:
    """Gated recurrent unit; see `gru_step`.

    Shapes: x (N, T, D), w (D, 3 H), u (H, 3 H), b and b_hidden (3 H,) -> y (N, T, H), and h (N, H) at the end.
    Reference: Cho et al. 2014; the reset after the product is PyTorch's.

    >>> gru(np.ones((1, 2, 2)), np.ones((2, 3)), np.zeros((1, 3)))[0].ravel().round(3)
    array([0.115, 0.216])
    """
    return recur(gru_step, ("h",), x, w, u, b, b_hidden, initial, lengths)


def rnn(
    x: ArrayLike,
    w: ArrayLike,
    u: ArrayLike,
    b: ArrayLike | None = None,
    b_hidden: ArrayLike | None = None,
    *,
    initial: Mapping[str, ArrayLike] | None = None,
    lengths: ArrayLike | None = None,
) -> tuple[Array, Memory]:
    """The simple recurrent network: h = tanh(x w + b + h u + b_hidden).

    Shapes: x (N, T, D), w (D, H), u (H, H), b and b_hidden (H,) -> y (N, T, H), and h (N, H) at the end.
    Reference: Elman 1990.

    >>> rnn(np.ones((1, 2, 1)), np.ones((1, 1)), np.ones((1, 1)))[0].ravel().round(2)
    array([0.76, 0.94])
    """
    return recur(rnn_step, ("h",), x, w, u, b, b_hidden, initial, lengths)


def reverse(x: ArrayLike, lengths: ArrayLike | None = None) -> Array:
    """The first `lengths[n]` steps of each sample in reverse order, the rest as they are.

    Shapes: x (N, T, ...) -> (N, T, ...).
    Reference: Schuster and Paliwal 1997.

    >>> reverse(np.array([[1, 2, 3, 0]]), np.array([3]))
    array([[3, 2, 1, 0]])
    """
    y = np.array(x)
    ends = np.full(len(y), y.shape[1]) if lengths is None else np.asarray(lengths)
    for sample, end in zip(y, ends, strict=True):
        sample[:end] = sample[:end][::-1].copy()
    return y
