"""`tune`: what it keeps, what the planner makes of it, and every way in which the file can be wrong."""

import json
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnets
from jaxnets import explain, ops, tune
from jaxnets.cli import main
from jaxnets.explain import Row
from jaxnets.ops.geometry import Window
from jaxnets.ops.kernels import families, measured, planner
from jaxnets.ops.kernels.lowerings import plain
from jaxnets.ops.kernels.planning import Lowering
from jaxnets.ops.kernels.problem import Problem
from jaxnets.tune import cache, common, forget
from jaxnets.tune import measure as measuring

X = jax.ShapeDtypeStruct((1, 4, 4, 4), jnp.float32)
POINT = jax.ShapeDtypeStruct((1, 1, 4, 6), jnp.float32)
DENSE = jax.ShapeDtypeStruct((3, 3, 4, 6), jnp.float32)
MEASURED = "measured on this device by jaxnets tune"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """An empty cache, read anew."""
    monkeypatch.setenv("JAXNETS_CACHE", str(tmp_path / "cache"))
    measured.reload()
    yield tmp_path / "cache"
    measured.reload()


@pytest.fixture
def times(monkeypatch):
    """Seconds by lowering, in place of a clock, and few candidates: compiling all would take long."""
    seconds: dict[str, float] = {}
    able = families.candidates
    few = {"lax", "shifts", "axes", "matmul", "taps", "canonical", "turned", "crooked", "broken"}
    monkeypatch.setattr(families, "candidates", lambda *args: [name for name in able(*args) if name in few])
    monkeypatch.setattr(measuring, "race", lambda programs, *_: {name: seconds.get(name, 1.0) for name in programs})
    return seconds


def problem(w=POINT, **changes):
    window = Window.of("conv", (4, 4), w.shape[:-2], 1, "SAME")
    return Problem.of("forward", window, 1, X, w).but(**changes)


def row(w=POINT, platform="cpu") -> Row:
    (only,) = explain(ops.conv, X, w, platform=platform)
    return only


def write(text):
    file = measured.path()
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    measured.reload()
    return file


def contents(entries, versions=None, device=None):
    own = {device or measured.device("cpu"): {versions or measured.versions(): entries}}
    return json.dumps({"about": measured.ABOUT, "format": measured.FORMAT, "devices": own})


def test_the_fastest_is_kept_and_chosen(times, folder):
    before = row()
    assert before.lowering == "matmul"
    times["taps"] = 0.5
    (found,) = tune(ops.conv, X, POINT)
    assert (found.ruled, found.chosen, found.gain) == ("matmul", "taps", 2.0)
    assert found.seconds["lax"] == 1.0
    assert [path.name for path in folder.iterdir()] == ["tuned.json"]
    after = row()
    assert (after.lowering, after.rule) == ("taps", MEASURED)
    assert row(platform="tpu").rule != MEASURED  # of another device
    assert row(DENSE).rule != MEASURED  # of another shape
    x, w = (jnp.ones(v.shape, v.dtype) for v in (X, POINT))
    np.testing.assert_allclose(ops.conv(x, w), ops.conv(x, w, lowering="lax"), rtol=1e-6)
    with jaxnets.lowering("lax"):  # what is asked for goes before what was measured
        assert row().rule == "asked for"


@pytest.mark.parametrize(("faster", "chosen"), [(0.96, "matmul"), (0.94, "taps"), (1.1, "matmul")])
def test_less_than_five_percent_displaces_nothing(times, faster, chosen):
    times["taps"] = faster
    (found,) = tune(ops.conv, X, POINT)
    assert found.chosen == chosen
    assert row().lowering == chosen
    assert row().rule == MEASURED


def test_gradients_and_what_they_rest_on_are_measured_innermost_first(times):
    def step(x, w):
        return jax.grad(lambda x, w: jnp.sin(ops.conv(x, w)).sum(), (0, 1))(x, w)

    found = [each.problem.member for each in tune(step, X, DENSE)]
    assert set(found) == {"forward", "input_gradient", "weight_gradient"}
    assert found.index("input_gradient") > 1  # after the forward convolution that it is turned into
    assert all(each.rule == MEASURED for each in explain(step, X, DENSE))


def test_a_second_run_measures_what_is_new(times, folder):
    assert len(tune(ops.conv, X, POINT)) == 1
    again = tune(ops.conv, X, POINT)
    assert len(again) == 0
    assert str(again) == "nothing to measure"
    assert len(tune(ops.conv, X, DENSE)) == 1
    times["taps"] = 0.1
    assert [each.chosen for each in tune(ops.conv, X, POINT, again=True)] == ["taps"]
    kept = json.loads((folder / "tuned.json").read_text())["devices"][measured.device("cpu")][measured.versions()]
    assert sorted(kept) == sorted([measured.key(problem()), measured.key(problem(DENSE))])


