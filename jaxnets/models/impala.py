"""IMPALA's residual network, and actors and critics on one torso.

Espeholt et al. (2018), IMPALA: Scalable Distributed Deep-RL with Importance Weighted Actor-Learner Architectures,
https://arxiv.org/abs/1802.01561
Mnih et al. (2016), Asynchronous Methods for Deep Reinforcement Learning, https://arxiv.org/abs/1602.01783, for the two
heads on the torso of `nature_dqn`
"""

from collections.abc import Callable, Mapping, Sequence

import jax
import jax.numpy as jnp

from jaxnets.combine import parallel, serial
from jaxnets.core import Layer, Params, State, Tree
from jaxnets.layers import conv, dense, flatten, lstm, max_pool
from jaxnets.models.dqn import nature_torso
from jaxnets.models.parts import block, variant

EXAMPLE = jax.ShapeDtypeStruct((1, 84, 84, 4), jnp.float32)
ORTHOGONAL = jax.nn.initializers.orthogonal


def impala(
    num_classes: int = 18,
    *,
    channels: Sequence[int] = (16, 32, 32),
    blocks: int = 2,
    hidden: int = 256,
    memory: int | None = None,
    torso: str = "residual",
) -> Layer:
    """A policy and the value of the state, from one torso: stages of a convolution, a pool and residual blocks.

    Shapes: `(N, H, W, C) → {"logits": (N, num_classes), "value": (N,)}`. With `memory` an LSTM stands before the
    heads, and everything has a time axis: `(N, T, H, W, C) → {"logits": (N, T, num_classes), "value": (N, T)}`; given
    a dict `{"x": …, "state": {"h": (N, memory), "c": (N, memory)}}` it goes on from that state, and its output has the
    new one as "state". Pixels are scaled to 0 … 1.

    Args:
        num_classes: K, the number of actions.
        channels: of each stage, which halves the sides of the image.
        blocks: residual ones in each stage.
        hidden: features of the fully connected layer.
        memory: units of the LSTM, in the paper 256; None for none.
        torso: "residual", or "nature" for the convolutions of `nature_dqn` in place of the stages.

    Raises `ValueError` for an unknown torso, and for an input that is not an image or too small a one. Gradient: to
    all parameters. Cost for an image of 84×84: 54 million multiply-adds.

    >>> model = impala(4, channels=(4,), blocks=1, hidden=8)
    >>> params, state = model.init(jax.random.key(0), jnp.zeros((1, 8, 8, 3)))
    >>> list(params["torso"]), list(params["heads"])
    (['stage1', 'hidden'], ['logits', 'value'])
    >>> {name: y.shape for name, y in model.apply(params, state, jnp.zeros((2, 8, 8, 3)))[0].items()}
    {'logits': (2, 4), 'value': (2,)}
    """
    if torso not in ("residual", "nature"):
        raise ValueError(f"impala: torso is {torso!r}; pass 'residual' or 'nature'")
    stages: dict[str, Layer | Callable[[Tree], Tree]] = {}
    if torso == "nature":
        stages["convs"] = nature_torso()
    else:
        stages = {f"stage{i}": _stage(maps, blocks) for i, maps in enumerate(channels, start=1)}
        stages |= {"relu": jax.nn.relu, "flatten": flatten()}
    seen = serial(**stages, hidden=dense(hidden), relu_hidden=jax.nn.relu)
    heads = actor_critic(num_classes)
    if memory is None:
        return serial(torso=seen, heads=heads)
    return serial(torso=_each_step(seen), memory=lstm(memory), heads=_beside_state(heads))


def actor_critic(num_classes: int) -> Layer:
    """The two heads: a policy's logits and the value of the state, from the same features.

    Shapes: `(…, D) → {"logits": (…, num_classes), "value": (…)}`. The policy begins nearly uniform (orthogonal, gain
    0.01), as PPO's code has it: Schulman et al., 2017, https://arxiv.org/abs/1707.06347.

    >>> heads = actor_critic(3)
    >>> params, state = heads.init(jax.random.key(0), jnp.ones((2, 5)))
    >>> {name: y.shape for name, y in heads.apply(params, state, jnp.ones((2, 5)))[0].items()}
    {'logits': (2, 3), 'value': (2,)}
    """
    return parallel(
        lambda logits, value: {"logits": logits, "value": value[..., 0]},
        logits=dense(num_classes, w_init=ORTHOGONAL(0.01)),
        value=dense(1, w_init=ORTHOGONAL(1.0)),
    )


def _stage(channels: int, blocks: int) -> Layer:
    residual = {
        str(i): block(
            serial(relu1=jax.nn.relu, conv1=conv(channels, 3), relu2=jax.nn.relu, conv2=conv(channels, 3)),
            residual=True,
        )
        for i in range(blocks)
    }
    return serial(conv=conv(channels, 3), pool=max_pool(3, 2, padding="SAME"), **residual)


def _each_step(layer: Layer) -> Layer:
    """`layer` on every step of (N, T, …), as if steps were samples; a dict's "x" alone."""

    def merged(x: Tree) -> Tree:
        frames = x["x"] if isinstance(x, Mapping) else x
        if len(frames.shape) != 5:
            raise ValueError(f"impala: with memory x is (N, T, H, W, C), but it has shape {frames.shape}")
        shape = (frames.shape[0] * frames.shape[1], *frames.shape[2:])
        if isinstance(frames, jax.ShapeDtypeStruct):
            return jax.ShapeDtypeStruct(shape, frames.dtype)
        return frames.reshape(shape)

    def init(key: jax.Array, x: Tree, /) -> tuple[Params, State]:
        return layer.init(key, merged(x))

    def apply(
        params: Params, state: State, x: Tree, /, *, train: bool = False, key: jax.Array | None = None
    ) -> tuple[Tree, State]:
        y, state = layer.apply(params, state, merged(x), train=train, key=key)
        frames = x["x"] if isinstance(x, Mapping) else x
        y = y.reshape(*frames.shape[:2], *y.shape[1:])
        return ({**x, "x": y} if isinstance(x, Mapping) else y), state

    return Layer(init, apply)


def _beside_state(heads: Layer) -> Layer:
    """`heads` on a dict's "x"; its "state" goes along."""

    def features(x: Tree) -> Tree:
        return x["x"] if isinstance(x, Mapping) else x

    def init(key: jax.Array, x: Tree, /) -> tuple[Params, State]:
        return heads.init(key, features(x))

    def apply(
        params: Params, state: State, x: Tree, /, *, train: bool = False, key: jax.Array | None = None
    ) -> tuple[Tree, State]:
        y, state = heads.apply(params, state, features(x), train=train, key=key)
        return (y | {"state": x["state"]} if isinstance(x, Mapping) and "state" in x else y), state

    return Layer(init, apply)


nature_actor_critic = variant(impala, torso="nature", hidden=512)
