"""The shape classes, and how many times faster than plain lax each must be: floors, measured on a 2-core CPU."""

from __future__ import annotations

from dataclasses import dataclass

EVERYWHERE = 0.95  # nothing is slower than this, floor or no floor


@dataclass(frozen=True)
class ShapeClass:
    """Shapes that stand and fall together.

    `forward` and `both` are floors on plain lax's time over ours: of the forward pass, and of the forward pass with
    its gradients or a training step. They hold for every row, or if `mean` for the geometric mean of the rows.
    `inside` bounds our time in a `lax.scan` over that of the same steps outside it; `compile` and `memory` bound our
    compile time and peak temporary memory over plain lax's.
    """

    name: str
    forward: float = EVERYWHERE
    both: float = EVERYWHERE
    mean: bool = False
    inside: float | None = None
    compile: float | None = None
    memory: float | None = None


def _model(name: str, floor: float) -> ShapeClass:
    return ShapeClass(name, both=floor, compile=1.2, memory=1.5)


CLASSES = (
    ShapeClass("depthwise 3x3 and 5x5", 30, 30),
    ShapeClass("depthwise 3x3, stride 2", 20, 15),
    ShapeClass("depthwise 7x7", 25, 20),
    ShapeClass("causal depthwise 1-D", 15, 10),
    ShapeClass("4 to 16 channels a group", 8, 100),
    ShapeClass("1x1", 2, 4),
    ShapeClass("dense 3x3", 1.2, 1.4, mean=True),
    ShapeClass("dense 7x7 stem", 1, 1.3),
    ShapeClass("transposed, stride 2", 1.5, 25),
    ShapeClass("kernels batched by vmap", 1, 15),
    ShapeClass("int8, int32, float64", 3, 3),
    ShapeClass("other convolutions"),
    ShapeClass("max pool 3x3 and 5x5, stride 1", 5, 5),
    ShapeClass("max pool 3x3, stride 2", 1, 4),
    ShapeClass("max pool 2x2", 1, 8),
    ShapeClass("avg pool, overlapping", 3, 1.5),
    ShapeClass("other pools"),
    ShapeClass("dense 3x3 in a scan", both=30, inside=1.5),
    ShapeClass("others in a scan", inside=1.5),
    _model("MobileNetV2", 5),
    _model("EfficientNet-B0", 5),
    _model("ConvNeXt-Tiny", 4),
    _model("ResNeXt-50", 10),
    _model("ResNet-50", 1.3),
    ShapeClass("small networks"),
)

BY_NAME = {each.name: each for each in CLASSES}
