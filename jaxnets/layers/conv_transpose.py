"""The transposed convolution with a learned kernel."""

from __future__ import annotations

from functools import partial
from math import prod

import jax

from jaxnets import ops
from jaxnets.core import Layer, Params, pure
from jaxnets.layers import arguments, initializers
from jaxnets.layers.initializers import Initializer
from jaxnets.layers.leaves import ZEROS, Example, Shapes, draw, example, floating_images, run
from jaxnets.ops import check
from jaxnets.ops.geometry import Ints, Padding
from jaxnets.ops.kernels import switch


def conv_transpose(
    channels: int,
    size: Ints,
    stride: Ints = 1,
    *,
    padding: Padding = "SAME",
    output_padding: Ints = 0,
    dilation: Ints = 1,
    groups: int = 1,
    bias: bool = True,
    lowering: str | None = None,
    w_init: Initializer | None = None,
    b_init: Initializer = ZEROS,
) -> Layer:
    """Transposed convolution to `channels` channels: `ops.conv_transpose` with learned w and b.

    Shapes: (N, *spatial, C) → (N, *out, channels), `out` as in `ops.conv_transpose`: `n * stride` for `"SAME"`.
    Parameters, float32: w (*size, channels // groups, C), the kernel of the convolution it is the adjoint of, which
    makes C channels out of `channels`; b (channels,).
    Arguments: `stride` is how many outputs an input step makes; the others are those of `ops.conv_transpose` and
    `conv`. By default w has He's variance, 2 / fan-in, where an output adds up `C / groups` channels of `size / stride`
    taps an axis (1 where the stride is larger). Raises as `conv` does. Gradient and cost: those of the op.
    Zeiler et al., 2010, https://doi.org/10.1109/CVPR.2010.5539957; He et al., 2015, https://arxiv.org/abs/1502.01852.

    >>> import jax.numpy as jnp
    >>> layer = conv_transpose(8, 4, 2)
    >>> params, state = layer.init(jax.random.key(0), jnp.ones((1, 7, 7, 3)))
    >>> params["w"].shape, layer.apply(params, state, jnp.ones((1, 7, 7, 3)))[0].shape
    ((4, 4, 8, 3), (1, 14, 14, 8))
    """
    op = "conv_transpose"
    channels = check.whole(op, channels, "channels")
    groups = check.whole(op, groups, "groups")
    share = arguments.divides(op, groups, channels, "it makes")
    size = arguments.ints(op, size, "size")
    stride = arguments.ints(op, stride, "stride")
    dilation = arguments.ints(op, dilation, "dilation")
    padding = arguments.padding(op, padding)
    # What is legal is decided by stride and padding per axis, in the op; no case allows less than this.
    least = 1 - max(stride if isinstance(stride, tuple) else (stride,)) if padding == "SAME" else 0
    output_padding = arguments.ints(op, output_padding, "output_padding", least)
    lowering = switch.require_known(op, lowering)
    if w_init is not None:
        arguments.function(op, w_init, "w_init")
    arguments.function(op, b_init, "b_init")

    def shapes(x: Example) -> Shapes:
        arguments.divides(op, groups, x.shape[-1], f"of x {x.shape}")
        w = (*check.per_axis(op, size, x.ndim - 2, "size"), share, x.shape[-1])
        return {"w": w} | ({"b": (channels,)} if bias else {})

    def he(sizes: tuple[int, ...], strides: tuple[int, ...]) -> Initializer:
        # JAX's fan-in would be all taps of all C channels; an output sees C / groups, and size / stride of the taps.
        seen = prod(min(k, s) for k, s in zip(sizes, strides, strict=True)) * groups
        return initializers.variance_scaling(2.0 * seen, "fan_in", "truncated_normal", in_axis=-1, out_axis=-2)

    def init(key: jax.Array, x: Example) -> Params:
        x = example(op, x, floating_images)
        found = shapes(x)
        default = he(found["w"][:-2], check.per_axis(op, stride, x.ndim - 2, "stride"))
        return draw(op, key, found, {"w": w_init or default, "b": b_init})

    def apply(params: Params, x: jax.Array) -> jax.Array:
        x = floating_images(op, x)
        fn = partial(
            ops.conv_transpose,
            stride=stride,
            padding=padding,
            output_padding=output_padding,
            dilation=dilation,
            groups=groups,
            lowering=lowering,
        )
        return run(op, fn, params, shapes(x), x)

    return pure(init, apply)
