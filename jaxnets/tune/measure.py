"""The candidates of one problem, held against `lax` and then against each other."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets.ops.kernels import families, measured
from jaxnets.ops.kernels.planning import LAX
from jaxnets.ops.kernels.pool_problem import PoolProblem

GAIN = 0.05  # what is faster by less does not displace the rule's choice
_HOPELESS = 2.0  # slower than the fastest by this factor after two rounds: not timed further
_SAMPLE = 2e-3  # seconds that one sample takes at least

# What the factors of a float32 product are rounded to by default: TF32 (10 bits) or bfloat16 (8 bits).
_FACTORS = {"cuda": 2.0**-10, "rocm": 2.0**-10, "tpu": 2.0**-8}


@dataclass(frozen=True)
class Measurement:
    """The candidates of one problem.

    Attributes:
        problem: what they compute.
        ruled: the lowering of the built-in rules.
        chosen: the fastest, or `ruled` where no other is faster by 5 percent.
        seconds: of one run, the median, by lowering.
        failed: the lowerings that could not be timed, and why.
    """

    problem: Any
    ruled: str
    chosen: str
    seconds: dict[str, float]
    failed: dict[str, str] = field(default_factory=dict)

    @property
    def gain(self) -> float:
        """How many times faster the chosen one is than the rule's choice."""
        return self.seconds[self.ruled] / self.seconds[self.chosen] if self.ruled in self.seconds else float("inf")

    def entry(self) -> dict[str, Any]:
        """What the cache file keeps."""
        seconds = {name: float(f"{value:.3g}") for name, value in self.seconds.items()}
        return {"lowering": self.chosen, "ruled": self.ruled, "seconds": seconds}


def measure(problem: Any, seconds: float = 0.3, clock: Callable[[], float] = time.perf_counter) -> Measurement | None:
    """Time every lowering that can compute a problem on this machine's default device, in turns.

    A candidate is timed only if it compiles and its result agrees with that of `lax` to rounding. None if `lax`
    itself does not run here: then there is nothing to hold the others against.
    """
    platform = measured.this_platform()
    family, plain = families.of(problem), problem.but(lowering=None)
    with measured.supposing(plain, None):
        ruled = family.plan(plain, platform).lowering
    operands = draw(plain)
    programs: dict[str, Callable[[], Any]] = {}
    failed: dict[str, str] = {}
    wanted = None
    for name in (LAX, *(each for each in families.candidates(plain, platform) if each != LAX)):
        try:
            with measured.supposing(plain, name):  # and not asked for: so it will be computed, once it is kept
                program = _compiled(family, plain, operands, platform)
            result = np.asarray(program())
        except Exception as error:  # whatever XLA or the device says, it is no candidate here
            if name == LAX:
                return None
            failed[name] = f"does not run: {str(error).splitlines()[0] if str(error) else type(error).__name__}"
            continue
        wanted = result if wanted is None else wanted
        if apart := _disagreement(result, wanted, plain, platform):
            failed[name] = apart
        else:
            programs[name] = program
    medians = race(programs, seconds, platform, clock)
    best = min(medians, key=medians.__getitem__)
    keeps = ruled in medians and medians[best] > (1 - GAIN) * medians[ruled]
    return Measurement(plain, ruled, ruled if keeps else best, medians, failed)


def draw(problem: Any) -> tuple[jax.Array, ...]:
    """Operands: standard normal, or small integers, so that sums stay within 32 bits; taps are those of x."""
    rng = np.random.default_rng(0)

    def one(struct: jax.ShapeDtypeStruct) -> jax.Array:
        if jnp.issubdtype(struct.dtype, jnp.integer):
            low = 0 if jnp.issubdtype(struct.dtype, jnp.unsignedinteger) else -8
            return jnp.asarray(rng.integers(low, 8, struct.shape), struct.dtype)
        return jnp.asarray(rng.standard_normal(struct.shape, np.float32), struct.dtype)

    operands = [one(struct) for struct in problem.structs()]
    if isinstance(problem, PoolProblem) and len(operands) == 3:  # x, and where its extrema are, and what goes there
        taps = problem.but(form="tap", lowering=LAX)
        operands[1] = jax.jit(lambda x: families.of(taps).compute(taps, x, measured.this_platform()))(operands[0])
    return tuple(operands)


def _compiled(
    family: families.Family, problem: Any, operands: tuple[jax.Array, ...], platform: str
) -> Callable[[], Any]:
    program = jax.jit(lambda *a: family.compute(problem, *a, platform)).lower(*operands).compile()
    return lambda: program(*operands)


def _disagreement(got: np.ndarray, wanted: np.ndarray, problem: Any, platform: str) -> str | None:
    """What is wrong with a result, if more than rounding: sums of `terms` products, each rounded, err by their root."""
    if got.shape != wanted.shape or got.dtype != wanted.dtype:
        return f"disagrees with lax: {got.dtype}{got.shape}, not {wanted.dtype}{wanted.shape}"
    if jnp.issubdtype(wanted.dtype, jnp.integer):
        return None if np.array_equal(got, wanted) else "disagrees with lax"
    eps = float(jnp.finfo(wanted.dtype).eps)
    products = getattr(problem, "multiply_adds", 0)
    factors = _FACTORS.get(platform, 0.0) if products and wanted.dtype == np.float32 else 0.0
    terms = max((products or getattr(problem, "comparisons", 0)) / max(prod(got.shape), 1), 1.0)
    a, b = got.astype(np.float64), wanted.astype(np.float64)
    if np.array_equal(a, b, equal_nan=True):  # infinities included
        return None
    apart = float(np.max(np.abs(a - b), initial=0.0)) / max(float(np.max(np.abs(b), initial=0.0)), 1e-30)
    allowed = 4 * (factors + eps + eps * float(np.sqrt(terms)))
    return None if apart <= allowed else f"disagrees with lax by {apart:.1e}, and rounding explains {allowed:.1e}"


def race(
    programs: dict[str, Callable[[], Any]],
    seconds: float,
    platform: str,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, float]:
    """Median seconds of each program, timed in turns for about so many seconds each.

    Who is four times as slow as the fastest at first sight, or twice after two rounds, is timed no further.
    """

    def sample(program: Callable[[], Any], runs: int) -> float:
        start = clock()
        for _ in range(runs):
            result = program()
            if platform == "cpu":  # else independent runs would share the threads; elsewhere they queue
                jax.block_until_ready(result)
        jax.block_until_ready(result)
        return (clock() - start) / runs

    first = {name: sample(program, 1) for name, program in programs.items()}
    runs = {name: max(1, int(_SAMPLE / max(seconds, 1e-7))) for name, seconds in first.items()}
    active = [name for name in programs if first[name] <= 2 * _HOPELESS * min(first.values())]
    times: dict[str, list[float]] = {name: [] if name in active else [first[name]] for name in programs}
    while active:
        for name in active:
            times[name].append(sample(programs[name], runs[name]))
        fastest = min(statistics.median(each) for each in times.values())
        active = [
            name
            for name in (*active[1:], active[0])  # each round begun by another
            if len(times[name]) < 2
            or (
                statistics.median(times[name]) < _HOPELESS * fastest
                and (sum(times[name]) * runs[name] < seconds or len(times[name]) < 5)
            )
        ]
    return {name: statistics.median(each) for name, each in times.items()}
