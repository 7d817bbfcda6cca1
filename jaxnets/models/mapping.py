"""Whose weight is whose: rules that name the modules of another library's state dict and the layers they become.

A model's module has `SOURCES`, the rules by library ("torchvision", "timm", "transformers"), and, if a library is
without some of its models, `LACKS`, their names as globs. What happens to the arrays follows from the kind of layer,
and the table of kinds is here: each turns tensors into leaves and leaves back into the same tensors.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from typing import Any, NamedTuple

import numpy as np

Array = Any  # np.ndarray
Shapes = Mapping[str, tuple[int, ...]]
"""The shapes of a model's leaves, of `params` and `state` alike, by path."""


class Rule(NamedTuple):
    """Our layer, the module of theirs that it is, and the kind of both.

    Attributes:
        ours: path of the dict of leaves, such as `"stage{s}/{i}/main/conv1"`; a name in braces matches one part of it.
        theirs: name of the module, such as `"layer{s}.{i}.conv1"`. In its braces may stand a sum: `{2*s-1}`.
        kind: one of `KINDS`, with its argument, if it takes one, after a colon: `"dense_of_maps:7x7"`.
    """

    ours: str
    theirs: str
    kind: str = "auto"


Names = Sequence[Rule] | Callable[[Shapes], Sequence[Rule]]
"""The rules for one library, or a function that gives those of a variant from the shapes of its leaves."""


class Part(NamedTuple):
    """Some leaves and the tensors that hold the same numbers, with the two ways between.

    The leaves are paths, the tensors dotted names, below the rule's own until `links` puts them in their place. Both
    functions take their arrays as positional arguments and return a sequence of as many as the other side has.
    """

    leaves: tuple[str, ...]
    tensors: tuple[str, ...]
    to_ours: Callable[..., Sequence[Array]]
    to_theirs: Callable[..., Sequence[Array]]


def _one(leaf: str, tensor: str, to_ours: Callable[[Array], Array], to_theirs: Callable[[Array], Array]) -> Part:
    return Part((leaf,), (tensor,), lambda a: [to_ours(a)], lambda a: [to_theirs(a)])


def _same(leaf: str, tensor: str) -> Part:
    return _one(leaf, tensor, lambda a: a, lambda a: a)


# The functions below get the shapes of a layer's leaves, by their paths below the rule's, and the kind's argument.

VECTORS = {"b": "bias", "scale": "weight", "shift": "bias", "mean": "running_mean", "var": "running_var"}
"""The leaves that are vectors everywhere, and PyTorch's names of them."""


def _auto(leaves: Shapes, argument: str) -> list[Part]:
    """w of rank 2 a matrix, of a higher rank a convolution; the rest vectors: a bias, or those of a norm."""
    parts = []
    for leaf, shape in leaves.items():
        if leaf == "w" and len(shape) == 2:
            parts.append(_one("w", "weight", np.transpose, np.transpose))
        elif leaf == "w" and len(shape) > 2:
            parts.append(_one("w", "weight", _conv_to_ours, _conv_to_theirs))
        elif leaf in VECTORS and len(shape) == 1:
            parts.append(_same(leaf, VECTORS[leaf]))
        else:
            raise ValueError(f"kind 'auto' knows no leaf {leaf!r} of shape {shape}; name the kind of this layer")
    return parts


def _conv_to_ours(w: Array) -> Array:
    """(K, C / groups, *size) -> (*size, C / groups, K); of a transposed convolution too, in both the adjoint."""
    return np.moveaxis(w, (0, 1), (-1, -2))


def _conv_to_theirs(w: Array) -> Array:
    return np.moveaxis(w, (-1, -2), (0, 1))


def _conv_as_dense(leaves: Shapes, size: str) -> list[Part]:
    """A convolution whose window (argument: its size, by default 1x1) is the whole map, which is a matrix here."""
    sizes = _sizes(size or "1x1")

    def to_ours(w: Array) -> Array:  # (K, C, *size) -> (*size, C, K) -> (D, K)
        return _conv_to_ours(w).reshape(-1, w.shape[0])

    def to_theirs(w: Array) -> Array:
        return _conv_to_theirs(w.reshape(*sizes, -1, w.shape[1]))

    return [_one("w", "weight", to_ours, to_theirs), *_auto(_without_w(leaves), "")]


def _dense_of_maps(leaves: Shapes, size: str) -> list[Part]:
    """A matrix after maps of this size laid flat: theirs lie channel by channel, ours position by position."""
    sizes = _sizes(size)

    def to_ours(w: Array) -> Array:  # (K, C * size) -> (K, C, *size) -> (*size, C, K) -> (size * C, K)
        return _conv_to_ours(w.reshape(w.shape[0], -1, *sizes)).reshape(-1, w.shape[0])

    def to_theirs(w: Array) -> Array:
        return _conv_to_theirs(w.reshape(*sizes, -1, w.shape[1])).reshape(w.shape[1], -1)

    return [_one("w", "weight", to_ours, to_theirs), *_auto(_without_w(leaves), "")]


