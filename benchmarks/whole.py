"""Whole models: one training step of `jaxnets.models`, beside the same network on plain lax."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import jaxnets
from benchmarks import agree
from benchmarks.jobs import Job
from benchmarks.timing import NotRun
from benchmarks.training import training
from jaxnets import models, summary
from jaxnets.models.mobilenet_v2 import STAGES

FULL, QUICK = (8, 224, 224, 3), (4, 64, 64, 3)
CLASSES = 1000
LONG = 10.0  # seconds: a step needs a gigabyte, which a virtual machine may take back while others have their turn


@dataclass(frozen=True)
class Whole:
    """`jaxnets.models.<model>`; `depth` counts the layers with products that a rounding error goes through, and
    `quick` makes a network of one block a stage, which no peer has."""

    name: str
    model: str
    depth: int
    quick: Mapping[str, Any] = field(default_factory=dict)


ONE_EACH = {"depths": (1, 1, 1, 1)}
WHOLE = (
    Whole("MobileNetV2", "mobilenet_v2", 53, {"stages": tuple((t, c, 1, s) for t, c, _, s in STAGES)}),
    Whole("EfficientNet-B0", "efficientnet_b0", 82, {"depth": 0.1}),
    Whole("ConvNeXt-Tiny", "convnext_tiny", 59, ONE_EACH),
    Whole("ResNeXt-50", "resnext50_32x4d", 54, ONE_EACH),
    Whole("ResNet-50", "resnet50", 54, ONE_EACH),
)


def on_plain_lax(fn: Callable[..., Any]) -> Callable[..., Any]:
    """The same program with every convolution and pool as `lax` has it."""

    def run(*args: Any) -> Any:
        with jaxnets.lowering("lax"):
            return fn(*args)

    return run


def jobs(whole: Whole, quick: bool) -> list[Job]:
    """The training step, on random images and labels."""
    draw = np.random.default_rng(0)
    x = jnp.asarray(draw.standard_normal(QUICK if quick else FULL, np.float32))
    labels = jnp.asarray(draw.integers(0, CLASSES, x.shape[0]), jnp.int32)
    layer = models.create(whole.model, num_classes=CLASSES, **(whole.quick if quick else {}))
    params, state = layer.init(jax.random.key(0), x)
    args = (params, jax.tree.map(jnp.zeros_like, params), state, x, labels, jax.random.key(1))
    total = summary(layer, x).total

    def apply(params: Any, state: Any, x: jax.Array, key: jax.Array, *, train: bool) -> tuple[jax.Array, Any]:
        return layer.apply(params, state, x, train=train, key=key)

    ours = training(apply)
    return [
        Job(
            suite="models",
            case=whole.name,
            shape_class=whole.name,
            direction="training step",
            args=args,
            compiled={"lax": on_plain_lax(ours), "ours": ours},
            tolerances=jax.tree.map(lambda _: tolerance(whole, x.shape), jax.eval_shape(ours, *args)),
            work=3 * 2 * total.multiply_adds / 1e9,
            unit="GFLOP",
            bytes=3 * 2 * total.activation_bytes,
            numpy=NotRun("no NumPy network"),
            missing={"naive": NotRun("takes too long")},
            description={"shapes": [list(x.shape)], "steps": 1, "parameters": total.params},
            peer={}
            if quick and whole.quick
            else {"kind": "model", "model": whole.model, "parameters": total.params, "direction": "training step"},
            arrays={"x": np.asarray(x), "labels": np.asarray(labels, np.int64)},
            error=agree.network,
            brief=LONG,
        )
    ]


def tolerance(whole: Whole, images: tuple[int, ...]) -> float:
    """What rounding explains of the norm of a leaf's gradient.

    A product's rounding eps moves a share eps of the activations to the other side of a kink, and their derivatives
    with them: sqrt(eps) of the norm, a random walk over the layers. Times 8, for other orders of summation: of a
    ResNet-50 in float32 the gradients lie up to 2.8 % of their norm from those in float64 on plain lax, and up to 2.5 %
    with ours (median 2.1 % both). No less than one activation moves: of the last map, a 32nd as high and wide as the
    images, with some 256 channels, that is a share that counts where images are small.
    """
    eps = agree.rounding(np.float32, jax.default_backend(), products=True)
    last = prod(images[:-1]) / 32**2 * 256
    return 8 * (whole.depth * eps) ** 0.5 + last**-0.5
