"""Sound as pictures: the log-mel spectrogram, and the masks that make a recognizer robust."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets.ops import check
from jaxnets.ops.precision import widen

LINEAR_TO = 1000.0
"""Below so many hertz Slaney's mel scale is linear, 15 mel to 1000 Hz; above, 27 mel are a factor of 6.4."""


def _mel(hertz: np.ndarray) -> np.ndarray:
    above = 15 + 27 * np.log(np.maximum(hertz, LINEAR_TO) / LINEAR_TO) / np.log(6.4)
    return np.where(hertz < LINEAR_TO, 15 * hertz / LINEAR_TO, above)


def _hertz(mel: np.ndarray) -> np.ndarray:
    return np.where(mel < 15, LINEAR_TO * mel / 15, LINEAR_TO * 6.4 ** ((mel - 15) / 27))


def mel_filters(bands: int, fft: int, rate: float, *, low: float = 0.0, high: float | None = None) -> np.ndarray:
    """The matrix from power at each frequency to power in each band: triangles, equally wide in mel, of area 1.

    Shapes: → (fft // 2 + 1, bands), float64, NumPy's. Arguments: `fft`, samples of the transform; `rate`, samples a
    second; `low` and `high`, the ends of the first and last triangle in hertz, `high` half the rate unless given.
    Raises `ValueError` unless `low < high`. Slaney, 1998, Auditory Toolbox; librosa's default.

    >>> mel_filters(3, 8, 8000).round(5)[:, 0]
    array([0.     , 0.00053, 0.     , 0.     , 0.     ])
    """
    op = "mel_filters"
    bands, fft = check.whole(op, bands, "bands"), check.whole(op, fft, "fft")
    high = rate / 2 if high is None else high
    if not 0 <= low < high:
        raise ValueError(f"{op}: low is {low} and high {high} Hz; pass 0 <= low < high")
    edges = _hertz(np.linspace(float(_mel(np.asarray(low))), float(_mel(np.asarray(high))), bands + 2))
    at = np.arange(fft // 2 + 1)[:, None] * rate / fft
    rising, falling = (at - edges[:-2]) / np.diff(edges)[:-1], (edges[2:] - at) / np.diff(edges)[1:]
    return np.maximum(0, np.minimum(rising, falling)) * 2 / (edges[2:] - edges[:-2])


def log_mel(
    x: jax.Array,
    rate: float = 16000,
    *,
    bands: int = 64,
    window: int = 400,
    hop: int = 160,
    fft: int = 512,
    low: float = 0.0,
    high: float | None = None,
    floor: float = 1e-10,
) -> jax.Array:
    """The logarithm of the power in bands that are as far apart as the ear finds them, at each step of time.

    `y[n, t] = log(max(|FFT of the window around sample t * hop|² mel_filters, floor))`, the window Hann's, in the
    middle of `fft` samples; before the first sample and after the last is silence.

    Shapes: (N, S) → (N, 1 + S // hop, bands), in float32 at least and rounded at the end. Arguments: `rate`, samples a
    second; `window`, `hop` and `fft` in samples, by default 25, 10 and 32 ms at 16 kHz; `low`, `high` as in
    `mel_filters`; `floor`, above 0, the least power. Raises `ValueError` for shapes or numbers that do not fit and
    `TypeError` for integers (cast and scale them). Gradient: to x, none where the floor is. Cost: a real FFT and a
    product with the filters a step. Davis & Mermelstein, 1980, https://doi.org/10.1109/TASSP.1980.1163420.

    >>> tone = jnp.sin(2 * jnp.pi * 1000 * jnp.arange(1600) / 16000)[None]
    >>> y = log_mel(tone, bands=40)
    >>> y.shape, int(y[0, 5].argmax())
    ((1, 11, 40), 13)
    """
    op = "log_mel"
    x = check.floating(op, x)
    if x.ndim != 2:
        raise ValueError(f"{op}: x has shape {x.shape}; pass (N, S), samples of sound")
    window, hop, fft = (check.whole(op, v, name) for v, name in ((window, "window"), (hop, "hop"), (fft, "fft")))
    if window > fft or not floor > 0:
        raise ValueError(f"{op}: window is {window}, fft {fft} and floor {floor}; pass window <= fft and floor above 0")
    wide = jnp.pad(widen(x), ((0, 0), (fft // 2, fft - fft // 2)))
    steps = 1 + x.shape[1] // hop
    frames = wide[:, np.arange(steps)[:, None] * hop + np.arange(fft)[None]]
    hann = np.sin(np.pi * np.arange(window) / window) ** 2
    before = (fft - window) // 2
    shape = np.pad(hann, (before, fft - window - before))
    spectrum = jnp.fft.rfft(frames * jnp.asarray(shape, wide.dtype)[None, None], axis=-1)
    power = jnp.square(spectrum.real) + jnp.square(spectrum.imag)
    filters = jnp.asarray(mel_filters(bands, fft, rate, low=low, high=high), power.dtype)
    return jnp.log(jnp.maximum(power @ filters, floor)).astype(x.dtype)


def spec_augment(
    x: jax.Array,
    key: jax.Array,
    *,
    time_masks: int = 2,
    time_width: int = 40,
    time_share: float = 0.2,
    bands_masks: int = 2,
    bands_width: int = 15,
    value: float = 0.0,
) -> jax.Array:
    """Stretches of time and of bands at random places blotted out, other ones for each sample.

    Shapes: (N, T, D) → (N, T, D). Arguments: `key`; how many masks of time and of bands; the widest of each, of which
    every width from 0 on is as likely, a mask of time covering no more than `time_share` of T; `value`, what stands
    there instead: the mean, if the features are normalized. Raises `ValueError` for shapes or numbers that do not fit
    and for no key. Gradient: to what is left. Cost: one pass. Park et al., 2019, https://arxiv.org/abs/1904.08779, the
    masks of its policy, without the time warp.

    >>> y = spec_augment(jnp.ones((1, 50, 20)), jax.random.key(0), time_masks=1, bands_masks=0)
    >>> bool((y == y[:, :, :1]).all()), bool(y.sum() <= y.size)
    (True, True)
    """
    op = "spec_augment"
    x = check.floating(op, x)
    if key is None:
        raise ValueError(f"{op}: key is None, but where it masks is drawn at random; pass key=jax.random.key(seed)")
    if x.ndim != 3:
        raise ValueError(f"{op}: x has shape {x.shape}; pass (N, T, D)")
    if not 0 <= time_share <= 1:
        raise ValueError(f"{op}: time_share is {time_share}; it must be from 0 to 1")
    n, t, d = x.shape
    widest = {1: min(check.whole(op, time_width, "time_width", 0), int(time_share * t))}
    widest[2] = min(check.whole(op, bands_width, "bands_width", 0), d)
    counts = {1: check.whole(op, time_masks, "time_masks", 0), 2: check.whole(op, bands_masks, "bands_masks", 0)}
    hidden = jnp.zeros((n, 1, 1), bool)
    for axis, own in zip((1, 2), jax.random.split(key), strict=True):
        length, (of_width, of_start) = x.shape[axis], jax.random.split(own)
        width = jax.random.randint(of_width, (n, counts[axis], 1), 0, widest[axis] + 1)
        start = jax.random.randint(of_start, (n, counts[axis], 1), 0, length - width + 1)
        at = jnp.arange(length, dtype=width.dtype)[None, None]
        masked = ((at >= start) & (at < start + width)).any(1)
        hidden = hidden | jnp.expand_dims(masked, 3 - axis)
    return jnp.where(hidden, jnp.asarray(value, x.dtype), x)
