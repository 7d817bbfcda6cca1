"""The convolutions: the shapes of the classes, taken from networks in use, then other kinds."""

from __future__ import annotations

from typing import Any

from benchmarks.cases.case import Case, Form, Shape


def _shape(shape: Shape) -> str:
    return "x".join(map(str, shape))


def _conv(
    shape_class: str,
    kind: str,
    x: Shape,
    w: Shape,
    op: str = "conv",
    dtype: str = "float32",
    form: Form = "plain",
    **options: Any,
) -> Case:
    """A case whose name ends in the image it works on and, unless it is depthwise, its output channels."""
    image = x[2:] if form == "batched" else x[1:]
    filters = "" if op == "depthwise_conv" else f" to {w[-2] if op == 'conv_transpose' else w[-1]}"
    return Case(f"{kind}, {_shape(image)}{filters}", shape_class, op, x, w, options, dtype, form)


def _depthwise(shape_class: str, kind: str, x: Shape, size: Shape, **options: Any) -> Case:
    return _conv(shape_class, kind, x, (*size, 1, x[-1]), op="depthwise_conv", **options)


DEPTHWISE = (
    _depthwise("depthwise 3x3 and 5x5", "depthwise 3x3", (8, 56, 56, 144), (3, 3)),
    _depthwise("depthwise 3x3 and 5x5", "depthwise 3x3", (8, 14, 14, 384), (3, 3)),
    _depthwise("depthwise 3x3 and 5x5", "depthwise 5x5", (8, 28, 28, 240), (5, 5)),
    _depthwise("depthwise 3x3 and 5x5", "depthwise 5x5", (8, 14, 14, 480), (5, 5)),
    _depthwise("depthwise 3x3, stride 2", "depthwise 3x3 s2", (8, 56, 56, 144), (3, 3), stride=2),
    _depthwise("depthwise 3x3, stride 2", "depthwise 3x3 s2", (8, 112, 112, 96), (3, 3), stride=2, padding=1),
    _depthwise("depthwise 7x7", "depthwise 7x7", (8, 56, 56, 96), (7, 7)),
    _depthwise("depthwise 7x7", "depthwise 7x7", (8, 14, 14, 384), (7, 7)),
    _depthwise("causal depthwise 1-D", "causal depthwise 4", (8, 1024, 256), (4,), padding="CAUSAL"),
    _depthwise("causal depthwise 1-D", "causal depthwise 4", (2, 2048, 768), (4,), padding="CAUSAL"),
)

GROUPED = (
    _conv("4 to 16 channels a group", "32 groups 3x3", (8, 56, 56, 128), (3, 3, 4, 128), groups=32),
    _conv("4 to 16 channels a group", "32 groups 3x3", (8, 14, 14, 512), (3, 3, 16, 512), groups=32),
    _conv(
        "4 to 16 channels a group", "32 groups 3x3 s2", (8, 28, 28, 256), (3, 3, 8, 256), groups=32, stride=2, padding=1
    ),
)

POINTWISE = (
    _conv("1x1", "1x1", (8, 56, 56, 256), (1, 1, 256, 64)),
    _conv("1x1", "1x1", (8, 14, 14, 256), (1, 1, 256, 1024)),
    _conv("1x1", "1x1 s2", (8, 56, 56, 256), (1, 1, 256, 512), stride=2),
)

DENSE = (
    _conv("dense 3x3", "dense 3x3", (8, 112, 112, 32), (3, 3, 32, 32)),
    _conv("dense 3x3", "dense 3x3", (8, 56, 56, 64), (3, 3, 64, 64)),
    _conv("dense 3x3", "dense 3x3", (8, 28, 28, 128), (3, 3, 128, 128)),
    _conv("dense 3x3", "dense 3x3", (8, 14, 14, 256), (3, 3, 256, 256)),
    _conv("dense 3x3", "dense 3x3", (8, 7, 7, 512), (3, 3, 512, 512)),
    _conv("dense 3x3", "dense 3x3 s2", (8, 56, 56, 128), (3, 3, 128, 128), stride=2),
    _conv("dense 3x3", "dense 3x3 s2", (8, 28, 28, 256), (3, 3, 256, 256), stride=2, padding=1),
    _conv("dense 3x3", "dense 3x3 s2", (8, 14, 14, 512), (3, 3, 512, 512), stride=2, padding=1),
    _conv("dense 7x7 stem", "stem 7x7 s2", (8, 224, 224, 3), (7, 7, 3, 64), stride=2),
    _conv("dense 7x7 stem", "stem 7x7 s2", (4, 160, 160, 3), (7, 7, 3, 64), stride=2, padding=3),
)

