"""The lowerings of a convolution, one per file. Each takes a problem and its two operands, without copies, and a
`compute` for the smaller problems it may make of it."""

from __future__ import annotations

from jaxnets.ops.kernels.lowerings import (
    columns,
    groups,
    loops,
    matmul,
    patches,
    plain,
    planes,
    shared,
    slices,
    split,
    strided,
    turned,
    winograd,
)
from jaxnets.ops.kernels.planning import LAX, Lowering

TABLE: dict[str, Lowering] = {
    LAX: Lowering(plain.run, plain.fits, symbolic=True),
    "one by one": Lowering(plain.one_by_one, plain.one_by_one_fits, "map"),
    "canonical": Lowering(plain.canonical, plain.canonical_fits, "map"),
    "matmul": Lowering(matmul.run, matmul.fits, symbolic=True),
    "blocks": Lowering(matmul.blocks, matmul.blocks_fit, symbolic=True),
    "patches": Lowering(patches.run, patches.fits, "map"),
    "split taps": Lowering(split.run, split.fits, "map"),
    "taps": Lowering(matmul.taps, matmul.taps_fit, "map"),
    "unfold": Lowering(matmul.wide, matmul.wide_fits, "map"),
    "winograd": Lowering(winograd.run, winograd.fits, "map", exact=False),
    "planes": Lowering(planes.run, planes.fits, "map"),
    "columns": Lowering(columns.run, columns.fits, "map"),
    "shared patches": Lowering(shared.run, shared.fits, "map"),
    "sub-pixel": Lowering(turned.subpixel, turned.subpixel_fits, "map"),
    "slices": Lowering(slices.run, slices.fits, symbolic=True),
    "framed slices": Lowering(slices.framed, slices.framed_fits),
    "grouped slices": Lowering(slices.grouped, slices.grouped_fits),
    "strided slices": Lowering(strided.run, strided.fits),
    "rows": Lowering(loops.rows, loops.rows_fit, "map"),
    "merge groups": Lowering(groups.merged, groups.merged_fits, "map", symbolic=True),
    "each group": Lowering(groups.each, groups.each_fits, "map", symbolic=True),
    "turned": Lowering(turned.run, turned.fits, "map", symbolic=True),
    "phases": Lowering(turned.phases, turned.phases_fit, "map", symbolic=True),
}
