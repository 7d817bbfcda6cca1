"""A network at a glance: what each layer puts out, holds and costs, from tracing alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod
from typing import Any

import jax

from jaxnets import compat, tree
from jaxnets.combine import OUTPUT, LayerLike, abstract, as_layer
from jaxnets.core import Tree
from jaxnets.ops.kernels.family import conv_p
from jaxnets.ops.kernels.problem import Problem


@dataclass
class Row:
    """One layer and everything inside it."""

    path: str
    output: list[tuple[int, ...]] = field(default_factory=list)
    params: int = 0
    multiply_adds: int = 0
    activation_bytes: int = 0


@dataclass(frozen=True)
class Summary:
    """The rows of a network, parents before children, and their total; `print` it, or read the numbers."""

    rows: list[Row]
    total: Row

    def __str__(self) -> str:
        head = ("path", "output", "parameters", "multiply-adds", "activations")
        body = [_cells(row) for row in (*self.rows, self.total)]
        widths = [max(len(line[i]) for line in (head, *body)) for i in range(len(head))]

        def line(cells: tuple[str, ...]) -> str:
            left = [cell.ljust(width) for cell, width in zip(cells[:2], widths[:2], strict=True)]
            right = [cell.rjust(width) for cell, width in zip(cells[2:], widths[2:], strict=True)]
            return "  ".join(left + right).rstrip()

        rule = "-" * (sum(widths) + 2 * (len(widths) - 1))
        rows = [*map(line, body[:-1]), rule] if self.rows else []
        return "\n".join([line(head), rule, *rows, line(body[-1])])


def _cells(row: Row) -> tuple[str, ...]:
    shapes = " ".join("(" + ", ".join(map(str, shape)) + ")" for shape in row.output)
    return (row.path, shapes, f"{row.params:,}", f"{row.multiply_adds:,}", _size(row.activation_bytes))


def _size(count: float) -> str:
    """Bytes in the unit a person reads.

    >>> _size(1536)
    '1.5 KiB'
    """
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024 or unit == "GiB":
            break
        count /= 1024
    return f"{count:.0f} B" if unit == "B" else f"{count:.1f} {unit}"


def _multiply_adds(equation: Any) -> int:
    """Multiply-adds of a convolution or a matrix product, products with padding counted; 0 for anything else."""
    name = equation.primitive.name
    if name == "dot_general":
        lhs, out = equation.invars[0].aval, equation.outvars[0].aval
        (contracted, _), _ = equation.params["dimension_numbers"]
        return prod(out.shape) * prod(lhs.shape[axis] for axis in contracted)
    if name == conv_p.name:
        first, second = (v.aval for v in equation.invars)
        return Problem.of(a=first, b=second, **equation.params).multiply_adds
    if name == "conv_general_dilated":
        lhs, rhs = (v.aval for v in equation.invars)
        out = equation.outvars[0].aval
        filters, per_group, *taps = (rhs.shape[axis] for axis in equation.params["dimension_numbers"].rhs_spec)
        if any(d > 1 for d in equation.params["lhs_dilation"]):  # transposed: every input meets every tap once
            return prod(lhs.shape) * prod(taps) * (filters // equation.params["feature_group_count"])
        return prod(out.shape) * prod(taps) * per_group
    return 0


def _ancestors(path: str) -> list[str]:
    """The path and every path above it, from the top.

    >>> _ancestors("a/b/c")
    ['a', 'a/b', 'a/b/c']
    """
    parts = path.split("/") if path else []
    return ["/".join(parts[: i + 1]) for i in range(len(parts))]


def summary(layer: LayerLike, x: Tree) -> Summary:
    """What each layer of a network puts out, holds and costs: a table to print, from tracing alone.

    `x` is an example input or its `jax.ShapeDtypeStruct`; nothing is computed and no parameter is made. Per layer, its
    children included: output shape, number of parameters, multiply-adds of the convolutions and matrix products of
    one forward pass with `train=False` (products with padding counted), and bytes of the outputs that come into being
    (one that is passed on as it is counts once). A `repeat` counts as often as it runs. Raises what `init` and
    `apply` raise. Cost: two traces.

    >>> import jax, jaxnets
    >>> net = jaxnets.serial(double=lambda x: x * 2, product=lambda x: x @ x)
    >>> print(summary(net, jax.ShapeDtypeStruct((4, 4), "float32")))
    path     output  parameters  multiply-adds  activations
    -------------------------------------------------------
    double   (4, 4)           0              0         64 B
    product  (4, 4)           0             64         64 B
    -------------------------------------------------------
    total    (4, 4)           0             64        128 B
    """
    layer, x = as_layer("summary", "layer", layer), abstract(x)
    params, state = jax.eval_shape(layer.init, jax.random.key(0), x)
    jaxpr, (y, _) = jax.make_jaxpr(lambda p, s, a: layer.apply(p, s, a), return_shape=True)(params, state, x)
    total = Row("total", [leaf.shape for leaf in jax.tree.leaves(y)])
    rows: dict[str, Row] = {}
    seen: set[Any] = set()  # variables that hold the output of a layer already counted

    def up(path: str) -> list[Row]:
        """The rows of a path and of everything above it, and the total."""
        return [rows.setdefault(each, Row(each)) for each in _ancestors(path)] + [total]

    for path, equation, times in compat.equations(jaxpr.jaxpr):
        for inner in compat.inner_jaxprs(equation):
            outs = zip(reversed(inner.outvars), reversed(equation.outvars), strict=False)
            seen |= {outer for own, outer in outs if not compat.is_literal(own) and own in seen}
        if equation.primitive.name == "name" and equation.params["name"] == OUTPUT:
            (given,), (made,) = equation.invars, equation.outvars
            fresh = not compat.is_literal(given) and given not in seen
            seen.add(made)
            for row in up(path):
                row.activation_bytes += fresh * times * made.aval.size * made.aval.dtype.itemsize
            rows[path].output.append(made.aval.shape)
        elif cost := times * _multiply_adds(equation):
            for row in up(path):
                row.multiply_adds += cost
    unseen = {v for v in jaxpr.jaxpr.outvars[: len(total.output)] if not compat.is_literal(v)} - seen
    total.activation_bytes += sum(v.aval.size * v.aval.dtype.itemsize for v in unseen)

    leaves = tree.flatten(params)
    total.params = tree.count(params)
    for path, row in rows.items():
        row.params = sum(tree.count(leaf) for name, leaf in leaves.items() if name.startswith(path + "/"))
    return Summary([row for row in rows.values() if row.output], total)
