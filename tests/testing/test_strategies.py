"""The strategies draw legal cases only, and reach every rank, padding, mode and dtype there is."""

import hypothesis
import jax
import numpy as np
import pytest
from hypothesis import strategies as st

from jaxnets.reference.windows import axis_windows, output_length, pads, per_axis
from jaxnets.testing import ORACLES, Case, cases, conv_cases, conv_transpose_cases, pool_cases
from jaxnets.testing.case import is_float
from jaxnets.testing.strategies.common import MODES
from jaxnets.testing.strategies.windows import PADDINGS, fits

MANY = hypothesis.settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow, hypothesis.HealthCheck.data_too_large],
)


def _form(padding) -> str:
    if isinstance(padding, (str, int)):
        return padding if isinstance(padding, str) else "int"
    return "pairs" if isinstance(padding[0], tuple) else "ints"


# Their cases stand in tests/ops, test_attention.py and test_activation.py: masks, heads and single elements are no
# matter of windows.
WITHOUT_STRATEGY = {"attention", "attention_weights", "rotary", "gelu", "silu"}


def test_every_oracle_has_a_strategy_or_a_reason() -> None:
    for op in WITHOUT_STRATEGY:
        with pytest.raises(ValueError, match="unknown op"):
            cases(op)


@pytest.mark.parametrize("op", sorted(set(ORACLES) - WITHOUT_STRATEGY))
def test_every_case_is_legal(op: str) -> None:
    """The naive definition, which raises for what is not legal, takes them all: nothing is drawn in vain."""
    taken = 0

    @MANY
    @hypothesis.given(cases(op, max_size=4) if op not in ("space_to_depth", "depth_to_space") else cases(op))
    def legal(case: Case) -> None:
        nonlocal taken
        with np.errstate(all="ignore"):
            y = case.bind(ORACLES[op].forward)(*case.arrays())
        assert all(leaf.dtype == ORACLES[op].result_dtype(case.dtype) for leaf in jax.tree.leaves(y)[:1])
        taken += 1

    legal()
    assert taken >= (60 if op not in ("global_avg_pool", "global_max_pool") else 30)


@pytest.mark.parametrize("strategy", [conv_cases, conv_transpose_cases, pool_cases])
def test_every_rank_padding_and_dtype_is_reached(strategy) -> None:
    seen: set[object] = set()

    @hypothesis.settings(MANY, max_examples=1000)
    @hypothesis.given(strategy())
    def collect(case: Case) -> None:
        rank = len(case.shapes["x"]) - 2
        seen.update({(rank, _form(case.kwargs["padding"])), case.dtype, ("batch", case.shapes["x"][0]), case.fill})
        modes = case.kwargs.get("padding_mode", "zeros")
        seen.update((modes,) if isinstance(modes, str) else modes)
        if not isinstance(modes, str) and len(set(modes)) > 1:
            seen.add("mixed modes")
        seen.add(("groups", case.kwargs.get("groups")))
        seen.add(("ceil_mode", case.kwargs.get("ceil_mode")))
        seen.update(("stride", s) for s in per_axis(case.kwargs.get("stride", 1), rank))
        seen.update(("dilation", d) for d in per_axis(case.kwargs["dilation"], rank))
        seen.update(("extra", e) for e in per_axis(case.kwargs.get("output_padding", 0), rank, -9))

    collect()
    expected: set[object] = {(rank, form) for rank in (1, 2, 3) for form in PADDINGS}
    expected |= {"float32", "bfloat16", "float16", "int32", "int8", "uint8", ("batch", 0), ("batch", 2)}
    expected |= {("stride", 1), ("stride", 2), ("stride", 3), ("dilation", 1), ("dilation", 2)}
    if strategy is conv_cases:
        expected |= {*MODES, "mixed modes"}
    if strategy is conv_transpose_cases:
        expected |= {("extra", e) for e in (-2, -1, 0, 1, 2)}
    if strategy is pool_cases:
        expected |= {("ceil_mode", True), ("ceil_mode", False), "ties", "distinct", "special"}
    else:
        expected |= {("groups", g) for g in (1, 2, 3, 4)}
    assert expected <= seen, expected - seen


