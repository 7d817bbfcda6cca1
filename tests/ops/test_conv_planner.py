"""Which lowering a convolution gets: every rule for CPUs, other platforms, what is asked for, and narrow dtypes."""

from functools import partial

import jax
import numpy as np
import pytest

from jaxnets import compat
from jaxnets.ops.kernels import measured, planner, rules_cpu
from jaxnets.ops.kernels.lowerings import TABLE
from jaxnets.ops.kernels.planning import LAX
from jaxnets.ops.kernels.problem import MEMBERS, Member, Problem
from tests.ops.lowering_cases import SAMPLES, Sample, definition

FORWARD, INPUT, WEIGHT = MEMBERS


def image(n: int, size: int, channels: int, filters: int, batch: int = 8, **how: int) -> Sample:
    return Sample(f"{size}x{size} on {n}x{n}", (n, n), (size, size), channels, filters, batch=batch, **how)


def line(n: int, size: int, channels: int, filters: int, batch: int = 8, **how: int) -> Sample:
    return Sample(f"{size} on {n}", (n,), (size,), channels, filters, batch=batch, **how)


# Well inside the bounds of the rules, so that a new measurement that moves one a little changes nothing here.
CHOICES: tuple[tuple[str, Member, Sample, str], ...] = (
    ("matmul", FORWARD, image(56, 1, 256, 64), "float32"),
    ("matmul", INPUT, image(56, 1, 256, 64, stride=2), "float32"),
    ("matmul", WEIGHT, image(56, 1, 256, 64), "bfloat16"),
    ("framed slices", FORWARD, image(56, 3, 144, 144, groups=144), "float32"),
    ("slices", FORWARD, image(14, 3, 96, 96, groups=96), "float32"),
    ("slices", FORWARD, line(1024, 4, 256, 256, groups=256, batch=1), "float32"),
    ("rows", WEIGHT, image(56, 7, 96, 96, groups=96), "float32"),
    ("columns", INPUT, image(7, 3, 512, 512, batch=4), "float32"),
    ("turned", INPUT, image(56, 3, 64, 64), "float32"),
    ("turned", INPUT, image(56, 3, 144, 144, groups=144), "float32"),
    ("blocks", FORWARD, image(56, 4, 3, 96, stride=4), "float32"),
    ("blocks", INPUT, image(56, 2, 96, 192, stride=2), "float32"),
    ("strided slices", INPUT, image(56, 3, 144, 144, stride=2, groups=144), "float32"),
    ("phases", INPUT, image(56, 3, 144, 144, stride=2, groups=144, dilation=2), "float32"),
    ("grouped slices", FORWARD, image(56, 3, 128, 128, groups=32), "float32"),
    ("merge groups", FORWARD, image(56, 5, 128, 128, groups=32), "float32"),
    ("merge groups", WEIGHT, image(56, 3, 128, 128, groups=32), "float32"),
    ("each group", FORWARD, image(28, 3, 128, 128, groups=2), "float32"),
    ("taps", FORWARD, image(28, 3, 16, 16), "int32"),
    ("phases", INPUT, image(56, 3, 16, 32, stride=2), "int32"),
    ("planes", FORWARD, Sample("3x3x3", (16, 28, 28), (3, 3, 3), 16, 32), "float32"),
    ("sub-pixel", INPUT, image(64, 4, 3, 64, stride=2), "float32"),
    ("shared patches", INPUT, image(56, 4, 64, 128, stride=2), "float32"),
    ("columns", INPUT, image(56, 3, 64, 128, stride=2), "float32"),
    ("phases", INPUT, line(4096, 5, 64, 64, stride=2), "float32"),
    ("unfold", FORWARD, image(7, 3, 512, 512, batch=4), "float32"),
    ("winograd", FORWARD, image(28, 3, 256, 256, batch=4), "float32"),
    ("winograd", WEIGHT, image(28, 3, 256, 256, batch=4), "float32"),
    ("canonical", WEIGHT, image(14, 3, 64, 64, batch=1), "float32"),
    ("canonical", WEIGHT, line(4096, 5, 64, 64), "float32"),
    ("split taps", WEIGHT, image(56, 3, 24, 24), "float32"),
    ("split taps", WEIGHT, image(56, 4, 64, 128, stride=2), "float32"),
    ("patches", WEIGHT, image(56, 3, 32, 128), "float32"),
    ("one by one", FORWARD, image(28, 3, 32, 32)._replace(copies=8), "float32"),
    (LAX, FORWARD, image(56, 3, 32, 32), "float32"),
    (LAX, FORWARD, image(224, 7, 3, 64, stride=2), "float32"),
)
each = pytest.mark.parametrize(("name", "member", "sample", "dtype"), CHOICES, ids=str)


@each
def test_the_choice_on_a_cpu(name: str, member: Member, sample: Sample, dtype: str) -> None:
    assert planner.plan(sample.problem(member, dtype), "cpu").lowering == name


def test_every_rule_has_its_rows() -> None:
    chosen = {planner.plan(sample.problem(member, dtype), "cpu").rule for _, member, sample, dtype in CHOICES}
    reasons = [rule.why for rule in rules_cpu.RULES]
    assert len(reasons) == len(set(reasons)), "explain could not tell these rules apart"
    assert set(reasons) - chosen == set()
    assert {rule.lowering for rule in rules_cpu.RULES} <= set(TABLE)


