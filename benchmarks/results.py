"""Everything measured in one run, and as JSON there and back."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.row import Row
from benchmarks.timing import Effort, NotRun, Timing

SCHEMA = 2


class Unreadable(ValueError):
    """A file that holds no results of this benchmark."""


@dataclass(frozen=True)
class PeerNote:
    """What a peer's process said of itself: its versions, or why it is `absent`."""

    versions: Mapping[str, str]
    absent: str | None = None


@dataclass(frozen=True)
class Results:
    """`machine` is what it was measured on, `peaks` its ceilings in GFLOP/s and GB/s."""

    machine: Mapping[str, Any]
    peaks: Mapping[str, float]
    effort: Effort
    quick: bool
    rows: Sequence[Row]
    errors: Sequence[str] = ()
    peers: Mapping[str, PeerNote] = field(default_factory=dict)

    @property
    def suites(self) -> list[str]:
        """The suites that have rows, in their order."""
        return list(dict.fromkeys(row.suite for row in self.rows))


def _cell_to_json(cell: Timing | NotRun) -> dict[str, Any]:
    if isinstance(cell, NotRun):
        return {"not_run": cell.reason}
    return {
        "median_s": cell.median,
        "q1_s": cell.q1,
        "q3_s": cell.q3,
        "repeats": cell.repeats,
        "compile_s": cell.compile,
        "memory_b": cell.memory,
    }


def _cell_from_json(cell: Mapping[str, Any]) -> Timing | NotRun:
    if "not_run" in cell:
        return NotRun(cell["not_run"])
    times = (cell["median_s"], cell["q1_s"], cell["q3_s"])
    return Timing(*times, cell["repeats"], cell["compile_s"], cell["memory_b"])


_PLAIN = ("suite", "case", "shape_class", "direction", "work", "unit", "bytes", "checked_against", "error")


def to_json(results: Results) -> str:
    """Everything, in seconds and bytes."""
    document = {
        "schema": SCHEMA,
        **results.machine,
        "quick": results.quick,
        "effort": asdict(results.effort),
        "peaks": dict(results.peaks),
        "peers": {name: asdict(note) for name, note in results.peers.items()},
        "rows": [
            {name: getattr(row, name) for name in _PLAIN}
            | {
                "description": dict(row.description),
                "lost": row.lost,
                "rivals": {name: _cell_to_json(cell) for name, cell in row.cells.items()},
            }
            for row in results.rows
        ],
        "errors": list(results.errors),
    }
    return json.dumps(document, indent=1) + "\n"


def _row_from_json(row: Mapping[str, Any]) -> Row:
    cells = {name: _cell_from_json(cell) for name, cell in row["rivals"].items()}
    return Row(**{name: row[name] for name in _PLAIN}, cells=cells, description=row["description"])


_OWN = {"schema", "quick", "effort", "peaks", "peers", "rows", "errors"}


def load(path: Path) -> Results:
    """The results that `to_json` wrote. Raises `Unreadable`, which names the file and what is wrong with it."""
    try:
        document = json.loads(path.read_text())
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise Unreadable(f"{path}: {error}") from error
    schema = document.get("schema") if isinstance(document, dict) else None
    if schema != SCHEMA:
        raise Unreadable(f"{path} is of schema {schema}, not {SCHEMA}: measure again with this version")
    try:
        return Results(
            {name: value for name, value in document.items() if name not in _OWN},
            document["peaks"],
            Effort(**document["effort"]),
            document["quick"],
            [_row_from_json(row) for row in document["rows"]],
            document["errors"],
            {name: PeerNote(**note) for name, note in document["peers"].items()},
        )
    except (KeyError, TypeError) as error:
        raise Unreadable(f"{path} does not hold what results hold: {error!r}") from error
