"""The lowerings of a pool, one idea per file. Each takes a problem and its operands."""

from __future__ import annotations

from jaxnets.ops.kernels.planning import LAX, Lowering
from jaxnets.ops.kernels.pool_lowerings import axes, plain, shifts

TABLE: dict[str, Lowering] = {
    LAX: Lowering(plain.run, plain.fits),
    "shifts": Lowering(shifts.run, shifts.fits),
    "axes": Lowering(axes.run, axes.fits),
}
