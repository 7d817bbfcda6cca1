"""One peer in a process of its own: `python -m benchmarks.peers NAME`, a request a line, an answer a line."""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.peers.guest import Guest

REST = 0.01  # seconds after which the other side's threads, and ours, have stopped to spin for more work


class Server:
    """Answers requests about one job at a time."""

    def __init__(self, name: str) -> None:
        self.module: Any = importlib.import_module(f"benchmarks.peers.{name}")
        self.guests: dict[str, Guest] = {}
        self.last: dict[str, float] = {}
        self.brief = 0.0

    def join(self, folder: str, brief: float) -> dict[str, Any]:
        """Make the columns of the job in a folder, run each once, and leave the results there.

        A call shorter than `brief` will have one more before it that is not timed, as in `timing.warmed`.
        """
        self.guests, self.last, self.brief = {}, {}, brief
        spec = json.loads((Path(folder) / "job.json").read_text())
        with np.load(Path(folder) / "arrays.npz") as file:
            arrays = dict(file)
        answer: dict[str, Any] = {}
        try:
            columns = self.module.columns(spec, arrays)
        except Exception as error:  # Unsupported, or whatever the library raises: the cell says it
            return {"columns": {}, "not_run": _brief(error)}
        for column, make in columns.items():
            try:
                guest = make()
                result, seconds = _clocked(guest)
                readable = guest.results(result)
            except Exception as error:
                answer[column] = {"not_run": _brief(error)}
                continue
            if readable is not None:
                np.savez(Path(folder) / f"{column}.npz", **readable)
            self.guests[column], self.last[column] = guest, seconds
            answer[column] = {"compile": guest.compile, "memory": guest.memory, "results": readable is not None}
        return {"columns": answer}

    def round(self, column: str) -> dict[str, Any]:
        """Time one call."""
        time.sleep(REST)
        if self.last[column] < self.brief:
            self.guests[column].call()
        _, seconds = _clocked(self.guests[column])
        self.last[column] = seconds
        time.sleep(REST)
        return {"seconds": seconds}


def _clocked(guest: Guest) -> tuple[Any, float]:
    start = time.perf_counter()
    result = guest.call()
    return result, time.perf_counter() - start


def _brief(error: Exception) -> str:
    """The first line of an error."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


def main(name: str) -> None:
    """Say hello, then answer until the other side closes."""
    out = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # whatever a library prints goes to the other stream, not between the answers
    try:
        server = Server(name)
        packages = server.module.PACKAGES
        print(json.dumps({"versions": {package: metadata.version(package) for package in packages}}), file=out)
    except ImportError as error:
        print(json.dumps({"missing": _brief(error)}), file=out)
        return
    for line in sys.stdin:
        request = json.loads(line)
        answer = (
            server.join(request["folder"], request["brief"])
            if request["do"] == "join"
            else server.round(request["column"])
        )
        print(json.dumps(answer), file=out)


if __name__ == "__main__":
    main(sys.argv[1])
