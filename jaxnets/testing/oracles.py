"""Which naive definition each op is held against, and how large the terms are that it adds up."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from jaxnets import reference
from jaxnets.testing.case import Array, Case, is_float

Arrays = tuple[Array, ...]

# XLA's pow keeps to 4 units in the last place, 8 unit roundoffs (CUDA C++ Programming Guide, table of powf; the CPU's
# is better). A pool takes two, and its gradient two more; an exponent 1 / p rounded once moves total ** (1 / p) by
# |log(total)| roundoffs, under 16 for what is drawn.
_POWERS = 4 * 8 + 2 * 16


def _absolute(arrays: Arrays) -> Arrays:
    return tuple(np.abs(a) for a in arrays)


def _as_given(arrays: Arrays) -> Arrays:
    return arrays


@dataclass(frozen=True)
class Oracle:
    """The naive twin of an op.

    `forward(*arrays, **kwargs)`; `backward(dy, *arrays, **kwargs)`, the gradients of the arrays, or None. `exact`:
    the result copies or selects, and nothing is rounded. `positive`: what to give the definitions so that every term
    they add is positive, and their result is Σ|terms|; or `magnitude(case, arrays, dy)`, a bound of it (dy None: of
    the value). `extra`: roundings besides those of the sums; `roundings`: intermediate results rounded to the op's
    dtype. `mean`: integers give float32.
    """

    forward: Callable[..., Any]
    backward: Callable[..., Any] | None = None
    exact: bool = False
    positive: Callable[[Arrays], Arrays] = _absolute
    magnitude: Callable[[Case, Arrays, Array | None], float] | None = None
    extra: int = 0
    roundings: int = 0
    mean: bool = False

    def result_dtype(self, dtype: str) -> str:
        """The dtype that `dtype` gives."""
        return "float32" if self.mean and not is_float(dtype) else dtype

    def inputs(self, arrays: Arrays, dtype: str) -> Arrays:
        """`arrays` as the definition gets them: in float64, to be exact beside the op; integers stay, and wrap."""
        wide = is_float(dtype) or self.mean
        return tuple(a.astype(np.float64) if is_float(a.dtype) or (wide and a.dtype == dtype) else a for a in arrays)


def _sup(a: Array) -> float:
    return float(np.max(np.abs(a), initial=0.0))


def _resize_magnitude(case: Case, arrays: Arrays, dy: Array | None) -> float:
    """Keys's weights sum to at most 1.375 in absolute value on each axis (at distance 1/2), linear ones to 1."""
    most = 1.375 ** (arrays[0].ndim - 2)
    return most * (_sup(arrays[0]) if dy is None else float(np.abs(dy).sum()))


def _norm_magnitude(case: Case, arrays: Arrays, dy: Array | None) -> float:
    """A bound by norms: errors of the mean and variance are amplified by 1 / deviation, at most three times."""
    named = dict(zip(case.shapes, arrays, strict=True))
    largest = 1 + sum(_sup(a) for a in arrays)
    least = float(np.min(named["var"], initial=1.0)) if "var" in named else 0.0
    gain = 1 + 1 / float(np.sqrt(least + case.kwargs["eps"]))
    return (largest * gain) ** 3 * (1.0 if dy is None else float(np.abs(dy).sum()))


def _attention_magnitude(case: Case, arrays: Arrays, dy: Array | None) -> float:
    """A bound by norms: errors of the logits become relative errors of the weights."""
    q, k = arrays[:2]
    lengths = [float(np.max(np.linalg.norm(a, axis=-1), initial=0.0)) for a in (q, k)]
    logits = 1 + lengths[0] * lengths[1] * case.kwargs.get("scale", q.shape[-1] ** -0.5)
    largest = _sup(arrays[-1]) if case.op == "attention" else 1.0
    return largest * logits * (1.0 if dy is None else max(*lengths, 1.0) * float(np.abs(dy).sum()))


