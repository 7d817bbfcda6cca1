"""Experience replay in the device's memory: a ring of fixed size, any pytree an item, to use inside jit and scan.

>>> import jax, jax.numpy as jnp
>>> from jaxnets.rl import replay
>>> memory = replay.create({"seen": jnp.zeros(2), "reward": jnp.zeros(())}, capacity=100)
>>> memory = replay.add(memory, {"seen": jnp.ones((3, 2)), "reward": jnp.arange(3.0)})
>>> batch = replay.sample(jax.random.key(0), memory, 32)
>>> int(memory.held), batch["seen"].shape, sorted(set(batch["reward"].tolist()))
(3, (32, 2), [0.0, 1.0, 2.0])
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp


class Replay(NamedTuple):
    """Items that were seen, the newest in place of the oldest.

    Attributes:
        items: a pytree, every leaf `(capacity, ...)`.
        priorities: of each item, float32 `(capacity,)`, not negative; `sample` takes no notice of them.
        position: where the next item goes, int32.
        held: how many items there are, int32, at most the capacity.
    """

    items: Any
    priorities: jax.Array
    position: jax.Array
    held: jax.Array


class Drawn(NamedTuple):
    """Items drawn by priority: each leaf `(size, ...)`, where they lie, and the weights of their losses, in (0, 1]."""

    items: Any
    indices: jax.Array
    weights: jax.Array


def create(example: Any, capacity: int) -> Replay:
    """An empty memory.

    Args:
        example: one item, without a batch axis: arrays or `jax.ShapeDtypeStruct`s. Keep pixels in uint8.
        capacity: items it holds; all of their memory is taken now.

    Raises:
        ValueError: a capacity below 1.
    """
    if capacity < 1:
        raise ValueError(f"replay.create: capacity is {capacity}; take at least 1")
    items = jax.tree.map(lambda leaf: jnp.zeros((capacity, *leaf.shape), leaf.dtype), example)
    zero = jnp.zeros((), jnp.int32)
    return Replay(items, jnp.zeros(capacity, jnp.float32), zero, zero)


def add(replay: Replay, items: Any) -> Replay:
    """Put in a batch of items, in place of the oldest where it is full. Donated, or in a scan, without a copy.

    Args:
        items: every leaf `(B, ...)`, B at most the capacity. Their priority is the largest there is, or 1, so that
            each is soon seen.

    Raises:
        ValueError: more items than fit; leaves that are unlike the example's.
    """
    capacity, count = len(replay.priorities), len(jax.tree.leaves(items)[0])
    if count > capacity:
        raise ValueError(f"replay.add: {count} items do not fit into a capacity of {capacity}: add fewer at once")

    def put(path: Any, memory: jax.Array, new: jax.Array) -> jax.Array:
        if new.shape != (count, *memory.shape[1:]) or new.dtype != memory.dtype:
            raise ValueError(
                f"replay.add: item{jax.tree_util.keystr(path)} is {new.dtype}{list(new.shape)}; this memory takes "
                f"{memory.dtype}{[count, *memory.shape[1:]]}"
            )
        return memory.at[where].set(new, unique_indices=True)

    where = (replay.position + jnp.arange(count)) % capacity
    highest = replay.priorities.max()
    priority = jnp.where(highest > 0, highest, 1.0)
    return Replay(
        jax.tree_util.tree_map_with_path(put, replay.items, items),
        replay.priorities.at[where].set(priority, unique_indices=True),
        (replay.position + count) % capacity,
        jnp.minimum(replay.held + count, capacity),
    )


def sample(key: jax.Array, replay: Replay, size: int) -> Any:
    """Draw items uniformly, with replacement: each leaf `(size, ...)`. From an empty memory come zeros.

    Reference: Lin (1992), https://doi.org/10.1007/BF00992699; Mnih et al. (2015), https://doi.org/10.1038/nature14236.
    """
    indices = jax.random.randint(key, (size,), 0, jnp.maximum(replay.held, 1))
    return jax.tree.map(lambda leaf: leaf[indices], replay.items)


def sample_prioritized(
    key: jax.Array, replay: Replay, size: int, *, exponent: float = 0.6, correction: float | jax.Array = 0.4
) -> Drawn:
    """Draw items with probability proportional to `priority ** exponent`, one from each of `size` equal shares.

    Args:
        exponent: the paper's α: 0 draws uniformly.
        correction: the paper's β: the weights are `(held * probability) ** -correction`, over the largest of them; 1
            corrects the bias of the draw in full. It may be an array, to grow during training.

    Returns:
        The items, their indices (for `set_priorities`) and their weights.

    Cost: one sum over the capacity. Reference: Schaul et al. (2016), https://arxiv.org/abs/1511.05952.
    """
    there = jnp.arange(len(replay.priorities)) < replay.held
    mass = jnp.where(there, replay.priorities**exponent, 0)
    upto = jnp.cumsum(mass)
    drawn = (jnp.arange(size, dtype=jnp.float32) + jax.random.uniform(key, (size,))) / size * upto[-1]
    indices = jnp.searchsorted(upto, drawn, side="right").astype(jnp.int32)
    indices = jnp.clip(indices, 0, jnp.maximum(replay.held, 1) - 1)
    probability = mass[indices] / upto[-1]
    weights = (replay.held.astype(jnp.float32) * probability) ** -correction
    items = jax.tree.map(lambda leaf: leaf[indices], replay.items)
    return Drawn(items, indices, weights / weights.max())


def set_priorities(replay: Replay, indices: jax.Array, priorities: jax.Array) -> Replay:
    """Give items that were drawn a new priority, as their absolute error and a little, so that none is 0.

    Shapes: indices and priorities `(size,)`; of an item that was drawn twice, one of the two is kept.
    """
    if indices.shape != priorities.shape:
        raise ValueError(f"replay.set_priorities: indices {indices.shape}, priorities {priorities.shape}: one for each")
    return replay._replace(priorities=replay.priorities.at[indices].set(priorities.astype(jnp.float32)))
