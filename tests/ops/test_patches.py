"""Patches and pixel shuffles against the naive definitions, each other and a convolution."""

import re

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets import ops
from jaxnets.testing.case import Case
from jaxnets.testing.checks import check_adjoint, check_forward, check_gradients

WINDOWS = [
    ((7,), {"size": 3}, (5,), "float32"),
    ((5,), {"size": 2, "stride": 3, "padding": ((1, 2),)}, (3,), "bfloat16"),
    ((5, 6), {"size": (3, 2), "stride": (1, 2), "padding": "SAME"}, (5, 3), "float32"),
    ((7, 6), {"size": 2, "dilation": (3, 1), "stride": 2, "padding": "VALID"}, (2, 3), "float64"),
    ((5, 3, 4), {"size": 2, "stride": (2, 1, 1), "padding": "CAUSAL"}, (3, 3, 4), "float32"),
]


@pytest.mark.parametrize(("spatial", "kwargs", "out", "dtype"), WINDOWS)
def test_unfold_and_fold_equal_the_definitions(spatial, kwargs, out, dtype) -> None:  # type: ignore[no-untyped-def]
    check_gradients(ops.unfold, Case("unfold", {"x": (2, *spatial, 2)}, kwargs, dtype))
    taps = int(np.prod(np.broadcast_to(kwargs["size"], len(spatial))))
    rows = {"y": (2, *out, taps * 2)}
    check_gradients(ops.fold, Case("fold", rows, kwargs | {"output_size": spatial}, dtype))


@pytest.mark.parametrize(
    "case",
    [
        Case("unfold", {"x": (2, 5, 1)}, {"size": 2}, "int8"),
        Case("fold", {"y": (2, 4, 4)}, {"output_size": 5, "size": 2}, "int8"),
        Case("fold", {"y": (1, 4, 4)}, {"output_size": 5, "size": 2}, "float16"),
        Case("unfold", {"x": (0, 5, 2)}, {"size": 2}),
        Case("fold", {"y": (0, 4, 4)}, {"output_size": 5, "size": 2}),
        Case("space_to_depth", {"x": (1, 4, 2)}, {"block": 2}, "uint8"),
        Case("depth_to_space", {"x": (0, 2, 2, 4)}, {"block": 2}),
    ],
    ids=repr,
)
def test_other_dtypes_and_empty_batches(case: Case) -> None:
    check_forward(getattr(ops, case.op), case)


@pytest.mark.parametrize(
    ("spatial", "block", "dtype"),
    [((6,), 3, "float32"), ((4, 6), (2, 3), "bfloat16"), ((4, 2), (4, 1), "float32"), ((2, 4, 2), 2, "float64")],
)
def test_pixel_shuffles_equal_the_definitions_and_undo_each_other(spatial, block, dtype) -> None:  # type: ignore[no-untyped-def]
    case = Case("space_to_depth", {"x": (2, *spatial, 3)}, {"block": block}, dtype)
    check_gradients(ops.space_to_depth, case)
    small = tuple(n // b for n, b in zip(spatial, np.broadcast_to(block, len(spatial)), strict=True))
    channels = 3 * int(np.prod(spatial)) // int(np.prod(small))
    check_gradients(ops.depth_to_space, Case("depth_to_space", {"x": (2, *small, channels)}, {"block": block}, dtype))
    x = np.arange(2 * np.prod(spatial) * 3, dtype=np.float32).reshape(2, *spatial, 3)
    chex.assert_trees_all_equal(np.asarray(ops.depth_to_space(ops.space_to_depth(x, block), block)), x)


def test_a_patch_holds_its_taps_in_row_major_order_channels_last() -> None:
    x = jnp.arange(12).reshape(1, 2, 3, 2)
    rows = ops.unfold(x, (2, 2))
    assert rows[0, 0].tolist() == [[0, 1, 2, 3, 6, 7, 8, 9], [2, 3, 4, 5, 8, 9, 10, 11]]


def test_pixels_of_a_block_in_tensorflows_order() -> None:
    x = jnp.arange(8).reshape(1, 2, 2, 2)
    assert ops.space_to_depth(x, 2).ravel().tolist() == list(range(8))
    wide = jnp.arange(8).reshape(1, 2, 4, 1)  # 0 1 2 3 / 4 5 6 7
    assert ops.space_to_depth(wide, 2)[0, 0].tolist() == [[0, 1, 4, 5], [2, 3, 6, 7]]


@pytest.mark.parametrize(("spatial", "kwargs", "out", "dtype"), WINDOWS)
def test_patches_times_a_matrix_are_a_convolution(spatial, kwargs, out, dtype) -> None:  # type: ignore[no-untyped-def]
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2, *spatial, 2)).astype(np.float32)
    size = np.broadcast_to(kwargs["size"], len(spatial))
    w = rng.standard_normal((*size, 2, 3)).astype(np.float32)
    options = {"stride": 1, "padding": "VALID", "dilation": 1} | {k: v for k, v in kwargs.items() if k != "size"}
    y = ops.unfold(x, kwargs["size"], **{k: v for k, v in kwargs.items() if k != "size"}) @ w.reshape(-1, 3)
    chex.assert_shape(y, (2, *out, 3))
    chex.assert_trees_all_close(y, ops.conv(x, w, **options), atol=1e-5)


