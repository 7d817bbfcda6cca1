"""Pipelines: every example once an epoch, the same batches whoever reads them, and after a restart the rest."""

import json
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets import data, extras

pytest.importorskip("grain")
N = 23
SOURCE = data.Arrays({"x": np.arange(3 * N, dtype=np.float32).reshape(N, 3), "i": np.arange(N)})


def numbers(batches):
    """Which examples are in each batch."""
    return [batch["i"].tolist() for batch in batches]


def test_an_epoch_has_every_example_once_and_rows_stay_together():
    batches = list(data.pipeline(SOURCE, 4, seed=0, drop_remainder=False))
    assert [len(batch["i"]) for batch in batches] == [4, 4, 4, 4, 4, 3]
    assert sorted(i for batch in numbers(batches) for i in batch) == list(range(N))
    for batch in batches:
        np.testing.assert_array_equal(batch["x"], SOURCE.arrays["x"][batch["i"]])
    assert [len(batch["i"]) for batch in data.pipeline(SOURCE, 4, seed=0)] == [4] * 5
    assert numbers(data.pipeline(SOURCE, 10, seed=0, shuffle=False)) == [list(range(10)), list(range(10, 20))]


def test_the_order_is_the_seeds_and_another_in_every_epoch():
    one, again, other = (numbers(data.pipeline(SOURCE, N, seed=seed, epochs=3)) for seed in (0, 0, 1))
    assert one == again
    assert len({tuple(epoch) for epoch in one + other}) == 6  # nor is an epoch of one seed one of the next seed's
    assert all(sorted(epoch) == list(range(N)) for epoch in one)
    forever = iter(data.pipeline(SOURCE, N, seed=0, epochs=None))
    assert [next(forever)["i"].tolist() for _ in range(3)] == one


def test_hosts_share_every_epoch_out_evenly():
    shards = [numbers(data.pipeline(SOURCE, 5, seed=0, epochs=2, shard=(i, 4))) for i in range(4)]
    assert {len(shard) for shard in shards} == {2}
    for epoch in range(2):
        assert len({i for shard in shards for i in shard[epoch]}) == 20
    first, second = ({i for shard in shards for i in shard[epoch]} for epoch in range(2))
    assert first != second  # three others are left out


@pytest.mark.parametrize("threads", [0, 3])
@pytest.mark.parametrize("place", [False, True])
@pytest.mark.parametrize("taken", [0, 1, 6])
def test_a_restored_state_gives_exactly_the_remaining_batches(threads, place, taken):
    def batches():
        read = data.pipeline(
            SOURCE, 4, seed=1, epochs=2, threads=threads, augment=lambda each, rng: {**each, "r": rng.random()}
        )
        return data.to_device(read) if place else read

    iterator = iter(batches())
    for _ in range(taken):
        next(iterator)
    state = json.loads(json.dumps(iterator.get_state()))
    rest = list(iterator)
    assert len(rest) == 10 - taken
    resumed = iter(batches())
    resumed.set_state(state)
    for ours, theirs in zip(rest, resumed, strict=True):
        jax.tree.map(np.testing.assert_array_equal, ours, theirs)


def halve(example):
    return example["x"] / 2, example["i"]


def noise(example, rng):
    return example[0] + rng.integers(0, 100, 3), example[1]


def test_transform_then_augment_with_a_generator_of_its_own():
    plain, noisy = (
        list(data.pipeline(SOURCE, N, seed=3, epochs=2, transform=halve, **more)) for more in ({}, {"augment": noise})
    )
    added = [b[0] - a[0] for a, b in zip(plain, noisy, strict=True)]
    assert len(np.unique(np.concatenate(added), axis=0)) > 40  # not the same in any example of either epoch
    again = list(data.pipeline(SOURCE, N, seed=3, epochs=2, transform=halve, augment=noise, threads=2))
    np.testing.assert_array_equal(again[1][0], noisy[1][0])