def _activation_magnitude(case: Case, arrays: Arrays, dy: Array | None) -> float:
    """|x|, of which a share is taken; and |dy| (1 + |x|)."""
    return _sup(arrays[0]) if dy is None else _sup(dy) * (1 + _sup(arrays[0]))


def _rotary_magnitude(case: Case, arrays: Arrays, dy: Array | None) -> float:
    """A turn keeps lengths; an angle of p radians in float32 is known to about p roundoffs of it."""
    positions = case.kwargs.get("positions", arrays[0].shape[1])
    return (2 + 2 * _sup(np.asarray(positions))) * (_sup(arrays[0]) if dy is None else _sup(dy))


def _backward(op: str) -> Callable[..., Any]:
    return getattr(reference, f"{op}_backward")


def _global_backward(op: str) -> Callable[..., Any]:
    """The naive gradient of a global pool, which sees from dy whether axes were kept."""
    definition = _backward(op)
    return lambda dy, x, keepdims=False: definition(dy, x)


def _oracle(op: str, **fields: Any) -> Oracle:
    return Oracle(getattr(reference, op), _backward(op), **fields)


ORACLES: Mapping[str, Oracle] = {
    "conv": _oracle("conv", roundings=1),
    "conv_transpose": _oracle("conv_transpose", roundings=1),
    "depthwise_conv": _oracle("depthwise_conv", roundings=1),
    "separable_conv": _oracle("separable_conv", roundings=2),
    "dense": _oracle("dense", roundings=1),
    "gelu": _oracle("gelu", magnitude=_activation_magnitude, extra=8),
    "silu": _oracle("silu", magnitude=_activation_magnitude, extra=8),
    "max_pool": _oracle("max_pool", exact=True, positive=_as_given),
    "min_pool": _oracle("min_pool", exact=True, positive=_as_given),
    "max_pool_with_indices": Oracle(
        reference.max_pool_with_indices, _backward("max_pool"), exact=True, positive=_as_given
    ),
    "avg_pool": _oracle("avg_pool", mean=True),
    "lp_pool": _oracle("lp_pool", extra=_POWERS),
    "gem_pool": _oracle("gem_pool", extra=_POWERS, positive=_as_given),
    "adaptive_avg_pool": _oracle("adaptive_avg_pool", mean=True),
    "adaptive_max_pool": _oracle("adaptive_max_pool", exact=True, positive=_as_given),
    "global_avg_pool": Oracle(reference.global_avg_pool, _global_backward("global_avg_pool"), mean=True),
    "global_max_pool": Oracle(
        reference.global_max_pool, _global_backward("global_max_pool"), exact=True, positive=_as_given
    ),
    "fractional_max_pool": _oracle("fractional_max_pool", exact=True, positive=_as_given),
    "blur_pool": _oracle("blur_pool", mean=True),
    "max_unpool": _oracle("max_unpool", exact=True),
    "pad": _oracle("pad", exact=True),
    "unfold": _oracle("unfold", exact=True),
    "fold": _oracle("fold"),
    "space_to_depth": _oracle("space_to_depth", exact=True),
    "depth_to_space": _oracle("depth_to_space", exact=True),
    "resize": _oracle("resize", magnitude=_resize_magnitude),
    "attention": _oracle("attention", magnitude=_attention_magnitude, extra=8, roundings=2),
    "attention_weights": _oracle("attention_weights", magnitude=_attention_magnitude, extra=8),
    "rotary": _oracle("rotary", magnitude=_rotary_magnitude, extra=8),
    "batch_norm": _oracle("batch_norm", magnitude=_norm_magnitude, extra=8),
    "layer_norm": _oracle("layer_norm", magnitude=_norm_magnitude, extra=8),
    "group_norm": _oracle("group_norm", magnitude=_norm_magnitude, extra=8),
    "instance_norm": _oracle("instance_norm", magnitude=_norm_magnitude, extra=8),
    "rms_norm": _oracle("rms_norm", magnitude=_norm_magnitude, extra=8),
}