def test_fold_is_the_adjoint_of_unfold() -> None:
    rng = np.random.default_rng(0)
    kwargs = {"size": 3, "stride": 2, "padding": ((1, 0), (2, 2)), "dilation": (1, 2)}
    a = rng.standard_normal((2, 6, 7, 3))
    y = rng.standard_normal(ops.unfold(a.astype(np.float32), **kwargs).shape)
    check_adjoint(lambda a: ops.unfold(a, **kwargs), lambda y: ops.fold(y, (6, 7), **kwargs), a, y)


def test_gradients_need_no_negative_padding() -> None:
    # XLA computes some convolutions and windows over negatively padded arrays wrongly: see ops.pad.
    def gradient(y: jax.Array) -> jax.Array:
        return jax.grad(lambda y: jnp.sum(ops.fold(y, 8, 3, 2, padding=1) ** 2))(y)

    program = str(jax.make_jaxpr(gradient)(jnp.ones((1, 4, 6))))
    assert "slice" in program
    for amounts in re.findall(r"padding_config=\(([^=]*)\)\s", program):
        assert "-" not in amounts, amounts


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ops.unfold(np.ones((1, 3, 1), np.float32), 4), "unfold: on spatial axis 0 the window reaches 4"),
        (lambda: ops.unfold(np.ones((1, 3, 1), np.float32), 0), "unfold: size is 0"),
        (lambda: ops.unfold(np.ones((3, 1), np.float32), 2), "unfold: x has shape (3, 1), rank 2"),
        (lambda: ops.unfold(np.ones((1, 3, 1), np.float32), 2, padding=-1), "unfold: padding is -1"),
        (
            lambda: ops.fold(np.ones((1, 3, 2), np.float32), 5, 2),
            "fold: y has spatial shape (3,), but windows of size (2,)",
        ),
        (lambda: ops.fold(np.ones((1, 4, 3), np.float32), 5, 2), "fold: y (1, 4, 3) has 3 channels, which the 2 taps"),
        (lambda: ops.fold(np.ones((1, 4, 2), np.float32), 0, 2), "fold: output_size is 0"),
        (lambda: ops.fold(np.ones((1, 4, 2), np.float32), (5, 5), 2), "fold: output_size is (5, 5), 2 numbers"),
        (lambda: ops.space_to_depth(np.ones((1, 5, 1), np.float32), 2), "space_to_depth: block (2,) does not divide"),
        (lambda: ops.space_to_depth(np.ones((1, 4, 1), np.float32), 0), "space_to_depth: block is 0"),
        (
            lambda: ops.depth_to_space(np.ones((1, 2, 2, 6), np.float32), 2),
            "depth_to_space: x (1, 2, 2, 6) has 6 channels",
        ),
        (
            lambda: ops.depth_to_space(np.ones((1, 2, 4), np.float32), (2, 2)),
            "depth_to_space: block is (2, 2), 2 numbers",
        ),
    ],
)
def test_bad_arguments(call, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=re.escape(message)):
        call()
