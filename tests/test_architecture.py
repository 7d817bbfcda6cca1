"""Imports point downward, files stay small, and the core needs nothing but its light dependencies."""

import ast
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "jaxnets"

# The house of docs/design.md. A module imports modules of a lower level, or of its own package.
LEVELS = {
    "compat": -1,
    "core": 0,
    "tree": 0,
    "reference": 0,
    "extras": 0,
    "ops": 0,
    "accelerate": 1,
    "combine": 1,
    "losses": 1,
    "metrics": 1,
    "rl": 1,
    "layers": 2,
    "summary": 2,
    "tap": 2,
    "fold": 2,
    "explain": 2,
    "models": 3,
    "train": 3,
    "data": 3,
    "viz": 3,
    "export": 4,
    "interop": 4,
    "testing": 4,
    "tune": 4,
    "weights": 4,
    "cli": 5,
    "__main__": 6,
    "__init__": 6,
}
# Rooms on one floor leave each other alone, save for these.
SIDEWAYS = {("metrics", "losses")}

FILES = sorted(PACKAGE.rglob("*.py"))


def room(path: Path) -> str:
    """The module or package directly below jaxnets that a file belongs to."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return parts[0]


def imported_rooms(path: Path) -> set[str]:
    """The rooms a file imports, wherever in the file the import stands."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            pytest.fail(f"{path.name} line {node.lineno}: relative import; write it from jaxnets")
        if isinstance(node, ast.ImportFrom) and node.module == "jaxnets":
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("jaxnets."):
            found.add(node.module.split(".")[1])
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names if alias.name.split(".")[0] == "jaxnets"]
            found |= {name.split(".")[1] if "." in name else "__init__" for name in names}
    # `from jaxnets import dense` asks the front door for something that stands above everybody.
    return {name if name in LEVELS else "__init__" for name in found}


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_point_downward(path):
    own = room(path)
    assert own in LEVELS, f"give {own} a level in LEVELS"
    for other in imported_rooms(path) - {own}:
        if own == "cli" and other == "__init__":  # the command line asks the package for its version
            continue
        downward = LEVELS[other] < LEVELS[own] or LEVELS[own] == 6 or (own, other) in SIDEWAYS
        assert downward, f"{path.relative_to(ROOT)} imports {other}, upward or sideways"


def test_only_testing_imports_the_reference():
    readers = {room(path) for path in FILES if "reference" in imported_rooms(path) - {room(path)}}
    assert readers == {"testing", "__init__"}  # the front door only names it


def test_the_reference_is_numpy_alone():
    allowed = set(sys.stdlib_module_names) | {"numpy", "ml_dtypes", "jaxnets"}
    for path in (PACKAGE / "reference").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            modules = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            modules += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert {m.split(".")[0] for m in modules} <= allowed, path
        assert imported_rooms(path) <= {"reference"}, path


def test_files_are_small():
    lengths = {path: len(path.read_text().splitlines()) for path in FILES}
    assert statistics.median(lengths.values()) <= 150
    assert [path.name for path, length in lengths.items() if length > 400] == []


def test_importing_the_package_needs_only_the_light_dependencies():
    heavy = ["sklearn", "matplotlib", "PIL", "tyro", "safetensors", "hypothesis", "torch"]
    heavy += ["grain", "dm_pix", "pycocotools", "soundfile", "tokenizers", "espeakng_loader"]
    code = f"import sys, jaxnets; print([m for m in {heavy} if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert out.stdout.strip() == "[]"
