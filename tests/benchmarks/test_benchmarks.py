"""The benchmark runs, writes what it measured, and stops at a wrong result."""

import getpass
import json
import socket
from pathlib import Path
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import pytest

from benchmarks import agree, bench, cases, machine, models, networks, rivals
from benchmarks.__main__ import main, plan
from benchmarks.timing import Effort
from jaxnets import ops

CASES = [*cases.CONV, *cases.POOL]


def check_document(document, suite, directions):
    """What a reader of the JSON may rely on."""
    assert document["schema"] == 1
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
        assert 0 <= row["error"] <= 1
        assert row["work"] > 0
        assert row["unit"] in ("GFLOP", "GB")
        assert list(row["rivals"]) == ["numpy", "naive", "lax", "ours"]
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
        ("conv", "causal depthwise", ["forward", "forward+backward"]),
        ("pool", "max 3x3, dilation", ["forward", "forward+backward"]),
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
    for shown in (
        only,
        *directions,
        "lax/ours",
        "% of peak",
        "geometric mean",
        "Lost to plain lax",
        "GFLOP/s (float32",
    ):
        assert shown in printed
    assert ("lax has no gradient" in printed) == (suite == "pool")


@pytest.mark.slow
def test_quick_run_of_everything(tmp_path):
    path = tmp_path / "result.json"
    assert main(["--quick", "--json", str(path)]) == 0
    rows = json.loads(path.read_text())["rows"]
    assert len(rows) == 2 * (len(CASES) + len(networks.NETWORKS))
    assert {row["checked_against"] for row in rows if row["suite"] != "models"} == {"numpy"}


def scaled(x, w, **options):
    """A convolution that is a thousandth too large."""
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
    assert main(["conv", "--quick", "--filter", "causal depthwise", "--json", str(path)]) == 1
    document = json.loads(path.read_text())
    assert [row["direction"] for row in document["rows"]] == kept
    assert len(document["errors"]) == 1
    assert complaint in document["errors"][0]
    assert "WRONG RESULT" in capsys.readouterr().err


def test_failing_case_does_not_cost_the_others(monkeypatch, capsys):
    def broken(*args, **options):
        raise ZeroDivisionError("broken on purpose")

    monkeypatch.setattr(rivals.MODULES["ours"], "max_pool", broken)
    assert main(["pool", "--quick", "--filter", "2x2"]) == 1
    seen = capsys.readouterr()
    assert "FAILED, ZeroDivisionError in pool: max 2x2" in seen.err
    assert "avg 2x2" in seen.out


def test_network_with_a_wrong_training_step_is_caught(monkeypatch):
    network = next(n for n in networks.NETWORKS if n.steps > 1)
    monkeypatch.setitem(rivals.MODULES, "lax", SimpleNamespace(conv=lambda x, w, stride: -ops.conv(x, w)))
    with pytest.raises(agree.Disagreement, match="lax"):
        bench.measure(models.jobs(network, quick=True)[1], Effort(repeats=1, seconds=0, least=1))


@pytest.mark.parametrize(
    ("argv", "complaint"),
    [
        (["--filter", "no such"], "conv: dense 3x3"),
        (["--json", "."], "folder"),
        (["--repeats", "0"], "at least 1"),
        (["convolutions"], "invalid choice"),
    ],
)
def test_bad_arguments_exit_with_2_and_a_remedy(argv, complaint, capsys):
    with pytest.raises(SystemExit) as stop:
        main(argv)
    assert stop.value.code == 2
    assert complaint in capsys.readouterr().err


def test_filter_and_suite_choose():
    assert [name for _, name, _ in plan(("conv",), "STEM", quick=True)] == ["stem 7x7, stride 2"]
    assert {suite for suite, _, _ in plan(("pool", "models"), "", quick=True)} == {"pool", "models"}
