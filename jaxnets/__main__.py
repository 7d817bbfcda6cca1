"""`python -m jaxnets` is `jaxnets`."""

import sys

from jaxnets.cli import main

if __name__ == "__main__":
    sys.exit(main())
