"""Small networks written twice: with jaxnets' layers, and by hand on any module of convolutions and pools.

The hand-written ones read the same parameters by path, so the two must agree, and a rival is the module they are given.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import ModuleType

import jax
import jax.numpy as jnp
from jax import lax

from jaxnets import combine, layers, models
from jaxnets.core import Layer

Leaves = Mapping[str, jax.Array]
relu = jax.nn.relu
act = jax.nn.silu  # smooth: rounding cannot flip its derivative, as it does at ReLU's kink, so the check is sharp
MOMENTUM, EPS = 0.9, 1e-5


@dataclass
class Plain:
    """Leaves by path, and the layers as one writes them by hand; `new` gathers the state that training leaves."""

    ops: ModuleType
    params: Leaves
    state: Leaves
    train: bool
    new: dict[str, jax.Array] = field(default_factory=dict)

    def conv(self, path: str, x: jax.Array, stride: int = 1) -> jax.Array:
        return self.ops.conv(x, self.params[f"{path}/w"], stride=stride)

    def depthwise(self, path: str, x: jax.Array, stride: int = 1) -> jax.Array:
        return self.ops.depthwise_conv(x, self.params[f"{path}/w"], stride=stride)

    def dense(self, path: str, x: jax.Array) -> jax.Array:
        return x @ self.params[f"{path}/w"] + self.params[f"{path}/b"][None, :]

    def norm(self, path: str, x: jax.Array) -> jax.Array:
        """Batch normalization, and in training the running statistics."""
        mean, var = self.state[f"{path}/mean"], self.state[f"{path}/var"]
        if self.train:
            count = x.size // x.shape[-1]
            now = x.mean((0, 1, 2)), x.var((0, 1, 2))
            unbiased = now[1] * (count / (count - 1))
            self.new[f"{path}/mean"] = MOMENTUM * mean + (1 - MOMENTUM) * now[0]
            self.new[f"{path}/var"] = MOMENTUM * var + (1 - MOMENTUM) * unbiased
            mean, var = now
        spatial = (None,) * 3
        y = (x - mean[spatial]) * lax.rsqrt(var + EPS)[spatial]
        return y * self.params[f"{path}/scale"][spatial] + self.params[f"{path}/shift"][spatial]

    def conv_norm(self, path: str, x: jax.Array, stride: int = 1) -> jax.Array:
        return self.norm(f"{path}/norm", self.conv(f"{path}/conv", x, stride))


def _conv_norm(channels: int, size: int, stride: int = 1) -> Layer:
    return combine.serial(conv=layers.conv(channels, size, stride, bias=False), norm=layers.batch_norm())


def _head() -> Layer:
    return combine.serial(pool=layers.global_avg_pool(), logits=layers.dense(10))


def _plain_head(net: Plain, x: jax.Array) -> jax.Array:
    return net.dense("head/logits", x.mean((1, 2)))


def lenet() -> Layer:
    """The digits network of `jaxnets train digits`, without its dropout: rivals would draw alike, but to no purpose."""
    return models.lenet(rate=0.0)


def plain_lenet(net: Plain, x: jax.Array) -> jax.Array:
    for i in (1, 2):
        x = relu(net.norm(f"features/norm{i}", net.conv(f"features/conv{i}", x)))
        x = net.ops.max_pool(x, 2)
    x = x.reshape(x.shape[0], -1)
    return net.dense("classifier/logits", relu(net.dense("classifier/hidden", x)))


STAGES = ((32, 1), (64, 2), (128, 2))  # channels and stride of each residual block


def residual() -> Layer:
    """Basic blocks: He et al., 2016, https://arxiv.org/abs/1512.03385."""

    def block(channels: int, stride: int) -> Layer:
        main = combine.serial(a=_conv_norm(channels, 3, stride), act=act, b=_conv_norm(channels, 3))
        skip = (lambda x: x) if stride == 1 else _conv_norm(channels, 1, stride)
        return combine.serial(sum=combine.parallel(jnp.add, main=main, skip=skip), act=act)

    blocks = {f"block{i}": block(*stage) for i, stage in enumerate(STAGES)}
    return combine.serial(stem=_conv_norm(32, 3), act=act, **blocks, head=_head())


