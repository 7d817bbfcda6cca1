"""The command line: a short training run, its folder, reading pictures back, and everything that can be wrong."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jaxnets import data
from jaxnets.cli import main, results
from jaxnets.train import checkpoint

DIGITS = data.digits()


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The folder of a run of a few epochs, and what it printed."""
    folder = tmp_path_factory.mktemp("runs") / "digits"
    code = main(["train", "digits", "--epochs", "4", "--batch-size", "32", "--seed", "1", "--out", str(folder)])
    assert code == 0
    return folder


@pytest.fixture(scope="module")
def picture(tmp_path_factory):
    """One held-out digit as a large picture, dark on light."""
    big = np.kron(1 - DIGITS.test_images[3, ..., 0], np.ones((20, 20)))
    path = tmp_path_factory.mktemp("pictures") / "digit.png"
    Image.fromarray((255 * big).astype(np.uint8)).save(path)
    return path


def error_of(capsys, *args):
    """Run a command that must fail, and return its one line on standard error."""
    assert main([str(arg) for arg in args]) == 1
    err = capsys.readouterr().err
    assert err.startswith("jaxnets: ")
    assert err.count("\n") == 1
    return err


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_training_leaves_a_folder_of_whole_files(run):
    assert sorted(contents(run)) == sorted(results.FILES)
    for name in results.PICTURES:
        with Image.open(run / name) as image:
            image.load()
            assert min(image.size) > 200


def test_the_metrics_say_what_was_done(run):
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["test_accuracy"] > 0.9
    assert metrics["config"]["epochs"] == 4
    assert metrics["config"]["seed"] == 1
    assert 0 < metrics["compile_seconds"] < metrics["seconds"]
    assert metrics["history"]["epoch"] == [1, 2, 3, 4]
    assert metrics["history"]["test_accuracy"][-1] == metrics["test_accuracy"]
    assert metrics["versions"]["jax"]
    assert metrics["device"]["platform"]


def test_the_checkpoint_reads_the_held_out_digits_as_training_did(run, capsys, tmp_path):
    accuracy = json.loads((run / "metrics.json").read_text())["test_accuracy"]
    loaded = checkpoint.load(run)
    assert loaded.extra["class_names"] == list("0123456789")
    paths = []
    for i, image in enumerate(DIGITS.test_images[:40]):
        paths.append(tmp_path / f"{i}.png")
        big = np.kron(image[..., 0], np.ones((12, 12)))
        Image.fromarray((255 * np.pad(big, 20)).astype(np.uint8)).save(paths[-1])
    assert main(["predict", *map(str, paths), "--checkpoint", str(run)]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if ".png: " in line]
    read = [int(line.split(".png: ")[1][0]) for line in lines]
    assert np.mean(read == DIGITS.test_labels[:40]) > accuracy - 0.15


def test_predict_shows_the_picture_and_every_class(run, picture, capsys):
    assert main(["predict", str(picture), "--checkpoint", str(run / "model.safetensors")]) == 0
    answer, *rows = capsys.readouterr().out.rstrip().splitlines()
    assert answer.startswith(f"{picture}: {DIGITS.test_labels[3]} (")
    assert len(rows) == 10
    percents = [float(row.split()[-1].rstrip("%")) for row in rows]
    assert sum(percents) == pytest.approx(100, abs=0.6)
    assert int(np.argmax(percents)) == DIGITS.test_labels[3]
    assert any("█" in row for row in rows)


def test_a_second_run_that_diverges_leaves_the_first_alone(run, capsys):
    before = contents(run)
    err = error_of(capsys, "train", "digits", "--learning-rate", "1e12", "--epochs", "3", "--out", run)
    assert "training diverged" in err
    assert "lower the learning rate" in err
    assert contents(run) == before


def test_a_run_that_is_cut_off_leaves_the_last_good_checkpoint(run, tmp_path, monkeypatch):
    for name in results.FILES:
        (tmp_path / name).write_bytes(b"of an earlier run")
    monkeypatch.setattr(results, "save_pictures", lambda *args: (_ for _ in ()).throw(KeyboardInterrupt))
    assert main(["train", "digits", "--epochs", "1", "--batch-size", "256", "--out", str(tmp_path)]) == 130
    assert [path.name for path in tmp_path.iterdir()] == [checkpoint.NAME]
    assert checkpoint.load(tmp_path).extra["step"] == 1437 // 256


