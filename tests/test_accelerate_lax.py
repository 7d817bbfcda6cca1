"""Every convolution that lax can express, drawn at random, against its definition: value and both gradients."""

from dataclasses import dataclass
from typing import Any

import hypothesis
import jax
import numpy as np
import pytest
from hypothesis import strategies as st
from jax import lax

import jaxnets
from jaxnets import compat


@dataclass
class Call:
    """The arguments of one `lax.conv_general_dilated`."""

    lhs_shape: tuple[int, ...]
    rhs_shape: tuple[int, ...]
    params: dict[str, Any]
    seed: int

    def arrays(self) -> tuple[np.ndarray, np.ndarray]:
        draw = np.random.default_rng(self.seed)
        return tuple(draw.standard_normal(s).astype(np.float32) for s in (self.lhs_shape, self.rhs_shape))

    def lax(self, lhs: jax.Array, rhs: jax.Array) -> jax.Array:
        return lax.conv_general_dilated(lhs, rhs, **self.params)


def defined(lhs: np.ndarray, rhs: np.ndarray, params: dict[str, Any]) -> np.ndarray:
    """The definition, in float64 loops over the places of the output (XLA itself is wrong for some of these)."""
    lhs_spec, rhs_spec, out_spec = params["dimension_numbers"]
    x = np.transpose(lhs, lhs_spec).astype(float)  # N C *spatial
    w = np.transpose(rhs, rhs_spec).astype(float)  # O I *size
    for axis, (d, (low, high)) in enumerate(zip(params["lhs_dilation"], params["padding"], strict=True), start=2):
        wide = np.zeros((*x.shape[:axis], (x.shape[axis] - 1) * d + 1, *x.shape[axis + 1 :]))
        wide[(slice(None),) * axis + (slice(None, None, d),)] = x
        x = np.pad(wide, [(max(low, 0), max(high, 0)) if a == axis else (0, 0) for a in range(x.ndim)])
        x = x[(slice(None),) * axis + (slice(max(-low, 0), x.shape[axis] - max(-high, 0)),)]
    strides, dilations = params["window_strides"], params["rhs_dilation"]
    reach = [(k - 1) * d + 1 for k, d in zip(w.shape[2:], dilations, strict=True)]
    out = [(n - r) // s + 1 for n, r, s in zip(x.shape[2:], reach, strides, strict=True)]
    features, batches = params["feature_group_count"], params["batch_group_count"]
    groups = max(features, batches)
    per_group = np.split(w, groups)
    images = np.split(x, features, 1) if features > 1 else np.split(x, batches)
    y = np.zeros((images[0].shape[0], w.shape[0], *out))
    for at in np.ndindex(*out):
        window = tuple(slice(i * s, i * s + r, d) for i, s, r, d in zip(at, strides, reach, dilations, strict=True))
        seen = [
            np.tensordot(image[(..., *window)], kernel, (range(1, x.ndim), range(1, x.ndim)))
            for image, kernel in zip(images, per_group, strict=True)
        ]
        y[(slice(None), slice(None), *at)] = np.concatenate(seen, 1)
    return np.transpose(y, np.argsort(out_spec))


@st.composite
def calls(draw: st.DrawFn) -> Call:
    """Small calls of every kind: any order of axes, groups of features or batch, dilation, negative padding."""
    rank = draw(st.integers(1, 3))
    most = {1: 9, 2: 6, 3: 4}[rank]

    def along(strategy: st.SearchStrategy[Any]) -> list[Any]:
        return [draw(strategy) for _ in range(rank)]

    spatial, size = along(st.integers(1, most)), along(st.integers(1, {1: 7, 2: 5, 3: 3}[rank]))
    stride, lhs_dilation, rhs_dilation = (along(st.sampled_from([1, 1, 2, 3])) for _ in range(3))
    if draw(st.booleans()):  # strided with inserted elements is none of ours: not too often
        (stride, lhs_dilation)[draw(st.integers(0, 1))][:] = [1] * rank
    padding = []
    for n, k, i, o in zip(spatial, size, lhs_dilation, rhs_dilation, strict=True):
        low, high = draw(st.integers(-2, 3)), draw(st.integers(-2, 3))
        short = (k - 1) * o + 1 - ((n - 1) * i + 1 + low + high)
        padding.append((low, high + max(short, 0)))
        hypothesis.assume((n - 1) * i + 1 + min(low, 0) + min(high, 0) > 0)
    batch, channels, filters, groups = (draw(st.integers(1, 3)) for _ in range(4))
    kind = draw(st.sampled_from(["one", "features", "batch"]))
    groups = 1 if kind == "one" else groups
    orders = [tuple(draw(st.permutations(range(rank + 2)))) for _ in range(3)]
    if draw(st.booleans()):
        orders = [
            (0, rank + 1, *range(1, rank + 1)),
            (rank + 1, rank, *range(rank)),
            (0, rank + 1, *range(1, rank + 1)),
        ]
    if draw(st.booleans()):  # the order of a weight gradient: batch and channels exchanged
        orders[0] = (orders[0][1], orders[0][0], *orders[0][2:])
    lhs = (
        batch * groups if kind == "batch" else batch,
        channels * groups if kind == "features" else channels,
        *spatial,
    )
    rhs = (filters * groups, channels, *size)
    params = {
        "window_strides": tuple(stride),
        "padding": tuple(padding),
        "lhs_dilation": tuple(lhs_dilation),
        "rhs_dilation": tuple(rhs_dilation),
        "dimension_numbers": lax.ConvDimensionNumbers(*orders),
        "feature_group_count": groups if kind == "features" else 1,
        "batch_group_count": groups if kind == "batch" else 1,
    }
    shapes = [tuple(np.asarray(s)[np.argsort(o)].tolist()) for s, o in ((lhs, orders[0]), (rhs, orders[1]))]
    return Call(*shapes, params, draw(st.integers(0, 99)))


def _names(fn: Any, *arrays: Any) -> set[str]:
    return {e.primitive.name for _, e, _ in compat.equations(jax.make_jaxpr(fn)(*arrays).jaxpr)}


def check(call: Call) -> None:
    """The call accelerated, its gradients accelerated, and the gradients of it accelerated, against the definition."""
    lhs, rhs = call.arrays()
    expected = defined(lhs, rhs, call.params)
    fast = jaxnets.accelerate(call.lax)

    def gradients(fn: Any, lhs: jax.Array, rhs: jax.Array, g: jax.Array) -> Any:
        return jax.vjp(fn, lhs, rhs)[1](g)

    def both(lhs: jax.Array, rhs: jax.Array, g: jax.Array) -> Any:
        inside = jaxnets.accelerate(lambda *a: gradients(call.lax, *a))(lhs, rhs, g)
        return fast(lhs, rhs), gradients(fast, lhs, rhs, g), inside

    mixed = any(s > 1 for s in call.params["window_strides"]) and any(d > 1 for d in call.params["lhs_dilation"])
    if not mixed:
        assert "conv_general_dilated" not in _names(fast, lhs, rhs)

    draw = np.random.default_rng(call.seed + 1)
    g, a, b = (draw.standard_normal(s).astype(np.float32) for s in (expected.shape, lhs.shape, rhs.shape))
    value, *pairs = jax.jit(both)(lhs, rhs, g)
    scale = 1e-5 * max(1, rhs.size)
    np.testing.assert_allclose(value, expected, rtol=1e-4, atol=scale)
    # The map is linear in either operand: <gradient, a> is <g, map of a>, and a random a leaves nothing out.
    for of_lhs, of_rhs in pairs:
        np.testing.assert_allclose(np.vdot(of_lhs, a), np.vdot(g, defined(a, rhs, call.params)), rtol=1e-3, atol=0.01)
        np.testing.assert_allclose(np.vdot(of_rhs, b), np.vdot(g, defined(lhs, b, call.params)), rtol=1e-3, atol=0.01)


def _settings(examples: int) -> hypothesis.settings:
    return hypothesis.settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=[hypothesis.HealthCheck.too_slow, hypothesis.HealthCheck.filter_too_much],
    )


@_settings(25)
@hypothesis.given(calls())
def test_every_convolution_of_lax(call: Call) -> None:
    check(call)


@pytest.mark.slow
@_settings(120)
@hypothesis.given(calls())
def test_many_convolutions_of_lax(call: Call) -> None:
    check(call)
