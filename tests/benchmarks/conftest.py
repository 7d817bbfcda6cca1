"""The benchmark is not installed: it runs from a checkout, as these tests do."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2]))
