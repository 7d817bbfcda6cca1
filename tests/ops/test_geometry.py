"""The static arithmetic of windows: literal values, inverses, and brute force."""

import hypothesis
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import strategies as st

from jaxnets import ops
from jaxnets.ops.geometry import (
    Window,
    extent,
    multiply_adds,
    output_shape,
    padding_for,
    pads,
    receptive_field,
    transpose_output_shape,
)

MANY = hypothesis.settings(max_examples=300, deadline=None, derandomize=True, database=None)


@pytest.mark.parametrize(
    ("padding", "expected"),
    [
        ("VALID", ((0, 0), (0, 0))),
        ("SAME", ((1, 2), (0, 1))),
        ("CAUSAL", ((4, 0), (2, 0))),
        (3, ((3, 3), (3, 3))),
        ((1, 2), ((1, 1), (2, 2))),
        ([(0, 1), (2, 3)], ((0, 1), (2, 3))),
    ],
)
def test_pads(padding, expected) -> None:
    assert pads(padding, (6, 8), (3, 3), (2, 2), (2, 1)) == expected


@pytest.mark.parametrize(
    ("n", "size", "stride", "options", "out"),
    [
        (224, 7, 2, {"padding": 3}, 112),
        (224, 16, 16, {"padding": "VALID"}, 14),
        (5, 3, 2, {"padding": "SAME"}, 3),
        (5, 2, 2, {"padding": "VALID"}, 2),
        (5, 2, 2, {"padding": "VALID", "ceil_mode": True}, 3),
        (3, 2, 2, {"padding": 1, "ceil_mode": True}, 2),  # a third window would start in the padding
        (7, 3, 1, {"padding": "VALID", "dilation": 3}, 1),
        (1, 1, 5, {"padding": "SAME"}, 1),
    ],
)
def test_output_shape(n: int, size: int, stride: int, options: dict, out: int) -> None:
    assert output_shape((n,), size, stride, **options) == (out,)


def test_extent() -> None:
    assert [extent(1, 9), extent(3, 1), extent(3, 4)] == [1, 3, 9]


@pytest.mark.parametrize(("k", "d", "seen"), [(4, 1, 3), (2, 3, 3)])
def test_a_window_larger_than_the_input_names_both(k: int, d: int, seen: int) -> None:
    with pytest.raises(ValueError, match=rf"reaches {extent(k, d)}.*has {seen}"):
        output_shape((seen,), k, padding="VALID", dilation=d)


axes = st.tuples(st.integers(1, 12), st.integers(1, 5), st.integers(1, 4), st.integers(1, 3))


@MANY
@hypothesis.given(axes, st.data())
def test_padding_for_is_the_least_padding_that_gives_the_output(axis, data) -> None:
    n, k, s, d = axis
    fits = [t for t in range(40) if n + t >= extent(k, d)]
    total = data.draw(st.sampled_from(fits))
    (out,) = output_shape((n,), k, s, padding=((total, 0),), dilation=d)
    ((low, high),) = padding_for(out, (n,), k, s, dilation=d)
    assert output_shape((n,), k, s, padding=((low, high),), dilation=d) == (out,)
    assert 0 <= high - low <= 1
    least = min(t for t in fits if output_shape((n,), k, s, padding=((t, 0),), dilation=d) == (out,))
    assert low + high == least


def test_padding_for_what_no_padding_gives() -> None:
    with pytest.raises(ValueError, match="none gives 2"):
        padding_for(2, (9,), 3)


paddings = st.one_of(
    st.sampled_from(["SAME", "VALID", "CAUSAL"]),
    st.integers(0, 3),
    st.tuples(st.integers(0, 3), st.integers(0, 3)).map(lambda pair: (pair,)),
)


