"""The networks that learned to play Atari games from pixels, and the dueling form of the same.

Mnih et al. (2015), Human-level control through deep reinforcement learning, https://doi.org/10.1038/nature14236
Wang, Schaul, Hessel, van Hasselt, Lanctot and de Freitas (2016), Dueling Network Architectures for Deep Reinforcement
Learning, https://arxiv.org/abs/1511.06581
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp

from jaxnets.combine import LayerLike, parallel, serial
from jaxnets.core import Layer
from jaxnets.layers import conv, dense, flatten
from jaxnets.models.parts import at_least, variant

EXAMPLE = jax.ShapeDtypeStruct((1, 84, 84, 4), jnp.float32)
# channels, size and stride of each convolution
TORSO = ((32, 8, 4), (64, 4, 2), (64, 3, 1))


def nature_dqn(
    num_classes: int = 18,
    *,
    torso: Sequence[tuple[int, int, int]] = TORSO,
    hidden: int = 512,
    dueling: bool = False,
) -> Layer:
    """The value of each action: convolutions without padding, one hidden layer, one output an action.

    Shapes: `(N, H, W, C) → (N, num_classes)`, in the paper 84×84 and the last 4 frames as channels, scaled to 0 … 1.

    Args:
        num_classes: K, the number of actions; 18 with the whole Atari joystick.
        torso: channels, size and stride of each convolution.
        hidden: features of the fully connected layer.
        dueling: two hidden layers, one for the value of the state and one for the advantages of the actions, of which
            the mean is taken away before they are added to the value.

    Raises `ValueError` for an image that the windows do not fit in, the paper's in one below 36×36. Gradient: to all
    parameters. Cost for an image of 84×84: 9.3 million multiply-adds.

    >>> model = nature_dqn(4)
    >>> params, state = model.init(jax.random.key(0), jnp.zeros((1, 84, 84, 4)))
    >>> list(params), model.apply(params, state, jnp.zeros((2, 84, 84, 4)))[0].shape
    (['torso', 'classifier'], (2, 4))
    """
    return serial(
        torso=nature_torso(torso), classifier=_dueling(num_classes, hidden) if dueling else _q(num_classes, hidden)
    )


def nature_torso(torso: Sequence[tuple[int, int, int]] = TORSO) -> Layer:
    """The convolutions, and their maps laid flat: (N, H, W, C) → (N, features).

    >>> jax.eval_shape(lambda x: nature_torso().init(jax.random.key(0), x), EXAMPLE)[0]["conv1"]["w"].shape
    (8, 8, 4, 32)
    """
    smallest = 1
    for _, size, stride in reversed(torso):
        smallest = (smallest - 1) * stride + size
    parts: dict[str, LayerLike] = {"image": at_least("nature_torso", smallest)}
    for i, (channels, size, stride) in enumerate(torso, start=1):
        parts |= {f"conv{i}": conv(channels, size, stride, padding="VALID"), f"relu{i}": jax.nn.relu}
    return serial(**parts, flatten=flatten())


def _q(outputs: int, hidden: int) -> Layer:
    return serial(hidden=dense(hidden), relu=jax.nn.relu, logits=dense(outputs))


def _dueling(actions: int, hidden: int) -> Layer:
    def join(value: jax.Array, advantage: jax.Array) -> jax.Array:
        return value + advantage - advantage.mean(-1, keepdims=True)

    return parallel(join, value=_q(1, hidden), advantage=_q(actions, hidden))


dueling_dqn = variant(nature_dqn, dueling=True)