def test_an_interrupted_run_keeps_what_it_has(times):
    def stop(found, number, of):
        if number == 1:
            raise KeyboardInterrupt

    def both(x, v, w):
        return ops.conv(x, v), ops.conv(x, w)

    with pytest.raises(KeyboardInterrupt):
        tune(both, X, POINT, DENSE, report=stop)
    assert row(POINT).rule == MEASURED
    assert row(DENSE).rule != MEASURED


def test_a_dry_run_keeps_nothing(times, folder):
    times["taps"] = 0.1
    found = tune(ops.conv, X, POINT, dry_run=True)
    assert [each.chosen for each in found] == ["taps"]
    assert "a dry run" in str(found)
    assert not folder.exists()


def test_wrong_and_broken_candidates_are_never_timed(times, monkeypatch):
    def crooked(problem, a, b, compute):
        return plain.run(problem, a, b, compute) * jnp.asarray(1.001, a.dtype)

    def broken(problem, a, b, compute):
        raise NotImplementedError("not on this device\nat all")

    times.update(crooked=0.1, broken=0.1)
    monkeypatch.setitem(planner.TABLE, "crooked", Lowering(crooked, lambda p: True))
    monkeypatch.setitem(planner.TABLE, "broken", Lowering(broken, lambda p: True))
    (found,) = tune(ops.conv, X, POINT)
    assert found.chosen == "matmul"
    assert set(found.failed) == {"crooked", "broken"}
    assert "disagrees with lax by" in found.failed["crooked"]
    assert found.failed["broken"] == "does not run: not on this device"
    assert "does not run" in str(tune(ops.conv, X, POINT, again=True))


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "int8"])
def test_right_candidates_agree_in_every_dtype(dtype):
    found = measuring.measure(problem(DENSE, dtype=np.dtype(jnp.dtype(dtype))), seconds=0.0)
    assert found.failed == {}
    assert len(found.seconds) > 1
    assert all(seconds > 0 for seconds in found.seconds.values())


def test_pools_are_measured_too(times):
    def step(x):
        return jax.grad(lambda x: jnp.square(ops.max_pool(x, 2)).sum())(x)

    times["shifts"] = times["axes"] = 0.1
    found = {each.problem.member: each for each in tune(step, X)}
    assert set(found) == {"max_pool", "max_pool_tap", "max_pool_spread"}
    assert all(each.failed == {} and "lax" in each.seconds for each in found.values())
    assert {each.rule for each in explain(step, X)} == {MEASURED}


def test_nothing_is_measured_where_lax_does_not_run(monkeypatch):
    def broken(problem, a, b, compute):
        raise NotImplementedError

    monkeypatch.setitem(planner.TABLE, "lax", Lowering(broken, lambda p: True))
    assert measuring.measure(problem()) is None


def test_the_race_is_run_in_turns_and_drops_the_hopeless():
    now, calls = [0.0], []

    def runner(name, seconds):
        def run():
            calls.append(name)
            now[0] += seconds

        return run

    programs = {name: runner(name, s) for name, s in (("a", 0.01), ("b", 0.015), ("slow", 0.025), ("hopeless", 0.1))}
    medians = measuring.race(programs, 0.1, "cpu", clock=lambda: now[0])
    assert medians == pytest.approx({"a": 0.01, "b": 0.015, "slow": 0.025, "hopeless": 0.1})
    assert calls[:4] == ["a", "b", "slow", "hopeless"]  # to see how long each takes
    assert calls.count("hopeless") == 1
    assert calls.count("slow") == 3  # and two rounds
    assert calls.count("a") == 1 + 10  # for 0.1 s
    assert calls[4:10] == ["a", "b", "slow", "b", "slow", "a"]


def test_the_key_is_the_question_without_what_was_asked_for():
    assert measured.key(problem()) == measured.key(problem(lowering="taps"))
    others = [problem(DENSE), problem(dtype=np.dtype("float64")), problem(batch=2), problem(copies=2)]
    assert len({measured.key(each) for each in [problem(), *others]}) == 5


