"""The cases as data: every class of convolution and pool that a convolutional network is made of, one per row."""

from benchmarks.cases.case import Case
from benchmarks.cases.conv import CONV
from benchmarks.cases.pool import POOL
from benchmarks.cases.scan import SCAN, ScanCase

__all__ = ["CONV", "POOL", "SCAN", "Case", "ScanCase"]
