"""`tune`: the problems of a program, measured and kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jaxnets.explain import explain
from jaxnets.explain.rows import by, window_words
from jaxnets.explain.table import duration, layout
from jaxnets.ops.kernels import measured
from jaxnets.tune import cache
from jaxnets.tune.measure import Measurement, measure


@dataclass(frozen=True, repr=False)
class Tuned:
    """What was measured: `print` it, or iterate over the measurements. `file` keeps them; None for a dry run."""

    measurements: tuple[Measurement, ...]
    file: Path | None

    def __iter__(self) -> Iterator[Measurement]:
        return iter(self.measurements)

    def __len__(self) -> int:
        return len(self.measurements)

    def __str__(self) -> str:
        if not self.measurements:
            return "nothing to measure"
        head = ("computes", "shapes", "window", "dtype", "the rules", "the fastest", "time", "faster by", "others")
        body = [_cells(each) for each in self.measurements]
        kept = f"kept in {self.file}" if self.file else "not kept: a dry run"
        return f"{layout(head, body, None, right=(6, 7))}\n{len(body)} measured, {kept}"

    __repr__ = __str__


def _cells(of: Measurement) -> tuple[str, ...]:
    problem, window = of.problem, of.problem.window
    others = [f"{name} {duration(s)}" for name, s in of.seconds.items() if name != of.chosen]
    others += [f"{name}: {why}" for name, why in of.failed.items()]
    return (
        problem.member.replace("_", " "),
        f"{', '.join(by(shape) for shape in problem.operands)} → {by(problem.result)}",
        window_words(window.size, window.stride, window.dilation, getattr(problem, "groups", 1), problem.copies),
        str(problem.dtype),
        of.ruled,
        of.chosen,
        duration(of.seconds[of.chosen]),
        f"{of.gain:.2f}x",
        ", ".join(others),
    )


def tune(
    fn: Callable[..., Any],
    *args: Any,
    dry_run: bool = False,
    again: bool = False,
    seconds: float = 0.3,
    report: Callable[[Measurement, int, int], None] | None = None,
) -> Tuned:
    """Measure every lowering of each convolution and pool in `fn(*args)` on this device, and keep the fastest.

    The result is kept in a file, `$JAXNETS_CACHE` or ~/.cache/jaxnets/tuned.json, after each problem, so that an
    interrupted run loses nothing. The planners read it from then on, in this process (for what is compiled anew) and
    in those to come, for the same device and the same versions of JAX and jaxnets. One of another device or version
    is kept as it is; one that is damaged or not ours is moved aside with a warning.

    Arguments: `fn` and `args` as in `jaxnets.explain`; the operands are drawn at random, so `jax.ShapeDtypeStruct`s
    will do. `dry_run` keeps nothing; `again` measures also what is in the file; `seconds` to time each lowering for;
    `report` is called with each measurement, its number, and how many there are.

    What a lowering rests on is measured before it. A lowering is timed only if its result agrees with `lax`'s to
    rounding, and displaces the one that the built-in rules choose only if it is faster by at least 5 percent.

    Raises what `jaxnets.explain` raises, and `OSError` where the file cannot be written. Cost: for each distinct
    problem, compiling each lowering that fits, and about `seconds` for each that is not hopeless. The idea is that of
    ATLAS and FFTW (Whaley and Dongarra, 1998; Frigo and Johnson, 1998, https://doi.org/10.1109/ICASSP.1998.681704).

    >>> import jax, jax.numpy as jnp
    >>> from jaxnets import ops
    >>> (found,) = tune(ops.conv, jnp.ones((1, 4, 4, 2)), jnp.ones((1, 1, 2, 2)), dry_run=True, seconds=0.0)
    >>> found.problem.member, {"lax", "matmul"} <= set(found.seconds)
    ('forward', True)
    """
    return tune_problems(problems(fn, *args), dry_run=dry_run, again=again, seconds=seconds, report=report)


def problems(fn: Callable[..., Any], *args: Any) -> list[Any]:
    """The problems of `fn(*args)`, each after those that the lowering chosen for it rests on."""
    return [plan.problem for row in explain(fn, *args) if row.plan is not None for plan in row.plan]


def tune_problems(
    problems: Iterable[Any],
    *,
    dry_run: bool = False,
    again: bool = False,
    seconds: float = 0.3,
    report: Callable[[Measurement, int, int], None] | None = None,
) -> Tuned:
    """`tune` for problems that are found already; each is measured once."""
    distinct = {measured.key(problem): problem for problem in problems if not problem.empty}
    if not again:
        known = cache.known()
        distinct = {key: problem for key, problem in distinct.items() if key not in known}
    done: list[Measurement] = []
    file: Path | None = None
    for number, (key, problem) in enumerate(distinct.items(), start=1):
        found = measure(problem, seconds)
        if found is None:
            continue
        if not dry_run:
            file = cache.keep({key: found.entry()})
        done.append(found)
        if report is not None:
            report(found, number, len(distinct))
    return Tuned(tuple(done), file)
