"""Print the rows that the parity tests wrote: `JAXNETS_PARITY=rows.jsonl pytest tests/parity`, then this."""

import json
import sys


def table(lines):
    """A Markdown table, the last row of a model and a source counting."""
    rows = {(row["model"], row["source"]): row for row in map(json.loads, lines)}
    body = [
        f"| {model} | {source} | " + " | ".join(f"{row[k]:.1e}" if k in row else "" for k in COLUMNS) + " |"
        for (model, source), row in sorted(rows.items())
    ]
    return "\n".join([f"| model | source | {' | '.join(COLUMNS)} |", "|---|---|" + "---|" * len(COLUMNS), *body])


COLUMNS = ("output", "statistics", "gradient")

if __name__ == "__main__":
    with open(sys.argv[1]) as file:
        print(table(file))