def test_summary_prints_every_layer(capsys):
    assert main(["summary", "lenet", "--shape", "2", "8", "8", "1"]) == 0
    out = capsys.readouterr().out
    assert "features/conv1" in out
    assert "141,642" in out


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ([], ["train", "predict", "summary"]),
        (["train"], ["digits"]),
        (["train", "digits"], ["--seed", "--epochs", "--batch-size", "--learning-rate", "--out"]),
        (["predict"], ["PATH", "--checkpoint"]),
        (["summary"], ["--shape"]),
    ],
)
def test_every_command_explains_itself(command, words, capsys):
    with pytest.raises(SystemExit) as ended:
        main([*command, "--help"])
    assert ended.value.code == 0
    out = capsys.readouterr().out
    assert [word for word in words if word not in out] == []


@pytest.mark.parametrize("command", [[], ["train"], ["predict"], ["trian"], ["train", "digits", "--epoch", "x"]])
def test_what_is_not_understood_ends_with_2(command, capsys):
    with pytest.raises(SystemExit) as ended:
        main(command)
    assert ended.value.code == 2
    assert "help" in capsys.readouterr().err


def test_wrong_files_are_one_line(run, picture, capsys, tmp_path):
    assert "no image at nowhere.png" in error_of(capsys, "predict", "nowhere.png", "--checkpoint", run)
    assert "no checkpoint at" in error_of(capsys, "predict", picture, "--checkpoint", tmp_path)
    assert "cut short, damaged" in error_of(capsys, "predict", picture, "--checkpoint", picture)
    assert "cannot be read as an image" in error_of(capsys, "predict", run / "metrics.json", "--checkpoint", run)
    assert "is a file" in error_of(capsys, "train", "digits", "--out", picture)


def test_a_checkpoint_of_something_else_is_one_line(picture, capsys, tmp_path):
    known = {"class_names": ["0", "1"], "image_size": [8, 8]}
    for model, extra, message in [
        ("lenet9", known, "no model 'lenet9'"),
        ("lenet", known, "does not fit this model: missing params/classifier/hidden/b"),
        ("lenet", {}, "which classes"),
    ]:
        path = checkpoint.save(tmp_path / "m", {"w": np.zeros(2)}, {}, model=model, extra=extra)
        assert message in error_of(capsys, "predict", picture, "--checkpoint", path)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["train", "digits", "--epochs", "0"], "must be positive, not 0"),
        (["train", "digits", "--learning-rate", "nan"], "must be positive"),
        (["train", "digits", "--batch-size", "5000"], "use a size from 1 to 1437"),
        (["train", "digits", "--seed", "-1"], "seed must not be negative"),
        (["summary", "resnet9000"], "no model 'resnet9000'; the nearest names are resnet"),
        (["summary", "lenet", "--shape", "1", "8"], "(in layer 'features/conv1')"),
    ],
)
def test_wrong_values_are_one_line(args, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert message in error_of(capsys, *args)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("package", "args"),
    [
        ("tyro", ["summary", "lenet"]),
        ("sklearn", ["train", "digits"]),
        ("rich", ["train", "digits"]),
        ("matplotlib", ["train", "digits"]),
        ("safetensors", ["predict", "digit.png"]),
        ("PIL", ["predict", "digit.png", "--checkpoint", "RUN"]),
    ],
)
def test_a_missing_package_is_one_line(package, args, run, capsys, monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == package]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, package, None)
    err = error_of(capsys, *[str(run) if arg == "RUN" else arg for arg in args])
    assert f'needs {package}, which is not installed: pip install "jaxnets[train]"' in err


def test_the_module_runs_as_a_program():
    root = Path(__file__).parent.parent
    done = subprocess.run(
        [sys.executable, "-m", "jaxnets", "summary", "nothing"], capture_output=True, text=True, cwd=root, check=False
    )
    assert done.returncode == 1
    assert done.stderr.startswith("jaxnets: there is no model 'nothing'")
