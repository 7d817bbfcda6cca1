"""Reading what a network trained with CTC has said: the most likely labels, from logits at every step."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import lax

from jaxnets.ops import check
from jaxnets.ops.recurrent import lengths_of, sequence


def _checked(op: str, logits: jax.Array, lengths: jax.Array | None, blank: int) -> tuple[jax.Array, jax.Array]:
    logits = sequence(op, logits)
    blank = check.whole(op, blank, "blank", 0)
    if blank >= logits.shape[-1]:
        raise ValueError(f"{op}: blank is {blank}, but the logits {logits.shape} are of {logits.shape[-1]} classes")
    if lengths is None:
        return logits, jnp.full(logits.shape[:1], logits.shape[1], jnp.int32)
    return logits, lengths_of(op, lengths, logits)


def ctc_greedy(logits: jax.Array, lengths: jax.Array | None = None, *, blank: int = 0) -> tuple[jax.Array, jax.Array]:
    """The labels of the most likely alignment: the largest logit of each step, repeats merged, blanks dropped.

    Shapes: (N, T, K) → labels (N, T) int32, filled up with -1, and their number (N,) int32. Arguments: `lengths` (N,),
    the steps that are not padding, all unless given; `blank`, the class that is no label. Raises `TypeError` for
    integers and `ValueError` for a blank that is no class. Gradient: none. Cost: one pass. Graves, Fernández, Gomez &
    Schmidhuber, 2006, https://doi.org/10.1145/1143844.1143891.

    >>> steps = jnp.array([[1, 1, 0, 1, 2, 2]])
    >>> labels, count = ctc_greedy(jax.nn.one_hot(steps, 3))
    >>> labels.tolist(), count.tolist()
    ([[1, 1, 2, -1, -1, -1]], [3])
    """
    logits, ends = _checked("ctc_greedy", logits, lengths, blank)
    n, t, _ = logits.shape
    best = jnp.argmax(logits, -1).astype(jnp.int32)
    before = jnp.concatenate([jnp.full((n, 1), blank, jnp.int32), best[:, :-1]], 1)[:, :t]
    said = (best != blank) & (best != before) & (jnp.arange(t, dtype=jnp.int32)[None] < ends[:, None])
    place = jnp.where(said, jnp.cumsum(said, 1, dtype=jnp.int32) - 1, t)  # t: dropped
    rows = jnp.broadcast_to(jnp.arange(n, dtype=jnp.int32)[:, None], (n, t))
    return jnp.full((n, t), -1, jnp.int32).at[rows, place].set(best, mode="drop"), said.sum(1, dtype=jnp.int32)


def ctc_beam(
    logits: jax.Array, lengths: jax.Array | None = None, *, beam: int = 16, blank: int = 0
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """The most likely labels, over all their alignments, by a search that keeps the `beam` best prefixes at each step.

    Shapes: (N, T, K) → labels (N, beam, T) int32, filled up with -1, best first; their number (N, beam) int32; and the
    logarithm of their probability (N, beam), float32, -inf where there were fewer. With a beam as wide as there are
    prefixes it is exact; narrower, a lower bound. Arguments and errors: those of `ctc_greedy`; `beam`, at least 1.
    Gradient: none. Cost: T steps one after the other, each of `beam * K` candidates and `beam² T` comparisons a sample.
    Graves & Jaitly, 2014, https://proceedings.mlr.press/v32/graves14.html; Hannun, Maas, Jurafsky & Ng, 2014,
    https://arxiv.org/abs/1408.2873.

    >>> logits = jnp.log(jnp.array([[[0.6, 0.4], [0.6, 0.4]]]))
    >>> labels, count, score = ctc_beam(logits, beam=2)
    >>> labels.tolist(), [f"{p:.2f}" for p in jnp.exp(score[0])]  # the best alignment is blank, blank: 0.36
    ([[[1, -1], [-1, -1]]], ['0.64', '0.36'])
    """
    op = "ctc_beam"
    logits, ends = _checked(op, logits, lengths, blank)
    beam = check.whole(op, beam, "beam")
    t, classes = logits.shape[1:]
    log_p = jax.nn.log_softmax(logits.astype(jnp.float32), -1)
    places = jnp.arange(t, dtype=jnp.int32)

    def step(state: tuple[jax.Array, ...], now: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, ...]:
        prefix, count, by_blank, by_label = state  # the score of alignments that end with a blank, and with a label
        p, _ = now
        last = jnp.take_along_axis(prefix, jnp.maximum(count - 1, 0)[:, None], 1)[:, 0]  # -1: there is none
        either = jnp.logaddexp(by_blank, by_label)
        stay_blank = either + p[blank]
        stay_label = jnp.where(last < 0, -jnp.inf, by_label + p[jnp.maximum(last, 0)])
        same = last[:, None] == jnp.arange(classes, dtype=jnp.int32)[None]
        longer = jnp.where(same, by_blank[:, None], either[:, None]) + p[None]  # a repeat needs a blank between
        longer = longer.at[:, blank].set(-jnp.inf)
        # Where prefix i and one label more is prefix j, which is there already, the score goes to j.
        parent = jnp.where(places[None] == count[:, None] - 1, -1, prefix)
        child = (parent[None] == prefix[:, None]).all(-1) & (count[None] == count[:, None] + 1)
        child &= (either > -jnp.inf)[None] & (last >= 0)[None]
        moved = jnp.where(child, longer[:, jnp.maximum(last, 0)], -jnp.inf)
        stay_label = jnp.logaddexp(stay_label, jax.nn.logsumexp(moved, 0))
        gone = (child[:, :, None] & same[None]).any(1)
        longer = jnp.where(gone, -jnp.inf, longer)
        _, chosen = lax.top_k(jnp.concatenate([jnp.logaddexp(stay_blank, stay_label), longer.ravel()]), beam)
        stays = chosen < beam
        source = jnp.where(stays, chosen, (chosen - beam) // classes)
        label = jnp.where(stays, -1, (chosen - beam) % classes)
        grown = jnp.where((places[None] == count[source][:, None]) & ~stays[:, None], label[:, None], prefix[source])
        return (
            grown,
            count[source] + (~stays).astype(jnp.int32),
            jnp.where(stays, stay_blank[source], -jnp.inf),
            jnp.where(stays, stay_label[source], longer.ravel()[jnp.maximum(chosen - beam, 0)]),
        )

    def one(log_p: jax.Array, end: jax.Array) -> tuple[jax.Array, ...]:
        begin: tuple[jax.Array, ...] = (
            jnp.full((beam, t), -1, jnp.int32),
            jnp.zeros(beam, jnp.int32),
            jnp.full(beam, -jnp.inf).at[0].set(0),
            jnp.full(beam, -jnp.inf),
        )

        def body(state: tuple[jax.Array, ...], now: tuple[jax.Array, jax.Array]) -> tuple[tuple[jax.Array, ...], None]:
            new = step(state, now)
            return tuple(jnp.where(now[1] < end, a, b) for a, b in zip(new, state, strict=True)), None

        (prefix, count, by_blank, by_label), _ = lax.scan(body, begin, (log_p, places))
        score, order = lax.top_k(jnp.logaddexp(by_blank, by_label), beam)
        real = (score > -jnp.inf)[:, None]
        return jnp.where(real, prefix[order], -1), jnp.where(real[:, 0], count[order], 0), score

    labels, count, score = jax.vmap(one)(log_p, ends)
    return labels, count, score
