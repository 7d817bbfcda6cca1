"""Every lowering of a pool against the definition, tap by tap: values, taps, derivatives, gradients, in every dtype."""

from collections import Counter
from collections.abc import Iterator
from functools import cache, partial
from itertools import product
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from jaxnets.ops.geometry import Window
from jaxnets.ops.kernels.planning import candidates
from jaxnets.ops.kernels.pool_family import bind
from jaxnets.ops.kernels.pool_lowerings import TABLE
from jaxnets.ops.kernels.pool_planner import compute
from jaxnets.ops.kernels.pool_problem import EXTREMA, Form, Kind, PoolProblem, lowest


class Sample(NamedTuple):
    """A pool: the map's axes, its window, and what of it is unusual."""

    name: str
    spatial: tuple[int, ...]
    size: Any
    stride: Any = 1
    padding: Any = "VALID"
    dilation: Any = 1
    ceil_mode: bool = False

    def __str__(self) -> str:
        return self.name

    @property
    def window(self) -> Window:
        return Window.of("pool", self.spatial, self.size, self.stride, self.padding, self.dilation, self.ceil_mode)


SAMPLES = (
    Sample("line", (9,), 3, padding="SAME"),
    Sample("line in two passes", (31,), 9, padding="SAME"),
    Sample("line at a stride, padded unevenly", (10,), 4, 3, ((1, 2),)),
    Sample("2x2 side by side", (6, 4), 2, 2),
    Sample("3x3", (6, 5), 3, padding="SAME"),
    Sample("3x3 at stride 2, padded", (7, 6), 3, 2, 1),
    Sample("3x2 dilated", (8, 7), (3, 2), (1, 2), ((2, 0), (0, 1)), (2, 3)),
    Sample("3x3 with overhang", (8, 6), 3, 2, 1, ceil_mode=True),
    Sample("stride beyond the window", (9, 8), 2, (4, 3)),
    Sample("whole map", (5, 4), (5, 4)),
    Sample("2x3x2", (4, 5, 4), (2, 3, 2), (2, 1, 1), "SAME"),
)
BY_NAME = {sample.name: sample for sample in SAMPLES}
FORMS: dict[str, tuple[Form, ...]] = {
    **dict.fromkeys(EXTREMA, ("value", "tap", "pick", "spread")),
    **dict.fromkeys(("sum", "mean", "padded_mean"), ("value", "spread")),
}
PAIRS: list[tuple[Kind, Form]] = [(kind, form) for kind, forms in FORMS.items() for form in forms]  # type: ignore[misc]
SHAPE = {"batch": 2, "channels": 3}


def problem_of(sample: Sample, kind: Kind, form: Form, dtype: Any = "float32") -> PoolProblem:
    return PoolProblem(form, kind, sample.window, dtype=np.dtype(dtype), **SHAPE)


def taps_of(window: Window) -> Iterator[tuple[tuple[int, ...], list[tuple[int, tuple[int, ...]]], int]]:
    """Of each window: where it is, its real taps as (number, element), and how many are real or in the padding."""
    for at in np.ndindex(*window.out):
        real, counted = [], 0
        for number, tap in enumerate(np.ndindex(*window.size)):
            where = [
                o * s - low + k * d
                for o, s, k, d, (low, _) in zip(at, window.stride, tap, window.dilation, window.pads, strict=True)
            ]
            inside = [0 <= i < n for i, n in zip(where, window.spatial, strict=True)]
            padded = [
                -low <= i < n + high for i, n, (low, high) in zip(where, window.spatial, window.pads, strict=True)
            ]
            counted += all(padded)
            if all(inside):
                real.append((number, tuple(where)))
        yield at, real, counted


