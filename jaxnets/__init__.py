"""Functional deep learning on JAX: layers are pure functions, parameters are plain nested dicts."""

from jaxnets import ops, tree
from jaxnets.combine import collect, parallel, remat, repeat, serial
from jaxnets.core import Layer, lift, pure
from jaxnets.summary import summary

__version__ = "0.1.0"

__all__ = ["Layer", "collect", "lift", "ops", "parallel", "pure", "remat", "repeat", "serial", "summary", "tree"]
