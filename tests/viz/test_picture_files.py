"""Figures to files, and what making a picture leaves untouched."""

import subprocess
import sys

import pytest

from jaxnets.viz import overlay_curves, save

FIRST_BYTES = {"png": b"\x89PNG", "pdf": b"%PDF", "svg": b"<?xml"}


@pytest.fixture
def figure():
    return overlay_curves({"a": [2.0, 1.0], "b": [2.0, 1.5]})


@pytest.mark.parametrize("suffix", FIRST_BYTES)
def test_formats_and_folders(figure, tmp_path, suffix):
    path = save(figure, str(tmp_path / "new" / "deep" / f"curves.{suffix}"))
    assert path.read_bytes().startswith(FIRST_BYTES[suffix])
    assert [entry.name for entry in path.parent.iterdir()] == [f"curves.{suffix}"], "no draft is left behind"


def test_a_failed_save_keeps_the_old_file(figure, tmp_path, monkeypatch):
    path = tmp_path / "curves.png"
    path.write_bytes(b"old")

    def half(file, **_):
        file.write(b"half a pic")
        raise OSError("disk full")

    monkeypatch.setattr(figure, "savefig", half)
    with pytest.raises(OSError, match="disk full"):
        save(figure, path)
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["curves.png"]


def test_an_existing_file_is_replaced(figure, tmp_path):
    path = tmp_path / "curves.png"
    path.write_bytes(b"old")
    save(figure, path)
    assert path.read_bytes().startswith(FIRST_BYTES["png"])


@pytest.mark.parametrize("name", ["curves", "curves.docx", "curves.", ".png"])
def test_unknown_suffix(figure, tmp_path, name):
    with pytest.raises(ValueError, match=r"save: .* has no suffix of a picture .*\.png"):
        save(figure, tmp_path / "new" / name)
    assert not list(tmp_path.iterdir()), "nothing is made for a name that cannot be written"


def test_no_pyplot_and_no_matplotlib_until_a_picture():
    program = (
        "import sys; from jaxnets import viz; assert 'matplotlib' not in sys.modules, 'imported too early';"
        "viz.overlay_curves({'a': [1.0], 'b': [1.0]}); assert 'matplotlib.pyplot' not in sys.modules, 'global state'"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120)
