"""Recurrence over time: one small network applied at each step to the input there and to what it remembers.

Gates stand in PyTorch's order along the last axis of w, u and the biases, and there are two biases as there: only for
`gru` do they differ, whose reset gate scales the second.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
from jax import lax

from jaxnets.ops import check
from jaxnets.ops.dense import dense
from jaxnets.ops.precision import widen

Memory = dict[str, jax.Array]
"""What is carried from step to step: "h", and for an LSTM "c" as well, each (N, H)."""

Cell = Callable[[jax.Array, jax.Array, Memory], Memory]
"""(x w + b, h u + b_hidden, memory) -> memory: one step, the two products given."""


def _lstm(x: jax.Array, hidden: jax.Array, memory: Memory) -> Memory:
    write, forget, value, read = jnp.split(x + hidden, 4, -1)
    c = jax.nn.sigmoid(forget) * memory["c"] + jax.nn.sigmoid(write) * jnp.tanh(value)
    return {"h": jax.nn.sigmoid(read) * jnp.tanh(c), "c": c}


def _gru(x: jax.Array, hidden: jax.Array, memory: Memory) -> Memory:
    (reset, keep, value), (h_reset, h_keep, h_value) = jnp.split(x, 3, -1), jnp.split(hidden, 3, -1)
    new = jnp.tanh(value + jax.nn.sigmoid(reset + h_reset) * h_value)
    share = jax.nn.sigmoid(keep + h_keep)
    return {"h": (1 - share) * new + share * memory["h"]}


def _rnn(x: jax.Array, hidden: jax.Array, memory: Memory) -> Memory:
    return {"h": jnp.tanh(x + hidden)}


CELLS: Mapping[str, tuple[Cell, int, tuple[str, ...]]] = {
    "lstm": (_lstm, 4, ("h", "c")),
    "gru": (_gru, 3, ("h",)),
    "rnn": (_rnn, 1, ("h",)),
}
"""The step, how many gates it has, and what it remembers."""


def sequence(op: str, x: jax.Array) -> jax.Array:
    """`x` as a floating-point array (N, T, D)."""
    x = check.floating(op, x)
    if x.ndim != 3:
        raise ValueError(f"{op}: x has shape {x.shape}, rank {x.ndim}; pass (N, T, D): batched, time second")
    return x


def lengths_of(op: str, lengths: jax.Array, x: jax.Array) -> jax.Array:
    """`lengths` as integers (N,), fit for comparison with a number of steps."""
    lengths = check.array(op, lengths, "lengths")
    if not jnp.issubdtype(lengths.dtype, jnp.integer) or lengths.shape != x.shape[:1]:
        raise ValueError(
            f"{op}: lengths has shape {lengths.shape} and dtype {lengths.dtype}; for x {x.shape} it needs "
            f"{x.shape[:1]}, integers: the number of steps of each sample that are not padding"
        )
    return lengths.astype(jnp.int32)


def _begin(op: str, initial: Memory | None, names: tuple[str, ...], x: jax.Array, units: int) -> Memory:
    """The memory before the first step, float32 at least: zeros unless given."""
    shape = (x.shape[0], units)
    if initial is None:
        # Zeros like x, which vary over the axes of a `jax.shard_map` as x does, as what comes after will.
        return dict.fromkeys(names, widen(lax.full_like(x, 0, shape=shape)))
    if not isinstance(initial, Mapping) or set(initial) != set(names):
        raise ValueError(f"{op}: initial is {initial!r}; pass a dict of {' and '.join(names)}, each (N, H)")
    memory = {name: widen(check.floating(op, initial[name], f"initial {name}")) for name in names}
    for name, value in memory.items():
        if value.shape != shape:
            raise ValueError(f"{op}: initial {name} has shape {value.shape}; for x {x.shape} it needs {shape}")
    return memory


def _matrices(op: str, x: jax.Array, w: jax.Array, u: jax.Array, gates: int) -> tuple[jax.Array, jax.Array]:
    """w (D, gates * H) and u (H, gates * H), checked."""
    w, u = check.array(op, w, "w"), check.array(op, u, "u")
    check.same_dtype(op, x, w, "w")
    check.same_dtype(op, x, u, "u")
    if u.ndim != 2 or u.shape[1] != gates * u.shape[0]:
        raise ValueError(f"{op}: u has shape {u.shape}; it needs (H, {gates} * H): from the hidden state to its gates")
    if w.shape != (x.shape[-1], u.shape[1]):
        raise ValueError(
            f"{op}: w has shape {w.shape}; for x {x.shape} and u {u.shape} it needs {x.shape[-1:] + u.shape[1:]}"
        )
    return w, u


def _scan(
    op: str,
    x: jax.Array,
    w: jax.Array,
    u: jax.Array,
    b: jax.Array | None,
    b_hidden: jax.Array | None,
    initial: Memory | None,
    lengths: jax.Array | None,
) -> tuple[jax.Array, Memory]:
    cell, gates, names = CELLS[op]
    x = sequence(op, x)
    w, u = _matrices(op, x, w, u, gates)
    begin = _begin(op, initial, names, x, u.shape[0])
    b, b_hidden = (
        None if v is None else check.vector(op, v, u.shape[1], x, name)
        for name, v in {"b": b, "b_hidden": b_hidden}.items()
    )
    product = dense(x, w, b)  # of all steps at once: one large product for T small ones
    ends = None if lengths is None else lengths_of(op, lengths, x)[:, None]

    def step(memory: Memory, now: tuple[jax.Array, jax.Array]) -> tuple[Memory, jax.Array]:
        t, inputs = now
        hidden = dense(memory["h"].astype(x.dtype), u, b_hidden)
        new = cell(widen(inputs), widen(hidden), memory)
        if ends is None:
            return new, new["h"].astype(x.dtype)
        real = t < ends
        kept = {name: jnp.where(real, new[name], memory[name]) for name in names}
        return kept, jnp.where(real, new["h"], 0).astype(x.dtype)

    final, y = lax.scan(step, begin, (jnp.arange(x.shape[1], dtype=jnp.int32), product.swapaxes(0, 1)))
    return y.swapaxes(0, 1), final


def lstm(
    x: jax.Array,
    w: jax.Array,
    u: jax.Array,
    b: jax.Array | None = None,
    b_hidden: jax.Array | None = None,
    *,
    initial: Memory | None = None,
    lengths: jax.Array | None = None,
) -> tuple[jax.Array, Memory]:
    """Long short-term memory: a cell c that gates write, forget and read, and the hidden state h that is read.

    With `i, f, g, o = split(x[t] w + b + h u + b_hidden, 4)`:
    `c ← sigmoid(f) c + sigmoid(i) tanh(g)`, `h ← sigmoid(o) tanh(c)`, `y[t] = h`.

    Shapes: x (N, T, D), w (D, 4 H), u (H, 4 H), b and b_hidden (4 H,) → y (N, T, H), and the memory after the last
    step, `{"h": (N, H), "c": (N, H)}`, float32 at least. Arguments: `initial`, the memory before the first step, zeros
    unless given; `lengths` (N,), integers: how many steps of each sample are not padding. Later steps leave the memory
    alone and give zeros.

    Raises `ValueError` for shapes that do not fit and `TypeError` for integers or mixed dtypes. Gradient: to x, all
    weights and `initial`, back through time. Cost: one matrix product for all x, then T small ones, one after the
    other. Hochreiter & Schmidhuber, 1997, https://doi.org/10.1162/neco.1997.9.8.1735; forgetting is Gers,
    Schmidhuber & Cummins, 2000, https://doi.org/10.1162/089976600300015015.

    >>> y, memory = lstm(jnp.ones((1, 3, 2)), jnp.ones((2, 4)), jnp.zeros((1, 4)))
    >>> [f"{h:.3f}" for h in y.ravel()], f"{memory['c'].item():.3f}"
    (['0.608', '0.811', '0.862'], '2.256')
    """
    return _scan("lstm", x, w, u, b, b_hidden, initial, lengths)


def gru(
    x: jax.Array,
    w: jax.Array,
    u: jax.Array,
    b: jax.Array | None = None,
    b_hidden: jax.Array | None = None,
    *,
    initial: Memory | None = None,
    lengths: jax.Array | None = None,
) -> tuple[jax.Array, Memory]:
    """Gated recurrent unit: the hidden state goes a learned share of the way to a new one.

    With `r, z, n = split(x[t] w + b, 3)` and `r', z', n' = split(h u + b_hidden, 3)`:
    `new = tanh(n + sigmoid(r + r') n')`, `s = sigmoid(z + z')`, `h ← (1 - s) new + s h`, `y[t] = h`.

    Shapes: x (N, T, D), w (D, 3 H), u (H, 3 H), b and b_hidden (3 H,) → y (N, T, H) and `{"h": (N, H)}`. Arguments,
    errors, gradient and cost: those of `lstm`. Cho et al., 2014, https://arxiv.org/abs/1406.1078, with the reset after
    the product, as PyTorch and cuDNN have it.

    >>> y, memory = gru(jnp.ones((1, 2, 2)), jnp.ones((2, 3)), jnp.zeros((1, 3)))
    >>> [f"{h:.3f}" for h in y.ravel()], f"{memory['h'].item():.3f}"
    (['0.115', '0.216'], '0.216')
    """
    return _scan("gru", x, w, u, b, b_hidden, initial, lengths)


def rnn(
    x: jax.Array,
    w: jax.Array,
    u: jax.Array,
    b: jax.Array | None = None,
    b_hidden: jax.Array | None = None,
    *,
    initial: Memory | None = None,
    lengths: jax.Array | None = None,
) -> tuple[jax.Array, Memory]:
    """The simple recurrent network: `h ← tanh(x[t] w + b + h u + b_hidden)`, `y[t] = h`.

    Shapes: x (N, T, D), w (D, H), u (H, H), b and b_hidden (H,) → y (N, T, H) and `{"h": (N, H)}`. Arguments, errors,
    gradient and cost: those of `lstm`. Elman, 1990, https://doi.org/10.1207/s15516709cog1402_1.

    >>> y, _ = rnn(jnp.ones((1, 2, 1)), jnp.ones((1, 1)), jnp.ones((1, 1)))
    >>> [f"{h:.2f}" for h in y.ravel()]
    ['0.76', '0.94']
    """
    return _scan("rnn", x, w, u, b, b_hidden, initial, lengths)


def reverse(x: jax.Array, lengths: jax.Array | None = None) -> jax.Array:
    """Time reversed, sample by sample, padding left where it is.

    Shapes: x (N, T, …) → (N, T, …); `lengths` (N,), integers: the first `lengths[n]` steps of sample n are reversed,
    all of them unless given. Gradient: reversed likewise. Cost: a copy; with lengths a gather.
    Schuster & Paliwal, 1997, https://doi.org/10.1109/78.650093.

    >>> reverse(jnp.array([[1, 2, 3, 0]]), jnp.array([3]))
    Array([[3, 2, 1, 0]], dtype=int32)
    """
    op = "reverse"
    x = check.array(op, x)
    if x.ndim < 2:
        raise ValueError(f"{op}: x has shape {x.shape}; pass (N, T, ...): batched, time second")
    if lengths is None:
        return jnp.flip(x, 1)
    ends = lengths_of(op, lengths, x)[:, None]
    steps = jnp.broadcast_to(jnp.arange(x.shape[1], dtype=jnp.int32)[None], x.shape[:2])
    source = jnp.where(steps < ends, ends - 1 - steps, steps)
    return jnp.take_along_axis(x, source.reshape(*source.shape, *(1,) * (x.ndim - 2)), axis=1, mode="clip")
