"""Rows and results made up for tests."""

from benchmarks.results import PeerNote, Results
from benchmarks.row import Row
from benchmarks.timing import Effort, NotRun, Timing

MACHINE = {
    "date": "2020-02-02T00:00:00+00:00",
    "commit": "0123456789abcdef0123456789abcdef01234567",
    "dirty": False,
    "versions": {"python": "3.11", "jax": "1", "jaxlib": "1"},
    "platform": "cpu",
    "device": "cpu",
    "cpu": "Abacus",
    "threads": 2,
    "system": "Linux",
}
DENSE = {"op": "conv", "dtype": "float32"}


def row(lax, ours, case="a case", shape_class="dense 3x3", direction="forward", suite="conv", **more):
    """A row with these seconds for plain lax and ours, and for whoever else is named."""
    compile, memory = more.pop("compile", (None, None)), more.pop("memory", (None, None))
    cells = {
        "numpy": NotRun("none"),
        "naive": Timing.of([1.0]),
        "lax": Timing.of(lax, compile[0], memory[0]) if lax else NotRun("has none"),
        "ours": Timing.of(ours, compile[1], memory[1]),
        **{name: Timing.of(seconds) for name, seconds in more.items()},
    }
    return Row(suite, case, shape_class, direction, cells, 3.0, "GFLOP", 1e9, "numpy", 0.1, DENSE)


def results(rows, **machine):
    """Results with these rows."""
    peers = {"torch": PeerNote({"torch": "2"}), "keras": PeerNote({}, "No module named 'keras'; pip install keras")}
    return Results({**MACHINE, **machine}, {"gflops": 3000.0, "gbytes": 1.0}, Effort(), False, rows, [], peers)
