"""Every lowering against the naive definitions: the values of all three members, and derivatives to second order."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial, reduce
from itertools import product
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType
from jax.sharding import PartitionSpec as P
from jax.test_util import check_grads

import jaxnets
from jaxnets import compat, ops
from jaxnets.ops.geometry import Window
from jaxnets.ops.kernels import planner
from jaxnets.ops.kernels.family import bind
from jaxnets.ops.kernels.lowerings import TABLE, loops, matmul, shapes
from jaxnets.ops.kernels.planning import candidates
from jaxnets.ops.kernels.problem import MEMBERS, Member, Problem
from tests.ops.lowering_cases import (
    BY_NAME,
    COPIES,
    IN_CHUNKS,
    SAMPLES,
    Sample,
    check,
    definition,
    expected,
    pulled_back,
)


@pytest.fixture(autouse=True)
def _full_precision() -> Iterator[None]:
    with jax.default_matmul_precision("highest"):
        yield


def able(sample: Sample, member: Member) -> list[str]:
    """The lowerings that can compute this."""
    return candidates(sample.problem(member), TABLE)


# Optimized machine code takes three times as long to make, and what XLA makes of the program is the same.
quickly = partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})

CASES = [(name, member, s) for s in (*SAMPLES, *COPIES) for member in MEMBERS for name in able(s, member)]


@cache
def computed(sample: Sample, member: Member) -> Mapping[str, jax.Array]:
    """What each lowering makes of the problem, in one program: compiling many small ones is what takes the time."""
    problem = sample.problem(member)

    def every(a: jax.Array, b: jax.Array) -> dict[str, jax.Array]:
        return {name: planner.run(name, problem, a, b, "cpu") for name in able(sample, member)}

    return quickly(every)(*expected(sample, member)[0])


@pytest.mark.parametrize(("name", "member", "sample"), CASES, ids=str)
def test_value(name: str, member: Member, sample: Sample) -> None:
    check(computed(sample, member)[name], sample, member, what=name)


def many() -> Iterator[Problem]:
    """Problems of every kind, not to be computed: some of them fit any lowering there could be."""
    channels = ((1, 3, 2), (1, 1, 1), (2, 4, 4), (4, 4, 4), (4, 4, 8), (2, 32, 32))
    for rank, size, stride, dilation in product((1, 2, 3), (1, 2, 3), (1, 2, 3), (1, 2)):
        window = Window.of("conv", (7,) * rank, size, stride, "SAME", dilation)
        for (groups, c, k), copies, dtype in product(channels, (0, 2), ("float32", "int32")):
            for member in MEMBERS:
                yield Problem(member, window, groups, 2, c, k, np.dtype(dtype), copies=copies)


def test_every_lowering_has_its_cases() -> None:
    can = {(name, problem.member) for problem in many() for name in candidates(problem, TABLE)}
    assert {name for name, _ in can} == set(TABLE)
    have = Counter((name, member) for name, member, _ in CASES)
    assert {pair: have[pair] for pair in can if have[pair] < 3} == {}
    with_copies = {(name, member) for name, member, sample in CASES if sample.copies}
    assert can - with_copies == set()


CHUNKED: list[tuple[str, Member, Sample]] = [
    ("patches", "weight_gradient", IN_CHUNKS[0]),
    ("split taps", "weight_gradient", IN_CHUNKS[2]),
    ("columns", "input_gradient", IN_CHUNKS[1]),
]


@pytest.mark.parametrize(("name", "member", "sample"), CHUNKED, ids=str)
def test_a_batch_in_chunks(name: str, member: Member, sample: Sample) -> None:
    run = partial(planner.run, name, sample.problem(member), platform="cpu")
    operands = expected(sample, member)[0]
    loops = [e.primitive.name for _, e, _ in compat.equations(jax.make_jaxpr(run)(*operands).jaxpr)]
    assert {"scan", "while"} & set(loops), "the sample is too small to be taken in chunks"
    check(jax.jit(run)(*operands), sample, member, what=name)


@pytest.mark.parametrize("sample", [s for name, _, s in CASES if name == "rows" and not s.copies], ids=str)
def test_long_rows_in_strips(sample: Sample, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the strips leave of a row is a strip of its own; most of these samples have such a rest."""
    monkeypatch.setattr(loops, "LONG", 2 * sample.channels)
    monkeypatch.setattr(loops, "STRIP", 2 * sample.channels)
    problem = sample.problem("weight_gradient")
    run = partial(planner.run, "rows", problem, platform="cpu")
    check(quickly(run)(*expected(sample, problem.member)[0]), sample, problem.member, what="rows in strips")


