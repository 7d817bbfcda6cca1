"""Convolution, seen: every idea of convolutional networks on one photograph, as pictures, and each picture checked.

Task: filters, stride, pooling, padding, dilation, receptive fields and transposed convolution, drawn in a row each.
Paper: Dumoulin & Visin (2016), A guide to convolution arithmetic for deep learning, https://arxiv.org/abs/1603.07285.
Run: python examples/convolution.py
Expect: thirty pictures in runs/convolution/convolution.png, each within 3e-7 (of its largest value) of what SciPy, or
arithmetic, says it must be, where a flipped filter would be off by 2. Nothing is random. Fifteen seconds on two cores.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import tyro
from scipy import ndimage, signal

from jaxnets import ops, viz
from jaxnets.extras import require

SOBEL = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]], np.float32)  # Sobel & Feldman, 1968
Row = list[tuple[viz.Picture, np.ndarray]]  # what we computed, and what it must be equal to


@dataclass(frozen=True)
class Config:
    tiny: bool = False  # every fourth pixel of the photograph, which comes with scikit-learn
    out: str = "runs/convolution/convolution.png"


def on(op, image, w, **how) -> np.ndarray:
    """`op` on one image of one channel, (H, W) → (H', W'); `w` is a filter (h, w), or the side of a pool's window."""
    w = w if isinstance(w, int) else w[:, :, None, None]
    return np.asarray(op(jnp.asarray(image)[None, :, :, None], w, **how))[0, :, :, 0]


def filters(photo, gray) -> Row:
    """A filter slides over an image: the weighted sum of what it covers is a pixel of its feature map."""
    across, down = (on(ops.conv, gray, w, padding_mode="replicate") for w in (SOBEL, SOBEL.T))
    color = np.array([[1, 0, -1]], np.float32)  # a weight for each channel
    orange = np.asarray(ops.conv(jnp.asarray(photo)[None], color.reshape(1, 1, 3, 1)))[0, :, :, 0]
    return [
        (viz.Picture("photograph: 3 channels", photo), photo),
        (viz.Picture("gray: 1 channel", gray, gray=True), gray),
        (viz.Picture("3×3: brighter to the right?", across, SOBEL), ndimage.sobel(gray, 1, mode="nearest")),
        (viz.Picture("3×3: brighter below?", down, SOBEL.T), ndimage.sobel(gray, 0, mode="nearest")),
        (viz.Picture("1×1: red − blue", orange, color), photo[..., 0] - photo[..., 2]),
    ]


def smaller(detail) -> Row:
    """A stride skips positions, a pool sums up windows: smaller maps, of which each pixel stands for more."""
    one, two, four = (on(ops.conv, detail, SOBEL, stride=s, padding=1, padding_mode="replicate") for s in (1, 2, 4))
    sobel = ndimage.sobel(detail, 1, mode="nearest")
    blocks = sobel.reshape(12, 4, 18, 4)
    return [
        (viz.Picture("a detail, stride 1: 48×72", one, SOBEL), sobel),
        (viz.Picture("stride 2: 24×36", two), sobel[::2, ::2]),
        (viz.Picture("stride 4: 12×18", four), sobel[::4, ::4]),
        (viz.Picture("max pool 4×4: any edge?", on(ops.max_pool, one, 4)), blocks.max((1, 3))),
        (viz.Picture("average pool: signs cancel", on(ops.avg_pool, one, 4)), blocks.mean((1, 3))),
    ]


def padding(gray) -> Row:
    """Padding is what a filter sees beyond the border: here one that blurs a seventh of the photograph."""
    size, edge = len(gray) // 14 * 2 + 1, len(gray) // 14
    w = np.full((size, size), size**-2, np.float32)
    row = []
    for mode, name in {"zeros": "constant", "reflect": "mirror", "replicate": "nearest", "circular": "wrap"}.items():
        picture = viz.Picture(mode, on(ops.conv, gray, w, padding_mode=mode), gray=True)
        row.append((picture, ndimage.uniform_filter(gray, size, mode=name)))
    maps = on(ops.conv, gray, w, padding="VALID"), row[0][1][edge:-edge, edge:-edge]
    ours, theirs = (np.pad(map, edge, constant_values=np.nan) for map in maps)
    return [(viz.Picture("none: a smaller map", ours, gray=True), theirs), *row]