@each
@pytest.mark.parametrize("platform", ["cuda", "rocm", "tpu", "other"])
def test_elsewhere_it_is_plain_lax(platform: str, name: str, member: Member, sample: Sample, dtype: str) -> None:
    assert planner.plan(sample.problem(member, dtype), platform) == (LAX, "no rewrite is known to win")


@pytest.mark.parametrize("platform", ["cpu", "cuda"])
@pytest.mark.parametrize("member", MEMBERS)
def test_what_is_asked_for_is_taken_where_it_fits(member: Member, platform: str) -> None:
    taken = set()
    for sample in SAMPLES:
        problem = sample.problem(member)
        for name, lowering in TABLE.items():
            choice = planner.plan(problem.but(lowering=name), platform)
            fits = lowering.fits(problem)
            assert choice == ((name, "asked for") if fits else planner.plan(problem, platform)), name
            taken.add(fits)
    assert taken == {True, False}


def test_what_was_measured_goes_before_the_rules_and_after_what_is_asked_for() -> None:
    problem = image(56, 3, 32, 32).problem(FORWARD)
    with measured.supposing(problem, "unfold"):
        assert planner.plan(problem, "cpu").lowering == "unfold"
        assert planner.plan(problem.but(lowering="taps"), "cpu").lowering == "taps"
    with measured.supposing(problem, "rows"):  # which cannot compute it
        assert planner.plan(problem, "cpu").lowering == LAX


# Narrow dtypes. A 3x3 convolution gets `lax` where it is computed in floats, `taps` where in integers.


def primitives(problem: Problem) -> dict[str, set[str]]:
    """What XLA for a CPU is asked for, and in which dtypes."""
    run = partial(planner.compute, problem, platform="cpu")
    found: dict[str, set[str]] = {}
    for _, equation, _ in compat.equations(jax.make_jaxpr(lambda a, b: run(a, b))(*problem.structs()).jaxpr):
        found.setdefault(equation.primitive.name, set()).add(str(equation.invars[0].aval.dtype))
    return found


@pytest.mark.parametrize(
    ("dtype", "channels", "name", "computed"),
    [
        ("int8", 113, LAX, "float32"),  # 9 * 113 * 128² is below 2**24,
        ("int8", 114, "taps", "int32"),  # and this above
        ("uint8", 28, LAX, "float32"),
        ("uint8", 29, "taps", "int32"),
        ("int16", 1, "taps", "int32"),
        ("uint16", 1, "taps", "int32"),
        ("int32", 1, "taps", "int32"),
        ("bfloat16", 32, LAX, "bfloat16"),  # which XLA widens by itself
        ("float16", 32, LAX, "float16"),
    ],
)
def test_the_dtype_sums_are_taken_in(dtype: str, channels: int, name: str, computed: str) -> None:
    problem = image(56, 3, channels, 64).problem(FORWARD, dtype)
    assert planner.plan(problem, "cpu").lowering == name
    kind = "conv_general_dilated" if name == LAX else "dot_general"
    assert primitives(problem)[kind] == {computed}


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_narrow_floats_are_summed_in_float32(dtype: str) -> None:
    assert primitives(image(56, 1, 64, 64).problem(FORWARD, dtype))["dot_general"] == {"float32"}


def test_plain_lax_asked_for_is_in_the_dtype_given() -> None:
    problem = image(56, 3, 4, 4).problem(FORWARD, "int8")
    assert primitives(problem.but(lowering=LAX))["conv_general_dilated"] == {"int8"}
    assert primitives(problem)["conv_general_dilated"] == {"float32"}


# What a problem knows of itself.


@pytest.mark.parametrize("member", MEMBERS)
@pytest.mark.parametrize("sample", SAMPLES, ids=str)
def test_numbers_of_a_problem(sample: Sample, member: Member) -> None:
    """No sum has more terms than are said, and somewhere, without padding, it has as many; shapes are as given."""
    problem = sample.problem(member)
    a, b = (np.ones(shape) for shape in problem.operands)
    sums = definition(sample, member, a, b)
    assert sums.shape == problem.result
    assert sums.max() <= problem.terms
    products = sample.batch * np.prod(problem.window.out) * problem.taps * np.prod(problem.per_group) * problem.groups
    assert problem.multiply_adds == products
    assert sums.sum() <= products
    if max(map(max, sample.pairs)) <= 0:
        assert sums.sum() == products
        if member != INPUT:
            assert sums.max() == problem.terms
    assert problem.bytes == 4 * (a.size + b.size + sums.size)
    assert Problem.of(member, problem.window, sample.groups, *problem.structs()) == problem
    assert not problem.empty


@pytest.mark.parametrize("member", MEMBERS)
@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("spatial", [(64, 64), (1500,)], ids=str)
def test_large_kernels_are_short_programs(spatial: tuple[int, ...], groups: int, member: Member) -> None:
    """A piece of program for each of four thousand taps takes a minute to compile."""
    problem = Sample("large", spatial, spatial, 2, 2, groups=groups).problem(member)
    program = jax.make_jaxpr(partial(planner.compute, problem, platform="cpu"))(*problem.structs())
    assert sum(1 for _ in compat.equations(program.jaxpr)) < 1000
