"""Small convolutions of every kind, and what is right for each: the table that the tests of the kernels run over."""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple
from zlib import crc32

import jax.numpy as jnp
import numpy as np

from jaxnets import reference
from jaxnets.ops.geometry import Window, extent, pads
from jaxnets.ops.kernels.problem import Member, Problem, exact
from jaxnets.testing import assert_close, tolerance

Ints = int | tuple[int, ...]
Pads = str | tuple[tuple[int, int], ...]


class Sample(NamedTuple):
    """A convolution, in the numbers of the trilinear form. Negative padding leaves elements of the map out."""

    name: str
    spatial: tuple[int, ...]
    size: tuple[int, ...]
    channels: int
    filters: int
    stride: Ints = 1
    pads: Pads = "SAME"
    dilation: Ints = 1
    groups: int = 1
    batch: int = 2
    copies: int = 0

    def __str__(self) -> str:
        return self.name

    @property
    def pairs(self) -> tuple[tuple[int, int], ...]:
        """The padding of each axis, (low, high)."""
        if isinstance(self.pads, str):
            return pads(self.pads, self.spatial, self.size, self.stride, self.dilation)
        return self.pads

    @property
    def window(self) -> Window:
        """As a public op makes it; or, where padding is negative, as one lowering makes it for another."""
        if min(map(min, self.pairs)) >= 0:
            return Window.of("conv", self.spatial, self.size, self.stride, self.pairs, self.dilation)
        rank = len(self.spatial)
        stride, dilation = ((v,) * rank if isinstance(v, int) else v for v in (self.stride, self.dilation))
        axes = zip(self.spatial, self.size, stride, dilation, self.pairs, strict=True)
        out = [(n + low + high - extent(k, d)) // s + 1 for n, k, s, d, (low, high) in axes]
        return exact(self.spatial, self.size, stride, dilation, [low for low, _ in self.pairs], out)

    @property
    def unreached(self) -> tuple[int, ...]:
        """Per axis, the elements behind the last window: fewer than the stride."""
        window = self.window
        axes = zip(window.spatial, window.size, window.stride, window.dilation, self.pairs, window.out, strict=True)
        return tuple(n + low + high - (o - 1) * s - extent(k, d) for n, k, s, d, (low, high), o in axes)

    def problem(self, member: Member, dtype: str = "float32") -> Problem:
        own = np.dtype(jnp.dtype(dtype))
        return Problem(
            member, self.window, self.groups, self.batch, self.channels, self.filters, own, copies=self.copies
        )

    def operands(self, member: Member, dtype: str = "float32", seed: int = 0) -> list[np.ndarray]:
        """(x, w), (y, w) or (x, y): normal numbers, or integers over their whole range."""
        rng = np.random.default_rng([seed, crc32(f"{self.name} {member}".encode())])
        lead = (self.copies,) if self.copies else ()
        return [_drawn(rng, (*lead, *shape), dtype) for shape in self.problem(member).operands]


def _drawn(rng: np.random.Generator, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    if jnp.issubdtype(jnp.dtype(dtype), jnp.integer):
        info = jnp.iinfo(dtype)
        return rng.integers(int(info.min), int(info.max), shape, np.int64, endpoint=True).astype(dtype)
    return rng.standard_normal(shape).astype(dtype)


def definition(sample: Sample, member: Member, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The member on its two operands by the naive loops of `jaxnets.reference`, in the dtype of the arrays."""
    if a.ndim > len(sample.spatial) + 2:
        return np.stack([definition(sample, member, *pair) for pair in zip(a, b, strict=True)])
    # Negative padding: the convolution of what is left of the map, and nothing flows back to the rest.
    kept = [slice(max(-low, 0), n - max(-high, 0)) for n, (low, high) in zip(sample.spatial, sample.pairs, strict=True)]
    inside = (slice(None), *kept)
    how: dict[str, Any] = {"stride": sample.stride, "dilation": sample.dilation, "groups": sample.groups}
    how["padding"] = [(max(low, 0), max(high, 0)) for low, high in sample.pairs]
    if member == "forward":
        return reference.conv(a[inside], b, **how)
    if member == "weight_gradient":
        w = np.zeros(sample.problem(member).w_shape, a.dtype)
        return reference.conv_backward(b, a[inside], w, **how)[1]
    x = np.zeros(sample.problem(member).x_shape, a.dtype)
    x[inside] = reference.conv_transpose(a, b, output_padding=sample.unreached, **how)
    return x


def pulled_back(
    sample: Sample, member: Member, a: np.ndarray, b: np.ndarray, ct: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The gradients of `<ct, member(a, b)>`, by the definitions: with a, b and ct for two of x, w and y, the third."""
    if member == "forward":
        return definition(sample, "input_gradient", ct, b), definition(sample, "weight_gradient", a, ct)
    if member == "input_gradient":
        return definition(sample, "forward", ct, b), definition(sample, "weight_gradient", ct, a)
    return definition(sample, "input_gradient", b, ct), definition(sample, "forward", a, ct)


@cache
def expected(sample: Sample, member: Member, dtype: str = "float32") -> tuple[Any, ...]:
    """The operands, the exact result in float64 (integers: wrapped), and for each element the size of what it sums."""
    operands = sample.operands(member, dtype)
    if jnp.issubdtype(jnp.dtype(dtype), jnp.integer):
        exact = definition(sample, member, *operands)
        return operands, exact, np.zeros_like(exact)
    wide = [v.astype(np.float64) for v in operands]
    return operands, definition(sample, member, *wide), definition(sample, member, *map(np.abs, wide))


def check(got: Any, sample: Sample, member: Member, dtype: str = "float32", what: str = "") -> None:
    """Hold a result for the operands of `expected` against the definition, to the rounding of its dtype."""
    operands, exact, magnitude = expected(sample, member, dtype)
    got = np.asarray(got)
    assert got.shape == exact.shape
    assert got.dtype == jnp.dtype(dtype)
    terms = max(v.size for v in (*operands, exact))  # no element sums more; as the conformance kit allows
    assert_close(got, exact, magnitude, tolerance(dtype, terms), f"{what} {member} of {sample}")


SAMPLES = (
    # One axis.
    Sample("line", (9,), (3,), 3, 4),
    Sample("line at a stride", (10,), (3,), 3, 2, stride=2),
    Sample("line of one channel", (8,), (5,), 1, 1, batch=1),
    Sample("dilated line, causal", (9,), (4,), 2, 3, pads=((6, 0),), dilation=2),
    Sample("kernel longer than the line", (3,), (7,), 2, 2, pads="SAME"),
    Sample("line in blocks", (11,), (4,), 3, 2, stride=4, pads=((2, 0),)),
    Sample("line, one tap", (7,), (1,), 1, 3, batch=1),
    Sample("depthwise line, causal", (9,), (4,), 5, 5, pads=((3, 0),), groups=5),
    Sample("line of 17 groups", (6,), (3,), 34, 51, groups=17),
    Sample("line, four taps at a stride", (8,), (16,), 1, 2, stride=4, pads=((6, 6),)),
    # Two axes.
    Sample("3x3", (6, 7), (3, 3), 4, 5),
    Sample("3x3, uneven padding", (5, 7), (3, 3), 3, 2, pads=((2, 0), (0, 1))),
    Sample("3x3, padding beyond the kernel", (4, 5), (3, 3), 2, 3, pads=((4, 0), (0, 3)), batch=1),
    Sample("3x3 of one channel", (4, 4), (3, 3), 1, 1, pads="VALID", batch=3),
    Sample("3x3 at stride 2", (8, 7), (3, 3), 3, 4, stride=2),
    Sample("4x4 at stride 2", (8, 6), (4, 4), 2, 3, stride=2, pads=((1, 1), (1, 1))),
    Sample("5x4 at stride 2 and 3", (9, 8), (5, 4), 2, 2, stride=(2, 3), pads=((2, 1), (0, 3))),
    Sample("2x2 in blocks", (6, 4), (2, 2), 3, 4, stride=2, pads="VALID"),
    Sample("3x2 in blocks, padded", (7, 6), (3, 2), 2, 3, stride=(3, 2), pads=((1, 0), (1, 0))),
    Sample("1x1", (4, 5), (1, 1), 5, 6),
    Sample("1x1 at stride 2, padded", (6, 5), (1, 1), 3, 2, stride=2, pads=((1, 0), (2, 1))),
    Sample("3x3, dilated", (7, 6), (3, 3), 2, 3, pads=((2, 2), (2, 2)), dilation=2),
    Sample("2x3, strides and dilations", (8, 9), (2, 3), 2, 3, stride=(2, 1), pads=((1, 2), (3, 0)), dilation=(1, 3)),
    Sample("stride beyond the kernel", (9, 8), (2, 2), 3, 2, stride=3, pads=((0, 1), (1, 0))),
    Sample("kernel larger than the map", (3, 2), (5, 6), 2, 2),
    Sample("3x3, borders left out", (7, 8), (3, 3), 2, 3, pads=((-1, 0), (-2, -1))),
    Sample("2x3 at stride 2, borders left out", (9, 8), (2, 3), 2, 2, stride=2, pads=((-1, 1), (1, -2))),
    # Groups.
    Sample("depthwise 3x3", (5, 6), (3, 3), 6, 6, groups=6),
    Sample("depthwise 5x3 at stride 2", (9, 8), (5, 3), 4, 4, stride=2, groups=4, pads=((2, 2), (0, 1))),
    Sample("depthwise line at a stride", (10,), (4,), 5, 5, stride=3, groups=5, pads=((3, 0),)),
    Sample(
        "depthwise at a stride beyond the kernel", (7, 8), (2, 2), 3, 3, stride=(3, 2), groups=3, pads=((-1, 1), (1, 0))
    ),
    Sample("depthwise with a multiplier", (5, 4), (3, 3), 4, 12, groups=4, dilation=(2, 1)),
    Sample("depthwise, wide", (4, 5), (3, 3), 66, 66, groups=66, dilation=2),
    Sample("depthwise, borders left out", (6, 7), (3, 2), 3, 3, groups=3, pads=((-1, 1), (0, -2))),
    Sample("16 groups of 2 channels", (4, 5), (3, 3), 32, 32, groups=16),
    Sample("4 groups at stride 2", (6, 5), (3, 2), 16, 12, stride=2, groups=4),
    Sample("2 groups of 16", (4, 4), (3, 3), 32, 32, groups=2, dilation=2, batch=1),
    Sample("2 groups, 1x1", (3, 4), (1, 1), 6, 8, groups=2),
    Sample("3 groups in blocks", (5, 4), (2, 2), 6, 3, stride=2, groups=3, pads=((1, 0), (0, 0))),
    # Three axes.
    Sample("3x3x3", (4, 5, 3), (3, 3, 3), 2, 3, batch=1),
    Sample("volume, strides and dilations", (6, 5, 4), (2, 3, 2), 2, 2, stride=(1, 2, 2), dilation=(2, 1, 1)),
    Sample("volume, uneven padding", (3, 4, 4), (3, 2, 2), 1, 2, pads=((3, 0), (0, 2), (1, 0)), batch=1),
    Sample("2x2x2 in blocks", (4, 3, 5), (2, 2, 2), 2, 3, stride=2, pads=((0, 0), (1, 0), (0, 1))),
    Sample("depthwise volume", (4, 3, 4), (3, 2, 3), 3, 3, groups=3, stride=(1, 1, 2), dilation=(1, 2, 1)),
    Sample("depthwise volume at strides", (4, 5, 4), (3, 2, 3), 2, 2, groups=2, stride=(2, 1, 2)),
    Sample("2 groups, volume", (3, 4, 3), (2, 2, 2), 4, 4, groups=2),
)

COPIES = (
    Sample("copies of a line", (8,), (3,), 2, 3, copies=3),
    Sample("copies of a line in blocks", (8,), (2,), 2, 3, stride=2, copies=2, batch=1),
    Sample("copies of 3x3", (5, 4), (3, 3), 3, 2, copies=2),
    Sample("copies of 1x1 at stride 2", (5, 4), (1, 1), 3, 2, stride=2, copies=2),
    Sample("copies of 4x4 at stride 2", (6, 4), (4, 4), 1, 2, stride=2, copies=2),
    Sample("copies of depthwise 3x3", (5, 4), (3, 3), 3, 6, groups=3, copies=2),
    Sample("copies of depthwise at stride 2", (5, 4), (3, 3), 3, 3, stride=2, groups=3, copies=2),
    Sample("copies of 2 groups at stride 2", (5, 4), (3, 2), 4, 4, stride=2, groups=2, copies=2),
    Sample("copies of a volume", (3, 4, 3), (2, 2, 2), 2, 2, copies=2, batch=1),
    Sample("one copy of a line", (5,), (2,), 2, 2, copies=1),
)

# Large enough for several chunks of a batch: lowerings that keep to a cache's worth of images at a time.
IN_CHUNKS = (
    Sample("line, four images at a time", (784,), (5,), 130, 2, batch=8),
    Sample("line at a stride, some images at a time", (1570,), (4,), 160, 1, stride=2, batch=6),
    Sample("map, some images at a time", (28, 30), (3, 3), 160, 1, batch=8),
)

BY_NAME = {sample.name: sample for sample in (*SAMPLES, *COPIES, *IN_CHUNKS)}
