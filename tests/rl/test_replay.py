"""The memory holds the newest items, and gives them as often as it should."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets.rl import replay

EXAMPLE = {"pixels": jnp.zeros((2, 2), jnp.uint8), "n": jnp.zeros((), jnp.int32)}


def items(*numbers):
    n = jnp.array(numbers, jnp.int32)
    return {"pixels": jnp.broadcast_to(n.astype(jnp.uint8)[:, None, None], (len(numbers), 2, 2)), "n": n}


def test_the_newest_take_the_place_of_the_oldest():
    memory, held = replay.create(EXAMPLE, 5), []
    add = jax.jit(replay.add)
    for batch in ([1, 2], [3, 4], [5, 6], [7, 8], [9, 10]):
        memory = add(memory, items(*batch))
        held = (held + batch)[-5:]
        assert int(memory.held) == len(held)
        drawn = replay.sample(jax.random.key(len(held)), memory, 200)
        assert set(drawn["n"].tolist()) == set(held)
        np.testing.assert_array_equal(drawn["pixels"][:, 1, 1], drawn["n"])
        assert drawn["pixels"].dtype == jnp.uint8


def test_sampling_is_uniform_over_what_is_held():
    memory = replay.add(replay.create(EXAMPLE, 100), items(*range(4)))
    counts = np.bincount(replay.sample(jax.random.key(0), memory, 4000)["n"], minlength=4)
    np.testing.assert_allclose(counts / 4000, 0.25, atol=0.03)


def test_it_lives_in_a_scan():
    def step(memory, n):
        memory = replay.add(memory, items_of(n))
        return memory, replay.sample(jax.random.key(0), memory, 3)["n"].max()

    def items_of(n):
        return {"pixels": jnp.full((1, 2, 2), n.astype(jnp.uint8)), "n": n[None]}

    memory, seen = jax.jit(lambda m: jax.lax.scan(step, m, jnp.arange(20, dtype=jnp.int32)))(replay.create(EXAMPLE, 8))
    assert (int(memory.held), int(memory.position)) == (8, 4)
    assert sorted(memory.items["n"].tolist()) == list(range(12, 20))
    assert (seen <= jnp.arange(20)).all()


def test_priorities_say_how_often_and_weights_undo_it():
    memory = replay.add(replay.create(EXAMPLE, 10), items(*range(4)))
    memory = replay.set_priorities(memory, jnp.arange(4), jnp.array([1.0, 4.0, 9.0, 16.0]))
    draw = jax.jit(replay.sample_prioritized, static_argnums=2)
    drawn = draw(jax.random.key(0), memory, 4000, exponent=0.5, correction=1.0)
    share = np.bincount(drawn.indices, minlength=10) / 4000
    np.testing.assert_allclose(share, [0.1, 0.2, 0.3, 0.4, *[0] * 6], atol=1e-3)  # stratified: nearly exact
    np.testing.assert_array_equal(drawn.items["n"], drawn.indices)
    np.testing.assert_allclose(drawn.weights, np.array([1, 1 / 2, 1 / 3, 1 / 4])[drawn.indices], rtol=1e-5)
    same = replay.sample_prioritized(jax.random.key(0), memory, 8, exponent=0.0)
    np.testing.assert_allclose(same.weights, 1)


def test_a_new_item_has_the_highest_priority():
    memory = replay.add(replay.create(EXAMPLE, 3), items(0, 1))
    assert memory.priorities.tolist() == [1, 1, 0]
    memory = replay.add(replay.set_priorities(memory, jnp.array([0]), jnp.array([5.0])), items(2))
    assert memory.priorities.tolist() == [5, 1, 5]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: replay.create(EXAMPLE, 0), "capacity is 0"),
        (lambda: replay.add(replay.create(EXAMPLE, 2), items(1, 2, 3)), "3 items do not fit into a capacity of 2"),
        (
            lambda: replay.add(replay.create(EXAMPLE, 2), {**items(1), "n": jnp.ones(1)}),
            r"item\['n'\] is float32\[1\]; this memory takes int32\[1\]",
        ),
        (
            lambda: replay.add(replay.create(EXAMPLE, 2), {**items(1), "pixels": jnp.zeros((2, 2), jnp.uint8)}),
            r"takes uint8\[1, 2, 2\]",
        ),
        (lambda: replay.set_priorities(replay.create(EXAMPLE, 2), jnp.arange(2), jnp.ones(1)), "one for each"),
    ],
)
def test_wrong_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