WAYS = (  # and whether each plan that `rows` may try can be carried out; if none can, it pads
    (Sample("four images, the last row begun earlier", (5, 6), (3, 3), 3, 3, groups=3, batch=4), [True, True]),
    (Sample("four lines, half of them in a turn", (9,), (3,), 3, 3, groups=3, batch=4, pads=((2, 0),)), [False, True]),
    (Sample("one line", (9,), (3,), 3, 3, groups=3, batch=1), [False]),
    (Sample("rows of no whole strides", (7, 7), (3, 3), 2, 2, stride=2, groups=2, batch=4), [False, False]),
    (Sample("one image, rows beside each other", (9, 6), (3, 3), 2, 2, groups=2, batch=1, pads="VALID"), [True]),
    (Sample("one image, some rows padding", (8, 6), (3, 3), 2, 2, groups=2, batch=1), [False]),
    (Sample("taps that meet nothing", (2, 2), (7, 5), 2, 2, groups=2, batch=4), [False, True]),
    (
        Sample("rows longer than those of x", (4, 4), (2, 3), 2, 2, groups=2, batch=4, pads=((1, 1), (4, 4))),
        [True, True],
    ),
    (Sample("three axes at strides", (4, 5, 6), (3, 2, 3), 2, 2, stride=(2, 1, 2), groups=2, batch=4), [True, True]),
    (Sample("wide 70 channels", (3, 6), (3, 3), 70, 70, groups=70, batch=4), [True, True]),
)


