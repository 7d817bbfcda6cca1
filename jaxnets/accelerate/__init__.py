"""Our convolutions and pools under anybody's program: `accelerate` traces it and puts them in the place of lax's."""

from jaxnets.accelerate.call import accelerate

__all__ = ["accelerate"]
