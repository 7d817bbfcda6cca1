"""A picture of a digit, however it was made, comes back as the digit."""

import numpy as np
import pytest
from PIL import Image

from jaxnets import data

DIGITS = data.digits()
RNG = np.random.default_rng(0)


def upscale(digit, factor=16, margin=0):
    """The digit as a large picture, bright on black, uint8."""
    big = np.kron(digit[..., 0], np.ones((factor, factor)))
    return (np.pad(big, margin) * 255).round().astype(np.uint8)


def difference(path, digit):
    """Mean absolute difference to the digit, at the best shift by up to one pixel along the row."""
    got = data.read_image(path)
    assert got.shape == (1, 8, 8, 1)
    assert got.dtype == np.float32
    assert got.min() >= 0
    assert got.max() == 1
    return min(np.abs(np.roll(got[0], shift, 1) - digit / digit.max()).mean() for shift in (-1, 0, 1))


@pytest.mark.parametrize("index", range(10))
@pytest.mark.parametrize(
    "draw",
    [
        pytest.param(lambda big: Image.fromarray(big), id="bright on black"),
        pytest.param(lambda big: Image.fromarray(255 - big), id="dark on white"),
        pytest.param(lambda big: Image.fromarray((200 - 0.5 * big).astype(np.uint8)), id="gray pencil"),
        pytest.param(lambda big: Image.fromarray(255 - big).convert("RGB"), id="color"),
        pytest.param(lambda big: Image.fromarray(big.astype(np.uint16) * 257), id="16 bits"),
        pytest.param(lambda big: Image.fromarray(np.stack([0 * big] * 3 + [big], -1)), id="black on transparent"),
        pytest.param(lambda big: Image.fromarray(np.stack([0 * big + 255] * 3 + [big], -1)), id="white on transparent"),
        pytest.param(
            lambda big: Image.fromarray(np.pad(255 - big, ((90, 10), (5, 200)), constant_values=255)), id="off"
        ),
        pytest.param(
            lambda big: Image.fromarray((235 - 0.8 * big + RNG.normal(0, 4, big.shape)).clip(0, 255).astype(np.uint8)),
            id="noisy scan",
        ),
    ],
)
def test_a_digit_survives_the_picture(tmp_path, draw, index):
    digit = DIGITS.test_images[index]
    draw(upscale(digit, margin=24)).save(tmp_path / "digit.png")
    assert difference(tmp_path / "digit.png", digit) < 0.06


def test_orientation_of_a_camera_is_undone(tmp_path):
    digit = DIGITS.test_images[0]
    picture = Image.fromarray(255 - upscale(digit, margin=16)).rotate(90, expand=True)
    exif = Image.Exif()
    exif[0x0112] = 6  # "turn by 90 degrees clockwise to see it upright"
    picture.save(tmp_path / "photo.jpg", exif=exif, quality=95)
    assert difference(tmp_path / "photo.jpg", digit) < 0.06


def test_proportions_are_kept_and_size_is_chosen(tmp_path):
    wide = np.zeros((60, 100), np.uint8)
    wide[25:35, 10:90] = 255
    Image.fromarray(wide).save(tmp_path / "dash.png")
    got = data.read_image(tmp_path / "dash.png", (16, 24))[0, :, :, 0]
    assert got.shape == (16, 24)
    np.testing.assert_array_equal(np.flatnonzero(got.any(1)), [6, 7, 8])  # 10/80 of 24 columns is 3 rows, centered
    assert got.any(0).all()


@pytest.mark.parametrize("value", [0, 128, 255])
def test_a_blank_page_is_named(tmp_path, value):
    Image.fromarray(np.full((30, 30), value, np.uint8)).save(tmp_path / "blank.png")
    with pytest.raises(ValueError, match=r"blank\.png is blank"):
        data.read_image(tmp_path / "blank.png")


def test_what_is_no_image_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no image at .*nowhere\.png"):
        data.read_image(tmp_path / "nowhere.png")
    (tmp_path / "text.png").write_text("not an image")
    with pytest.raises(ValueError, match=r"text\.png cannot be read as an image"):
        data.read_image(tmp_path / "text.png")
    with pytest.raises(ValueError, match="cannot be read as an image"):
        data.read_image(tmp_path)
    Image.fromarray(RNG.integers(0, 255, (64, 64), np.uint8)).save(tmp_path / "whole.png")
    (tmp_path / "half.png").write_bytes((tmp_path / "whole.png").read_bytes()[:2000])
    with pytest.raises(ValueError, match=r"half\.png cannot be read as an image"):
        data.read_image(tmp_path / "half.png")
