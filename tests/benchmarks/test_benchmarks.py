"""The benchmark runs, writes what it measured, and stops at a wrong result."""

import getpass
import json
import os
import socket
from pathlib import Path
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import pytest

import jaxnets
from benchmarks import agree, bench, machine, models, networks, rivals, whole
from benchmarks.__main__ import main
from benchmarks.plan import SUITES, plan
from benchmarks.timing import Effort
from jaxnets import ops
from jaxnets.ops.kernels import switch

EFFORT = Effort(repeats=1, seconds=0, least=1)


def check_document(document, suite, directions):
    """What a reader of the JSON may rely on."""
    assert document["schema"] == 2
    assert document["quick"] is True
    assert set(document["versions"]) == {"python", "jaxnets", "jax", "jaxlib", "numpy", "flax"}
    for key in ("platform", "device", "cpu", "date", "system"):
        assert isinstance(document[key], str)
        assert document[key]
    assert document["threads"] >= 1
    assert document["commit"] is None or len(document["commit"]) == 40
    assert document["dirty"] in (True, False, None)
    assert document["peaks"]["gflops"] > 0
    assert document["peaks"]["gbytes"] > 0
    assert [row["direction"] for row in document["rows"]] == directions
    for row in document["rows"]:
        assert row["suite"] == suite
        assert row["shape_class"]
        assert 0 <= row["error"] <= 1
        assert row["work"] > 0
        assert row["bytes"] > 0
        assert row["unit"] in ("GFLOP", "GB")
        assert set(row["rivals"]) == {"numpy", "naive", "lax", "ours"} | ({"outside"} if suite == "scan" else set())
        for name, cell in row["rivals"].items():
            if "not_run" in cell:
                assert name in ("numpy", "lax")
                continue
            assert 0 < cell["q1_s"] <= cell["median_s"] <= cell["q3_s"]
            assert cell["repeats"] >= 1
            assert cell["compile_s"] is None if name == "numpy" else cell["compile_s"] > 0


@pytest.mark.parametrize(
    ("suite", "only", "directions"),
    [
        ("conv", "causal depthwise 4, 1024", ["forward", "forward+backward"]),
        ("conv", "int8 3x3, 28", ["forward"]),
        ("conv", "float64 3x3, 28", ["forward", "forward+backward"]),
        ("conv", "bfloat16 depthwise", ["forward", "forward+backward"]),
        ("pool", "max 3x3, dilation", ["forward", "forward+backward"]),
        ("scan", "max 2x2", ["forward", "training step"]),
        ("models", "4 steps", ["forward", "training step"]),
    ],
)
def test_quick_run_of_each_suite(suite, only, directions, tmp_path, capsys):
    path = tmp_path / "new" / "result.json"
    assert main([suite, "--quick", "--filter", only, "--json", str(path)]) == 0
    text = path.read_text()
    check_document(json.loads(text), suite, directions)
    assert [p.name for p in path.parent.iterdir()] == ["result.json"]  # no draft is left
    for private in (str(Path.home()), str(machine.CHECKOUT), str(tmp_path), socket.gethostname()):
        assert private not in text
    assert f'"{getpass.getuser()}"' not in text

    printed = capsys.readouterr().out
    for shown in (only, *directions, "% of peak", "worst row", "floors met", "Lost to plain lax", "GFLOP/s (float32"):
        assert shown in printed
    assert ("lax has no gradient" in printed) == ("dilation" in only)
    assert ("ours outside" in printed) == (suite == "scan")


def test_what_the_allocator_is_asked_for_is_recorded(monkeypatch):
    for name in [name for name in os.environ if name.startswith(("MALLOC_", "GLIBC_"))]:
        monkeypatch.delenv(name)
    assert machine.describe()["allocator"] is None
    monkeypatch.setenv("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1")
    monkeypatch.setenv("MALLOC_TRIM_THRESHOLD_", "1")
    assert machine.describe()["allocator"] == "GLIBC_TUNABLES=glibc.malloc.hugetlb=1 MALLOC_TRIM_THRESHOLD_=1"


@pytest.mark.slow
@pytest.mark.parametrize("suite", SUITES)
def test_quick_run_of_everything(suite, tmp_path):
    path = tmp_path / "result.json"
    assert main([suite, "--quick", "--json", str(path), "--picture", str(tmp_path / "result.png")]) == 0
    rows = json.loads(path.read_text())["rows"]
    entries = plan((suite,))
    assert {row["case"] for row in rows} == {entry.case for entry in entries}
    judges = {"models": {"naive", "lax"}, "scan": {"naive"}}
    assert {row["checked_against"] for row in rows} == judges.get(suite, {"numpy"})


def scaled(x, w, **options):
    """A convolution that is a thousandth too large."""
    options.pop("first", None)
    return ops.depthwise_conv(x, w, **options) * jnp.asarray(1.001, x.dtype)


def without_gradient(x, w, **options):
    """The right result, and half of the gradients."""
    return ops.depthwise_conv(x, jax.lax.stop_gradient(w), **options)


@pytest.mark.parametrize(
    ("wrong", "rival", "kept", "complaint"),
    [
        (scaled, "ours", [], "ours: ['y'] differs"),
        (scaled, "lax", [], "lax: ['y'] differs"),
        (scaled, "naive", [], "naive: ['y'] differs"),
        (without_gradient, "ours", ["forward"], "ours: ['dw'] differs"),
    ],
)
def test_wrong_result_is_loud(wrong, rival, kept, complaint, monkeypatch, tmp_path, capsys):
    monkeypatch.setitem(rivals.MODULES, rival, SimpleNamespace(depthwise_conv=wrong))
    path = tmp_path / "result.json"
    assert main(["conv", "--quick", "--filter", "causal depthwise 4, 1024", "--json", str(path)]) == 1
    document = json.loads(path.read_text())
    assert [row["direction"] for row in document["rows"]] == kept
    assert len(document["errors"]) == 1
    assert complaint in document["errors"][0]
    assert "WRONG RESULT" in capsys.readouterr().err


