"""Noise behind sound, drawn on the device inside the training step."""

import jax
import jax.numpy as jnp


def add_noise(
    key: jax.Array, x: jax.Array, *, low: float = 5.0, high: float = 25.0, tilt: float = 1.0, babble: float = 0.5
) -> jax.Array:
    """Noise of a color and a loudness of its own behind every recording, and another recording as babble.

    Shapes: `(N, S) → (N, S)`, samples of sound.

    Args:
        key: draws everything.
        low, high: how much weaker than the recording its noise is, in decibels of mean power, uniform between.
        tilt: the noise's amplitude falls with frequency to a power from 0 (white) to this; 0.5 is pink, 1 brown.
        babble: the largest amplitude of the recording before it in the batch, next to 1 of the noise.

    Raises:
        ValueError: not two axes, `low` above `high`, or a negative tilt or babble.

    Gradient: to x. Cost: two FFTs of each recording.

    >>> x = jnp.sin(jnp.arange(8000.0) / 5)[None]
    >>> noise = add_noise(jax.random.key(0), x, low=20, high=20, babble=0.0) - x
    >>> print(f"{10 * jnp.log10((x**2).mean() / (noise**2).mean()):.1f} dB")
    20.0 dB
    """
    if x.ndim != 2:
        raise ValueError(f"add_noise: x has shape {x.shape}; pass (N, S), samples of sound")
    if low > high or tilt < 0 or babble < 0:
        raise ValueError(
            f"add_noise: low is {low} and high {high}, tilt {tilt} and babble {babble}; pass low <= high, none below 0"
        )
    (n, s), wide = x.shape, x.astype(jnp.float32)
    tilt_key, noise_key, babble_key, decibel_key = jax.random.split(key, 4)
    fall = jnp.exp(-jax.random.uniform(tilt_key, (n, 1), maxval=tilt) * jnp.log(1 + jnp.arange(s // 2 + 1.0))[None])
    noise = _unit(jnp.fft.irfft(jnp.fft.rfft(jax.random.normal(noise_key, (n, s))) * fall.astype(jnp.complex64), s))
    other = jnp.roll(wide, (1, s // 3), (0, 1))
    noise = _unit(noise + jax.random.uniform(babble_key, (n, 1), maxval=babble) * _unit(other))
    decibels = jax.random.uniform(decibel_key, (n, 1), minval=low, maxval=high)
    power = jnp.sqrt(jnp.square(wide).mean(1, keepdims=True))
    return (wide + noise * power * 10 ** (-decibels / 20)).astype(x.dtype)


def _unit(x: jax.Array) -> jax.Array:
    """Of mean power 1, or silence."""
    return x / (jnp.sqrt(jnp.square(x).mean(1, keepdims=True)) + 1e-9)
