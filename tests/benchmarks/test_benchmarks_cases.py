"""The rivals compute the same thing, its cost is counted, and agreement means agreement."""

from collections import Counter

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks import agree, bench, jobs, plan, rivals, scans
from benchmarks.cases import CONV, POOL, SCAN, Case
from benchmarks.classes import BY_NAME, CLASSES
from benchmarks.cost import cost
from benchmarks.timing import Effort, NotRun

CASES = [*CONV, *POOL]
EFFORT = Effort(repeats=1, seconds=0, least=1)


def case(name):
    (found,) = (c for c in CASES if c.name == name)
    return found


@pytest.mark.parametrize("quick", [True, False], ids=["quick", "full"])
@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_rivals_have_the_same_shapes(case, quick):
    case = case.quick() if quick else case
    with jax.enable_x64(case.dtype == "float64"):
        args = [jax.ShapeDtypeStruct(shape, case.dtype) for shape in case.shapes]
        made = {name: jax.eval_shape(rivals.op(name, case), *args) for name in rivals.MODULES}
    assert len({(y.shape, y.dtype) for y in made.values()}) == 1
    assert made["ours"].dtype == case.dtype
    batch, *spatial, channels = cost(case).out
    image = (batch, channels, *spatial) if case.form == "channels first" else (batch, *spatial, channels)
    lead = case.w[:1] if case.form in ("batched", "shared x") else ()
    assert made["ours"].shape == (*lead, *image)


def test_every_class_has_two_shapes_or_more_and_every_row_a_class():
    entries = plan.plan(plan.SUITES)
    assert len({(e.suite, e.case) for e in entries}) == len(entries)
    counted = Counter(e.shape_class for e in entries)
    assert set(counted) == set(BY_NAME)
    models = {kind.name for kind in CLASSES if kind.compile}
    assert all(counted[kind.name] >= 2 for kind in CLASSES if kind.name not in models)
    assert all(counted[name] == 1 for name in models)
    shapes = Counter((c.shape_class, *map(tuple, c.shapes), str(dict(c.options)), c.dtype, c.form) for c in CASES)
    assert max(shapes.values()) == 1


def test_a_case_survives_the_way_to_another_process():
    for each in (*CASES, *(scan.case for scan in SCAN)):
        assert Case.from_json(each.to_json()) == each


def test_quick_cases_are_small_and_of_the_same_kind():
    small = case("32 groups 3x3 s2, 28x28x256 to 256").quick()
    assert (small.x, small.w) == ((2, 6, 6, 16), (3, 3, 4, 16))
    assert small.options == {"groups": 4, "stride": 2, "padding": 1}
    assert case("transposed 4x4 s2, 14x14x128 to 64").quick().w == (4, 4, 8, 8)
    assert case("8 kernels 3x3, one x, 28x28x32 to 32").quick().shapes == [[2, 6, 6, 8], [2, 3, 3, 8, 8]]
    assert case("NCHW depthwise 3x3, 28x28x144").quick().shapes == [[2, 4, 6, 6], [3, 3, 1, 4]]


def test_lax_really_has_no_gradient_where_the_table_says_so():
    flagged = [c for c in CASES if c.no_lax_gradient]
    assert flagged
    for c in flagged:
        fn = rivals.op("lax", c.quick())
        with pytest.raises((ValueError, NotImplementedError)):
            jax.grad(lambda x, fn=fn: fn(x).sum())(jnp.ones(c.quick().x))


def test_work_is_counted():
    needs = cost(case("transposed 4x4 s2, 28x28x64 to 64"))
    assert needs.multiply_adds == 8 * 28 * 28 * 16 * 64 * 64
    assert needs.terms == {"y": 16 * 64, "dx": 16 * 64, "dw": 8 * 28 * 28}
    assert needs.bytes == 4 * (8 * 28 * 28 * 64 + 16 * 64 * 64 + 8 * 56 * 56 * 64)
    needs = cost(case("depthwise 3x3, 14x14x384"))
    assert needs.multiply_adds == 8 * 14 * 14 * 9 * 384
    assert needs.terms == {"y": 9, "dx": 9, "dw": 8 * 14 * 14}
    needs = cost(case("8 kernels 3x3, one x, 28x28x32 to 32"))
    assert needs.multiply_adds == 8 * 8 * 28 * 28 * 9 * 32 * 32
    assert needs.terms["dx"] == 8 * 9 * 32  # all eight kernels add up in dx
    forward, both = jobs.jobs("pool", case("max 2x2, 28x28x32"), quick=True)
    assert forward.work == pytest.approx(4 * (2 * 6 * 6 * 4 + 2 * 3 * 3 * 4) / 1e9)
    assert both.work == 2 * forward.work


