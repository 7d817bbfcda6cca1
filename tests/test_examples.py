"""Each example runs, small, and beats a simple baseline that is named here."""

import importlib.util
import pickle
import wave as wave_file
from pathlib import Path

import jax
import numpy as np
import pytest
from PIL import Image

from jaxnets import data, models, weights

EXAMPLES = Path(__file__).parent.parent / "examples"


def example(name):
    spec = importlib.util.spec_from_file_location(f"examples_{name}", EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def optimized():
    """Compiled as it is for a user: what trains long takes about half the time."""
    before = jax.config.read("jax_disable_most_optimizations")
    jax.config.update("jax_disable_most_optimizations", False)
    yield
    jax.config.update("jax_disable_most_optimizations", before)


@pytest.fixture(scope="module")
def nearest_mean():
    """The accuracy of the nearest class mean on the same split."""
    digits = data.digits()
    train, test = (images.reshape(len(images), -1) for images in (digits.train_images, digits.test_images))
    means = np.stack([train[digits.train_labels == k].mean(0) for k in range(10)])
    nearest = ((test[:, None] - means[None]) ** 2).sum(2).argmin(1)
    return float((nearest == digits.test_labels).mean())


def test_digits_beats_the_nearest_class_mean(nearest_mean):
    digits = example("digits")
    found = digits.main(digits.Config(epochs=6, batch_size=32))
    assert found["test_accuracy"] > nearest_mean + 0.03


def test_backprop_by_hand_is_backprop_by_jax(nearest_mean, tmp_path):
    backprop = example("backprop")
    found = backprop.main(backprop.Config(epochs=8, out=str(tmp_path / "backprop.png")))
    assert min(found["accuracy"], found["accuracy_by_hand"]) > nearest_mean + 0.03
    assert found["worst_gradient_difference"] < 1e-5
    assert (tmp_path / "backprop.png").stat().st_size > 10_000


def test_convolution_is_what_scipy_says(tmp_path):
    convolution = example("convolution")
    found = convolution.main(convolution.Config(tiny=True, out=str(tmp_path / "convolution.png")))
    assert len(found) == 7
    assert max(found.values()) < 1e-6
    assert (tmp_path / "convolution.png").stat().st_size > 100_000
    image, flipped = np.eye(6, 5, dtype=np.float32), convolution.SOBEL[::-1, ::-1].copy()
    ours, theirs = (convolution.on(convolution.ops.conv, image, w) for w in (flipped, convolution.SOBEL))
    assert convolution.gap(ours, theirs) > 1  # the measure would see it
    assert convolution.gap(np.where(image, image, np.nan), image) > 1


def test_language_beats_a_linear_classifier_of_letters(tmp_path):
    pytest.importorskip("babel")
    language = example("language")
    found = language.main(language.Config(tiny=True, out=tmp_path))
    assert found["TextCNN"] > found["linear_1"] + 0.08
    assert (tmp_path / "language.png").stat().st_size > 10_000
    texts, labels, part = language.phrases(["da", "nb"])
    assert len(set(texts)) == len(texts) == len(labels)
    assert set(part) == set(range(40))


@pytest.mark.slow  # a quarter of a minute
def test_gpt_beats_counts_of_single_tokens(tmp_path):
    gpt = example("gpt")
    found = gpt.main(gpt.Config(tiny=True, out=tmp_path))
    assert found["GPT"] < found["1-gram"] - 0.4
    assert found["5-gram"] < found["3-gram"] < found["2-gram"] < found["1-gram"]
    assert (tmp_path / "gpt.png").stat().st_size > 10_000
    with pytest.raises(FileNotFoundError, match=r"no argparse\.py there; pass the folder"):
        gpt.main(gpt.Config(path=tmp_path))


def test_gpt_counts_give_chances_that_sum_to_one():
    gpt, known = example("gpt"), np.random.default_rng(0).integers(4, size=50)
    for order, seen in ((1, []), (2, [3]), (3, [3, 1]), (3, [4, 1]), (3, [4, 4])):  # 4 never occurs
        bits = [gpt.ngrams(known, np.array([*seen, token]), order, 5)[0] for token in range(5)]
        assert np.isclose((2.0 ** -np.array(bits)).sum(), 1)


def test_wide_deep_beats_logistic_regression(tmp_path):
    pytest.importorskip("statsmodels")
    wide_deep = example("wide_deep")
    found = wide_deep.main(wide_deep.Config(tiny=True, out=tmp_path))
    assert found["both"] > max(found["logistic"] + 0.05, 0.75)
    assert (tmp_path / "wide_deep.png").stat().st_size > 10_000


def test_wide_deep_reads_adult(tmp_path):
    wide_deep, path = example("wide_deep"), tmp_path / "adult.data"
    lines = [
        f"{20 + i % 45}, Private, 77516, Bachelors, {i % 16}, Divorced, Sales, Wife, White, Male, {i}, 0, 40, Cuba, "
        f"{'>50K' if i % 16 > 9 else '<=50K'}\n"
        for i in range(500)
    ]
    path.write_text("".join(lines))
    table = wide_deep.census(path)
    truth = table.labels[table.held_out]
    found = wide_deep.learn(wide_deep.Config(epochs=2, batch=20), table, "both")
    assert (
        ((found > 0) == truth).mean() > 0.8 > truth.mean() + 0.3
    )  # who studied longer earns more, in this made-up world


@pytest.mark.slow  # half the steps of the whole: fewer tell digits from clutter, but not from one another
@pytest.mark.usefixtures("optimized")
def test_detection_beats_connected_components(tmp_path):
    detection = example("detection")
    found = detection.main(detection.Config(tiny=True, out=tmp_path))
    assert found["FCOS AP50"] > found["components AP50"] + 0.05
    assert found["components AP50"] > 0.2
    assert (tmp_path / "boxes.png").stat().st_size > 10_000


@pytest.mark.slow  # as above
@pytest.mark.usefixtures("optimized")
def test_segmentation_beats_connected_components(tmp_path):
    segmentation = example("segmentation")
    found = segmentation.main(segmentation.Config(tiny=True, out=tmp_path))
    assert found["U-Net"] > found["components"] + 0.05
    assert found["components"] > 0.2
    assert (tmp_path / "masks.png").stat().st_size > 10_000


@pytest.mark.slow  # it trains three networks
@pytest.mark.usefixtures("optimized")
def test_pretrained_weights_beat_training_from_scratch(tmp_path):
    pretrained = example("pretrained")
    found = pretrained.main(pretrained.Config(tiny=True, out=str(tmp_path)))
    assert found["fine_tuned"] > found["from_scratch"] + 0.1
    assert (tmp_path / "looks.png").stat().st_size > 10_000
    with weights.file.tensors(tmp_path / "digits.safetensors") as tensors:
        assert tensors["layer2.0.downsample.0.weight"].shape == (64, 32, 1, 1)  # as torchvision has it
        assert tensors["fc.weight"].shape == (40, 64)


@pytest.mark.slow  # half a minute: a whole ResNet-18
def test_pretrained_classifies_an_image_by_the_weights_in_a_file(tmp_path):
    pretrained, image_file, path = example("pretrained"), tmp_path / "noise.png", tmp_path / "resnet18.safetensors"
    pixels = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    pytest.importorskip("PIL.Image").fromarray(pixels).save(image_file)
    model, x = models.create("resnet18"), data.center_crop(pixels, (32, 32))[None] / 255
    x = ((x - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]).astype(np.float32)
    params, state = jax.jit(model.init)(jax.random.key(0), x)
    weights.save(path, "resnet18", params, state, source="torchvision")
    expected = np.asarray(jax.nn.softmax(jax.jit(model.apply)(params, state, x)[0][0]))
    config = pretrained.Config(weights=str(path), image=str(image_file), size=32, out=str(tmp_path))
    assert pretrained.main(config) == {"class": expected.argmax(), "probability": pytest.approx(expected.max(), 1e-3)}
    assert (tmp_path / "looks.png").stat().st_size > 10_000


def test_dqn_beats_random_moves(tmp_path):
    pytest.importorskip("gymnax", reason='needs pip install "jaxnets[games]"')
    dqn = example("dqn")
    found = dqn.main(dqn.Config(tiny=True, out=tmp_path))
    assert found["score"] > 3 * found["random"] + found["error"]
    assert 0.1 < found["random"] < 1
    assert (tmp_path / "dqn.png").stat().st_size > 10_000


def test_ppo_beats_random_moves(tmp_path):
    pytest.importorskip("gymnax", reason='needs pip install "jaxnets[games]"')
    ppo = example("ppo")
    found = ppo.main(ppo.Config(tiny=True, out=tmp_path))
    assert found["score"] > 3 * found["random"] + found["error"]
    assert 0.1 < found["random"] < 1
    assert (tmp_path / "ppo.png").stat().st_size > 10_000


@pytest.mark.slow  # half a minute
@pytest.mark.usefixtures("optimized")
def test_images_beats_what_looks_at_pixels(tmp_path):
    images = example("images")
    found = images.main(images.Config(tiny=True, out=tmp_path))
    assert found["resnet"] > max(found["nearest mean"], found["logistic regression"]) + 0.15
    assert (tmp_path / "images.png").stat().st_size > 50_000
    known, new, names = images.read(tmp_path / "digits")
    assert (len(known), len(new), names) == (1437, 360, tuple("0123456789"))
    page = known[0]["image"]
    assert (page.shape, page.dtype) == ((32, 32, 3), np.uint8)


def pictures(folder, kind, count=30):
    """A data set on disk of so many pictures, one of three colors each, in one of the forms that people have."""
    draw = np.random.default_rng(0)
    labels = np.arange(count) % 3
    x = draw.integers(0, 80, (count, 32, 32, 3)) + 150 * np.eye(3, dtype=int)[labels][:, None, None]
    rows = x.transpose(0, 3, 1, 2).reshape(count, 3072).astype(np.uint8)
    folder.mkdir()
    for part in (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"):
        if kind == "binary":
            np.concatenate([labels[:, None], rows], axis=1).astype(np.uint8).tofile(folder / f"{part}.bin")
        if kind == "pickle":
            (folder / part).write_bytes(pickle.dumps({b"data": rows, b"labels": labels.tolist()}))
    for part in {"folder": ("",), "split": ("train", "val")}.get(kind, ()):
        for i, label in enumerate(labels):
            (folder / part / f"color{label}").mkdir(parents=True, exist_ok=True)
            Image.fromarray(x[i].astype(np.uint8)).save(folder / part / f"color{label}" / f"{i}.png")
    return folder


@pytest.mark.parametrize(
    ("kind", "sizes"), [("binary", (150, 30)), ("pickle", (150, 30)), ("folder", (24, 6)), ("split", (30, 30))]
)
def test_images_reads_what_is_on_disk(tmp_path, kind, sizes):
    known, new, names = example("images").read(pictures(tmp_path / "data", kind))
    assert (len(known), len(new)) == sizes
    assert names == (tuple("0123456789") if kind in ("binary", "pickle") else ("color0", "color1", "color2"))
    for source in (known, new):
        records = [source[i] for i in range(len(source))]
        assert {int(record["label"]) for record in records} == {0, 1, 2}
        assert all(record["image"].mean((0, 1)).argmax() == record["label"] for record in records)


@pytest.mark.slow  # a quarter of a minute
def test_images_learns_from_a_folder(tmp_path):
    images, path = example("images"), pictures(tmp_path / "data", "folder", 60)
    config = images.Config(data=path, tiny=True, hue=0.0, flip=True, mixed=1.0, batch=8, channels=(4, 4), out=tmp_path)
    assert images.main(config)["resnet"] > 0.8
    assert (tmp_path / "images.png").stat().st_size > 10_000
    assert not (tmp_path / "digits").exists()


def test_images_says_what_is_wrong_with_a_folder(tmp_path):
    read = example("images").read
    with pytest.raises(FileNotFoundError, match=r"no folder .*nowhere: give one with a sub-folder"):
        read(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="has no sub-folders: put the pictures of each class into one"):
        read(tmp_path)
    split = pictures(tmp_path / "data", "split", 3)
    (split / "val" / "color2").rename(split / "val" / "other")
    with pytest.raises(ValueError, match=r"color2.*to learn.*other.*to test"):
        read(split)
    with pytest.raises(ValueError, match="give two, alike"):
        read(pictures(tmp_path / "one", "folder", 1))
    (pictures(tmp_path / "cut", "binary") / "test_batch.bin").write_bytes(b"1234")
    with pytest.raises(ValueError, match=r"test_batch.bin is truncated"):
        read(tmp_path / "cut")


@pytest.mark.slow  # it compiles the whole of CTC
@pytest.mark.usefixtures("optimized")
def test_speech_by_ctc_beats_a_classifier_of_frames(tmp_path):
    pytest.importorskip("espeakng_loader")
    speech = example("speech")
    found = speech.main(speech.Config(tiny=True, out=tmp_path))
    assert found["beam_wer"] < found["frames_wer"] - 0.2
    assert (tmp_path / "speech.png").stat().st_size > 10_000


def test_speech_reads_speech_commands(tmp_path):
    pytest.importorskip("scipy")
    speech, rng = example("speech"), np.random.default_rng(0)
    for word, hertz in (("no", 300), ("yes", 1200)):
        (tmp_path / word).mkdir()
        for i in range(24):
            wave = 20_000 * np.sin(np.arange(6_000) * 2 * np.pi * (hertz + rng.integers(60)) / 16_000)
            with wave_file.open(str(tmp_path / word / f"{i}.wav"), "wb") as file:
                file.setparams((1, 2, 16_000, 0, "NONE", ""))
                file.writeframes(wave.astype("<i2").tobytes())
    for name, numbers in (("validation_list", range(2)), ("testing_list", range(2, 8))):
        (tmp_path / f"{name}.txt").write_text("".join(f"{word}/{i}.wav\n" for word in ("no", "yes") for i in numbers))
    config = speech.Config(data=tmp_path, batch=8)
    clips, vocabulary = speech.load(config, "train")
    new, _ = speech.load(config, "test", vocabulary)
    assert vocabulary == ["no", "yes"]
    assert (clips.audio.shape, new.audio.shape, clips.words.shape) == ((32, 8000), (12, 8000), (32, 1))
    assert [text == "yes" for text in new.texts] == (new.words[:, 0] == 2).tolist()
    x = np.asarray(speech.hear(config, jax.random.key(0), new.audio))
    said = speech.by_frames(config, clips, x)
    assert all(word in row for row, (word,) in zip(said, new.words, strict=True))
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        speech.load(speech.Config(data=tmp_path / "nowhere"), "train")


def test_every_example_is_tested_and_short():
    tests, shown = Path(__file__).read_text(), (EXAMPLES.parent / "docs" / "examples.md").read_text()
    for file in sorted(EXAMPLES.glob("*.py")):
        text = file.read_text()
        assert f'example("{file.stem}")' in tests
        assert f"(../examples/{file.name})" in shown
        assert len(text.splitlines()) <= 150
        assert "class Config" in text
        assert "def main(config: Config) -> dict[str, float]" in text
