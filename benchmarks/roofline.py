"""The roofline: how fast each convolution could run by the machine's peak arithmetic and bandwidth, and does run.

Williams, Waterman & Patterson, 2009, https://doi.org/10.1145/1498765.1498785.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.row import Row

FAMILIES = {
    "depthwise": ("#e6550d", ("depthwise 3x3 and 5x5", "depthwise 3x3, stride 2", "depthwise 7x7")),
    "causal depthwise": ("#fdae6b", ("causal depthwise 1-D",)),
    "grouped": ("#756bb1", ("4 to 16 channels a group",)),
    "1x1": ("#31a354", ("1x1",)),
    "dense": ("#2171b5", ("dense 3x3", "dense 7x7 stem")),
    "transposed": ("#c51b8a", ("transposed, stride 2",)),
    "others": ("#636363", ("kernels batched by vmap", "other convolutions")),
}
PLAIN = "#b9b9b9"


@dataclass(frozen=True)
class Point:
    """A float32 convolution: FLOP for each byte that must move, and GFLOP/s of plain lax (None: it has none) and
    ours."""

    direction: str
    family: str
    intensity: float
    lax: float | None
    ours: float


def points(rows: Sequence[Row]) -> list[Point]:
    """The rows that have a place under the roof."""
    families = {name: family for family, (_, names) in FAMILIES.items() for name in names}
    out = []
    for row in rows:
        ours, lax = row.timing("ours"), row.timing("lax")
        single = row.description.get("dtype") == "float32"
        if row.suite != "conv" or row.unit != "GFLOP" or not single or not ours or row.shape_class not in families:
            continue
        speed = row.work / lax.median if lax else None
        family = families[row.shape_class]
        out.append(Point(row.direction, family, row.work * 1e9 / row.bytes, speed, row.work / ours.median))
    return out


def panel(axes: Any, found: Sequence[Point], peaks: Mapping[str, float], direction: str) -> None:
    """The roof, a ring for plain lax, a disk for ours, a line between the two."""
    low = min((min(p.ours, p.lax or p.ours) for p in found), default=1.0) / 1.8
    left = min((p.intensity for p in found), default=1.0) / 1.6
    right = max([p.intensity for p in found] + [4 * peaks["gflops"] / peaks["gbytes"]]) * 1.6
    ridge = peaks["gflops"] / peaks["gbytes"]
    high = peaks["gflops"] * 1.9
    axes.plot([left, ridge, right], [left * peaks["gbytes"], peaks["gflops"], peaks["gflops"]], color="#222222", lw=1.4)
    axes.fill_between(
        [left, ridge, right], [left * peaks["gbytes"], peaks["gflops"], peaks["gflops"]], high, color="#f4f4f4", lw=0
    )
    for p in found:
        color = FAMILIES[p.family][0]
        if p.lax is not None:
            axes.plot([p.intensity] * 2, [p.lax, p.ours], color=color, lw=1, alpha=0.45, zorder=2)
            axes.plot(p.intensity, p.lax, "o", ms=5, mfc="white", mec=PLAIN, mew=1.3, zorder=3)
        axes.plot(p.intensity, p.ours, "o", ms=6.5, color=color, mec="white", mew=0.7, zorder=4)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(left, right)
    axes.set_ylim(low, high)
    axes.text(right / 1.1, peaks["gflops"] * 1.08, f"{peaks['gflops']:.0f} GFLOP/s", ha="right", fontsize=8.5)
    middle = (left * ridge) ** 0.5
    axes.annotate(
        f"{peaks['gbytes']:.0f} GB/s",
        (middle, middle * peaks["gbytes"]),
        (-6, 6),
        textcoords="offset points",
        ha="right",
        fontsize=8.5,
    )
    axes.set_title(f"Roofline: {direction.replace('+', ' and ')}", loc="left", fontsize=12, weight="bold")
    axes.set_ylabel("GFLOP/s", fontsize=9)
    axes.set_xlabel("FLOP of the formula for each byte of its arrays (float32)", fontsize=9)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.grid(color="#ececec", lw=0.6, zorder=0)
    if direction == "forward":
        for family in dict.fromkeys(p.family for p in found):
            axes.plot([], [], "o", ms=6, color=FAMILIES[family][0], label=family)
        axes.plot([], [], "o", ms=5, mfc="white", mec=PLAIN, mew=1.3, label="plain lax")
        axes.legend(fontsize=8, loc="lower right", ncols=2, framealpha=0.95, edgecolor="#dddddd")
