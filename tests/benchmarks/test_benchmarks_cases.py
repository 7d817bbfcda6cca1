"""The rivals compute the same thing, its cost is counted, and agreement means agreement."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks import agree, bench, cases, rivals
from benchmarks.timing import Effort, NotRun
from jaxnets import ops

CASES = [*cases.CONV, *cases.POOL]


def case(name):
    (found,) = (c for c in CASES if c.name == name)
    return found


@pytest.mark.parametrize("quick", [True, False], ids=["quick", "full"])
@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_rivals_have_the_same_shapes(case, quick):
    sizes = case.quick if quick else case.full
    shapes = [sizes.x] if sizes.w is None else [sizes.x, sizes.w]
    args = [jax.ShapeDtypeStruct(shape, jnp.float32) for shape in shapes]
    ours = jax.eval_shape(lambda *a: getattr(ops, case.op)(*a, **case.options), *args)
    for name, module in rivals.MODULES.items():
        theirs = jax.eval_shape(lambda *a, m=module: getattr(m, case.op)(*a, **case.options), *args)
        assert (theirs.shape, theirs.dtype) == (ours.shape, ours.dtype), name


def test_lax_really_has_no_gradient_where_the_table_says_so():
    flagged = [c for c in CASES if c.no_lax_gradient]
    assert flagged
    for c in flagged:
        x = jnp.ones(c.quick.x)
        with pytest.raises((ValueError, NotImplementedError)):
            jax.grad(lambda x, c=c: getattr(rivals.MODULES["lax"], c.op)(x, **c.options).sum())(x)


def test_work_is_counted():
    x, w = jnp.ones((8, 28, 28, 64)), jnp.ones((4, 4, 64, 32))
    needs = rivals.cost(case("transposed 4x4, stride 2"), jnp.ones((8, 28, 28, 32)), w)
    assert needs.multiply_adds == 8 * 28 * 28 * 16 * 64 * 32
    assert needs.terms == {"y": 16 * 32, "dx": 16 * 64, "dw": 8 * 28 * 28}
    needs = rivals.cost(case("depthwise 3x3"), x, jnp.ones((3, 3, 1, 64)))
    assert needs.multiply_adds == 8 * 28 * 28 * 9 * 64
    assert needs.terms == {"y": 9, "dx": 9, "dw": 8 * 28 * 28}
    forward, both = rivals.jobs("pool", case("max 2x2"), quick=True)
    assert forward.work == pytest.approx(4 * (2 * 6 * 6 * 4 + 2 * 3 * 3 * 4) / 1e9)
    assert both.work == 2 * forward.work


def test_agreement_allows_rounding_and_no_more():
    wanted = {"y": np.array([1.0, -4.0, 0.0], np.float32)}
    allowed = {"y": agree.tolerance(100, agree.rounding(np.float32, "cpu", products=True))}
    assert agree.require("ours", wanted, wanted, allowed) == 0
    near = {"y": wanted["y"] + np.float32(1e-6)}
    assert 0 < agree.require("ours", near, wanted, allowed) < 1
    for bad in (wanted["y"] + np.float32(1e-4), np.full(3, np.nan, np.float32), wanted["y"][:2]):
        with pytest.raises(agree.Disagreement, match=r"ours: \['y'\]"):
            agree.require("ours", {"y": bad}, wanted, allowed)
    with pytest.raises(agree.Disagreement, match="another tree"):
        agree.require("ours", {"z": wanted["y"]}, wanted, allowed)


def test_tolerance_follows_dtype_and_platform():
    single, half = (agree.rounding(dtype, "cpu", products=True) for dtype in (np.float32, jnp.bfloat16))
    assert single < agree.rounding(np.float32, "gpu", products=True) < half
    assert agree.rounding(np.float32, "gpu", products=False) == single  # a pool multiplies nothing
    assert agree.tolerance(10_000, single) > agree.tolerance(9, single)


def test_without_numpy_the_naive_program_is_the_judge():
    job = rivals.jobs("pool", case("max 2x2"), quick=True)[0]
    job = bench.Job(**{**job.__dict__, "numpy": NotRun("too slow")})
    row = bench.measure(job, Effort(repeats=1, seconds=0, least=1))
    assert row.checked_against == "naive"
    assert row.cells["numpy"] == NotRun("too slow")
    assert row.ratio("numpy") is None
