"""What comes in, checked: every picture takes NumPy or JAX arrays of numbers, and says what is wrong with the rest."""

from __future__ import annotations

from typing import Any

import numpy as np


def numbers(where: str, name: str, value: Any, remedy: str = "plot only finite numbers") -> np.ndarray:
    """`value` as a float64 array; ValueError names `where` (the function) and `name` (its argument) otherwise.

    >>> numbers("filters", "w", [1, 2])
    array([1., 2.])
    >>> numbers("filters", "w", [1.0, float("nan")])
    Traceback (most recent call last):
        ...
    ValueError: filters: w has 1 NaN or infinite value among 2 (first at index (1,)): plot only finite numbers
    """
    try:
        raw = np.asarray(value)
        if np.iscomplexobj(raw):
            raise TypeError("complex numbers")
        array = raw.astype(np.float64)
    except (TypeError, ValueError) as error:
        kind = type(value).__name__
        raise ValueError(f"{where}: {name} must be an array of real numbers, got {kind} ({error})") from None
    bad = ~np.isfinite(array)
    if bad.any():
        count = int(bad.sum())
        first = tuple(int(i) for i in np.argwhere(bad)[0])
        raise ValueError(
            f"{where}: {name} has {count} NaN or infinite value{'s' * (count > 1)} among {array.size} "
            f"(first at index {first}): {remedy}"
        )
    return array


def labels(where: str, name: str, value: Any, length: int, classes: int) -> np.ndarray:
    """Class numbers (N,) as int64, each in [0, classes); ValueError otherwise."""
    array = np.asarray(value)
    if array.shape != (length,) or not np.issubdtype(array.dtype, np.integer):
        raise ValueError(
            f"{where}: {name} must be {length} integers, one class per image, got shape {array.shape} "
            f"of {array.dtype}: pass class numbers, for instance logits.argmax(-1)"
        )
    if length and (array.min() < 0 or array.max() >= classes):
        seen = int(array.min()) if array.min() < 0 else int(array.max())
        raise ValueError(f"{where}: {name} holds class {seen}, but there are {classes} classes, 0 to {classes - 1}")
    return array.astype(np.int64)


def images(where: str, name: str, value: Any) -> np.ndarray:
    """Images (N, H, W), (N, H, W, 1) or (N, H, W, 3) as (N, H, W) or (N, H, W, 3) with values in [0, 1].

    Bytes are divided by 255; anything outside [0, 1] (digits from 0 to 16, standardised pixels) is stretched from the
    lowest to the highest value of the whole array, so that images stay comparable.
    """
    raw = np.asarray(value)
    array = numbers(where, name, value)
    if array.ndim == 4 and array.shape[-1] == 1:
        array = array[..., 0]
    if array.ndim != 3 and not (array.ndim == 4 and array.shape[-1] == 3):
        raise ValueError(
            f"{where}: {name} must be (N, H, W), (N, H, W, 1) or (N, H, W, 3), got shape {raw.shape}: "
            "add the batch axis with x[None], or move channels last"
        )
    if raw.dtype == np.uint8:
        return array / 255
    if array.size and (array.min() < 0 or array.max() > 1):
        low, high = float(array.min()), float(array.max())
        return (array - low) / (high - low) if high > low else np.full_like(array, 0.5)
    return array
