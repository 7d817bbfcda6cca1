"""resize against the naive definition, hand-worked pixels of both conventions, and bad arguments."""

import re

import chex
import numpy as np
import pytest

from jaxnets import ops
from jaxnets.testing.case import Case
from jaxnets.testing.checks import check_forward, check_gradients

METHODS = ("nearest", "linear", "cubic")

CASES = [
    *(((1, 7, 6, 2), (3, 9), method, corners, "float32") for method in METHODS for corners in (False, True)),
    ((2, 5, 2), 8, "linear", True, "bfloat16"),
    ((1, 4, 1), 8, "nearest", False, "bfloat16"),
    ((1, 3, 2, 4, 1), (4, 1, 3), "cubic", True, "float64"),
    ((1, 3, 2, 4, 1), (1, 4, 3), "linear", False, "float16"),
]


@pytest.mark.parametrize(("shape", "output_size", "method", "align_corners", "dtype"), CASES)
def test_equals_the_definition(shape, output_size, method, align_corners, dtype) -> None:  # type: ignore[no-untyped-def]
    kwargs = {"output_size": output_size, "method": method, "align_corners": align_corners}
    check_gradients(ops.resize, Case("resize", {"x": shape}, kwargs, dtype))


@pytest.mark.parametrize("dtype", ["uint8", "int32", "float16"])
def test_nearest_keeps_every_dtype(dtype: str) -> None:
    case = Case("resize", {"x": (2, 3, 4, 1)}, {"output_size": (7, 2), "method": "nearest"}, dtype)
    check_forward(ops.resize, case)


def test_an_empty_batch() -> None:
    check_forward(ops.resize, Case("resize", {"x": (0, 3, 2)}, {"output_size": 5}))


def line(*values: float) -> np.ndarray:
    return np.asarray(values, np.float32).reshape(1, -1, 1)


@pytest.mark.parametrize(
    ("x", "out", "method", "align_corners", "expected"),
    [
        ([0, 4], 4, "linear", False, [0, 1, 3, 4]),
        ([0, 3], 4, "linear", True, [0, 1, 2, 3]),
        ([0, 1, 2, 3], 2, "linear", False, [0.5, 2.5]),
        ([0, 1, 2, 3], 2, "linear", True, [0, 3]),
        ([5, 7, 9], 1, "linear", True, [5]),
        ([5, 7, 9], 1, "linear", False, [7]),
        ([1, 2], 4, "nearest", False, [1, 1, 2, 2]),
        ([0, 1, 2, 3], 2, "nearest", False, [1, 3]),
        ([0, 1, 2, 3, 4], 3, "nearest", True, [0, 2, 4]),
        ([0, 1, 2], 2, "nearest", True, [0, 2]),
        # Keys at distance 1.25, 0.25, 0.75, 1.75: -0.10546875, 0.87890625, 0.26171875, -0.03515625 (PyTorch's weights)
        ([0, 0, 1, 0, 0], 10, "cubic", False, [0, -9, -27, 67, 225, 225, 67, -27, -9, 0]),
    ],
)
def test_hand_worked(x, out, method, align_corners, expected) -> None:  # type: ignore[no-untyped-def]
    scale = 256 if method == "cubic" else 1
    y = ops.resize(line(*x) * scale, out, method, align_corners=align_corners)
    chex.assert_trees_all_close(y, line(*expected))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("align_corners", [False, True])
def test_the_same_size_changes_nothing(method: str, align_corners: bool) -> None:
    x = np.arange(24, dtype=np.float32).reshape(2, 3, 4, 1)
    chex.assert_trees_all_equal(ops.resize(x, (3, 4), method, align_corners=align_corners), x)


@pytest.mark.parametrize("method", ["nearest", "linear"])
def test_what_is_not_finite_stays_where_it_is(method: str) -> None:
    y = np.asarray(ops.resize(line(1, 2, 3, np.inf), 8, method))
    reached = 3 if method == "linear" else 2
    assert np.isfinite(y).ravel().tolist() == [True] * (8 - reached) + [False] * reached
    assert not np.isnan(y).any()


def test_a_ramp_stays_a_ramp() -> None:
    x = np.linspace(0, 1, 9, dtype=np.float32).reshape(1, 9, 1)
    for method in ("linear", "cubic"):
        y = ops.resize(x, 17, method, align_corners=True)
        inside = slice(2, -2) if method == "cubic" else slice(None)  # cubic bends where the edge is repeated
        chex.assert_trees_all_close(np.asarray(y)[0, inside, 0], np.linspace(0, 1, 17)[inside], atol=1e-6)


@pytest.mark.parametrize(
    ("error", "x", "args", "message"),
    [
        (
            ValueError,
            np.ones((1, 4, 1), np.float32),
            (2, "bilinear"),
            "unknown method 'bilinear'; pass one of nearest, linear, cubic",
        ),
        (ValueError, np.ones((1, 4, 1), np.float32), (0,), "output_size is 0; it must be at least 1"),
        (ValueError, np.ones((1, 4, 1), np.float32), ((2, 2),), "2 numbers, but x has 1 spatial axis"),
        (ValueError, np.ones((1, 0, 1), np.float32), (2,), "empty spatial axis"),
        (ValueError, np.ones((4, 1), np.float32), (2,), "rank 2"),
        (TypeError, np.ones((1, 4, 1), np.float32), (2.0,), "output_size is 2.0 (float)"),
        (
            TypeError,
            np.ones((1, 4, 1), np.uint8),
            (2,),
            "x has dtype uint8, but this is computed in floating point; cast",
        ),
        (TypeError, np.ones((1, 4, 1), np.complex64), (2,), "x has dtype complex64; cast"),
    ],
)
def test_bad_arguments(error, x, args, message) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(error, match=f"resize: .*{re.escape(message)}"):
        ops.resize(x, *args)
