"""The log-mel spectrogram from its formulas, one step and one band after another."""

import math

import numpy as np
from numpy.typing import ArrayLike

from jaxnets.reference.dtypes import Array, cast, widen


def mel(hertz: float) -> float:
    """Slaney's scale: linear up to 1000 Hz, which is 15, then logarithmic, 27 for a factor of 6.4.

    >>> mel(500.0), mel(1000.0), mel(6400.0)
    (7.5, 15.0, 42.0)
    """
    return 15 * hertz / 1000 if hertz < 1000 else 15 + 27 * math.log(hertz / 1000) / math.log(6.4)


def mel_filters(bands: int, fft: int, rate: float, *, low: float = 0.0, high: float | None = None) -> Array:
    """Triangles of area 1 whose corners are equally far apart in mel.

    Shapes: -> (fft // 2 + 1, bands).
    Reference: Slaney 1998.

    >>> mel_filters(3, 8, 8000).round(5)[:, 0]
    array([0.     , 0.00053, 0.     , 0.     , 0.     ])
    """
    first, last = mel(low), mel(rate / 2 if high is None else high)
    marks = [first + (last - first) * i / (bands + 1) for i in range(bands + 2)]
    edges = [1000 * m / 15 if m < 15 else 1000 * 6.4 ** ((m - 15) / 27) for m in marks]
    filters = np.zeros((fft // 2 + 1, bands))
    for band, (left, middle, right) in enumerate(zip(edges, edges[1:], edges[2:], strict=False)):
        for i in range(fft // 2 + 1):
            f = i * rate / fft
            height = (f - left) / (middle - left) if f <= middle else (right - f) / (right - middle)
            filters[i, band] = max(0.0, height) * 2 / (right - left)
    return filters


def log_mel(
    x: ArrayLike,
    rate: float = 16000,
    *,
    bands: int = 64,
    window: int = 400,
    hop: int = 160,
    fft: int = 512,
    low: float = 0.0,
    high: float | None = None,
    floor: float = 1e-10,
) -> Array:
    """The logarithm of the power of each step's discrete Fourier transform, added up in each band.

        X[t, k] = sum over j of hann[j] x[t hop + j - window // 2] exp(-2 pi i j k / fft),   silence outside of x
        y[t] = log(max(|X[t]|^2 filters, floor))

    Shapes: (N, S) -> (N, 1 + S // hop, bands).
    Reference: Davis and Mermelstein 1980.

    >>> log_mel(np.zeros((1, 320)), bands=2)[0].round(3)
    array([[-23.026, -23.026],
           [-23.026, -23.026],
           [-23.026, -23.026]])
    """
    dtype, x = np.asarray(x).dtype, widen(x)
    hann = np.array([0.5 - 0.5 * math.cos(2 * math.pi * j / window) for j in range(window)])
    waves = np.exp(-2j * np.pi * np.outer(np.arange(window), np.arange(fft // 2 + 1)) / fft)
    filters = mel_filters(bands, fft, rate, low=low, high=high)
    begin = (fft - window) // 2 - fft // 2
    y = np.zeros((len(x), 1 + x.shape[1] // hop, bands))
    for n, t in np.ndindex(*y.shape[:2]):
        samples = [x[n, s] if 0 <= s < x.shape[1] else 0.0 for s in range(t * hop + begin, t * hop + begin + window)]
        power = np.abs((hann * np.array(samples)) @ waves) ** 2
        y[n, t] = np.log(np.maximum(power @ filters, floor))
    return cast(y, dtype)