@pytest.mark.slow
def test_worker_processes_change_nothing():
    want = list(data.pipeline(SOURCE, 4, seed=3, epochs=2, transform=halve, augment=noise))
    batches = data.pipeline(SOURCE, 4, seed=3, epochs=2, transform=halve, augment=noise, workers=2)
    iterator = iter(batches)
    got = [next(iterator) for _ in range(3)]
    state = iterator.get_state()
    got += list(iterator)
    jax.tree.map(np.testing.assert_array_equal, got, want)
    iterator.set_state(state)
    jax.tree.map(np.testing.assert_array_equal, list(iterator), want[3:])
    iterator.close()


def test_batches_land_on_the_device_as_one_sharded_array():
    mesh = jax.make_mesh((1,), ("batch",))
    sharding = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("batch"))
    read = data.pipeline(SOURCE, 4, seed=0)
    for here, there in zip(read, data.to_device(read, sharding), strict=True):
        assert all(leaf.sharding == sharding for leaf in there.values())
        np.testing.assert_array_equal(here["i"], there["i"])
    assert isinstance(next(iter(data.to_device(read)))["x"], jnp.ndarray)


def test_text_is_kept_off_the_device():
    words = [{"text": "one", "n": 1}, {"text": "two", "n": 2}]
    with pytest.raises(TypeError, match=r"\['text'\] is <U3, which no device holds"):
        next(iter(data.to_device(data.pipeline(words, 2, seed=0))))


def test_a_failing_example_says_so(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "1.png").write_text("no picture")
    with pytest.raises(ValueError, match=r"1\.png cannot be read as an image"):
        next(iter(data.pipeline(data.image_folder(tmp_path), 1, seed=0, threads=1)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 24}, r"batch_size 24 gives no batch of 23 examples.*from 1 to 23"),
        ({"batch_size": 0}, "batch_size 0 gives no batch"),
        ({"shard": (0, 6)}, r"no batch of 3 examples \(23 shared by 6\)"),
        ({"shard": (0, 24), "drop_remainder": False}, "no batch of 0 examples"),
        ({"shard": (2, 2)}, r"shard is \(2, 2\)"),
        ({"threads": -1}, "threads is -1"),
        ({"workers": -1}, "workers is -1"),
        ({"epochs": 0}, "epochs is 0; take at least 1, or None"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_wrong_options_are_named_at_once(options, message):
    with pytest.raises(ValueError, match=message):
        data.pipeline(SOURCE, **{"batch_size": 4, "seed": 0, **options})
    with pytest.raises(ValueError, match="ahead is 0"):
        data.to_device(data.pipeline(SOURCE, 4, seed=0), ahead=0)


def test_what_to_install_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "grain", None)
    with pytest.raises(extras.MissingExtra, match=r'grain.*pip install "jaxnets\[data\]"'):
        data.pipeline(SOURCE, 4, seed=0)


def test_examples_are_brought_to_one_size():
    rng = np.random.default_rng(0)
    ramp = np.broadcast_to(np.arange(64, dtype=np.uint8)[None, :, None] * 4, (40, 64, 3))
    middle = data.center_crop(ramp, (10, 10), share=1.0)  # columns 12 to 52 of 64, by 4
    np.testing.assert_allclose(middle[0, :, 0], 4 * (12 + 1.5 + 4 * np.arange(10)), atol=2)
    whole = data.center_crop(np.asarray(ramp[..., :1]), (40, 64), share=1.0)
    np.testing.assert_array_equal(whole, ramp[..., :1])
    crops = [data.random_resized_crop(ramp, (8, 12), rng) for _ in range(20)]
    assert {crop.shape for crop in crops} == {(8, 12, 3)}
    assert len({crop.tobytes() for crop in crops}) == 20
    thin = data.random_resized_crop(ramp[:, :1], (8, 8), rng)  # too thin for any of the proportions
    assert (thin == 0).all()
    assert data.pad_to(np.ones((3, 2), np.float32), 5).tolist() == [[1, 1]] * 3 + [[0, 0]] * 2
    for call, message in (
        (lambda: data.center_crop(ramp, (4, 4), share=0), "share is 0"),
        (lambda: data.center_crop(ramp.astype(np.float32), (4, 4)), r"uint8, not \(40, 64, 3\) float32"),
        (lambda: data.random_resized_crop(ramp[0], (4, 4), rng), "random_resized_crop: image must be"),
        (lambda: data.pad_to(np.array(1), 4), "one axis or more"),
    ):
        with pytest.raises(ValueError, match=message):
            call()
