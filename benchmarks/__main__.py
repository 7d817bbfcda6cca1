"""The command line: `python -m benchmarks [conv|pool|models|scan] [--peers NAMES] [--json FILE]`, from a checkout."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from benchmarks import command, report
from benchmarks.compare import compare
from benchmarks.results import to_json
from benchmarks.run import run
from jaxnets.train import files


def main(argv: Sequence[str] | None = None) -> int:
    """Run; 0 if all is well, 1 if something disagreed with its naive definition, failed, or got slower."""
    asked = command.read(argv)
    if asked.peers:  # they share the accelerator's memory with us
        os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    results = asked.given or run(asked.planned, asked.effort, asked.quick, asked.peers)
    report.print_all(results)
    if asked.json:
        files.write(asked.json, to_json(results))
    if asked.picture:
        from benchmarks import picture

        picture.draw(results, asked.picture)
    slower = False
    if asked.old:
        try:
            comparison = compare(asked.old, results)
        except ValueError as error:
            print(f"--compare: {error}", file=sys.stderr)
            return 2
        print("\n".join(comparison.lines))
        slower = comparison.slower
    print("\n".join(results.errors), file=sys.stderr, end="\n" * bool(results.errors))
    return 1 if results.errors or slower else 0


if __name__ == "__main__":
    sys.exit(main())