@MANY
@hypothesis.given(axes, paddings)
def test_transpose_output_shape_is_the_inverse(axis, padding) -> None:
    n, k, s, d = axis
    if n + sum(pads(padding, (n,), k, s, d)[0]) < extent(k, d):
        n = extent(k, d)
    out = output_shape((n,), k, s, padding=padding, dilation=d)
    extras = range(1 - s, 1) if padding == "SAME" else range(s)
    inputs = [m for m in range(1, n + 2 * s) if m + sum(pads(padding, (m,), k, s, d)[0]) >= extent(k, d)]
    same = [(m,) for m in inputs if output_shape((m,), k, s, padding=padding, dilation=d) == out]
    least = extras[-1] - (len(same) - 1)  # some of the s inputs may have fewer than one element
    found = [
        transpose_output_shape(out, k, s, padding=padding, output_padding=extra, dilation=d)
        for extra in range(least, extras[-1] + 1)
    ]
    assert found == same
    assert (n,) in found


@pytest.mark.parametrize("extra", [-1, 2])
def test_output_padding_out_of_range(extra: int) -> None:
    with pytest.raises(ValueError, match=r"output_padding"):
        transpose_output_shape((4,), 3, 2, padding=1, output_padding=extra)


STACKS = [
    [(3, 1, 0, 1)],
    [(3, 2, 1, 1), (3, 2, 1, 1), (3, 1, 1, 1)],
    [(7, 2, 3, 1), (3, 2, 1, 1), (1, 1, 0, 1), (3, 1, 2, 2)],
    [(2, 2, 0, 1), (2, 3, 0, 2)],
    [(1, 2, 0, 1), (4, 1, 2, 1)],
]


@pytest.mark.parametrize("stack", STACKS, ids=str)
def test_receptive_field_is_the_footprint_of_the_gradient(stack) -> None:
    n = 64

    def net(x: jax.Array) -> jax.Array:
        for k, s, p, d in stack:
            x = ops.conv(x, jnp.ones((k, 1, 1)), stride=s, padding=p, dilation=d)
        return x

    windows, spatial = [], (n,)
    for k, s, p, d in stack:
        windows.append(Window.of("conv", spatial, k, s, p, d))
        spatial = windows[-1].out
    field = receptive_field(windows)
    middle = spatial[0] // 2
    for i in (middle, middle + 1):
        seen = np.flatnonzero(jax.grad(lambda x, i=i: net(x)[0, i, 0])(jnp.zeros((1, n, 1)))[0, :, 0])
        start = i * field.stride[0] + field.offset[0]
        assert (seen[0], seen[-1] + 1) == (start, start + field.size[0])


def test_receptive_field_of_nothing_and_of_mixed_ranks() -> None:
    with pytest.raises(ValueError, match="no windows"):
        receptive_field([])
    with pytest.raises(ValueError, match="window 1 has 2"):
        receptive_field([Window.of("conv", (8,), 3), Window.of("conv", (8, 8), 3)])


@pytest.mark.parametrize(
    ("spatial", "size", "groups", "options"),
    [
        ((9,), 3, 1, {"stride": 2, "padding": "SAME"}),
        ((6, 5), (3, 2), 2, {"padding": "VALID"}),
        ((4, 4, 4), 2, 4, {"padding": 1, "dilation": 2}),
    ],
)
def test_multiply_adds_counts_every_product(spatial, size, groups, options) -> None:
    batch, c, k = 2, 4, 8
    window = Window.of("conv", spatial, size, options.get("stride", 1), options["padding"], options.get("dilation", 1))
    # A product of ones for each tap and channel, padding counted: an input of ones that is padded with ones.
    x = jnp.ones((batch, *(n + sum(p) for n, p in zip(spatial, window.pads, strict=True)), c))
    y = ops.conv(
        x,
        jnp.ones((*window.size, c // groups, k)),
        groups=groups,
        stride=window.stride,
        dilation=window.dilation,
        padding="VALID",
    )
    assert multiply_adds(window, c, k, groups=groups, batch=batch) == int(y.sum())


@pytest.mark.parametrize("value", [0, -1, 1.5, True, "3", (1, 2, 3), None])
def test_sizes_are_whole_and_positive(value) -> None:
    with pytest.raises((ValueError, TypeError), match="size"):
        output_shape((8, 8), value)
