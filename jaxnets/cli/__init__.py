"""The command line: `jaxnets train digits`, `predict IMAGE`, `summary MODEL`, `explain MODEL` and `tune`."""

import sys
from collections.abc import Sequence

from jaxnets.extras import MissingExtra, require


def main(args: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0 done, 1 it could not be, 2 not understood, 130 interrupted.

    Args:
        args: what follows the program's name; by default what the shell gave.

    What a user can put right (a file that is missing, a package that is not installed, a learning rate that
    diverges) is one line on standard error, without a traceback.

    >>> main(["summary", "lenet", "--shape", "1", "8"])
    1
    """
    try:
        extras = require("tyro.extras")
        from jaxnets.cli.explain import explain
        from jaxnets.cli.predict import predict
        from jaxnets.cli.summary import summary
        from jaxnets.cli.train import digits
        from jaxnets.cli.tune import tune

        training = extras.SubcommandApp()
        training.command(digits, name="digits")
        app = extras.SubcommandApp()
        app.command(training, name="train", help="Train a network on real data.")
        app.command(predict, name="predict")
        app.command(summary, name="summary")
        app.command(explain, name="explain")
        app.command(tune, name="tune")
        app.cli(prog="jaxnets", description="Functional deep learning on JAX.", args=args)
    except (MissingExtra, OSError, ValueError, TypeError, FloatingPointError) as error:
        where = [f" ({note})" for note in getattr(error, "__notes__", []) if note.startswith("in layer")]
        print(f"jaxnets: {error}{''.join(where)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("jaxnets: interrupted", file=sys.stderr)
        return 130
    return 0
