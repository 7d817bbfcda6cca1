"""What runs inside a `lax.scan`, where XLA on CPU leaves convolutions as it finds them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from benchmarks.cases.case import Case, Form, Shape

Learned = Literal["w", "x", "both"]


@dataclass(frozen=True)
class ScanCase:
    """`steps` steps of an op in one `lax.scan`: forward, and a training step of the `learned` arrays."""

    case: Case
    learned: Learned
    steps: int = 4


def _scan(
    kind: str,
    op: str,
    x: Shape,
    w: Shape | None,
    learned: Learned,
    shape_class: str = "others in a scan",
    form: Form = "plain",
    **options: object,
) -> ScanCase:
    name = f"{kind}, {'x'.join(map(str, x[1:]))}"
    return ScanCase(Case(name, shape_class, op, x, w, options, form=form), learned)


DENSE = "dense 3x3 in a scan"

SCAN = (
    _scan("dense 3x3, learns w", "conv", (8, 28, 28, 64), (3, 3, 64, 64), "w", DENSE),
    _scan("dense 3x3, learns x and w", "conv", (8, 28, 28, 64), (3, 3, 64, 64), "both", DENSE),
    _scan("NCHW 3x3", "conv", (8, 28, 28, 64), (3, 3, 64, 64), "both", form="channels first"),
    _scan("1x1", "conv", (8, 28, 28, 256), (1, 1, 256, 64), "both"),
    _scan("depthwise 3x3", "depthwise_conv", (8, 28, 28, 144), (3, 3, 1, 144), "both"),
    _scan("32 groups 3x3", "conv", (8, 14, 14, 256), (3, 3, 8, 256), "both", groups=32),
    _scan("transposed 4x4 s2", "conv_transpose", (8, 14, 14, 64), (4, 4, 64, 64), "both", stride=2),
    _scan("max 3x3 s1", "max_pool", (8, 28, 28, 64), None, "x", size=3, stride=1, padding="SAME"),
    _scan("max 2x2", "max_pool", (8, 56, 56, 64), None, "x", size=2),
    _scan("avg 3x3 s1", "avg_pool", (8, 28, 28, 64), None, "x", size=3, stride=1, padding="SAME"),
)