def _fused(weight: str, bias: str, transpose: bool) -> Callable[[Shapes, str], list[Part]]:
    """Matrices side by side in one tensor; the argument names them in order: `"fused:query,key,value"`. Other
    matrices beside them are left to other rules."""

    def parts(leaves: Shapes, children: str) -> list[Part]:
        names = children.split(",")
        absent = [name for name in names if f"{name}/w" not in leaves]
        if absent:
            raise ValueError(f"kind 'fused' of {children} finds no {absent} among the leaves {sorted(leaves)}")
        found = []
        for leaf, tensor in (("w", weight), ("b", bias)):
            own = tuple(f"{name}/{leaf}" for name in names)
            if own[0] in leaves:
                widths = np.cumsum([leaves[each][-1] for each in own])[:-1].tolist()
                turn = transpose and leaf == "w"
                found.append(Part(own, (tensor,), _split(widths, turn), _join(turn)))
        return found

    return parts


def _split(at: list[int], turn: bool) -> Callable[[Array], Sequence[Array]]:
    return lambda a: np.split(a.T if turn else a, at, axis=-1)


def _join(turn: bool) -> Callable[..., Sequence[Array]]:
    def join(*arrays: Array) -> list[Array]:
        whole = np.concatenate(arrays, axis=-1)
        return [whole.T if turn else whole]

    return join


def _weight_norm(leaves: Shapes, _: str) -> list[Part]:
    """A convolution with a `weight_norm` over one axis of its window: the lengths are a tensor of w's rank."""
    rank = len(leaves["w"])
    axis = next(i for i in range(rank) if leaves["w"][i] == leaves["scale"][0])

    def lengths_to_theirs(scale: Array) -> Array:
        return _conv_to_theirs(scale.reshape([-1 if i == axis else 1 for i in range(rank)]))

    name = "parametrizations.weight.original"
    rest = {leaf: shape for leaf, shape in leaves.items() if leaf not in ("w", "scale")}
    return [
        _one("scale", f"{name}0", np.ravel, lengths_to_theirs),
        _one("w", f"{name}1", _conv_to_ours, _conv_to_theirs),
        *_auto(rest, ""),
    ]


def _without_w(leaves: Shapes) -> Shapes:
    return {leaf: shape for leaf, shape in leaves.items() if leaf != "w"}


def _sizes(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(n) for n in text.split("x"))
    except ValueError:
        raise ValueError(f"a kind's argument is {text!r}; pass a size such as 7x7") from None


KINDS: dict[str, Callable[[Shapes, str], list[Part]]] = {
    "auto": _auto,
    "array": lambda leaves, _: [_same("", "")],  # the rule names a leaf and a tensor
    "transposed": lambda leaves, _: [_one("", "", np.transpose, np.transpose)],  # likewise, of rank 2
    "batch_of_one": lambda leaves, _: [_one("", "", lambda a: a[0], lambda a: a[None])],  # (1, ...), likewise
    "column": lambda leaves, _: [_one("", "", lambda a: a[:, 0, 0], lambda a: a[:, None, None])],  # (C, 1, 1), likewise
    "embed": lambda leaves, _: [_same("w", "weight")],
    "conv1d": lambda leaves, _: [_same("w", "weight"), *_auto(_without_w(leaves), "")],  # GPT-2's: (in, out)
    "conv_transpose": _auto,
    "conv_as_dense": _conv_as_dense,
    "dense_of_maps": _dense_of_maps,
    "fused": _fused("weight", "bias", True),
    "in_proj": _fused("in_proj_weight", "in_proj_bias", True),  # torch.nn.MultiheadAttention
    "fused_conv1d": _fused("weight", "bias", False),
    "weight_norm": _weight_norm,
    "ignore": lambda leaves, _: [],  # of theirs, something that is nothing here: the path of ours is ""
}
"""What becomes of the arrays, by kind of layer."""