@pytest.mark.parametrize(("sample", "possible"), WAYS, ids=str)
@pytest.mark.parametrize("strip", [None, 2, 4])
def test_rows_that_run_on_into_the_next(
    sample: Sample, possible: list[bool], strip: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each way to take rows, whole and in strips; what a row meets outside its own leaves no trace, be it infinite."""
    problem = sample.problem("weight_gradient")
    if strip is None:
        plans = [loops._plan(problem, *together) for together in loops._together(problem)]
        assert [plan is not None for plan in plans] == possible
    else:
        monkeypatch.setattr(loops, "LONG", 0)
        monkeypatch.setattr(loops, "STRIP", strip * sample.channels)
    run = quickly(partial(planner.run, "rows", problem, platform="cpu"))
    x, y = expected(sample, "weight_gradient")[0]
    check(run(x, y), sample, "weight_gradient", what=sample.name)

    corner = (0,) * len(sample.spatial)
    x = np.array(x)
    x[(slice(None), *corner)] = np.inf
    meet = []  # along each axis, whether a tap meets the first element of the map
    for _, k, s, d, (low, _), o in shapes.axes(sample.window):
        at, beside = np.divmod(low - d * np.arange(k), s)
        meet.append((at >= 0) & (at < o) & (beside == 0))
    infinite = ~np.isfinite(np.asarray(run(x, y))).all(axis=(-1, -2))
    np.testing.assert_array_equal(infinite, reduce(np.logical_and.outer, meet))


MANY_TAPS = (
    Sample("depthwise line of 33 taps", (40,), (33,), 3, 3, groups=3),
    Sample("depthwise 9x9", (6, 8), (9, 9), 2, 2, groups=2),
)


@pytest.mark.parametrize("sample", MANY_TAPS, ids=str)
def test_depthwise_of_many_taps(sample: Sample) -> None:
    """More than a step of a loop writes out beside each other."""
    for name, member in (("slices", "forward"), ("rows", "weight_gradient")):
        run = partial(planner.run, name, sample.problem(member), platform="cpu")
        check(quickly(run)(*expected(sample, member)[0]), sample, member, what=name)


TALL = [
    (name, s)
    for name, member, s in CASES
    if name in ("matmul", "patches", "taps") and member == "weight_gradient" and not s.copies
]


@pytest.mark.parametrize(("name", "sample"), TALL, ids=str)
def test_tall_products_in_halves(name: str, sample: Sample, monkeypatch: pytest.MonkeyPatch) -> None:
    """All samples are short, so what is tall must be lowered; of an odd number of rows there are no halves."""
    monkeypatch.setattr(matmul, "TALL", 2)
    problem = sample.problem("weight_gradient")
    run = partial(planner.run, name, problem, platform="cpu")
    operands = expected(sample, problem.member)[0]
    dots = [e for _, e, _ in compat.equations(jax.make_jaxpr(run)(*operands).jaxpr) if "dot" in e.primitive.name]
    halves = matmul.positions(problem) % 2 == 0
    assert {bool(e.params["dimension_numbers"][1][0]) for e in dots} == {halves}
    check(quickly(run)(*operands), sample, problem.member, what=f"{name} in halves")


def firsts() -> list[tuple[str, Member, Sample]]:
    """For each lowering and member, the first sample; and those that it takes in chunks."""
    found: dict[tuple[str, Member], Sample] = {}
    for name, member, sample in CASES:
        found.setdefault((name, member), sample)
    return [*((*pair, sample) for pair, sample in found.items()), *CHUNKED]


@pytest.mark.parametrize(("name", "member", "sample"), firsts(), ids=str)
def test_it_lowers_inside_shard_map(name: str, member: Member, sample: Sample) -> None:
    """Both operands vary over the mesh, and so do the carries of its loops. (What is computed is the same.)"""
    mesh = jax.make_mesh((1,), ("data",), axis_types=(AxisType.Auto,))
    problem = sample.problem(member)
    how = {"precision": None, "lowering": name, "copies": sample.copies}
    local = partial(bind, member, window=problem.window, groups=problem.groups, **how)
    spread = jax.shard_map(local, mesh=mesh, in_specs=(P("data"), P("data")), out_specs=P("data"), check_vma=True)
    assert jax.jit(spread).lower(*problem.structs()).out_info.shape == expected(sample, member)[1].shape


KINDS = (
    "line at a stride",
    "3x3",
    "4x4 at stride 2",
    "3x2 in blocks, padded",
    "1x1 at stride 2, padded",
    "depthwise with a multiplier",
    "depthwise 5x3 at stride 2",
    "4 groups at stride 2",
    "2x2x2 in blocks",
    "copies of a line",
)


MORE_DTYPES = ("float64", "float16", "uint8", "int16", "int32")


@pytest.mark.parametrize(
    "dtype", ["int8", "bfloat16", *(pytest.param(each, marks=pytest.mark.slow) for each in MORE_DTYPES)]
)
@pytest.mark.parametrize("member", MEMBERS)
@pytest.mark.parametrize("kind", KINDS)
def test_every_dtype(kind: str, member: Member, dtype: str) -> None:
    """Integers wrap round exactly; narrow floats are rounded once, at the end."""
    sample = BY_NAME[kind]
    problem = sample.problem(member, dtype)

    def every(a: jax.Array, b: jax.Array) -> dict[str, jax.Array]:
        return {name: planner.compute(problem.but(lowering=name), a, b, "cpu") for name in able(sample, member)}

    with jax.enable_x64(dtype == "float64"):
        made = quickly(every)(*expected(sample, member, dtype)[0])
    for name, got in made.items():
        check(got, sample, member, dtype, name)


@pytest.mark.parametrize("value", ["drawn", "largest", "either end"])
@pytest.mark.parametrize("dtype", ["uint8", "int8"])
def test_eight_bits_at_their_largest(dtype: str, value: str) -> None:
    """Sums of products as large as they come, in every lowering: what is computed in floats must still be exact."""
    c = {"uint8": 28, "int8": 113}[dtype]  # as many as float32 can sum, nine taps each
    sample = Sample(f"3x3 of {c} channels", (5, 6), (3, 3), c, 2, batch=1)
    x, w = sample.operands("forward", dtype)
    ends = {"uint8": (0, 255), "int8": (-128, 127)}[dtype]
    low, high = (np.asarray(end, dtype) for end in ends)
    extreme = {
        "drawn": [x, w],
        "largest": [np.full_like(v, low if dtype == "int8" else high) for v in (x, w)],
        "either end": [np.where(v % 2 == 0, low, high) for v in (x, w)],
    }[value]
    problem = sample.problem("forward", dtype)
    names = [name for name in TABLE if planner.plan(problem.but(lowering=name), "cpu").lowering == name]
    made = quickly(lambda *ab: {n: planner.compute(problem.but(lowering=n), *ab, "cpu") for n in names})(*extreme)
    for name, got in made.items():
        np.testing.assert_array_equal(got, definition(sample, "forward", *extreme), err_msg=name)


# The gradient law: the public ops, their lowering forced by the context, and all that is derived from them.

OPS: dict[str, tuple[Member, Callable[..., jax.Array]]] = {
    "conv": ("forward", ops.conv),
    "conv_transpose": ("input_gradient", ops.conv_transpose),
}
PUBLIC = [sample for sample in (*SAMPLES, *COPIES) if min(map(min, sample.pairs)) >= 0]


def public(op: str, sample: Sample) -> Callable[[jax.Array, jax.Array], jax.Array]:
    """The op as a function of its two operands, mapped over copies."""
    how: dict[str, Any] = {"stride": sample.stride, "padding": sample.pairs, "dilation": sample.dilation}
    if op == "conv_transpose":
        how["output_padding"] = sample.unreached
    fn = partial(OPS[op][1], groups=sample.groups, **how)
    return jax.vmap(fn) if sample.copies else fn


def forced(op: str) -> list[tuple[str, str, Sample]]:
    """For each lowering that computes this op, not only its gradients, the first sample; for `conv` all lowerings."""
    members = MEMBERS if op == "conv" else (OPS[op][0],)
    firsts: dict[str, Sample] = {}
    for sample, member in product(PUBLIC, members):
        for name in able(sample, member):
            firsts.setdefault(name, sample)
    return [(op, name, sample) for name, sample in firsts.items()]


@pytest.mark.parametrize(("op", "name", "sample"), [*forced("conv"), *forced("conv_transpose")], ids=str)
def test_derivatives(op: str, name: str, sample: Sample) -> None:
    """The gradients of `Σ ct f²/2` and their own derivative along (da, db), in float64, against the definitions."""
    member, fn = OPS[op][0], public(op, sample)
    (a, b), (da, db) = (sample.operands(member, "float64", seed=seed) for seed in (1, 2))
    at = partial(definition, sample, member)
    y, dy = at(a, b), at(da, b) + at(a, db)
    ct = np.random.default_rng(3).standard_normal(y.shape)

    def energy(a: jax.Array, b: jax.Array, ct: jax.Array) -> jax.Array:
        return jnp.sum(ct * jnp.square(fn(a, b))) / 2

    def derived(a: jax.Array, b: jax.Array, da: jax.Array, db: jax.Array, ct: jax.Array) -> Any:
        gradient = jax.grad(lambda a, b: energy(a, b, ct), (0, 1))
        return jax.jvp(gradient, (a, b), (da, db))

    def pulled(a: np.ndarray, b: np.ndarray, ct: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if not sample.copies:
            return pulled_back(sample, member, a, b, ct)
        parts = [pulled_back(sample, member, *each) for each in zip(a, b, ct, strict=True)]
        return np.stack([p for p, _ in parts]), np.stack([p for _, p in parts])

    with jax.enable_x64(True), jaxnets.lowering(name):
        equations = list(compat.equations(jax.make_jaxpr(derived)(a, b, da, db, ct).jaxpr))
        gradient, second = jax.jit(derived)(a, b, da, db, ct)

    convolutions = [e for _, e, _ in equations if e.primitive.name == "jaxnets_conv"]
    assert {e.params["lowering"] for e in convolutions} == {name}
    plans = [planner.plan(Problem.of(a=e.invars[0].aval, b=e.invars[1].aval, **e.params), "cpu") for e in convolutions]
    assert name in {plan.lowering for plan in plans}

    force, change = pulled(a, b, ct * y), pulled(a, b, ct * dy)
    bent = pulled(a, db, ct * y)[0], pulled(da, b, ct * y)[1]
    for got, want in zip(gradient, force, strict=True):
        np.testing.assert_allclose(got, want, rtol=0, atol=1e-12 * np.abs(want).max())
    for got, *parts in zip(second, change, bent, strict=True):
        np.testing.assert_allclose(got, sum(parts), rtol=0, atol=1e-12 * max(np.abs(p).max() for p in parts))


@pytest.mark.parametrize(
    ("op", "name", "kind"),
    [
        ("conv", "rows", "line of one channel"),
        ("conv_transpose", "phases", "line at a stride"),
    ],
)
def test_finite_differences(op: str, name: str, kind: str) -> None:
    with jax.enable_x64(True), jaxnets.lowering(name):
        operands = map(jnp.asarray, BY_NAME[kind].operands(OPS[op][0], "float64"))
        check_grads(jax.jit(public(op, BY_NAME[kind])), tuple(operands), order=2, modes=("fwd", "rev"))
