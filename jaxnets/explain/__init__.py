"""What computes each convolution and pool of a program, why, and how fast it could be."""

from jaxnets.explain.program import explain
from jaxnets.explain.rows import Row
from jaxnets.explain.table import Explanation

__all__ = ["Explanation", "Row", "explain"]
