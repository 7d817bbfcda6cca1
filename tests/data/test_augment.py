"""Random affine maps: nothing asked for is nothing done, and a shift is a shift."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets import data


@pytest.fixture
def images():
    return jnp.asarray(data.digits().train_images[:16])


def test_amounts_of_zero_change_nothing(images):
    np.testing.assert_allclose(data.random_affine(jax.random.key(0), images), images, atol=1e-5)


@pytest.mark.parametrize("amount", ["shift", "rotation", "scale"])
def test_each_amount_moves_each_image_by_little_and_by_itself(images, amount):
    moved = data.random_affine(jax.random.key(0), images, **{amount: 0.2})
    change = np.abs(np.asarray(moved - images)).mean((1, 2, 3))
    assert moved.dtype == images.dtype
    assert (change > 1e-4).all()
    assert (change < 0.2).all()
    assert len(np.unique(change.round(6))) == 16


def test_a_shift_moves_the_center_of_mass_up_to_that_far():
    dots = jnp.zeros((64, 9, 9, 2)).at[:, 4, 4, :].set(1.0)
    moved = np.asarray(data.random_affine(jax.random.key(1), dots, shift=2.0))
    np.testing.assert_allclose(moved.sum((1, 2)), 1, atol=1e-5)  # linear interpolation keeps the sum
    rows = (moved[..., 0] * np.arange(9)[None, :, None]).sum((1, 2)) - 4
    assert np.abs(rows).max() <= 2 + 1e-5
    assert np.abs(rows).max() > 1.5
    np.testing.assert_array_equal(moved[..., 0], moved[..., 1])  # the channels of an image move together


def test_a_quarter_turn_is_a_quarter_turn(monkeypatch):
    image = jnp.asarray(np.random.default_rng(0).normal(size=(1, 5, 5, 1)).astype(np.float32))
    quarter = jnp.full((1,), jnp.pi / 2, jnp.float32)
    draws = iter([jnp.zeros((1, 2)), quarter, jnp.zeros(1)])
    monkeypatch.setattr(jax.random, "uniform", lambda *args, **kwargs: next(draws))
    turned = data.random_affine(jax.random.key(0), image, rotation=2.0)
    np.testing.assert_allclose(turned[0, :, :, 0], np.rot90(image[0, :, :, 0], -1), atol=1e-5)


def test_one_key_gives_one_result_under_jit_and_dtypes_stay(images):
    def move(x):
        return data.random_affine(jax.random.key(0), x, shift=1.0, rotation=0.1)

    np.testing.assert_allclose(jax.jit(move)(images), move(images), atol=1e-5)
    assert move(images.astype(jnp.bfloat16)).dtype == jnp.bfloat16


def test_wrong_input_is_named(images):
    with pytest.raises(ValueError, match=r"\(N, H, W, C\)"):
        data.random_affine(jax.random.key(0), images[0])
    with pytest.raises(ValueError, match="shift must not be negative"):
        data.random_affine(jax.random.key(0), images, shift=-1.0)
