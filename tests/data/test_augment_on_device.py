"""Crops, flips, colors and mixtures: pure functions of a key that do what they say, and no more."""

import colorsys
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets import data, extras

pytest.importorskip("dm_pix")
RNG = np.random.default_rng(0)
IMAGES = jnp.asarray(RNG.random((6, 8, 8, 3)).astype(np.float32))
TARGETS = jax.nn.one_hot(jnp.arange(6), 6)


def new_key():
    """The same key, not yet used."""
    return jax.random.key(0)


# name: a function of key and images that changes them, each image by itself
FUNCTIONS = {
    "crop": lambda key, x: data.random_crop(key, x, padding=2),
    "flip": lambda key, x: data.random_flip(key, x),
    "flip upside down": lambda key, x: data.random_flip(key, x, vertical=True),
    "brightness": lambda key, x: data.color_jitter(key, x, brightness=0.3),
    "contrast": lambda key, x: data.color_jitter(key, x, contrast=0.3),
    "saturation": lambda key, x: data.color_jitter(key, x, saturation=0.5),
    "hue": lambda key, x: data.color_jitter(key, x, hue=0.3),
    "erase": lambda key, x: data.random_erase(key, x, rate=0.8),
    "mixup": lambda key, x: data.mixup(key, x, TARGETS)[0],
    "cutmix": lambda key, x: data.cutmix(key, x, TARGETS)[0],
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_jit_dtype_and_key(name):
    change = jax.jit(FUNCTIONS[name])
    one, again, other = (change(jax.random.key(seed), IMAGES) for seed in (0, 0, 7))
    np.testing.assert_array_equal(one, again)
    assert not np.allclose(one, IMAGES)
    assert not np.allclose(one, other)
    half = jax.eval_shape(change, new_key(), IMAGES.astype(jnp.bfloat16))
    assert (half.dtype, half.shape) == (jnp.bfloat16, IMAGES.shape)


def test_a_crop_is_a_part_at_every_place():
    marked = jnp.arange(64.0).reshape(1, 8, 8, 1).repeat(200, 0)
    corners = np.asarray(data.random_crop(new_key(), marked, 6))
    assert corners.shape == (200, 6, 6, 1)
    first = corners[:, 0, 0, 0].astype(int)
    assert set(first) == {8 * i + j for i in range(3) for j in range(3)}
    np.testing.assert_array_equal(corners[..., 0] - corners[:, :1, :1, 0], np.asarray(marked[:, :6, :6, 0]))


@pytest.mark.parametrize(("mode", "outside"), [("zeros", 0.0), ("reflect", 1.0), ("replicate", 1.0)])
def test_padding_moves_an_image_by_so_much(mode, outside):
    moved = np.asarray(data.random_crop(new_key(), jnp.ones((100, 5, 5, 1)), padding=2, padding_mode=mode))
    rows = moved.max((2, 3)).sum(1)
    assert moved.shape == (100, 5, 5, 1)
    assert moved.min() == outside
    assert set(rows.astype(int)) == ({3, 4, 5} if mode == "zeros" else {5})


def test_flips_are_mirrors_at_their_rate():
    many = IMAGES[:1].repeat(400, 0)
    for vertical, axis in ((False, 1), (True, 0)):
        flipped = np.asarray(data.random_flip(new_key(), many, rate=0.25, vertical=vertical))
        mirror = np.flip(np.asarray(many[0]), axis)
        is_mirror = (flipped == mirror).all((1, 2, 3))
        assert (is_mirror | (flipped == np.asarray(many)).all((1, 2, 3))).all()
        assert 0.15 < is_mirror.mean() < 0.35
    np.testing.assert_array_equal(data.random_flip(new_key(), IMAGES, rate=0.0), IMAGES)


def test_a_rectangle_of_that_area_is_erased_at_that_rate():
    erased = np.asarray(
        data.random_erase(new_key(), jnp.ones((400, 20, 10, 3)), rate=0.25, area=(0.1, 0.2), ratio=(0.5, 2), value=7)
    )
    gone = (erased == 7).all(3)
    assert ((erased == 1).all(3) | gone).all()
    rows, columns = gone.any(2).sum(1), gone.any(1).sum(1)
    hit = rows > 0
    assert 0.15 < hit.mean() < 0.35
    np.testing.assert_array_equal(gone.sum((1, 2)), rows * columns)  # a rectangle, and whole
    assert 0.07 < gone[hit].mean((1, 2)).min() < 0.12 < 0.17 < gone[hit].mean((1, 2)).max() < 0.24
    assert 0.35 < (rows / np.maximum(columns, 1))[hit].min() < 0.7 < 1.4 < (rows / np.maximum(columns, 1)).max() < 2.6
    assert gone.any((0, 1)).all()  # up to the edges
    assert gone.any((0, 2)).all()
    np.testing.assert_array_equal(data.random_erase(new_key(), IMAGES, rate=0.0), IMAGES)
    assert not np.asarray(data.random_erase(new_key(), IMAGES, rate=1.0, area=(1.0, 1.0), ratio=(0.01, 100.0))).all()


def test_colors_change_as_they_are_named():
    gray = jnp.full((50, 2, 2, 3), 0.5)
    lit = np.asarray(data.color_jitter(new_key(), gray, brightness=0.2)) - 0.5
    assert np.ptp(lit[0]) == 0
    assert -0.2 <= lit.min() < -0.15
    assert 0.15 < lit.max() <= 0.2
    np.testing.assert_allclose(
        data.color_jitter(new_key(), gray, contrast=1.0, saturation=1.0, hue=0.5), gray, atol=1e-6
    )
    pixels = np.asarray(IMAGES[:1, :4, :4])
    turned = np.asarray(data.color_jitter(new_key(), jnp.asarray(pixels), hue=0.5))
    before, after = (np.array([colorsys.rgb_to_hsv(*p) for p in a.reshape(-1, 3)]) for a in (pixels, turned))
    np.testing.assert_allclose(after[:, 1:], before[:, 1:], atol=1e-4)
    turn = (after[:, 0] - before[:, 0]) % 1
    np.testing.assert_allclose(turn, turn[0], atol=1e-4)
    assert float(data.color_jitter(new_key(), IMAGES, brightness=1.0).max()) == 1
    np.testing.assert_array_equal(data.color_jitter(new_key(), IMAGES), IMAGES)


@pytest.mark.parametrize("mix", [data.mixup, data.cutmix])
def test_a_mixture_is_of_two_and_the_targets_tell_how_much(mix):
    flat = jnp.eye(6)[:, None, None, :].repeat(8, 1).repeat(8, 2)  # image i is 1 in channel i
    images, shares = mix(new_key(), flat, TARGETS, alpha=1.0)
    np.testing.assert_allclose(images.mean((1, 2)), shares, atol=1e-6)
    np.testing.assert_allclose(shares.sum(1), 1, atol=1e-6)
    assert (np.asarray(shares > 0).sum(1) <= 2).all()
    assert ((shares > 0.01) & (shares < 0.99)).any()
    if mix is data.cutmix:  # each pixel is of one image or of the other
        assert set(np.unique(images)) == {0, 1}


@pytest.mark.parametrize("mix", [data.mixup, data.cutmix])
def test_the_share_is_drawn_from_beta(monkeypatch, mix):
    seen = []
    monkeypatch.setattr(
        jax.random, "beta", lambda key, a, b, shape, dtype: seen.append((a, b)) or jnp.full(shape, 0.75)
    )
    shares = np.asarray(mix(new_key(), jnp.zeros((6, 32, 32, 1)), TARGETS, alpha=0.3)[1])
    assert seen == [(0.3, 0.3)]
    kept = np.diagonal(shares)
    assert (kept >= 0.75 - 1e-6).all() if mix is data.mixup else (kept > 0.7).all()  # a rectangle may be cut off
    assert kept.min() == pytest.approx(0.75, abs=0.0 if mix is data.mixup else 0.05)


ONES = jnp.ones((2, 4, 4, 3))
WRONG = {
    "crop rank": (lambda: data.random_crop(new_key(), ONES[0]), r"random_crop: images must be \(N, H, W, C\)"),
    "crop size": (lambda: data.random_crop(new_key(), ONES, 7, padding=1), r"\(7, 7\) does not fit.*at most \(6, 6\)"),
    "crop padding": (lambda: data.random_crop(new_key(), ONES, padding=-1), "does not fit"),
    "crop mode": (lambda: data.random_crop(new_key(), ONES, padding_mode="mirror"), "'mirror'; take one of 'zeros'"),
    "flip rate": (lambda: data.random_flip(new_key(), ONES, rate=1.5), "rate is 1.5"),
    "erase rate": (lambda: data.random_erase(new_key(), ONES, rate=-0.5), "random_erase: rate is -0.5"),
    "erase area": (lambda: data.random_erase(new_key(), ONES, area=(0.0, 0.5)), r"area is \(0.0, 0.5\)"),
    "erase ratio": (lambda: data.random_erase(new_key(), ONES, ratio=(2, 1)), r"ratio is \(2, 1\)"),
    "integers": (lambda: data.color_jitter(new_key(), ONES.astype(jnp.uint8)), "uint8.*divide them by 255"),
    "hue": (lambda: data.color_jitter(new_key(), ONES, hue=0.6), r"hue is 0.6; take one in \[0, 0.5\]"),
    "gray": (lambda: data.color_jitter(new_key(), ONES[..., :1], hue=0.1), "need 3 channels.*not 1"),
    "class numbers": (lambda: data.mixup(new_key(), ONES, jnp.arange(2)), "targets are int32.*one_hot"),
    "no classes": (lambda: data.mixup(new_key(), ONES, jnp.ones(2)), r"targets must be \(N, K\)"),
    "bytes": (lambda: data.mixup(new_key(), ONES.astype(jnp.uint8), jnp.ones((2, 1))), "images are uint8"),
    "lengths": (lambda: data.mixup(new_key(), ONES, jnp.ones((3, 1))), "2 images, but 3 targets"),
    "lengths of cutmix": (lambda: data.cutmix(new_key(), ONES, jnp.ones((3, 1))), "2 images, but 3 targets"),
    "alpha": (lambda: data.cutmix(new_key(), ONES, jnp.ones((2, 1)), alpha=0), "alpha is 0"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_input_is_named(name):
    call, message = WRONG[name]
    with pytest.raises((TypeError, ValueError), match=message):
        call()


def test_what_to_install_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "dm_pix", None)
    with pytest.raises(extras.MissingExtra, match=r'dm_pix.*pip install "jaxnets\[data\]"'):
        data.random_flip(new_key(), ONES)
