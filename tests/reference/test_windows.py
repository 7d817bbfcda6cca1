"""Window arithmetic by hand: paddings, output sizes, and who sees what."""

import pytest

from jaxnets.reference.windows import axis_windows, mirrored, output_length, pads, per_axis, pooling, sliding, windows


@pytest.mark.parametrize(
    ("n", "size", "stride", "dilation", "expected"),
    [
        (5, 3, 1, 1, (1, 1)),
        (5, 2, 1, 1, (0, 1)),  # the odd one goes high
        (6, 3, 2, 1, (0, 1)),
        (5, 3, 2, 1, (1, 1)),
        (224, 7, 2, 1, (2, 3)),
        (5, 3, 1, 2, (2, 2)),
        (5, 1, 3, 1, (0, 0)),  # no window needs anything beyond the end
        (4, 2, 3, 1, (0, 1)),
    ],
)
def test_same_padding_is_xlas(n, size, stride, dilation, expected):
    assert pads("SAME", (n,), (size,), (stride,), (dilation,)) == (expected,)
    low, high = expected
    assert output_length(n, (size - 1) * dilation + 1, stride, low, high) == -(-n // stride)


def test_padding_forms():
    def resolve(padding):
        return pads(padding, (8, 9), (3, 2), (1, 1), (1, 2))

    assert resolve("VALID") == ((0, 0), (0, 0))
    assert resolve("CAUSAL") == ((2, 0), (2, 0))
    assert resolve(2) == ((2, 2), (2, 2))
    assert resolve((1, 0)) == ((1, 1), (0, 0))
    assert resolve([(1, 0), (3, 4)]) == ((1, 0), (3, 4))


@pytest.mark.parametrize("padding", ["same", -1, (1, 2, 3), [(0, -1), (0, 0)]])
def test_illegal_paddings(padding):
    with pytest.raises(ValueError, match="padding"):
        pads(padding, (8, 9), (3, 2), (1, 1), (1, 1))


@pytest.mark.parametrize(
    ("n", "span", "stride", "low", "high", "floor", "ceil"),
    [
        (6, 3, 2, 0, 0, 2, 3),
        (7, 3, 2, 0, 0, 3, 3),
        (4, 3, 2, 1, 1, 2, 3),
        (2, 1, 3, 0, 0, 1, 1),  # a second window would start beyond the end
        (5, 2, 3, 1, 1, 2, 2),  # a third one would start at 6 - 1, in the high padding
        (6, 2, 3, 1, 1, 3, 3),
        (9, 2, 3, 0, 0, 3, 3),
        (10, 3, 3, 0, 1, 3, 4),  # the fourth starts on the last element
        (10, 3, 4, 1, 1, 3, 3),
    ],
)
def test_output_lengths(n, span, stride, low, high, floor, ceil):
    assert output_length(n, span, stride, low, high) == floor
    assert output_length(n, span, stride, low, high, ceil_mode=True) == ceil


def test_windows_larger_than_the_input():
    with pytest.raises(ValueError, match="larger"):
        sliding((4,), 3, 1, "VALID", 2)
    with pytest.raises(ValueError, match="larger"):
        sliding((4, 2), (2, 3), 1, [(0, 0), (0, 0)], 1)


def test_pools_refuse_windows_of_padding_only():
    assert len(sliding((2,), 2, 1, 2, 1)[0]) == 5
    with pytest.raises(ValueError, match="only padding"):
        pooling((2,), 2, 1, 2, 1)
    with pytest.raises(ValueError, match="only padding"):
        pooling((2,), 2, 1, 2, 4)  # one tap on either side of the input


def test_axis_windows_by_hand():
    assert axis_windows(out=3, n=5, size=2, stride=2, dilation=2, low=1) == [[(1, 1)], [(0, 1), (1, 3)], [(0, 3)]]
    assert axis_windows(out=2, n=3, size=3, stride=2, dilation=1, low=1, mode="reflect") == [
        [(0, 1), (1, 0), (2, 1)],
        [(0, 1), (1, 2), (2, 1)],
    ]


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("zeros", [None, None, None, None, 0, 1, 2, None, None, None, None]),
        ("reflect", [0, 1, 2, 1, 0, 1, 2, 1, 0, 1, 2]),
        ("replicate", [0, 0, 0, 0, 0, 1, 2, 2, 2, 2, 2]),
        ("circular", [2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0]),
    ],
)
def test_mirrored(mode, expected):
    assert [mirrored(p, 3, mode) for p in range(-4, 7)] == expected


def test_reflecting_a_single_element_repeats_it():
    assert [mirrored(p, 1, "reflect") for p in (-2, -1, 0, 1)] == [0, 0, 0, 0]


def test_unknown_mode_and_wrong_count():
    with pytest.raises(ValueError, match="mode"):
        mirrored(-1, 3, "mirror")
    with pytest.raises(ValueError, match="expected 2 integers"):
        per_axis((1, 2, 3), 2)
    with pytest.raises(ValueError, match="at least 1"):
        per_axis(0, 2)


def test_windows_come_in_row_major_order():
    got = list(windows(sliding((2, 3), 2, 1, "VALID", 1)))
    assert [o for o, _ in got] == [(0, 0), (0, 1)]
    assert got[1][1] == [((0, 0), (0, 1)), ((0, 1), (0, 2)), ((1, 0), (1, 1)), ((1, 1), (1, 2))]
