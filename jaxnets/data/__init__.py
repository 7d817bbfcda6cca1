"""Data: what to train on, in NumPy, and how to cut it into batches."""

from jaxnets.data.augment import random_affine
from jaxnets.data.batches import batches
from jaxnets.data.digits import Dataset, digits
from jaxnets.data.images import read_image

__all__ = ["Dataset", "batches", "digits", "random_affine", "read_image"]