def definition(problem: PoolProblem, *operands: np.ndarray) -> np.ndarray:
    """What the problem asks for, one window after the other; sums in float64 or in whole numbers."""
    wide = np.float64 if jnp.issubdtype(problem.dtype, jnp.floating) else problem.dtype
    last = np.asarray(operands[-1], wide)
    result = np.zeros(problem.result, np.int64 if problem.form == "tap" else wide)
    if problem.form == "tap":
        result += problem.taps
    elif problem.form == "value" and problem.selects:
        result += np.asarray(lowest(problem.dtype, problem.kind), wide)
    for at, real, counted in taps_of(problem.window):
        for n, c in product(range(problem.batch), range(problem.channels)):
            y_at = (n, *at, c)
            if problem.selects:
                if not real:
                    continue
                x = np.asarray(operands[0])
                if problem.form in ("pick", "spread"):
                    chosen = next((where for number, where in real if number == operands[1][y_at]), None)
                else:
                    elements = [x[(n, *where, c)] for _, where in real]
                    comparable = np.asarray(elements, np.float64)
                    first = int((np.argmax if problem.kind == "max" else np.argmin)(comparable))
                    number, chosen = real[first]
                if problem.form == "tap":
                    result[y_at] = number
                elif problem.form == "value":
                    result[y_at] = np.asarray(x[(n, *chosen, c)], wide)
                elif problem.form == "pick":
                    result[y_at] = last[(n, *chosen, c)]
                else:
                    result[(n, *chosen, c)] += last[y_at]
                continue
            share = {"sum": 1, "mean": len(real), "padded_mean": counted}[problem.kind]
            if problem.form == "value" and real:
                result[y_at] = (
                    sum(last[(n, *where, c)] for _, where in real) / wide(share)
                    if share != 1
                    else sum((last[(n, *where, c)] for _, where in real), start=last.dtype.type(0))
                )
            elif problem.form == "spread":
                for _, where in real:
                    result[(n, *where, c)] += last[y_at] / wide(share) if share != 1 else last[y_at]
    return result


def arrays(problem: PoolProblem, special: bool = False) -> tuple[np.ndarray, ...]:
    """Operands with many ties, and with NaN and infinities if `special`."""
    draw = np.random.default_rng(len(problem.member) + problem.window.out[0])

    def filled(shape: tuple[int, ...]) -> np.ndarray:
        if not jnp.issubdtype(problem.dtype, jnp.floating):
            info = jnp.iinfo(problem.dtype)
            ends = draw.choice([int(info.min), int(info.max)], shape)
            return np.where(draw.random(shape) < 0.2, ends, draw.integers(0, 4, shape)).astype(problem.dtype)
        values = draw.integers(-2, 3, shape) / 2
        if special:
            values = np.where(draw.random(shape) < 0.25, draw.choice([np.nan, np.inf, -np.inf], shape), values)
        return values.astype(problem.dtype)

    operands = [filled(shape) for shape in problem.operands]
    if len(operands) == 3:
        tap = definition(problem.but(form="tap"), operands[0])
        operands[1] = tap.astype(problem.tap_dtype)
    return tuple(operands)


def able(problem: PoolProblem) -> list[str]:
    return candidates(problem, TABLE)


def every(problem: PoolProblem) -> Any:
    """What each lowering makes of the problem, in one program: compiling many small ones is what takes the time."""
    names = able(problem)
    return jax.jit(lambda *operands: {name: compute(problem.but(lowering=name), *operands, "cpu") for name in names})


@cache
def wanted(sample: Sample, kind: Kind, form: Form) -> tuple[tuple[np.ndarray, ...], np.ndarray, dict[str, jax.Array]]:
    problem = problem_of(sample, kind, form)
    operands = arrays(problem)
    return operands, definition(problem, *operands), every(problem)(*operands)


CASES = [(name, kind, form, s) for s in SAMPLES for kind, form in PAIRS for name in able(problem_of(s, kind, form))]


@pytest.mark.parametrize(("name", "kind", "form", "sample"), CASES, ids=str)
def test_value(name: str, kind: Kind, form: Form, sample: Sample) -> None:
    _, right, got = wanted(sample, kind, form)
    if form == "tap" or (kind in EXTREMA and form in ("value", "pick")):
        np.testing.assert_array_equal(got[name], right)
    else:
        np.testing.assert_allclose(got[name], right, rtol=1e-5, atol=1e-6)


def test_every_lowering_has_its_cases() -> None:
    have = Counter((name, kind, form) for name, kind, form, _ in CASES)
    assert {(name, *pair) for name in TABLE for pair in PAIRS} == set(have)
    assert min(have.values()) >= 4