@hypothesis.settings(MANY, max_examples=300)
@hypothesis.given(st.data())
def test_fits_is_what_the_definitions_accept(data) -> None:
    n, k, s, d, low, high = (data.draw(st.integers(a, b)) for a, b in [(1, 6), (1, 4), (1, 3), (1, 3), (0, 5), (0, 5)])
    ceil, real = data.draw(st.booleans()), data.draw(st.booleans())
    try:
        out = output_length(n, (k - 1) * d + 1, s, low, high, ceil)
    except ValueError:
        assert not fits(n, k, s, d, low, high, "zeros", ceil, real)
        return
    sees = all(axis_windows(out, n, k, s, d, low))
    assert fits(n, k, s, d, low, high, "zeros", ceil, real) == (sees or not real)


@pytest.mark.parametrize("form", PADDINGS)
def test_limits_narrow(form: str) -> None:
    @MANY
    @hypothesis.given(
        conv_cases(
            ranks=(2,),
            dtypes=("bfloat16",),
            paddings=(form,),
            padding_modes=("circular",),
            options=("padding", "padding_mode"),
            max_size=6,
            max_kernel=2,
            bias=False,
        )
    )
    def narrow(case: Case) -> None:
        assert set(case.shapes) == {"x", "w"}
        assert set(case.kwargs) == {"padding"}  # there is one mode to choose from, and it is not zeros
        assert case.dtype == "bfloat16"
        assert _form(case.kwargs["padding"]) == form
        assert len(case.shapes["x"]) == 4
        assert max(case.shapes["w"][:2]) <= 2
        assert max(case.shapes["x"][1:3]) <= 6

    narrow()


def test_a_case_is_its_repr() -> None:
    @MANY
    @hypothesis.given(cases("conv"))
    def same(case: Case) -> None:
        again = eval(repr(case), {"Case": Case})
        assert again == case
        for a, b in zip(again.arrays(), case.arrays(), strict=True):
            np.testing.assert_array_equal(a.view(np.uint8), b.view(np.uint8))

    same()


def test_ties_are_ties_and_distinct_is_distinct() -> None:
    shape = {"x": (2, 6, 6, 3)}
    (ties,) = Case("max_pool", shape, {}, fill="ties").arrays()
    assert set(np.unique(ties)) == {-1.0, 0.0, 1.0}
    (distinct,) = Case("max_pool", shape, {}, fill="distinct").arrays()
    assert np.diff(np.sort(distinct.ravel())).min() > 1 / distinct.size
    (special,) = Case("max_pool", shape, {}, fill="special").arrays()
    assert np.isnan(special).any()
    assert np.isinf(special).any()
    assert np.isfinite(special).any()


def test_float64_is_drawn_only_where_it_is_enabled() -> None:
    def dtypes() -> set[str]:
        seen = set()

        @MANY
        @hypothesis.given(cases("avg_pool", ranks=(1,)))
        def collect(case: Case) -> None:
            seen.add(case.dtype)

        collect()
        return seen

    assert "float64" not in dtypes()
    with jax.enable_x64(True):
        assert "float64" in dtypes()
    assert {d for d in dtypes() if is_float(d)} == {"float32", "bfloat16", "float16"}


def test_an_unknown_op_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"unknown op 'convolution'.*conv_transpose"):
        cases("convolution")


def test_pads_of_a_drawn_window_are_those_of_the_definition() -> None:
    @MANY
    @hypothesis.given(pool_cases("avg_pool", options=("stride", "padding", "dilation")))
    def agree(case: Case) -> None:
        x, options = case.shapes["x"], case.kwargs
        rank = len(x) - 2
        size, dilation = per_axis(options["size"], rank), per_axis(options["dilation"], rank)
        stride = per_axis(options.get("stride", options["size"]), rank)
        pairs = pads(options["padding"], x[1:-1], size, stride, dilation)
        for n, k, s, d, (low, high) in zip(x[1:-1], size, stride, dilation, pairs, strict=True):
            assert fits(n, k, s, d, low, high, "zeros", False, True)

    agree()