def links(names: Names, shapes: Shapes) -> list[Part]:
    """The rules carried out for leaves of these shapes: each leaf is in one link, and so is each tensor.

    Raises `ValueError` for a leaf without a rule or with two, two leaves of one tensor, and an unknown kind: all
    mistakes in the rules.

    >>> [link] = links([Rule("stage{s}/conv", "layer{s-1}.conv")], {"stage1/conv/w": (3, 3, 8, 16)})
    >>> link.leaves, link.tensors, link.to_theirs(np.zeros((3, 3, 8, 16)))[0].shape
    (('stage1/conv/w',), ('layer0.conv.weight',), (16, 8, 3, 3))
    """
    below: dict[str, dict[str, tuple[int, ...]]] = {}
    for path, shape in shapes.items():
        steps = path.split("/")
        for i in range(1, len(steps) + 1):
            below.setdefault("/".join(steps[:i]), {})["/".join(steps[i:])] = shape
    found: list[Part] = []
    for rule in names(shapes) if callable(names) else names:
        kind, _, argument = rule.kind.partition(":")
        if kind not in KINDS:
            raise ValueError(f"{rule}: there is no kind {kind!r}; those known are {', '.join(KINDS)}")
        for own, values in _matches(rule.ours, below):
            prefix = filled(rule.theirs, values)
            try:
                parts = KINDS[kind](below[own], argument)
            except ValueError as error:
                error.add_note(f"for the rule {rule} at {own!r}")
                raise
            for part in parts:
                leaves = tuple("/".join(filter(None, (own, leaf))) for leaf in part.leaves)
                tensors = tuple(".".join(filter(None, (prefix, tensor))) for tensor in part.tensors)
                found.append(part._replace(leaves=leaves, tensors=tensors))
    _check_once("leaf", [leaf for link in found for leaf in link.leaves], set(shapes))
    _check_once("tensor", [tensor for link in found for tensor in link.tensors])
    return found


def ignored(names: Names, shapes: Shapes) -> Callable[[str], bool]:
    """Whether a tensor is one that the rules ignore; batch norm's counts of batches always are."""
    rules = [rule for rule in (names(shapes) if callable(names) else names) if rule.kind == "ignore"]
    patterns = [re.compile(_pattern(rule.theirs, ".") + r"(\..*)?") for rule in rules]
    return lambda name: (
        name.split(".")[-1] == "num_batches_tracked" or any(pattern.fullmatch(name) for pattern in patterns)
    )


def find(pattern: str, shapes: Shapes) -> list[dict[str, str]]:
    """What the names in the pattern's braces stand for, at each dict of leaves, or leaf, that it matches, in order.

    For rules that depend on what a block has: `find("stage{s}/{i}", shapes)` lists the blocks.

    >>> find("stage{s}/{i}/expand", {"stage1/0/expand/w": (1, 2), "stage2/0/narrow/w": (1, 2)})
    [{'s': '1', 'i': '0'}]
    """
    prefixes: dict[str, None] = {}
    for path in shapes:
        steps = path.split("/")
        prefixes |= {"/".join(steps[:i]): None for i in range(1, len(steps) + 1)}
    return sorted((values for _, values in _matches(pattern, prefixes)), key=_natural)


def filled(template: str, values: Mapping[str, str]) -> str:
    """The template with the names in its braces replaced by their values, sums worked out.

    >>> filled("features.{2*s-1}.{i}", {"s": "3", "i": "0"})
    'features.5.0'
    """

    def value(match: re.Match[str]) -> str:
        factor, name, sign, term = match.groups()
        if factor is None and sign is None:
            return values[name]
        return str(int(factor or 1) * int(values[name]) + int((sign or "+") + (term or "0")))

    return re.sub(r"\{(?:(\d+)\*)?([a-z_]+)(?:([+-])(\d+))?\}", value, template)


def _matches(pattern: str, prefixes: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, str]]]:
    if "{" not in pattern:
        if pattern in prefixes:
            yield pattern, {}
        return
    compiled = re.compile(_pattern(pattern, "/"))
    for prefix in prefixes:
        if match := compiled.fullmatch(prefix):
            yield prefix, match.groupdict()


def _pattern(template: str, separator: str) -> str:
    """The regular expression of a template: a name in braces is anything without a separator."""
    pieces = re.split(r"\{([a-z_]+)\}", template)
    seen: set[str] = set()
    text = ""
    for i, piece in enumerate(pieces):
        if i % 2 == 0:
            text += re.escape(piece)
        elif piece in seen:
            text += f"(?P={piece})"
        else:
            seen.add(piece)
            text += f"(?P<{piece}>[^{re.escape(separator)}]+)"
    return text


def _natural(values: dict[str, str]) -> list[tuple[int, str]]:
    return [(int(value) if value.isdigit() else -1, value) for value in values.values()]


def _check_once(what: str, names: list[str], wanted: Set[str] = frozenset()) -> None:
    twice = sorted(name for name, times in Counter(names).items() if times > 1)
    if twice:
        raise ValueError(
            f"two rules are for the {what} {twice[0]!r}" + f", and {len(twice) - 1} more" * (len(twice) > 1)
        )
    left = sorted(wanted - set(names))
    if left:
        raise ValueError(f"no rule is for the {what} {left[0]!r}" + f", nor for {len(left) - 1} more" * (len(left) > 1))
