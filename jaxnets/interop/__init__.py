"""Our layers in other libraries' programs, and theirs in ours."""

from jaxnets.interop.flax import from_linen, from_nnx, to_linen, to_nnx
from jaxnets.interop.onnx import to_onnx

__all__ = ["from_linen", "from_nnx", "to_linen", "to_nnx", "to_onnx"]
