"""Normalizations with learned scale and shift. Those of one sample are plain; batch norm remembers statistics."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp

from jaxnets import ops
from jaxnets.core import Layer, Params, State, pure
from jaxnets.layers import arguments
from jaxnets.layers.leaves import Example, example, read
from jaxnets.ops import check
from jaxnets.ops.norm import normalize_batch

BEGIN = {"scale": 1.0, "shift": 0.0, "mean": 0.0, "var": 1.0}
"""What every channel begins with."""


def _begin(op: str, x: Example, names: tuple[str, ...]) -> Params:
    """These leaves as they begin, one number per channel of `x`."""
    channels = example(op, x).shape[-1:]
    return {name: jnp.full(channels, BEGIN[name], jnp.float32) for name in names}


def _affine(scale: bool, shift: bool) -> tuple[str, ...]:
    return ("scale",) * bool(scale) + ("shift",) * bool(shift)


def _per_sample(op: str, scale: bool, shift: bool, normalize: Callable[..., jax.Array]) -> Layer:
    """A normalization without memory: `normalize(x, scale=, shift=)`."""
    names = _affine(scale, shift)
    return pure(
        lambda key, x: _begin(op, x, names),
        # In float32, as the op computes whatever the dtype of x.
        lambda params, x: normalize(x, **read(op, params, names, jnp.float32)),
    )


def layer_norm(*, eps: float = 1e-5, scale: bool = True, shift: bool = True) -> Layer:
    """Each row normalized along the last axis: `ops.layer_norm` with learned scale and shift.

    Shapes: (…, D) → (…, D). Parameters: scale and shift (D,), float32, ones and zeros to begin with; `scale=False` or
    `shift=False` leaves one out. `eps`, above 0, is added to the variance. Errors, gradient and cost: those of the op.
    Ba, Kiros & Hinton, 2016, https://arxiv.org/abs/1607.06450.

    >>> layer_norm().init(jax.random.key(0), jnp.ones((2, 3)))[0]["scale"]
    Array([1., 1., 1.], dtype=float32)
    """
    eps = arguments.positive("layer_norm", eps, "eps")
    return _per_sample("layer_norm", scale, shift, lambda x, **leaves: ops.layer_norm(x, **leaves, eps=eps))


def group_norm(groups: int = 32, *, eps: float = 1e-5, scale: bool = True, shift: bool = True) -> Layer:
    """Groups of channels normalized over space, sample by sample: `ops.group_norm` with learned scale and shift.

    Shapes: (N, *spatial, C) → (N, *spatial, C), `groups` a divisor of C. Parameters and other arguments: those of
    `layer_norm`, per channel. Errors, gradient and cost: those of the op. Wu & He, 2018, https://arxiv.org/abs/1803.08494.

    >>> params, _ = group_norm(2).init(jax.random.key(0), jnp.ones((1, 8, 8, 4)))
    >>> {name: leaf.shape for name, leaf in params.items()}
    {'scale': (4,), 'shift': (4,)}
    """
    op = "group_norm"
    groups = check.whole(op, groups, "groups")
    eps = arguments.positive(op, eps, "eps")
    return _per_sample(op, scale, shift, lambda x, **leaves: ops.group_norm(x, groups, **leaves, eps=eps))


def instance_norm(*, eps: float = 1e-5, scale: bool = True, shift: bool = True) -> Layer:
    """Each channel of each sample normalized over space: `ops.instance_norm` with learned scale and shift.

    Shapes: (N, *spatial, C) → (N, *spatial, C). Parameters and arguments: those of `layer_norm`, per channel.
    Errors, gradient and cost: those of the op. Ulyanov, Vedaldi & Lempitsky, 2016, https://arxiv.org/abs/1607.08022.

    >>> instance_norm(shift=False).init(jax.random.key(0), jnp.ones((1, 8, 3)))[0]
    {'scale': Array([1., 1., 1.], dtype=float32)}
    """
    eps = arguments.positive("instance_norm", eps, "eps")
    return _per_sample("instance_norm", scale, shift, lambda x, **leaves: ops.instance_norm(x, **leaves, eps=eps))


def rms_norm(*, eps: float = 1e-6, scale: bool = True) -> Layer:
    """Each row divided by its root mean square: `ops.rms_norm` with a learned scale.

    Shapes: (…, D) → (…, D). Parameters: scale (D,), float32, ones to begin with; `scale=False` leaves it out. `eps`,
    above 0, is added to the mean square. Errors, gradient and cost: those of the op. Zhang & Sennrich, 2019,
    https://arxiv.org/abs/1910.07467.

    >>> rms_norm().init(jax.random.key(0), jnp.ones((2, 3)))[0]
    {'scale': Array([1., 1., 1.], dtype=float32)}
    """
    eps = arguments.positive("rms_norm", eps, "eps")
    return _per_sample("rms_norm", scale, False, lambda x, **leaves: ops.rms_norm(x, **leaves, eps=eps))


def _count(op: str, x: jax.Array) -> int:
    """Over how many values the statistics of a batch are: 2 at least."""
    count = x.size // x.shape[-1]
    if count < 2:
        raise ValueError(
            f"{op}: x has shape {x.shape}, {count} value{'s' * (count != 1)} per channel, which has no variance; train "
            f"on at least 2, or pass train=False"
        )
    return count


def batch_norm(*, momentum: float = 0.9, eps: float = 1e-5, scale: bool = True, shift: bool = True) -> Layer:
    """Each channel normalized over the batch and space; in evaluation, by statistics remembered from training.

    Shapes: (N, …, C) → (N, …, C). Parameters: scale and shift (C,), ones and zeros to begin with; `scale=False` or
    `shift=False` leaves one out. State: mean and var (C,), zeros and ones to begin with. All are float32, and so are
    the statistics, whatever the input's dtype.

    With `train=True` x is normalized by its own mean and biased variance over every axis but the last, and the state
    becomes `momentum * old + (1 - momentum) * new`, the new variance being the unbiased estimate. `momentum`, 0 to 1,
    is the fraction of the old statistic *kept* (PyTorch's is the fraction replaced). `eps`, above 0, is added to the
    variance. With `train=False` the state normalizes x and comes back as it is.

    Raises `ValueError` for a batch in training with fewer than 2 values per channel, or params and state made for
    other channels, and `TypeError` for an integer input (cast it). Gradient: to scale, shift and x, through the
    batch's statistics too. Cost: three passes in training, one in evaluation. Ioffe & Szegedy, 2015,
    https://arxiv.org/abs/1502.03167.

    >>> layer = batch_norm(momentum=0.9)
    >>> params, state = layer.init(jax.random.key(0), jnp.ones((2, 1)))
    >>> _, state = layer.apply(params, state, jnp.array([[4.], [6.]]), train=True)
    >>> state["mean"], state["var"]
    (Array([0.5], dtype=float32), Array([1.1], dtype=float32))
    """
    op = "batch_norm"
    momentum = arguments.momentum(op, momentum)
    eps = arguments.positive(op, eps, "eps")
    names, remembered = _affine(scale, shift), ("mean", "var")

    def init(key: jax.Array, x: Example, /) -> tuple[Params, State]:
        return _begin(op, x, names), _begin(op, x, remembered)

    def apply(
        params: Params, state: State, x: jax.Array, /, *, train: bool = False, key: jax.Array | None = None
    ) -> tuple[jax.Array, State]:
        x = check.floating(op, x)
        if x.ndim < 2:
            raise ValueError(f"{op}: x has shape {x.shape}, rank {x.ndim}; pass (N, ..., C), batched, channels last")
        leaves = read(op, params, names, jnp.float32)
        old = read(op, state, remembered, jnp.float32, what="state")
        if not train:
            return ops.batch_norm(x, **old, **leaves, eps=eps), state
        count = _count(op, x)
        y, mean, var = normalize_batch(x, **leaves, eps=eps)
        new = {"mean": mean, "var": var * (count / (count - 1))}
        kept = {name: momentum * old[name] + (1 - momentum) * new[name].astype(jnp.float32) for name in new}
        return y, kept

    return Layer(init, apply)