def plain_residual(net: Plain, x: jax.Array) -> jax.Array:
    x = act(net.conv_norm("stem", x))
    for i, (_, stride) in enumerate(STAGES):
        inside = f"block{i}/sum"
        main = net.conv_norm(f"{inside}/main/b", act(net.conv_norm(f"{inside}/main/a", x, stride)))
        x = act(main + (x if stride == 1 else net.conv_norm(f"{inside}/skip", x, stride)))
    return _plain_head(net, x)


PAIRS = ((64, 1), (128, 2), (128, 1), (256, 2))  # channels and stride of each separable pair


def separable() -> Layer:
    """Depthwise and 1×1 in turns: Howard et al., 2017, https://arxiv.org/abs/1704.04861."""

    def pair(channels: int, stride: int) -> Layer:
        return combine.serial(
            depthwise=layers.depthwise_conv(3, stride, bias=False),
            norm=layers.batch_norm(),
            act1=act,
            pointwise=_conv_norm(channels, 1),
            act2=act,
        )

    pairs = {f"pair{i}": pair(*each) for i, each in enumerate(PAIRS)}
    return combine.serial(stem=_conv_norm(32, 3), act=act, **pairs, head=_head())


def plain_separable(net: Plain, x: jax.Array) -> jax.Array:
    x = act(net.conv_norm("stem", x))
    for i, (_, stride) in enumerate(PAIRS):
        x = act(net.norm(f"pair{i}/norm", net.depthwise(f"pair{i}/depthwise", x, stride)))
        x = act(net.conv_norm(f"pair{i}/pointwise", x))
    return _plain_head(net, x)


DEPTH = 3


def scanned() -> Layer:
    """Residual 3×3 convolutions in one `lax.scan` over depth."""
    block = combine.parallel(jnp.add, main=combine.serial(inner=_conv_norm(64, 3), act=act), skip=lambda x: x)
    return combine.serial(stem=_conv_norm(64, 3), act=act, body=combine.repeat(block, DEPTH), head=_head())


def plain_scanned(net: Plain, x: jax.Array) -> jax.Array:
    params, state = ({k: v for k, v in leaves.items() if k.startswith("body/")} for leaves in (net.params, net.state))

    def block(x: jax.Array, leaves: tuple[Leaves, Leaves]) -> tuple[jax.Array, dict[str, jax.Array]]:
        inside = Plain(net.ops, leaves[0], leaves[1], net.train)
        return x + act(inside.conv_norm("body/main/inner", x)), inside.new

    x, new = lax.scan(block, act(net.conv_norm("stem", x)), (params, state))
    net.new |= new
    return _plain_head(net, x)


def one_conv() -> Layer:
    """One 3×3 convolution."""
    return combine.serial(conv=layers.conv(64, 3, bias=False), act=act, head=_head())


def plain_one_conv(net: Plain, x: jax.Array) -> jax.Array:
    return _plain_head(net, act(net.conv("conv", x)))


@dataclass(frozen=True)
class Network:
    """A network both ways. `steps` training steps run in one `lax.scan` where there are more than one; `depth` is
    the number of layers with products that a rounding error goes through; `kinks`: rounding can flip derivatives."""

    name: str
    ours: Callable[[], Layer]
    plain: Callable[[Plain, jax.Array], jax.Array]
    full: tuple[int, ...]
    quick: tuple[int, ...]
    depth: int
    steps: int = 1
    kinks: bool = False


NETWORKS = (
    Network("LeNet, 8x8 digits", lenet, plain_lenet, (64, 8, 8, 1), (4, 8, 8, 1), depth=4, kinks=True),
    Network("residual, 32x32", residual, plain_residual, (32, 32, 32, 3), (2, 8, 8, 3), depth=8),
    Network("separable, 32x32", separable, plain_separable, (32, 32, 32, 3), (2, 8, 8, 3), depth=10),
    Network("3 convs in a scan", scanned, plain_scanned, (8, 28, 28, 3), (2, 6, 6, 3), depth=5),
    Network("4 steps in a scan", one_conv, plain_one_conv, (8, 28, 28, 64), (2, 6, 6, 4), depth=2, steps=4),
)
