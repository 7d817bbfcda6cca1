"""The chain rule through attention, and through the turns of rotary positions.

With weights w = softmax(l), for each query: dl = w (dw - sum of dw w). Weights of zero, of keys not allowed, get none.
"""

import numpy as np
from numpy.typing import ArrayLike

from jaxnets.reference.attention import attention_weights, rotary
from jaxnets.reference.dtypes import Array, cast, widen


def attention_weights_backward(
    dw: ArrayLike,
    q: ArrayLike,
    k: ArrayLike,
    *,
    mask: ArrayLike | None = None,
    bias: ArrayLike | None = None,
    causal: bool = False,
    scale: float | None = None,
) -> tuple[Array, Array]:
    """The gradients of `attention_weights`, to q and k, head by head: dq = scale dl k, dk = scale dlᵀ q.

    Shapes: dw (N, H, T, S), q (N, T, H, D), k (N, S, G, D) -> dq as q, dk as k.

    >>> q = k = np.ones((1, 2, 1, 2))
    >>> attention_weights_backward(np.ones((1, 1, 2, 2)), q, k)[0].ravel()
    array([0., 0., 0., 0.])
    """
    dtype = np.asarray(q).dtype
    dw, q, k = widen(dw), widen(q), widen(k)
    w = attention_weights(q, k, mask=mask, bias=bias, causal=causal, scale=scale)
    dl = w * (dw - np.sum(dw * w, axis=-1, keepdims=True))
    dl *= q.dtype.type(q.shape[3] ** -0.5 if scale is None else scale)
    dq, dk = np.zeros_like(q), np.zeros_like(k)
    for h in range(q.shape[2]):
        g = h // (q.shape[2] // k.shape[2])
        dq[:, :, h] = dl[:, h] @ k[:, :, g]
        dk[:, :, g] += np.swapaxes(dl[:, h], 1, 2) @ q[:, :, h]
    return cast(dq, dtype), cast(dk, dtype)


def attention_backward(
    dy: ArrayLike,
    q: ArrayLike,
    k: ArrayLike,
    v: ArrayLike,
    *,
    mask: ArrayLike | None = None,
    bias: ArrayLike | None = None,
    causal: bool = False,
    scale: float | None = None,
) -> tuple[Array, Array, Array]:
    """The gradients of `attention`: dv = wᵀ dy, dw = dy vᵀ, and those of the weights.

    Shapes: dy and q (N, T, H, D), k and v (N, S, G, D) -> dq, dk, dv as q, k, v.

    >>> one = np.ones((1, 1, 1, 1))
    >>> [float(d[0, 0, 0, 0]) for d in attention_backward(3 * one, one, one, one)]
    [0.0, 0.0, 3.0]
    """
    dtype, options = np.asarray(q).dtype, {"mask": mask, "bias": bias, "causal": causal, "scale": scale}
    dy, wide = widen(dy), widen(v)
    w = attention_weights(q, k, **options)  # type: ignore[arg-type]
    dv, dw = np.zeros_like(wide), np.zeros_like(w)
    for h in range(w.shape[1]):
        g = h // (w.shape[1] // wide.shape[2])
        dv[:, :, g] += np.swapaxes(w[:, h], 1, 2) @ dy[:, :, h]
        dw[:, h] = dy[:, :, h] @ np.swapaxes(wide[:, :, g], 1, 2)
    dq, dk = attention_weights_backward(dw, q, k, **options)  # type: ignore[arg-type]
    return dq, dk, cast(dv, dtype)


def rotary_backward(dy: ArrayLike, x: ArrayLike, positions: ArrayLike | None = None, *, base: float = 10000.0) -> Array:
    """The gradient of `rotary`: turned by as much the other way.

    Shapes: dy and x (N, T, heads, D) -> as x.

    >>> rotary_backward(np.ones((1, 1, 1, 2)), np.zeros((1, 1, 1, 2))).ravel()
    array([1., 1.])
    """
    at = np.arange(np.shape(x)[1]) if positions is None else np.asarray(positions)
    return cast(rotary(dy, -at, base=base), np.asarray(x).dtype)