TRANSPOSED = tuple(
    _conv("transposed, stride 2", kind, x, (*size, channels, x[-1]), op="conv_transpose", stride=2)
    for kind, x, size, channels in (
        ("transposed 2x2 s2", (8, 28, 28, 128), (2, 2), 64),
        ("transposed 3x3 s2", (8, 28, 28, 64), (3, 3), 64),
        ("transposed 4x4 s2", (8, 28, 28, 64), (4, 4), 64),
        ("transposed 4x4 s2", (8, 14, 14, 128), (4, 4), 64),
        ("transposed 1-D 2 s2", (8, 512, 64), (2,), 64),
        ("transposed 1-D 3 s2", (8, 512, 64), (3,), 64),
        ("transposed 1-D 4 s2", (8, 512, 64), (4,), 64),
    )
)

BATCHED = (
    _conv("kernels batched by vmap", "8 kernels 3x3", (8, 4, 28, 28, 32), (8, 3, 3, 32, 32), form="batched"),
    _conv("kernels batched by vmap", "4 kernels 3x3", (4, 8, 14, 14, 64), (4, 3, 3, 64, 64), form="batched"),
)

DTYPES = tuple(
    _conv("int8, int32, float64", f"{dtype} 3x3", x, (3, 3, x[-1], x[-1]), dtype=dtype)
    for dtype in ("int8", "int32", "float64")
    for x in ((8, 28, 28, 64), (8, 14, 14, 128))
)

OTHER = "other convolutions"
KINDS = (
    _conv(OTHER, "8 kernels 3x3, one x", (8, 28, 28, 32), (8, 3, 3, 32, 32), form="shared x"),
    _conv(OTHER, "dense 3x3, dilation 2", (8, 28, 28, 128), (3, 3, 128, 128), dilation=2),
    _depthwise(OTHER, "depthwise 3x3, dilation 2", (8, 28, 28, 128), (3, 3), dilation=2),
    _conv(OTHER, "causal 1-D 2, dilation 8", (8, 1024, 64), (2, 64, 64), padding="CAUSAL", dilation=8),
    _conv(OTHER, "3-D 3x3x3", (2, 16, 16, 16, 32), (3, 3, 3, 32, 32)),
    _conv(OTHER, "patches 4x4 s4", (8, 224, 224, 3), (4, 4, 3, 96), stride=4, padding="VALID"),
    _conv(OTHER, "patches 2x2 s2", (8, 56, 56, 96), (2, 2, 96, 192), stride=2, padding="VALID"),
    _conv(OTHER, "bfloat16 3x3", (8, 28, 28, 128), (3, 3, 128, 128), dtype="bfloat16"),
    _depthwise(OTHER, "bfloat16 depthwise 3x3", (8, 28, 28, 144), (3, 3), dtype="bfloat16"),
    _conv(OTHER, "batch 1, dense 3x3", (1, 56, 56, 64), (3, 3, 64, 64)),
    _depthwise(OTHER, "batch 1, depthwise 3x3", (1, 56, 56, 144), (3, 3)),
    _conv(OTHER, "NCHW 3x3", (8, 28, 28, 64), (3, 3, 64, 64), form="channels first"),
    _depthwise(OTHER, "NCHW depthwise 3x3", (8, 28, 28, 144), (3, 3), form="channels first"),
)

CONV = (*DEPTHWISE, *GROUPED, *POINTWISE, *DENSE, *TRANSPOSED, *BATCHED, *DTYPES, *KINDS)
