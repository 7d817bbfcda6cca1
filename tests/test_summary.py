"""`summary`: numbers against what really runs, and the table a person reads."""

import jax
import jax.numpy as jnp
import pytest

import jaxnets
from jaxnets import collect, ops, parallel, pure, remat, repeat, serial, summary

X = jax.ShapeDtypeStruct((2, 8, 8, 3), jnp.float32)


def conv(channels, **options):
    def init(key, x):
        return {"w": jax.random.normal(key, (3, 3, x.shape[-1] // options.get("groups", 1), channels))}

    return pure(init, lambda params, x: ops.conv(x, params["w"], **options))


def net():
    return serial(
        stem=conv(8, stride=2),
        block=parallel(jnp.add, skip=lambda x: x, main=serial(conv(8), jax.nn.relu)),
        deep=repeat(serial(mix=conv(8)), 5),
        head=lambda x: x.mean((1, 2)),
    )


def rows(layer, x=X):
    return {row.path: row for row in summary(layer, x).rows}


def test_parents_come_before_children_with_everything_inside():
    table = summary(net(), X)
    assert [row.path for row in table.rows] == [
        "stem",
        "block",
        "block/skip",
        "block/main",
        "block/main/0",
        "block/main/1",
        "deep",
        "deep/mix",
        "head",
    ]
    by = rows(net())
    assert by["stem"].output == [(2, 4, 4, 8)]
    assert by["stem"].multiply_adds == 2 * 16 * 9 * 3 * 8
    assert by["block"].params == by["block/main/0"].params == 9 * 8 * 8
    assert by["deep"].params == 5 * 9 * 8 * 8
    assert by["deep/mix"].multiply_adds == 5 * by["block/main/0"].multiply_adds


def test_totals_are_those_of_the_real_network(key):
    table = summary(net(), X)
    params, _ = net().init(key, X)
    assert table.total.params == jaxnets.tree.count(params)
    assert table.total.multiply_adds == sum(row.multiply_adds for row in table.rows if "/" not in row.path)
    assert table.total.activation_bytes == sum(row.activation_bytes for row in table.rows if "/" not in row.path)


def test_an_output_passed_on_is_counted_once():
    by = rows(serial(outer=serial(inner=serial(add=lambda x: x + 1, same=lambda x: x))))
    assert by["outer/inner/add"].activation_bytes == by["outer"].activation_bytes == 2 * 8 * 8 * 3 * 4
    assert by["outer/inner/same"].activation_bytes == 0
    assert rows(remat(serial(add=lambda x: x + 1)))["add"].activation_bytes == 2 * 8 * 8 * 3 * 4


def test_repeat_keeps_every_turn():
    one, five = (summary(repeat(serial(mix=conv(3)), n), X).total for n in (1, 5))
    assert five.activation_bytes == 5 * one.activation_bytes


@pytest.mark.parametrize("options", [{"groups": 3}, {"stride": 2}, {"dilation": 2}, {"padding": "VALID"}])
def test_multiply_adds_agree_with_the_arithmetic(options):
    window = ops.geometry.Window.of(
        "conv", (8, 8), 3, options.get("stride", 1), options.get("padding", "SAME"), options.get("dilation", 1)
    )
    expected = ops.geometry.multiply_adds(window, 3, 6, groups=options.get("groups", 1), batch=2)
    assert summary(conv(6, **options), X).total.multiply_adds == expected


def test_a_transposed_convolution_costs_what_its_adjoint_does():
    up = summary(lambda x: ops.conv_transpose(x, jnp.ones((4, 4, 5, 3)), stride=2), X).total
    assert up.multiply_adds == 2 * 8 * 8 * 3 * 16 * 5


def test_a_layer_alone_and_the_maps_of_collect():
    assert summary(conv(4), X).rows == []
    assert summary(conv(4), X).total.activation_bytes == 2 * 8 * 8 * 4 * 4
    assert summary(collect(a=conv(4), b=conv(2)), X).total.output == [(2, 8, 8, 4), (2, 8, 8, 2)]


def test_nothing_is_computed():
    def refuse(x):
        assert isinstance(x, jax.core.Tracer)
        return x

    summary(serial(refuse), jnp.ones((2, 3)))


def test_the_table_reads_well():
    text = str(summary(net(), X))
    lines = text.splitlines()
    assert lines[0].split() == ["path", "output", "parameters", "multiply-adds", "activations"]
    assert lines[2].split()[:1] == ["stem"]
    assert lines[-1].startswith("total")
    assert len({len(line) for line in lines}) == 1


def test_errors_name_the_layer():
    with pytest.raises(ValueError, match="channels") as caught:
        summary(serial(stem=lambda x: ops.conv(x, jnp.ones((3, 3, 4, 4)))), X)
    assert "in layer 'stem'" in caught.value.__notes__
