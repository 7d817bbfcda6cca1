"""Decoding of CTC against all alignments, log-mel spectrograms against their formula and SciPy, and SpecAugment."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.signal

from jaxnets import losses, ops, reference
from jaxnets.reference.audio import mel_filters
from jaxnets.reference.ctc import scores
from jaxnets.testing.checks import check_finite_differences

LOGITS = (2 * np.random.default_rng(0).standard_normal((4, 5, 3))).astype(np.float32)
LENGTHS = np.array([5, 4, 0, 1])
SOUND = np.random.default_rng(0).standard_normal((2, 500)).astype(np.float32)


@pytest.mark.parametrize(("lengths", "blank"), [(None, 0), (LENGTHS, 2)])
def test_ctc_greedy(lengths, blank):
    got = jax.jit(lambda x: ops.ctc_greedy(x, lengths, blank=blank))(LOGITS)
    for ours, expected in zip(got, reference.ctc_greedy(LOGITS, lengths, blank=blank), strict=True):
        np.testing.assert_array_equal(ours, expected)


@pytest.mark.parametrize(("lengths", "blank"), [(None, 0), (LENGTHS, 2)])
def test_ctc_beam_as_wide_as_there_are_prefixes(lengths, blank):
    labels, count, score = jax.jit(lambda x: ops.ctc_beam(x, lengths, beam=64, blank=blank))(LOGITS)
    expected = reference.ctc_beam(LOGITS, lengths, beam=64, blank=blank)
    np.testing.assert_array_equal(labels, expected[0])
    np.testing.assert_array_equal(count, expected[1])
    np.testing.assert_allclose(score, expected[2], rtol=1e-4, atol=1e-5)


def test_a_narrow_beam_is_a_lower_bound_and_finds_the_best():
    labels, _, score = ops.ctc_beam(LOGITS, beam=3)
    best, _, exact = reference.ctc_beam(LOGITS, beam=1)
    np.testing.assert_array_equal(labels[:, 0], best[:, 0])
    assert (score[:, 0] <= exact[:, 0] + 1e-5).all()
    np.testing.assert_array_equal(score, -np.sort(-score, 1))


def test_the_loss_is_that_of_all_alignments():
    labels, count = np.array([[1, 2, 0], [2, 0, 0], [0, 0, 0], [1, 0, 0]]), np.array([2, 1, 0, 1])
    got = losses.ctc(jnp.asarray(LOGITS), jnp.asarray(labels), jnp.asarray(LENGTHS), jnp.asarray(count))
    each = []
    for n in range(4):
        said = tuple(labels[n, : count[n]].tolist())
        each.append(-np.log(scores(LOGITS[n, : LENGTHS[n]], 0)[said]))
    np.testing.assert_allclose(got, np.mean(each), rtol=1e-4)
    gradient = jax.grad(losses.ctc)(jnp.asarray(LOGITS), jnp.asarray(labels), jnp.asarray(LENGTHS), jnp.asarray(count))
    assert np.isfinite(gradient).all()
    assert np.abs(gradient[0]).max() > 1e-3
    assert np.abs(gradient[1, 4:]).max() == 0


OPTIONS = {"rate": 8000, "bands": 6, "window": 50, "hop": 30, "fft": 64, "low": 100.0, "high": 3500.0}


def test_log_mel():
    got = jax.jit(lambda x: ops.log_mel(x, **OPTIONS))(SOUND)
    np.testing.assert_allclose(got, reference.log_mel(SOUND, **OPTIONS), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(
        ops.audio.mel_filters(6, 64, 8000, low=100, high=3500), mel_filters(6, 64, 8000, low=100, high=3500), atol=1e-12
    )
    narrow = ops.log_mel(jnp.asarray(SOUND, jnp.bfloat16), **OPTIONS)
    assert narrow.dtype == jnp.bfloat16


def test_log_mel_has_the_spectrum_of_scipy():
    """Its short-time Fourier transform scales by the window's sum, which is taken back."""
    _, _, z = scipy.signal.stft(SOUND, window="hann", nperseg=64, noverlap=32, boundary="zeros", padded=True)
    power = np.abs(z * 32) ** 2
    filters = ops.audio.mel_filters(6, 64, 8000)
    expected = np.log(np.einsum("nft,fb->ntb", power, filters))
    got = ops.log_mel(jnp.asarray(SOUND), 8000, bands=6, window=64, hop=32, fft=64)
    np.testing.assert_allclose(got, expected[:, : got.shape[1]], rtol=1e-3, atol=1e-3)


def test_the_gradient_of_log_mel():
    check_finite_differences(lambda x: ops.log_mel(x, **OPTIONS), SOUND[:1, :120], curvature=1e4)


def test_spec_augment_blots_out_what_it_says():
    x = jnp.ones((64, 30, 10))
    y = np.asarray(ops.spec_augment(x, jax.random.key(0), time_masks=1, time_width=20, bands_masks=0, value=7.0))
    hidden = (y == 7).all(2)
    assert ((y == 7).any(2) == hidden).all()
    widths = hidden.sum(1)
    assert (widths.min(), widths.max()) == (0, 6)  # a fifth of the time at most
    runs = np.abs(np.diff(np.pad(hidden, ((0, 0), (1, 1))).astype(int), axis=1)).sum(1)
    assert (runs[widths > 0] == 2).all()  # in one piece
    assert hidden.any(0).all()  # anywhere
    both = np.asarray(ops.spec_augment(x, jax.random.key(1), time_masks=2, bands_masks=2, bands_width=3))
    assert (both == 0).all(1).sum(1).max() <= 6
    np.testing.assert_array_equal(ops.spec_augment(x, jax.random.key(2), time_masks=0, bands_masks=0), x)


@pytest.mark.parametrize(
    ("error", "call", "message"),
    [
        (ValueError, lambda: ops.ctc_greedy(LOGITS, blank=3), "blank is 3, but the logits .* of 3 classes"),
        (ValueError, lambda: ops.ctc_beam(LOGITS[0]), r"ctc_beam: x has shape \(5, 3\)"),
        (ValueError, lambda: ops.ctc_beam(LOGITS, beam=0), "beam is 0"),
        (ValueError, lambda: ops.ctc_greedy(LOGITS, np.ones(3, int)), "lengths has shape"),
        (ValueError, lambda: ops.log_mel(SOUND[0]), r"x has shape \(500,\); pass \(N, S\)"),
        (ValueError, lambda: ops.log_mel(SOUND, fft=256), "window is 400, fft 256"),
        (ValueError, lambda: ops.log_mel(SOUND, low=9000), "pass 0 <= low < high"),
        (TypeError, lambda: ops.log_mel(SOUND.astype(np.int16)), "log_mel: x has dtype int16"),
        (ValueError, lambda: ops.spec_augment(LOGITS, None), "spec_augment: key is None"),
        (ValueError, lambda: ops.spec_augment(LOGITS, jax.random.key(0), time_share=2), "time_share is 2"),
        (TypeError, lambda: losses.ctc(LOGITS, LOGITS[..., 0]), "pass floating point and integers"),
        (ValueError, lambda: losses.ctc(LOGITS[0], LENGTHS[None]), r"pass \(N, T, K\) and \(N, L\)"),
        (ValueError, lambda: losses.ctc(LOGITS, LENGTHS[:, None], blank=5), "blank is 5"),
        (ValueError, lambda: losses.ctc(LOGITS, LENGTHS[:, None], LENGTHS[:2]), "logit_lengths has shape"),
    ],
)
def test_bad_arguments(error, call, message):
    with pytest.raises(error, match=message):
        call()
