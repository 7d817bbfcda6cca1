"""Input pipelines on grain: from a source of single examples to batches on the device, resumable exactly."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import numpy as np

from jaxnets.data.sources import Source
from jaxnets.extras import require


def pipeline(
    source: Source,
    batch_size: int,
    *,
    seed: int,
    shuffle: bool = True,
    epochs: int | None = 1,
    transform: Callable[[Any], Any] | None = None,
    augment: Callable[[Any, np.random.Generator], Any] | None = None,
    shard: tuple[int, int] | None = None,
    drop_remainder: bool = True,
    threads: int = 0,
    workers: int = 0,
) -> Any:
    """Cut a source into batches: shuffled anew in every epoch, shared out among hosts, read by several workers.

    The batches depend on the source, the seed, the batch size, the shard, `transform` and `augment`, and on nothing
    else: threads and workers read ahead and change neither the batches nor their order.

    Args:
        source: anything with `len` and `[index]`; the readers of `jaxnets.data`, or a list.
        batch_size: examples in a batch of this host; of all hosts together, so many times the number of hosts.
        seed: of the order and of `augment`, from 0 to 2³² - 1; the same on every host.
        shuffle: over the whole source, before it is shared out.
        epochs: how often each example is seen; None goes on forever.
        transform: `transform(example)`, on the host: decode, resize, choose what the network needs.
        augment: `augment(example, rng)`, likewise, with a `numpy.random.Generator` of its own for each example of
            each epoch. What the device can do is better done there: `jaxnets.data.random_crop` and its like.
        shard: (index, count): of every `count` examples this host takes one. By default those of
            `jax.process_index()` and `jax.process_count()`. What is left over beyond equal shares is left out, since
            a host with fewer batches would keep the others waiting forever; another epoch leaves out others.
        drop_remainder: leave out the last batch of an epoch if it is smaller, so that a step compiles once.
        threads: that read ahead, in this process, for files and what releases Python's lock; 0 for what lies in
            memory.
        workers: processes that read ahead, each with so many threads. They are started afresh, so a script needs
            `if __name__ == "__main__":`, and everything given here must be picklable.

    Returns:
        A `grain.IterDataset`. `iter` of it gives an iterator with `get_state()`, which JSON can hold, and
        `set_state(state)`, after which come exactly the batches that were still to come; close one with workers by
        its `close()`. A batch has the form of an example, every leaf stacked along a new first axis.

    Raises:
        ValueError: a size, shard or number that gives no batch.
        MissingExtra: grain is not installed.

    >>> batches = pipeline([{"x": np.float32(i)} for i in range(10)], 4, seed=0)
    >>> iterator = iter(batches)
    >>> first, state = next(iterator), iterator.get_state()
    >>> resumed = iter(batches)
    >>> resumed.set_state(state)
    >>> first["x"].shape, bool((next(resumed)["x"] == next(iterator)["x"]).all())
    ((4,), True)
    """
    index, count = shard if shard is not None else (jax.process_index(), jax.process_count())
    if not (count >= 1 and 0 <= index < count):
        raise ValueError(f"pipeline: shard is {(index, count)}; take (index, count) with 0 <= index < count")
    share = len(source) // count
    if batch_size < 1 or share == 0 or (drop_remainder and batch_size > share):
        raise ValueError(
            f"pipeline: batch_size {batch_size} gives no batch of {share} examples ({len(source)} shared by {count}): "
            f"take a size from 1 to {share}"
        )
    for name, value in (("threads", threads), ("workers", workers)):
        if value < 0:
            raise ValueError(f"pipeline: {name} is {value}; take at least 0")
    if epochs is not None and epochs < 1:
        raise ValueError(f"pipeline: epochs is {epochs}; take at least 1, or None to go on forever")
    if not 0 <= seed < 2**32:
        raise ValueError(f"pipeline: seed is {seed}; take one from 0 to 2**32 - 1")
    grain = require("grain", extra="data")
    examples = grain.MapDataset.source(source).seed(seed)  # read lazily, by number, from here to the batch
    if shuffle:
        examples = examples.shuffle()
    examples = examples[: share * count][index::count]
    if transform is not None:
        examples = examples.map(transform)
    if augment is not None:
        examples = examples.random_map(augment)
    batched = examples.batch(batch_size, drop_remainder=drop_remainder).repeat(epochs)
    read = batched.to_iter_dataset(grain.ReadOptions(num_threads=threads, prefetch_buffer_size=2 * threads))
    if workers:
        flags = require("absl.flags", extra="data").FLAGS
        if not flags.is_parsed():  # grain hands them to its workers, and a program without absl's main has none
            flags.mark_as_parsed()
        read = read.mp_prefetch(grain.MultiprocessingOptions(num_workers=workers, per_worker_buffer_size=2))
    return read


def to_device(batches: Any, sharding: jax.sharding.Sharding | None = None, *, ahead: int = 2) -> Any:
    """Put the batches of a `pipeline` on the device, a few ahead of the step that is computing.

    Args:
        batches: from `pipeline`, or any `grain.IterDataset` of arrays.
        sharding: of each array over the devices of all hosts; the batches of the hosts are then the parts of one
            global array. By default the whole batch goes to the default device.
        ahead: batches that wait on the device; each takes its memory there.

    Returns:
        A `grain.IterDataset` of `jax.Array`s. Its iterators resume as those of `pipeline`: what had been read ahead
        is read again.

    Raises:
        ValueError: `ahead` is below 1.
        TypeError: a leaf is no array of numbers, as text; when it is read.
        MissingExtra: grain is not installed.

    >>> batches = to_device(pipeline([np.float32(i) for i in range(4)], 2, seed=0, shuffle=False))
    >>> [batch.tolist() for batch in batches]
    [[0.0, 1.0], [2.0, 3.0]]
    """
    if ahead < 1:
        raise ValueError(f"to_device: ahead is {ahead}; take at least 1")
    experimental = require("grain", extra="data").experimental
    return experimental.ThreadPrefetchIterDataset(batches.map(partial(_put, sharding)), prefetch_buffer_size=ahead)


def _put(sharding: jax.sharding.Sharding | None, batch: Any) -> Any:
    def put(path: Any, leaf: Any) -> jax.Array:
        if np.asarray(leaf).dtype.kind in "OSUmM":
            raise TypeError(
                f"to_device: {jax.tree_util.keystr(path) or 'the batch'} is {np.asarray(leaf).dtype}, which no device "
                "holds: leave it out, or make numbers of it, in the transform of the pipeline"
            )
        return jax.device_put(leaf) if sharding is None else jax.make_array_from_process_local_data(sharding, leaf)

    return jax.tree_util.tree_map_with_path(put, batch)
