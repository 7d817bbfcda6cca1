"""The table of all models in docs/models.md: `python tests/models/table.py` writes it anew, a test holds it current."""

import inspect
import re
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
PAGE = ROOT / "docs" / "models.md"
BEGIN, END = "<!-- begin: tests/models/table.py -->\n", "<!-- end -->\n"


def count(name, known):
    """Parameters, as tests/models/test_published.py has them, or found from shapes."""
    if name in known:
        return known[name]
    import jax

    from jaxnets import models, tree
    from jaxnets.weights.state_dict import example

    return tree.count(jax.eval_shape(models.create(name).init, jax.random.key(0), example(name))[0])


def rows():
    """One line for each file of models: what it is, the names, their parameters, whose weights they read."""
    from models.test_published import PARAMETERS

    from jaxnets import models, weights

    files = {}
    for name in models.names():
        files.setdefault(sys.modules[inspect.unwrap(models.MODELS[name]).__module__], []).append(name)
    for module, names in files.items():
        title = re.split(r"[.:] ?", module.__doc__.strip().splitlines()[0], maxsplit=1)[0]
        counts = {name: count(name, PARAMETERS) for name in names}
        for name in sorted(names, key=lambda name: (counts[name], name)):
            sources = ", ".join(weights.sources(name)) or "–"
            yield f"| {title} | `{name}` | {counts[name]:,} | {sources} |\n"
            title = ""


def table():
    head = "| | name | parameters | reads the weights of |\n|---|---|---:|---|\n"
    return head + "".join(rows())


def page(text, table):
    before, rest = text.split(BEGIN)
    return before + BEGIN + "\n" + table + "\n" + END + rest.split(END)[1]


if __name__ == "__main__":
    sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
    PAGE.write_text(page(PAGE.read_text(), table()))
