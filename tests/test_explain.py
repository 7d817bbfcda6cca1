"""`explain`: what it lists is what runs, counted as it runs, with the plan that XLA is handed."""

from functools import partial
from math import prod

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import jaxnets
from jaxnets import conv, depthwise_conv, explain, ops, repeat, serial
from jaxnets.cli import main
from jaxnets.explain import Row, peaks
from jaxnets.explain.table import count
from jaxnets.ops.kernels import families, planner
from jaxnets.ops.kernels.planning import Lowering, Rule

X = jax.ShapeDtypeStruct((2, 8, 8, 4), jnp.float32)
W = jax.ShapeDtypeStruct((3, 3, 4, 6), jnp.float32)


def net():
    return serial(
        stem=conv(6, 3, 2, groups=2),
        deep=repeat(serial(mix=depthwise_conv(3), act=jax.nn.relu), 3),
        head=jaxnets.remat(serial(point=conv(5, 1))),
    )


def loss(params, x):
    return jnp.square(net().apply(params, {}, x, train=True)[0]).sum()


def params():
    return jax.eval_shape(net().init, jax.random.key(0), X)[0]


def numpy_w(*shape):
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def test_forward_and_both_gradients_with_their_paths():
    rows = list(explain(jax.grad(loss, (0, 1)), params(), X, platform="cpu"))
    assert all(isinstance(row, Row) and row.ours for row in rows)
    by_path = {path: [row.member for row in rows if row.path == path] for path in ("stem", "deep/mix", "head/point")}
    for members in by_path.values():
        assert sorted(members) == ["forward", "input gradient", "weight gradient"]
    assert sum(map(len, by_path.values())) == len(rows)


def test_numbers_are_those_of_the_formula():
    (row,) = explain(partial(ops.conv, stride=2, groups=2), X, jax.ShapeDtypeStruct((3, 3, 2, 6), jnp.float32))
    assert row.operands == ((2, 8, 8, 4), (3, 3, 2, 6))
    assert row.result == (2, 4, 4, 6)
    assert row.multiply_adds == 2 * 16 * 9 * 2 * 6
    assert row.bytes == 4 * (2 * 64 * 4 + 9 * 2 * 6 + 2 * 16 * 6)
    assert (row.window, row.dtype, row.times, row.comparisons) == ("3x3 stride 2 groups 2", "float32", 1, 0)
    assert row.intensity == row.multiply_adds / row.bytes


def test_scans_count_as_often_as_they_run():
    rows = list(explain(net().apply, params(), {}, X, platform="cpu"))
    (deep,) = [row for row in rows if row.path == "deep/mix"]
    (once,) = explain(ops.depthwise_conv, jax.ShapeDtypeStruct((2, 4, 4, 6), jnp.float32), numpy_w(3, 3, 1, 6))
    assert deep.times == 3
    assert deep.multiply_adds == 3 * once.multiply_adds
    assert deep.bytes == 3 * once.bytes
    assert str(explain(net().apply, params(), {}, X)).splitlines()[-1].split()[:3] == ["total,", "on", "cpu"]


