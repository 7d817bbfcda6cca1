"""Logits of small networks with given leaves, against those of torchvision's networks with the same leaves.

What was recorded is what torchvision 0.28 (torch 2.13) gave in evaluation in float64, its modules filled with the
leaves that `filled` makes. It fixes what shapes cannot show: padding, eps, activations, the order of the layers.
Sides are odd and even.
"""

from zlib import crc32

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets import models, tree

FUSED_AND_MBCONV = (("fused", 1, 3, 1, 16, 2), ("fused", 4, 3, 2, 24, 1), ("mbconv", 4, 5, 2, 32, 2))
INVERTED = ((1, 8, 1, 1), (6, 16, 2, 2), (6, 24, 1, 2))

# name: (network, images, torchvision's logits)
RECORDED = {
    "basic blocks": (
        lambda: models.resnet18(3, depths=(1, 1, 1, 1)),
        (2, 33, 40, 3),
        [[-12.94952, -3.06558, -4.890185], [-14.18152, -0.4970812, -5.391984]],
    ),
    "bottlenecks in groups": (
        lambda: models.resnext50_32x4d(3, depths=(1, 1, 1, 1)),
        (2, 32, 35, 3),
        [[-9.172753, 10.65014, 13.96753], [-9.896948, 8.83854, 12.58693]],
    ),
    "inverted residuals": (
        lambda: models.mobilenet_v2(3, stages=INVERTED),
        (2, 31, 32, 3),
        [[-3.983359, -2.900333, -0.5675566], [-4.113257, -3.557677, -0.8063209]],
    ),
    "fused and squeezed": (
        lambda: models.efficientnet_v2_s(3, stages=FUSED_AND_MBCONV, stem=16, head=64),
        (2, 36, 33, 3),
        [[-6.592304, 1.298316, 4.270971], [-7.891579, 1.480245, 4.966041]],
    ),
    "patches": (
        lambda: models.convnext_tiny(3, depths=(1, 2), channels=(8, 16)),
        (2, 27, 24, 3),
        [[-2.030782, -0.3802834, -0.8616251], [-2.451449, -0.5977457, 0.651612]],
    ),
}


def filled(path, leaf):
    """A leaf drawn from a generator that NumPy has promised never to change."""
    draw = np.random.RandomState(crc32(path.encode()))
    name = path.split("/")[-1]
    if name in ("scale", "var"):
        values = draw.uniform(0.5, 1.5, leaf.shape)
    else:
        gain = (2 / np.prod(leaf.shape[:-1])) ** 0.5 if name == "w" else 0.1
        values = gain * draw.standard_normal(leaf.shape)
    return values.astype(np.float32)


def made(model, shape):
    """Parameters, state and images."""
    trees = jax.eval_shape(model.init, jax.random.key(0), jax.ShapeDtypeStruct(shape, jnp.float32))
    params, state = (tree.unflatten({k: filled(k, v) for k, v in tree.flatten(each).items()}) for each in trees)
    return params, state, np.random.RandomState(0).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("name", RECORDED)
def test_logits(name):
    network, shape, recorded = RECORDED[name]
    model = network()
    params, state, x = made(model, shape)
    logits, _ = jax.jit(model.apply)(params, state, x)
    np.testing.assert_allclose(logits, recorded, rtol=0, atol=2e-5 * np.abs(recorded).max())
