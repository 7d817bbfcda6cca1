"""Our end of a peer: start its process, hand it a job, hold its results against ours, ask it for rounds."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any

import numpy as np

from benchmarks import agree
from benchmarks.jobs import Job
from benchmarks.machine import CHECKOUT, threads
from benchmarks.peers import COLUMNS, REMEDY
from benchmarks.timing import NotRun

PATIENCE = 600.0  # seconds to wait for an answer; `torch.compile` of a whole model takes minutes


class Gone(RuntimeError):
    """The peer's process ended, or did not answer."""


@dataclass(frozen=True)
class Seat:
    """A peer's column that is ready: `round` runs it once and returns the seconds."""

    round: Any
    compile: float | None
    memory: int | None


class Peer:
    """A peer's process, alive or with the reason why it is `absent`."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name, self.folder = name, folder
        self.versions: dict[str, str] = {}
        self.absent: str | None = None
        environment = {
            **os.environ,
            "KERAS_BACKEND": "jax",
            "OMP_NUM_THREADS": str(threads()),
            "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
        }
        self._log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115, as long as the process
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.peers", name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            cwd=CHECKOUT,
            env=environment,
            text=True,
        )
        self._answers: queue.Queue[str] = queue.Queue()
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        try:
            hello = self._answer()
        except Gone as error:
            self.absent = str(error)
            return
        if "missing" in hello:
            self.absent = f"{hello['missing']}; {REMEDY[name]}"
        self.versions = hello.get("versions", {})

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._answers.put(line)
        self._answers.put("")

    def _answer(self) -> dict[str, Any]:
        try:
            line = self._answers.get(timeout=PATIENCE)
        except queue.Empty:
            self.close()
            raise Gone(f"{self.name} did not answer for {PATIENCE:g} s") from None
        if not line:
            raise Gone(f"{self.name}'s process ended: {self._last_words()}")
        return json.loads(line)

    def _last_words(self) -> str:
        """The last line that the process wrote to its standard error."""
        self._process.wait(timeout=10)
        self._log.seek(0)
        lines = self._log.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else f"exit status {self._process.returncode}"

    def ask(self, **request: Any) -> dict[str, Any]:
        """Send a request, wait for its answer. Raises `Gone`, and from then on the peer is absent."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
            return self._answer()
        except (Gone, OSError) as error:
            self.absent = str(error)
            raise Gone(self.absent) from error

    def join(self, job: Job, wanted: Any) -> tuple[dict[str, Seat], dict[str, NotRun]]:
        """The columns that are ready to be timed, having computed what is `wanted`, and why the others are not."""
        columns = COLUMNS[self.name]
        if self.absent or not job.peer:
            return {}, dict.fromkeys(columns, NotRun("absent" if self.absent else "–"))
        (self.folder / "job.json").write_text(json.dumps(job.peer))
        arrays: dict[str, Any] = dict(job.arrays)
        np.savez(self.folder / "arrays.npz", **arrays)
        try:
            answer = self.ask(do="join", folder=str(self.folder), brief=job.brief)
        except Gone as error:
            return {}, dict.fromkeys(columns, NotRun(str(error)))
        seats: dict[str, Seat] = {}
        absent: dict[str, NotRun] = {}
        for column in columns:
            cell = answer["columns"].get(column, {"not_run": answer.get("not_run", "–")})
            if "not_run" in cell:
                absent[column] = NotRun(cell["not_run"])
                continue
            try:
                if cell["results"]:
                    self._check(column, job, wanted)
            except agree.Disagreement as error:
                absent[column] = NotRun(str(error))
                continue
            seats[column] = Seat(partial(self._round, column), cell["compile"], cell["memory"])
        return seats, absent

    def _check(self, column: str, job: Job, wanted: Any) -> None:
        with np.load(self.folder / f"{column}.npz") as file:
            got = {name: file[name] for name in file.files}
        agree.require(column, dict(sorted(got.items())), dict(sorted(wanted.items())), job.tolerances, job.error)

    def _round(self, column: str) -> float:
        return float(self.ask(do="round", column=column)["seconds"])

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._listener.join()
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._log.close()


@contextlib.contextmanager
def started(names: Sequence[str]) -> Iterator[list[Peer]]:
    """The peers of these names, each a process, for as long as the block runs."""
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        peers: list[Peer] = []
        for name in names:
            own = Path(folder) / name
            own.mkdir()
            peers.append(Peer(name, own))
            stack.callback(peers[-1].close)
        yield peers