def test_what_a_lowering_rests_on_is_shown(monkeypatch):
    def halved(problem, x, w, compute):
        half = problem.but(batch=problem.batch // 2, lowering=None)
        return jnp.concatenate([compute(half, part, w) for part in jnp.split(x, 2)])

    monkeypatch.setitem(planner.TABLE, "halved", Lowering(halved, lambda p: p.member == "forward" and p.batch > 1))
    rule = Rule("halved", lambda p: p.batch > 1, "a rule of this test")
    monkeypatch.setitem(planner.RULES, "cpu", (rule, *planner.RULES["cpu"]))
    x = jax.ShapeDtypeStruct((4, 5, 5, 4), jnp.float32)
    point = jax.ShapeDtypeStruct((1, 1, 4, 6), jnp.float32)
    (row,) = explain(ops.conv, x, point, platform="cpu")
    assert row.lowering == "halved > halved > matmul"
    assert row.rule == "a rule of this test"
    assert [plan.problem.batch for plan in row.plan] == [1, 1, 2, 1, 1, 2, 4]
    (row,) = explain(jax.vmap(ops.conv), jnp.zeros((3, *x.shape)), jnp.zeros((3, *point.shape)), platform="cpu")
    assert row.lowering == "halved > halved > matmul"
    assert row.window == "1x1 copies 3"
    assert row.result == (3, 4, 5, 5, 6)


def test_platforms():
    depthwise = jax.ShapeDtypeStruct((3, 3, 1, 4), jnp.float32)
    chosen = {p: explain(ops.depthwise_conv, X, depthwise, platform=p) for p in (None, "cpu", "gpu", "cuda", "tpu")}
    assert chosen[None][0] == chosen["cpu"][0]
    assert chosen["cpu"][0].lowering != "lax"
    assert chosen["gpu"].platform == "cuda"
    assert chosen["gpu"].rows == chosen["cuda"].rows
    assert [chosen[p][0].lowering for p in ("cuda", "tpu")] == ["lax", "lax"]
    with pytest.raises(ValueError, match=r"platform is 'cdua'; use one of 'cpu', 'cuda', 'rocm', 'tpu'"):
        explain(ops.conv, X, W, platform="cdua")


def test_what_it_says_is_what_xla_is_handed():
    depthwise = numpy_w(3, 3, 1, 4)
    for name in ("lax", None):
        op = partial(ops.depthwise_conv, lowering=name)
        (row,) = explain(op, X, depthwise, platform="cpu")
        assert row.rule == "asked for" if name else row.rule != "asked for"
        text = jax.jit(op).lower(X, depthwise).as_text()
        assert ("feature_group_count = 4" in text) == (row.lowering == "lax")


def test_the_floor_is_the_larger_of_two_times(monkeypatch):
    monkeypatch.setattr(peaks, "_product", lambda dtype: {"float32": 1e9, "float64": 5e8}[dtype])
    monkeypatch.setattr(peaks, "_copy", lambda: 1e6)
    table = explain(ops.conv, X, W)
    assert table.floor(table[0]) == pytest.approx(table[0].bytes / 1e6)
    monkeypatch.setattr(peaks, "_copy", lambda: 1e12)
    assert table.floor(table[0]) == pytest.approx(table[0].multiply_adds / 1e9)
    half = explain(ops.conv, *(jax.ShapeDtypeStruct(v.shape, jnp.bfloat16) for v in (X, W)))
    assert half.floor(half[0]) == pytest.approx(half[0].multiply_adds / 1e9)
    assert "floor" in str(table)
    foreign = explain(ops.conv, X, W, platform="tpu")
    assert foreign.floor(foreign[0]) is None
    assert "floor" not in str(foreign)


def test_the_peaks_of_this_machine_are_measured():
    found = peaks.measured("float32")
    assert 1e8 < found.multiply_adds < 1e16
    assert 1e8 < found.bytes < 1e14
    assert peaks.measured("int8") == found


def test_somebody_elses_convolutions_are_listed_with_the_remedy():
    numbers = ("NHWC", "HWIO", "NHWC")

    def theirs(x, w):
        y = lax.conv_general_dilated(x, w, (2, 2), "SAME", dimension_numbers=numbers)
        y = lax.reduce_window(y, np.float32(-np.inf), lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
        return ops.conv(y, jnp.ones((1, 1, 6, 2))).sum()

    table = explain(theirs, X, W, platform="cpu")
    first, second, third = table
    assert (first.member, first.window, first.ours) == ("convolution", "3x3 stride 2", False)
    assert first.multiply_adds == 2 * 16 * 9 * 4 * 6
    assert first.bytes == 4 * (prod(X.shape) + prod(W.shape) + 2 * 16 * 6)
    assert (second.member, second.window) == ("max pool", "2x2 stride 2")
    assert (second.multiply_adds, second.comparisons) == (0, 2 * 4 * 6 * 4)
    assert {first.lowering, second.lowering} == {"lax (not accelerated)"}
    assert third.ours
    assert "jaxnets.accelerate(fn)" in str(table).splitlines()[-1]
    gradient = [row.member for row in explain(jax.grad(theirs), X, W) if not row.ours]
    assert gradient == ["convolution", "max pool gradient", "convolution"]


def test_what_nothing_depends_on_is_left_out():
    def half_used(x, w):
        ops.conv(x, w)
        return ops.conv(x, w[:1, :1])

    (row,) = explain(half_used, X, W)
    assert row.window == "1x1"


def test_every_kind_of_call():
    def f(x, w, stride):
        return ops.conv(x, w, stride=stride)

    plain = explain(partial(f, stride=2), X, W)
    assert explain(jax.jit(f, static_argnums=2), X, W, 2).rows == plain.rows
    assert explain(jax.jit(partial(f, stride=2)), np.zeros(X.shape, np.float32), jnp.zeros(W.shape)).rows == plain.rows

    def branches(which, x, w):
        return lax.cond(which, lambda: f(x, w, 1), lambda: ops.conv(x, w, lowering="lax"))

    def loop(x, w):
        return lax.while_loop(lambda x: x.sum() > 0, lambda x: f(x, w, 1), x)

    assert len(explain(branches, True, X, W)) == 2
    assert [row.times for row in explain(loop, X, jnp.ones((1, 1, 4, 4)))] == [1]
    assert str(explain(jnp.sin, X)) == "no convolution and no pool"
    with pytest.raises(TypeError, match="Layer is not a function of arrays; pass its apply"):
        explain(net(), X)


def test_second_derivatives_and_empty_batches():
    def curvature(x, w):
        return jax.jvp(jax.grad(lambda w: jnp.sin(ops.conv(x, w)).sum()), (w,), (w,))

    assert {row.member for row in explain(curvature, X, W)} == {"forward", "weight gradient"}
    (row,) = explain(ops.conv, jax.ShapeDtypeStruct((0, 8, 8, 4), jnp.float32), W)
    assert row.multiply_adds == 0
    assert str(explain(ops.conv, jax.ShapeDtypeStruct((0, 8, 8, 4), jnp.float32), W))


def test_each_problem_finds_its_family_and_candidates():
    for row in explain(jax.grad(loss, (0, 1)), params(), X, platform="cpu"):
        for plan in row.plan:
            able = families.candidates(plan.problem)
            assert able[0] == "lax"
            assert plan.choice.lowering in able


def test_the_table_lines_up():
    lines = str(explain(net().apply, params(), {}, X, platform="tpu")).splitlines()
    head, rule, *body, rule_again, total = lines
    assert head.split() == [
        *("path", "computes", "shapes", "window", "dtype", "lowering"),
        *("times", "arithmetic", "bytes", "per", "byte", "why"),
    ]
    assert rule == rule_again
    assert len(body) == 3
    at = head.index("lowering")
    assert {line[at : at + 3] for line in body} == {"lax"}
    assert total.startswith("total, on tpu")
    assert count(sum(row.arithmetic for row in explain(net().apply, params(), {}, X))) in total


def test_on_the_command_line(capsys):
    args = ["explain", "lenet", "--batch", "2", "--size", "8", "--channels", "1"]
    assert main([*args, "--platform", "cuda"]) == 0
    out = capsys.readouterr().out
    assert "features/conv1" in out
    assert "gradient" not in out
    assert main([*args, "--train", "--dtype", "bfloat16"]) == 0
    out = capsys.readouterr().out
    assert "weight gradient" in out
    assert "bfloat16" in out
    assert main(["explain", "lenet", "--batch", "0"]) == 1
    assert "must be positive, not 0" in capsys.readouterr().err


def test_pools_and_their_gradients():
    def loss(x):
        return jnp.square(ops.max_pool(x, 3, 2, padding=1)).sum()

    rows = list(explain(jax.jit(jax.grad(loss)), X, platform="cpu"))
    members = [row.member for row in rows]
    assert sorted(members) == ["max pool", "max pool spread", "max pool tap"]
    first = rows[members.index("max pool")]
    assert (first.window, first.multiply_adds, first.comparisons) == ("3x3 stride 2", 0, 2 * 16 * 4 * 9)
    assert first.bytes == 4 * 2 * 4 * (64 + 16)
    assert first.shapes == "2x8x8x4 → 2x4x4x4"
    assert all(row.lowering != "lax" for row in rows)
    with jaxnets.lowering("lax"):
        assert {row.lowering for row in explain(jax.grad(loss), X, platform="cpu")} == {"lax"}
    assert all("sum" in row.member or "mean" in row.member for row in explain(lambda x: ops.avg_pool(x, 2), X))
