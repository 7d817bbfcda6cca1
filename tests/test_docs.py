"""What the README and the docs tell a reader to type works."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(page, language):
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(), flags=re.M | re.S)


def test_quick_start_is_two_lines():
    quick = blocks(ROOT / "README.md", "sh")
    assert len(quick) == 2
    assert all(len(block.strip().splitlines()) == 1 for block in quick)
    first, second = quick
    assert "pip install" in first
    assert first.rstrip().endswith("jaxnets train digits")
    assert "pip install" in second
    assert second.rstrip().endswith("pytest -n auto --dist loadgroup")


def test_the_readmes_program_runs(capsys):
    (program,) = blocks(ROOT / "README.md", "python")
    exec(compile(program, "README.md", "exec"), {})
    assert "stage0/sum/f" in capsys.readouterr().out


def test_the_kits_program_runs():
    first, second = blocks(ROOT / "docs/testing.md", "python")
    scope = {}
    exec(compile(first.replace("bias=False,", "bias=False, examples=3,"), "docs/testing.md", "exec"), scope)
    exec(compile(second, "docs/testing.md", "exec"), scope)  # a property to be collected, not to be run


def test_the_pipelines_program_runs(capsys):
    pytest.importorskip("grain")
    pytest.importorskip("dm_pix")
    scope = {}
    for program in blocks(ROOT / "docs/data.md", "python"):
        exec(compile(program, "docs/data.md", "exec"), scope)
    printed = capsys.readouterr().out.split()
    assert float(printed[3]) > float(printed[1])  # the second epoch reads more right
    assert float(printed[4]) > 0.5


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), target


def test_the_tree_names_no_machine():
    """No absolute path of anybody's home or machine in what is tracked."""
    pattern = "/(" + "|".join(["roo[t]", "hom[e]", "User[s]"]) + ")/[a-z]"
    found = subprocess.run(["git", "grep", "-nIE", pattern], cwd=ROOT, capture_output=True, text=True)
    if found.returncode == 128:
        pytest.skip("not a git checkout")
    assert found.stdout == ""