def dilation(gray) -> Row:
    """Dilation moves the nine weights apart: a wider view at the same cost."""
    row = []
    for apart in (1, 2, 4, 8, 16):
        holes = np.zeros((2 * apart + 1,) * 2, np.float32)
        holes[::apart, ::apart] = SOBEL
        map = on(ops.conv, gray, SOBEL, dilation=apart, padding_mode="replicate")
        picture = viz.Picture(f"dilation {apart}: {len(holes)}×{len(holes)}", map, holes if apart < 8 else None)
        row.append((picture, ndimage.correlate(gray, holes, mode="nearest")))
    return row


def receptive_field() -> Row:
    """A pixel's receptive field is where the input has a gradient; the frame is what arithmetic knew before."""
    pooled = [(3, 1, 1), (2, 2, 1), (3, 1, 1), (2, 2, 1), (3, 1, 1)]  # size, stride and dilation of each window
    stacks = [("one 3×3", [(3, 1, 1)]), ("three", [(3, 1, 1)] * 3), ("dilated", [(3, 1, d) for d in (1, 2, 4)])]
    row = []
    for name, layers in [*stacks, ("strided", [(3, 2, 1)] * 3), ("pools between", pooled)]:
        how = [{"stride": s, "padding": (k - 1) // 2 * d, "dilation": d} for k, s, d in layers]
        windows = [ops.geometry.Window.of("conv", (48, 72), k, **h) for (k, _, _), h in zip(layers, how, strict=True)]
        (high, wide), stride, offset = ops.geometry.receptive_field(windows)
        middle = 24 // stride[0], 36 // stride[1]

        def pixel(x, layers=layers, how=how, middle=middle):
            for (k, _, _), h in zip(layers, how, strict=True):
                x = ops.conv(x, jnp.ones((k, k, 1, 1)), **h)
            return x[0, *middle, 0]

        gradient = np.asarray(jax.grad(pixel)(jnp.zeros((1, 48, 72, 1))))[0, :, :, 0]
        top, left = (middle[axis] * stride[axis] + offset[axis] for axis in (0, 1))
        inside = np.pad(np.ones((high, wide)), ((top, 48 - top - high), (left, 72 - left - wide)))
        seen, box = np.where(gradient, gradient, np.nan), viz.Frame((left, top, left + wide, top + high))
        row.append((viz.Picture(f"{name}: {high}×{wide}", seen, frames=[box]), np.where(inside, gradient, np.nan)))
    return row


def larger(detail) -> Row:
    """A transposed convolution stamps its filter once for each pixel, and adds up: larger maps, at times in checks."""
    small, ramp = detail[::4, ::4], np.outer([1, 2, 3, 4, 3, 2, 1], [1, 2, 3, 4, 3, 2, 1]) / 16
    row = [(viz.Picture("12×18", small, gray=True), small)]
    for size, stride, corner in ((4, 4, None), (7, 4, ramp), (3, 2, None), (4, 2, None)):
        w = np.ones((size, size)) if corner is None else corner
        apart = np.kron(small, np.eye(1, stride**2).reshape(stride, stride))[: 1 - stride, : 1 - stride]
        map = on(ops.conv_transpose, small, w.astype(np.float32), stride=stride, padding="VALID")
        picture = viz.Picture(f"{size}×{size}, stride {stride}", map, corner, gray=True)
        row.append((picture, signal.convolve2d(apart, w)))
    return row


def gap(ours, theirs) -> float:
    """The largest difference, relative to the largest value; where one has no pixel (NaN), the other may have none."""
    return float(np.abs(np.nan_to_num(ours, nan=9) - np.nan_to_num(theirs, nan=9)).max() / np.nanmax(np.abs(theirs)))


def main(config: Config) -> dict[str, float]:
    photo = require("sklearn.datasets").load_sample_image("china.jpg").astype(np.float32) / 255
    detail = photo[80:128, 90:162].mean(axis=2)  # where single pixels can be seen
    photo = photo[::4, ::4] if config.tiny else photo
    gray, drawn, result = photo.mean(axis=2), {}, {}
    ideas = {filters: (photo, gray), smaller: (detail,), padding: (gray,), dilation: (gray,)}
    for idea, args in (ideas | {receptive_field: (), larger: (detail,)}).items():
        row = idea(*args)
        drawn[idea.__doc__.rstrip(".")] = [picture for picture, _ in row]
        result[idea.__name__] = max(gap(picture.pixels, theirs) for picture, theirs in row)
        print(f"{idea.__name__:>16} {len(row)} pictures, off by {result[idea.__name__]:.1e} at most")
    result["worst"] = max(result.values())
    note = f"red is positive, white zero, blue negative; all within {result['worst']:.0e} of SciPy or of arithmetic"
    print(viz.save(viz.gallery(drawn, title="Convolution, seen", subtitle=note), config.out))
    return result


if __name__ == "__main__":
    main(tyro.cli(Config))