def test_where_the_file_is(monkeypatch, tmp_path):
    assert measured.path() == tmp_path / "cache" / "tuned.json"
    monkeypatch.setenv("JAXNETS_CACHE", str(tmp_path / "my.json"))
    assert measured.path() == tmp_path / "my.json"
    monkeypatch.delenv("JAXNETS_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert measured.path() == tmp_path / "xdg" / "jaxnets" / "tuned.json"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert measured.path() == tmp_path / ".cache" / "jaxnets" / "tuned.json"


BAD = {
    "cut short": ('{"about": "lowerings measured by jax', "is damaged, or no JSON"),
    "no text": (b"\xff\xfe\x00", "is damaged, or no JSON"),
    "empty": ("", "is damaged, or no JSON"),
    "foreign": ('{"name": "something else"}', "was not written by jaxnets tune"),
    "a list": ("[1, 2]", "was not written by jaxnets tune"),
    "newer": (json.dumps({"about": measured.ABOUT, "format": 99, "devices": {}}), "has format 99"),
    "no devices": (json.dumps({"about": measured.ABOUT, "format": 1}), "its entries are not"),
    "no names": (json.dumps({"about": measured.ABOUT, "format": 1, "devices": {"d": {"v": {"p": {}}}}}), "its entries"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_file_is_one_warning_and_the_rules_and_is_never_lost(kind, times, folder):
    text, message = BAD[kind]
    before = row()
    folder.mkdir()
    raw = text if isinstance(text, bytes) else text.encode()
    (folder / "tuned.json").write_bytes(raw)
    measured.reload()
    with pytest.warns(UserWarning, match=rf"{message}.*built-in rules choose.*left as it is"):
        assert row() == before
    with warnings.catch_warnings():  # once
        warnings.simplefilter("error")
        assert row() == before
    assert (folder / "tuned.json").read_bytes() == raw
    measured.reload()
    times["taps"] = 0.1
    with pytest.warns(UserWarning, match=r"kept as .*tuned\.json\.bak"):
        cache.keep({measured.key(problem()): {"lowering": "taps"}})
    assert (folder / "tuned.json.bak").read_bytes() == raw
    assert row().lowering == "taps"


def test_what_was_moved_aside_before_stays(folder):
    folder.mkdir()
    (folder / "tuned.json.bak").write_text("an older one")
    (folder / "tuned.json").write_text("not ours")
    with pytest.warns(UserWarning, match="kept as"):
        cache.keep({"p": {"lowering": "lax"}})
    assert (folder / "tuned.json.bak").read_text() == "an older one"
    assert (folder / "tuned.json.1.bak").read_text() == "not ours"


def test_a_file_that_cannot_be_read_is_a_warning(folder):
    (folder / "tuned.json").mkdir(parents=True)
    measured.reload()
    with pytest.warns(UserWarning, match="cannot be read"):
        row()


def test_other_versions_are_a_warning_and_stay(folder):
    write(contents({measured.key(problem()): {"lowering": "taps"}}, versions="jax 0.1, jaxnets 0.0.1"))
    with pytest.warns(UserWarning, match=r"other versions \(jax 0\.1, jaxnets 0\.0\.1\) and none for"):
        assert row().rule != MEASURED
    cache.keep({measured.key(problem()): {"lowering": "taps"}})
    assert row().rule == MEASURED
    devices = json.loads(measured.path().read_text())["devices"]
    assert set(devices[measured.device("cpu")]) == {"jax 0.1, jaxnets 0.0.1", measured.versions()}


def test_other_devices_are_no_business_of_ours_and_stay():
    write(contents({measured.key(problem()): {"lowering": "taps"}}, device="another machine"))
    assert row().rule != MEASURED
    cache.keep({measured.key(problem()): {"lowering": "taps"}})
    assert forget() == 1
    assert list(json.loads(measured.path().read_text())["devices"]) == ["another machine"]


def test_a_lowering_that_no_longer_fits_is_passed_over():
    for name in ("slices", "one of another version"):
        write(contents({measured.key(problem()): {"lowering": name}}))
        assert row().lowering == "matmul"
        assert row().rule != MEASURED


def test_processes_of_one_program_do_not_look(monkeypatch):
    write(contents({measured.key(problem()): {"lowering": "taps"}}))
    assert row().rule == MEASURED
    monkeypatch.setattr(jax, "process_count", lambda: 2)
    measured.reload()
    assert row().rule != MEASURED


def test_forget(times, folder):
    assert forget() == 0
    tune(ops.conv, X, POINT)
    assert forget() == 1
    assert not (folder / "tuned.json").exists()
    assert row().rule != MEASURED


def test_the_common_shapes_are_all_there():
    found = common("all", batch=1)
    members = [each.member for each in found if isinstance(each, Problem)]
    assert all(members.count(m) > 15 for m in ("forward", "input_gradient", "weight_gradient"))
    assert {each.groups for each in found if isinstance(each, Problem)} >= {1, 32, 96, 144}


def test_on_the_command_line(capsys, folder, times):
    times["taps"] = 0.5
    args = ["tune", "--model", "lenet", "--batch", "1", "--size", "8", "--channels", "1"]
    assert main([*args, "--dry-run"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("[1/")
    assert "a dry run" in out
    assert main(args) == 0
    assert f"kept in {folder}" in capsys.readouterr().out
    assert main(["explain", *args[2:]]) == 0
    assert MEASURED in capsys.readouterr().out
    assert main(["tune", "--forget"]) == 0
    assert "measurements of this device" in capsys.readouterr().out
    assert main([*args, "--seconds", "0"]) == 1
    assert "must be positive" in capsys.readouterr().err


def test_processors_of_one_name_are_told_apart(tmp_path):
    told = tmp_path / "cpuinfo"
    told.write_text(
        "processor\t: 0\ncpu family\t: 25\nmodel\t\t: 17\nmodel name\t: Some CPU\n\nprocessor\t: 1\nmodel\t\t: 9\n"
    )
    assert measured.processor(told) == "Some CPU, family 25 model 17"
    told.write_text("model name\t: Some CPU\n")
    assert measured.processor(told) == "Some CPU"
    assert measured.processor(tmp_path / "missing")  # what Python knows of it