def test_agreement_allows_rounding_and_no_more():
    wanted = {"y": np.array([1.0, -4.0, 0.0], np.float32)}
    allowed = {"y": agree.tolerance(100, agree.rounding(np.float32, "cpu", products=True))}
    assert agree.require("ours", wanted, wanted, allowed) == 0
    near = {"y": wanted["y"] + np.float32(1e-6)}
    assert 0 < agree.require("ours", near, wanted, allowed) < 1
    for bad in (wanted["y"] + np.float32(1e-4), np.full(3, np.nan, np.float32), wanted["y"][:2]):
        for error in (agree.largest, agree.norm, agree.network):
            with pytest.raises(agree.Disagreement, match=r"ours: \['y'\]"):
                agree.require("ours", {"y": bad}, wanted, allowed, error)
    with pytest.raises(agree.Disagreement, match="another tree"):
        agree.require("ours", {"z": wanted["y"]}, wanted, allowed)


def test_integers_agree_exactly_or_not_at_all():
    wanted = {"y": np.array([100, -100], np.int8)}
    allowed = {"y": agree.tolerance(9, 0.0, np.int8)}
    assert agree.require("ours", wanted, wanted, allowed) == 0
    with pytest.raises(agree.Disagreement):
        agree.require("ours", {"y": np.array([100, -99], np.int8)}, wanted, allowed)


def test_a_network_is_held_to_its_gradients_that_are_not_zero():
    wanted = {"a": {"shift": np.ones(4)}, "b": {"shift": np.full(4, 1e-9)}, "c": {"w": np.ones(4)}}
    noise = {**wanted, "b": {"shift": np.full(4, -1e-9)}}
    allowed = {"a": {"shift": 0.01}, "b": {"shift": 0.01}, "c": {"w": 0.01}}
    trees = [{"velocity": tree} for tree in (noise, wanted, allowed)]
    with pytest.raises(agree.Disagreement):
        agree.require("ours", *trees, agree.norm)
    assert agree.require("ours", *trees, agree.network) < 1
    for wrong in ({"a": {"shift": np.full(4, 1.02)}}, {"b": {"shift": np.full(4, 0.01)}}, {"c": {"w": np.zeros(4)}}):
        with pytest.raises(agree.Disagreement):
            agree.require("ours", {"velocity": {**wanted, **wrong}}, *trees[1:], agree.network)


def test_tolerance_follows_dtype_and_platform():
    single, half = (agree.rounding(dtype, "cpu", products=True) for dtype in (np.float32, jnp.bfloat16))
    assert single < agree.rounding(np.float32, "gpu", products=True) < half
    assert agree.rounding(np.float32, "gpu", products=False) == single  # a pool multiplies nothing
    assert agree.rounding(np.int8, "gpu", products=True) == 0
    assert agree.tolerance(10_000, single) > agree.tolerance(9, single)
    allowed = {c.dtype: jobs.allowed(c, "cpu")["y"] for c in CONV}
    assert allowed["float64"] < 1e-12 < allowed["float32"] < 1e-4 < allowed["bfloat16"] < 0.05


def test_without_numpy_the_naive_program_is_the_judge():
    job = jobs.jobs("pool", case("max 2x2, 28x28x32"), quick=True)[0]
    job = jobs.Job(**{**job.__dict__, "numpy": NotRun("too slow")})
    row = bench.measure(job, EFFORT)
    assert row.checked_against == "naive"
    assert row.cells["numpy"] == NotRun("too slow")
    assert row.ratio("numpy") is None


@pytest.mark.parametrize("form", ["batched", "shared x", "channels first"])
def test_forms_agree_with_numpy_in_both_directions(form):
    found = next(c for c in CONV if c.form == form and c.op == "conv")
    for job in jobs.jobs("conv", found, quick=True):
        row = bench.measure(job, EFFORT)
        assert row.checked_against == "numpy"
        assert row.error <= 1


def test_steps_in_a_scan_are_the_steps_outside_it_and_all_of_them_matter():
    (dense,) = (s for s in SCAN if s.case.name.startswith("dense 3x3, learns x and w"))
    forward, training = scans.jobs(dense, quick=True)
    for job in (forward, training):
        inside, outside = (jax.jit(job.compiled[name])(*job.args) for name in ("ours", "outside"))
        assert agree.require("inside", inside, outside, job.tolerances, job.error) < 1
        assert inside["measured"].shape == (dense.steps,)
    measured = np.asarray(jax.jit(training.compiled["ours"])(*training.args)["measured"])
    assert (np.diff(measured) < 0).all()  # it learns
