"""docs/models.md lists the models there are, and its programs run."""

import re

import pytest
from models.table import PAGE, page, table

from jaxnets import models


def test_the_page_lists_every_model():
    text = PAGE.read_text()
    assert page(text, table()) == text, "write it anew: python tests/models/table.py"


@pytest.mark.slow
def test_its_programs_run():
    scope = {}
    for program in re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), flags=re.M | re.S):
        exec(compile(program, "docs/models.md", "exec"), scope)
    assert scope["text"].shape == (2, 12)


def test_the_readme_counts_the_models():
    readme = (PAGE.parent.parent / "README.md").read_text()
    assert f"[{len(models.names())} models](docs/models.md)" in readme