def test_wrong_steps_in_a_scan_are_loud(monkeypatch, tmp_path):
    monkeypatch.setitem(rivals.MODULES, "ours", SimpleNamespace(depthwise_conv=without_gradient))
    path = tmp_path / "result.json"
    assert main(["scan", "--quick", "--filter", "depthwise", "--json", str(path)]) == 1
    assert "training step: ours: ['measured'] differs" in json.loads(path.read_text())["errors"][0]


def test_failing_case_does_not_cost_the_others(monkeypatch, capsys):
    def broken(*args, **options):
        raise ZeroDivisionError("broken on purpose")

    monkeypatch.setattr(rivals.MODULES["ours"], "max_pool", broken)
    assert main(["pool", "--quick", "--filter", "2x2"]) == 1
    seen = capsys.readouterr()
    assert "FAILED, ZeroDivisionError in pool: max 2x2" in seen.err
    assert "avg 2x2" in seen.out


def test_a_rival_that_the_platform_lacks_is_an_empty_cell(monkeypatch):
    def unimplemented(*args, **options):
        raise jax.errors.JaxRuntimeError("UNIMPLEMENTED: no such convolution here\nand much more")

    monkeypatch.setitem(rivals.MODULES, "lax", SimpleNamespace(conv=unimplemented))
    (entry,) = plan(("conv",), "int8 3x3, 28", quick=True)
    row = bench.measure(entry.make()[0], EFFORT)
    assert row.cells["lax"].reason == "UNIMPLEMENTED: no such convolution here"
    assert row.timing("ours")
    monkeypatch.setitem(rivals.MODULES, "ours", SimpleNamespace(conv=unimplemented))
    with pytest.raises(jax.errors.JaxRuntimeError):  # ours is not spared
        bench.measure(entry.make()[0], EFFORT)


def test_network_with_a_wrong_training_step_is_caught(monkeypatch):
    network = next(n for n in networks.NETWORKS if n.steps > 1)
    monkeypatch.setitem(rivals.MODULES, "lax", SimpleNamespace(conv=lambda x, w, stride: -ops.conv(x, w)))
    with pytest.raises(agree.Disagreement, match="lax"):
        bench.measure(models.jobs(network, quick=True)[1], EFFORT)


@pytest.fixture
def small_model(monkeypatch):
    """A whole model that compiles at once."""
    monkeypatch.setitem(jaxnets.models.MODELS, "tiny", lambda num_classes: jaxnets.models.lenet(num_classes))
    return whole.Whole("ResNet-50", "tiny", depth=4)


def test_whole_model_is_held_against_plain_lax(small_model):
    (job,) = whole.jobs(small_model, quick=True)
    row = bench.measure(job, EFFORT)
    assert (row.checked_against, row.direction, row.shape_class) == ("lax", "training step", "ResNet-50")
    assert 0 <= row.error <= 1
    assert row.compile_ratio > 0
    assert row.memory_ratio is None or row.memory_ratio > 0
    assert row.description["parameters"] == job.peer["parameters"] > 1000


def test_plain_lax_of_a_whole_model_is_another_program(small_model):
    (job,) = whole.jobs(small_model, quick=True)
    texts = {name: jax.jit(fn).lower(*job.args).as_text() for name, fn in job.compiled.items()}
    assert "stablehlo.convolution" in texts["lax"]
    assert texts["lax"] != texts["ours"]


def test_whole_model_with_a_wrong_gradient_is_caught(small_model, monkeypatch):
    right = ops.conv

    def wrong(x, *args, **options):
        return right(x if switch.asked() == "lax" else jax.lax.stop_gradient(x), *args, **options)

    monkeypatch.setattr(ops, "conv", wrong)
    with pytest.raises(agree.Disagreement, match=r"ours: .*'conv1'.* differs"):
        bench.measure(whole.jobs(small_model, quick=True)[0], EFFORT)


@pytest.mark.parametrize(
    ("argv", "complaint"),
    [
        (["--filter", "no such"], "conv: dense 3x3"),
        (["--json", "."], "folder"),
        (["--picture", "results.txt"], "ends in .png"),
        (["--repeats", "0"], "at least 1"),
        (["convolutions"], "invalid choice"),
        (["--peers", "flax,tensorflow"], "'tensorflow' is no peer"),
        (["--compare", "no/such.json"], "no/such.json"),
        (["--from", "no/such.json", "--quick"], "measures nothing"),
    ],
)
def test_bad_arguments_exit_with_2_and_a_remedy(argv, complaint, capsys):
    with pytest.raises(SystemExit) as stop:
        main(argv)
    assert stop.value.code == 2
    assert complaint in capsys.readouterr().err


def test_filter_and_suite_choose():
    assert [e.case for e in plan(("conv",), "STEM 7x7 s2, 224")] == ["stem 7x7 s2, 224x224x3 to 64"]
    assert {e.suite for e in plan(("pool", "scan"), "", quick=True)} == {"pool", "scan"}
    assert {e.shape_class for e in plan(SUITES, "batched by vmap")} == {"kernels batched by vmap"}
