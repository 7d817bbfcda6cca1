"""Which lowering of a pool wins on a CPU, from the measurements in `benchmarks/results`: the first rule that holds."""

from __future__ import annotations

from jaxnets.ops.kernels.planning import Rule

RULES = (
    Rule("shifts", lambda p: True, "all taps in one loop"),
    Rule("axes", lambda p: True, "one axis after the other"),
)
