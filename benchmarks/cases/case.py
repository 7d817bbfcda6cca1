"""What a case is: one call of an op, by its shapes and options, and a small form of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

import numpy as np

Shape = tuple[int, ...]
Form = Literal["plain", "batched", "shared x", "channels first"]


@dataclass(frozen=True)
class Case:
    """One call of `jaxnets.ops.<op>`: x (N, *spatial, C), and for a convolution w (*size, C // groups, K).

    `form` says how it is called: "batched", `vmap` over a leading axis of x and of w; "shared x", over that of w
    alone; "channels first", on x (N, C, *spatial), though written here with its channels last. `no_lax_gradient`
    says why plain lax has no backward pass; that cell of the table then shows it.
    """

    name: str
    shape_class: str
    op: str
    x: Shape
    w: Shape | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    dtype: str = "float32"
    form: Form = "plain"
    no_lax_gradient: str = ""

    @property
    def differentiable(self) -> bool:
        """Whether there is a forward+backward row: not for integers."""
        return not self.dtype.startswith(("int", "uint"))

    @property
    def channels_last(self) -> Shape:
        """The shape of one image batch, (N, *spatial, C), without the axis that is vmapped."""
        return self.x[1:] if self.form == "batched" else self.x

    @property
    def kernel(self) -> Shape:
        """The shape of one kernel, (*size, C // groups, K), without the axis that is vmapped."""
        return () if self.w is None else self.w[1:] if self.form in ("batched", "shared x") else self.w

    @property
    def groups(self) -> int:
        """The groups of a convolution."""
        return self.channels_last[-1] if self.op == "depthwise_conv" else int(self.options.get("groups", 1))

    @property
    def shapes(self) -> list[list[int]]:
        """The shapes of the arrays as they are passed, for the reader of the results."""
        x = list(self.x)
        if self.form == "channels first":
            x = [x[0], x[-1], *x[1:-1]]
        return [x] if self.w is None else [x, list(self.w)]

    def quick(self) -> Case:
        """The same with few channels on small maps, which shows that it runs and no more."""
        batch, *spatial, channels = self.channels_last
        options = dict(self.options)
        size = self.kernel[:-2] or (options.get("size", options.get("output_size", 1)),) * len(spatial)
        dilation = options.get("dilation", 1)
        spatial = [min(n, max(6, 2 * ((k - 1) * dilation + 1))) for n, k in zip(spatial, size, strict=True)]
        w = self.kernel
        if w:
            groups = min(self.groups, 4)
            most = 8 if groups == 1 else 4
            per_group, filters = min(w[-2], most), groups * min(w[-1] // self.groups, most)
            w, channels = (*size, per_group, filters), filters if self.op == "conv_transpose" else per_group * groups
            if "groups" in options:
                options["groups"] = groups
        else:
            channels = min(channels, 4)
        x: Shape = (min(batch, 2), *spatial, channels)
        if self.form in ("batched", "shared x"):
            w = (2, *w)
        if self.form == "batched":
            x = (2, *x)
        return replace(self, x=x, w=w or None, options=options)

    def to_json(self) -> dict[str, Any]:
        """Plain data, for a peer in another process."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Case:
        """The case that `to_json` wrote."""
        shapes = {key: None if data[key] is None else tuple(data[key]) for key in ("x", "w")}
        return cls(**{**data, **shapes})


def draw(shape: Shape, dtype: str, random: np.random.Generator) -> np.ndarray:
    """Random normal numbers, or integers of -8 to 8, which products of any width wrap alike."""
    if np.issubdtype(np.dtype(dtype) if dtype != "bfloat16" else np.float32, np.integer):
        return random.integers(-8, 9, shape).astype(dtype)
    return random.standard_normal(shape, np.float64 if dtype == "float64" else np.float32)


def distinct(shape: Shape, random: np.random.Generator) -> np.ndarray:
    """Numbers from -2 to 2 in random order, no two alike, float32: where the maximum is, is then beyond dispute."""
    count = int(np.prod(shape))
    assert count < 2**24, "float32 counts no further"
    scale = np.float32(2.0 ** (2 - np.ceil(np.log2(count))))
    return ((random.permutation(count) - count // 2).astype(np.float32) * scale).reshape(shape)
