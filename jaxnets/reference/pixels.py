"""Trading space for channels and back: blocks of pixels become pixels with more channels."""

import math

import numpy as np
from numpy.typing import ArrayLike

from jaxnets.reference.dtypes import Array
from jaxnets.reference.patches import features
from jaxnets.reference.windows import PerAxis, per_axis, spatial_shape


def space_to_depth(x: ArrayLike, block: PerAxis) -> Array:
    """Each block of pixels becomes one pixel that carries all their channels.

        y[n, o, b * C + c] = x[n, o * block + b, c]   (b counts the positions in the block in row-major order)

    Shapes: x (N, *spatial, C) -> (N, *(spatial / block), prod(block) * C).
    Raises ValueError if a block does not divide its axis.
    Reference: Shi et al. 2016 (sub-pixel convolution); the channel order is TensorFlow's.

    >>> space_to_depth(np.array([1, 2, 3, 4]).reshape(1, 4, 1), 2)[0]
    array([[1, 2],
           [3, 4]])
    """
    x = np.asarray(x)
    spatial, c = spatial_shape(x), x.shape[-1]
    blocks = per_axis(block, len(spatial))
    if any(n % b for n, b in zip(spatial, blocks, strict=True)):
        raise ValueError(f"blocks of {blocks} do not divide {spatial}")
    out = tuple(n // b for n, b in zip(spatial, blocks, strict=True))
    y = np.zeros((x.shape[0], *out, math.prod(blocks) * c), x.dtype)
    for b in np.ndindex(*blocks):
        every = tuple(slice(start, None, step) for start, step in zip(b, blocks, strict=True))
        y[..., features(b, blocks, c)] = x[(slice(None), *every)]
    return y


def depth_to_space(x: ArrayLike, block: PerAxis) -> Array:
    """Each pixel becomes a block of pixels with a share of its channels: the inverse of `space_to_depth`.

        y[n, o * block + b, c] = x[n, o, b * C + c]

    Shapes: x (N, *spatial, prod(block) * C) -> (N, *(spatial * block), C).
    Raises ValueError if the channels do not divide.
    Reference: Shi et al. 2016 (sub-pixel convolution); the channel order is TensorFlow's.

    >>> depth_to_space(np.array([[[1, 2], [3, 4]]]), 2)[0, :, 0]
    array([1, 2, 3, 4])
    """
    x = np.asarray(x)
    spatial = spatial_shape(x)
    blocks = per_axis(block, len(spatial))
    if x.shape[-1] % math.prod(blocks):
        raise ValueError(f"{x.shape[-1]} channels do not divide into blocks of {blocks}")
    c = x.shape[-1] // math.prod(blocks)
    out = tuple(n * b for n, b in zip(spatial, blocks, strict=True))
    y = np.zeros((x.shape[0], *out, c), x.dtype)
    for b in np.ndindex(*blocks):
        every = tuple(slice(start, None, step) for start, step in zip(b, blocks, strict=True))
        y[(slice(None), *every)] = x[..., features(b, blocks, c)]
    return y
