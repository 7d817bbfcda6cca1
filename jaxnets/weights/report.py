"""What a state dict lacks and has too much of."""

from __future__ import annotations

from dataclasses import dataclass

LISTED = 6


@dataclass(frozen=True)
class Report:
    """How the tensors of a file compare with those a model wants; nothing is amiss where it is false.

    Attributes:
        model, source: the name of the model, and the library whose names the tensors have.
        missing: names of the tensors that the model wants and are not there.
        unexpected: names of those that are there and no part of the model.
        misshapen: for those of another shape, the shape found and the shape wanted.
        fresh: paths of our leaves that were to begin anew, whatever is there.
    """

    model: str
    source: str
    missing: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()
    misshapen: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] | None = None
    fresh: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.missing or self.unexpected or self.misshapen)

    def __str__(self) -> str:
        shapes = [f"{name} is {found}, not {wanted}" for name, (found, wanted) in (self.misshapen or {}).items()]
        parts = [
            f"{len(names)} {what}: {_some(names)}"
            for what, names in (("missing", self.missing), ("unexpected", self.unexpected), ("misshapen", shapes))
            if names
        ]
        about = f"{self.model!r} from {self.source!r} names"
        return f"{about}: " + ("; ".join(parts) if parts else "every tensor fits")


class Mismatch(ValueError):
    """The tensors are not those of the model; `report` says in what."""

    def __init__(self, report: Report, remedy: str):
        super().__init__(f"weights: {report}{remedy}")
        self.report = report


def _some(names: tuple[str, ...] | list[str]) -> str:
    more = f", and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return ", ".join(names[:LISTED]) + more