SECOND = (BY_NAME["3x3"], BY_NAME["3x2 dilated"], BY_NAME["line in two passes"])
DIFFERENTIATED: tuple[Kind, ...] = ("max", "mean")


@pytest.mark.parametrize("kind", DIFFERENTIATED)
@pytest.mark.parametrize("name", TABLE)
@pytest.mark.parametrize(
    "sample", [SECOND[0], *(pytest.param(each, marks=pytest.mark.slow) for each in SECOND[1:])], ids=str
)
def test_derivatives_to_second_order(sample: Sample, name: str, kind: Kind) -> None:
    """Forward and reverse, of distinct numbers, so that no difference crosses a tie."""
    x = np.random.default_rng(0).permutation(2 * 3 * int(np.prod(sample.spatial))).astype(np.float32)
    x = x.reshape(2, *sample.spatial, 3) / np.float32(10)
    assert name in able(problem_of(sample, kind, "value"))
    fn = jax.jit(lambda x: jnp.square(bind("value", kind, x, window=sample.window, lowering=name) / 10))
    check_grads(fn, (x,), order=2, eps=1e-2, atol=1e-2, rtol=1e-2)


DTYPES = ("float16", "bfloat16", "int8", "uint8", "int32")
IN_DTYPES = BY_NAME["3x3 at stride 2, padded"]


def has(problem: PoolProblem) -> bool:
    """There is no mean of integers."""
    return bool(jnp.issubdtype(problem.dtype, jnp.floating)) or "mean" not in problem.kind


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_dtype(dtype: str) -> None:
    """Narrow floats are rounded once, at the end; integers wrap round."""
    floating = jnp.issubdtype(jnp.dtype(dtype), jnp.floating)
    problems = [p for p in (problem_of(IN_DTYPES, *pair, jnp.dtype(dtype)) for pair in PAIRS) if has(p)]
    operands = [arrays(p) for p in problems]
    results = jax.jit(lambda all_of: [every(p)(*each) for p, each in zip(problems, all_of, strict=True)])(operands)
    for problem, given, result in zip(problems, operands, results, strict=True):
        with np.errstate(over="ignore"):
            right = definition(problem, *given)
        for name, got in result.items():
            assert got.dtype == problem.result_dtype, (problem.member, name)
            close = {"rtol": float(jnp.finfo(dtype).eps), "atol": 1e-6} if floating else {"rtol": 0, "atol": 0}
            np.testing.assert_allclose(
                np.asarray(got, right.dtype), right, **close, err_msg=f"{problem.member} by {name}"
            )


@pytest.mark.parametrize("kind", EXTREMA)
@pytest.mark.parametrize("sample", [BY_NAME["3x3"], BY_NAME["line in two passes"]], ids=str)
def test_the_first_nan_wins(sample: Sample, kind: Kind) -> None:
    for form in ("value", "tap"):
        problem = problem_of(sample, kind, form)  # type: ignore[arg-type]
        operands = arrays(problem, special=True)
        right = definition(problem, *operands)
        for name, got in every(problem)(*operands).items():
            np.testing.assert_array_equal(got, right, err_msg=f"{form} by {name}")


@pytest.mark.parametrize("name", TABLE)
def test_batched_by_vmap_and_differentiated(name: str) -> None:
    window = BY_NAME["3x3"].window
    x = np.random.default_rng(0).standard_normal((4, 2, *window.spatial, 3)).astype(np.float32)
    one = jax.grad(lambda x: jnp.sum(bind("value", "max", x, window=window, lowering=name) ** 2))
    np.testing.assert_allclose(jax.jit(jax.vmap(one))(x), jax.lax.map(one, x), rtol=1e-6)
    moved = jax.vmap(partial(bind, "value", "mean", window=window, lowering=name), in_axes=2, out_axes=1)
    got = moved(np.moveaxis(x, 0, 2))
    np.testing.assert_allclose(got[:, 1], bind("value", "mean", x[1], window=window, lowering=name), rtol=1e-6)
