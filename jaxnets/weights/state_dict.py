"""Another library's state dict as `params` and `state`, and back."""

from __future__ import annotations

import inspect
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets import models, tree
from jaxnets.core import Layer, Params, State
from jaxnets.models.mapping import Names, Part, ignored, links
from jaxnets.weights import old_names
from jaxnets.weights.report import Mismatch, Report

IMAGE = jax.ShapeDtypeStruct((1, 224, 224, 3), jnp.float32)
"""What a model is shown to find the shapes of its leaves, unless its module has an `EXAMPLE`."""


def sources(name: str) -> list[str]:
    """The libraries whose names the model's weights can be read by, "jaxnets" aside.

    Raises `ValueError` for an unknown model, with the nearest names.

    >>> sources("resnet18")
    ['timm', 'torchvision', 'transformers']
    """
    return sorted(_sources(name))


def from_state_dict(
    name: str,
    state_dict: Mapping[str, Any],
    *,
    source: str,
    strict: bool = True,
    fresh: str | Sequence[str] = (),
    key: jax.Array | None = None,
    **config: Any,
) -> tuple[Params, State]:
    """The parameters and the state of a model, from another library's weights.

    Args:
        name: one of `jaxnets.models.names()`.
        state_dict: tensors by name, NumPy arrays or what `numpy.asarray` takes. Floating dtypes become float32.
        source: whose names they are: "torchvision", "timm" or "transformers"; `sources(name)` lists them.
        strict: raise if a tensor is missing, unexpected or misshapen. If not, warn, and begin the leaves that have no
            tensor anew.
        fresh: globs of our paths, such as "classifier/logits/*", that begin anew whatever is there: how a network
            gets a head for another number of classes.
        key: random key, for leaves that begin anew.
        **config: what the model is built with, `num_classes=10`.

    Returns:
        `(params, state)`, as the model's `init` returns them.

    Raises:
        Mismatch: a `ValueError` whose `report` says which tensors are missing, unexpected or misshapen.
        ValueError: an unknown model or source, a glob that matches nothing, or no key where one is needed.
        TypeError: `state_dict` is no dict, a tensor is no array of numbers, or the model takes no such argument.

    Nothing is loaded unless all is. Cost: a trace of `init`, and one copy of the weights.

    >>> params, state = from_state_dict("resnet18", {}, source="torchvision", num_classes=10)
    Traceback (most recent call last):
    jaxnets.weights.report.Mismatch: weights: 'resnet18' from 'torchvision' names: 102 missing: conv1.weight, ...
    """
    if not isinstance(state_dict, Mapping):
        raise TypeError(
            f"weights: state_dict is {type(state_dict).__name__}, not a dict of arrays by name; of a file's path see "
            f"weights.load, of a PyTorch module pass its state_dict()"
        )
    model = models.create(name, **config)
    wanted = _wanted(model, example(name, **config))
    shapes = {path: leaf.shape for path, leaf in (wanted[0] | wanted[1]).items()}
    names = rules(name, source)
    parts = links(names, shapes)
    anew = _matching(shapes, [fresh] if isinstance(fresh, str) else list(fresh))
    tensors = [tensor for part in parts for tensor in part.tensors]
    state_dict = _under_known_names(_under_new_names(state_dict, tensors), tensors)
    leaves, report = _convert(name, source, parts, shapes, state_dict, anew, ignored(names, shapes))
    if report and strict:
        raise Mismatch(report, _remedy(report, parts))
    absent = set(shapes) - set(leaves)
    if absent:
        leaves |= _begin(name, model, example(name, **config), absent, key)
    if report:
        warnings.warn(f"weights: {report}", stacklevel=2)
    params, state = (tree.unflatten({path: jnp.asarray(leaves[path]) for path in each}) for each in wanted)
    return params, state


def to_state_dict(
    name: str, params: Mapping[str, Any], state: Mapping[str, Any], *, source: str
) -> dict[str, np.ndarray]:
    """The tensors of a model under another library's names: the inverse of `from_state_dict`.

    Args:
        name: one of `jaxnets.models.names()`.
        params, state: nested dicts of arrays, for any number of classes.
        source: whose names to give, "torchvision", "timm" or "transformers".

    Returns:
        NumPy arrays by name; `{k: torch.from_numpy(v) for k, v in ...}` is what `load_state_dict` takes. Batch norm's
        counts of batches, which nothing is computed from, are left out: PyTorch puts zeros there.

    Raises `ValueError` for an unknown model or source, or leaves that are not this model's. Cost: one copy.
    """
    leaves = tree.flatten(params) | tree.flatten(state)
    shapes = {path: tuple(leaf.shape) for path, leaf in leaves.items()}
    try:
        parts = links(rules(name, source), shapes)
    except ValueError as error:
        error.add_note(f"are params and state those of {name!r}?")
        raise
    tensors: dict[str, np.ndarray] = {}
    for part in parts:
        own = [np.asarray(leaves[path]) for path in part.leaves]
        made = [np.ascontiguousarray(tensor) for tensor in part.to_theirs(*own)]
        tensors |= dict(zip(part.tensors, made, strict=True))
    return tensors


def example(name: str, **config: Any) -> Any:
    """An input of the model: its module's `EXAMPLE`, which may be a function of the config, or an image."""
    found = _module(name, "EXAMPLE", IMAGE)
    return found(**config) if callable(found) else found


def _wanted(model: Layer, x: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The abstract leaves of params and of state by path."""
    params, state = jax.eval_shape(lambda key: model.init(key, x), jax.random.key(0))
    return tree.flatten(params), tree.flatten(state)


class _Renamed(Mapping[str, Any]):
    """A mapping under other names, its values read only when asked for."""

    def __init__(self, values: Mapping[str, Any], names: Mapping[str, str]):
        self.values_, self.names = values, names

    def __getitem__(self, name: str) -> Any:
        return self.values_[self.names[name]]

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)


def _under_new_names(state_dict: Mapping[str, Any], wanted: Sequence[str]) -> Mapping[str, Any]:
    """The tensors under the names of today, whatever their file calls them."""
    known, ends = set(wanted), {tensor.rpartition(".")[2] for tensor in wanted}
    old = {} if ends & set(old_names.LAST) else old_names.LAST

    def renamed(name: str) -> str:
        module, dot, last = name.rpartition(".")
        return old_names.today(module + dot + old.get(last, last), known)

    names = {renamed(name): name for name in state_dict}
    return state_dict if all(new == name for new, name in names.items()) else _Renamed(state_dict, names)


def _under_known_names(state_dict: Mapping[str, Any], wanted: Sequence[str]) -> Mapping[str, Any]:
    """The tensors without what wrappers put before every name, or with what their file leaves out before every name.

    `module.` of DataParallel, `_orig_mod.` of torch.compile, `model.` of a trainer; and files of a model without a
    head, whose names lack the `transformer.` of the whole.
    """
    if not wanted or any(name in state_dict for name in wanted):
        return state_dict
    for name in wanted:
        for own in state_dict:
            if own.endswith("." + name):
                begin = own.removesuffix(name)
                if all(each.startswith(begin) for each in state_dict):
                    return _Renamed(state_dict, {each.removeprefix(begin): each for each in state_dict})
    begin = wanted[0].split(".")[0] + "."
    if any(begin + own in wanted for own in state_dict):
        return _Renamed(state_dict, {begin + own: own for own in state_dict})
    return state_dict


def _convert(
    name: str,
    source: str,
    parts: Sequence[Part],
    shapes: Mapping[str, tuple[int, ...]],
    state_dict: Mapping[str, Any],
    anew: set[str],
    ignore: Any,
) -> tuple[dict[str, np.ndarray], Report]:
    """The leaves there are tensors for, and what is amiss."""
    leaves: dict[str, np.ndarray] = {}
    missing: list[str] = []
    misshapen: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {}
    for part in parts:
        if anew >= set(part.leaves):
            continue
        absent = [tensor for tensor in part.tensors if tensor not in state_dict]
        if absent:
            missing += absent
            continue
        # The inverse of nothing but shapes says what theirs must be: no memory, whatever the size.
        nothing = [np.broadcast_to(np.float32(0), shapes[path]) for path in part.leaves]
        want = [tensor.shape for tensor in part.to_theirs(*nothing)]
        given = [np.asarray(state_dict[tensor]) for tensor in part.tensors]
        found = [array.shape for array in given]
        wrong = {t: (f, w) for t, f, w in zip(part.tensors, found, want, strict=True) if f != w}
        misshapen |= wrong
        if not wrong:
            arrays = part.to_ours(*map(_float32, part.tensors, given))
            leaves |= {p: np.ascontiguousarray(a) for p, a in zip(part.leaves, arrays, strict=True) if p not in anew}
    known = {tensor for part in parts for tensor in part.tensors}
    unexpected = [tensor for tensor in state_dict if tensor not in known and not ignore(tensor)]
    report = Report(name, source, tuple(missing), tuple(unexpected), misshapen, tuple(sorted(anew)))
    return leaves, report


def _float32(name: str, array: np.ndarray) -> np.ndarray:
    """The tensor in float32, without a copy if it is that already."""
    if not jnp.issubdtype(array.dtype, jnp.floating):
        raise TypeError(f"weights: {name} is {array.dtype}, not floating point: pass the model's own weights")
    return array.astype(np.float32, copy=False)


def _begin(name: str, model: Layer, x: Any, paths: set[str], key: jax.Array | None) -> dict[str, np.ndarray]:
    """These leaves as `init` makes them; XLA leaves out the others."""
    if key is None:
        raise ValueError(
            f"weights: {', '.join(sorted(paths)[:3])}{', …' if len(paths) > 3 else ''} of {name!r} begin anew and need "
            f"random numbers; pass key=jax.random.key(seed)"
        )

    @jax.jit
    def make(key: jax.Array) -> dict[str, jax.Array]:
        params, state = model.init(key, x)
        leaves = tree.flatten(params) | tree.flatten(state)
        return {path: leaves[path] for path in sorted(paths)}

    return jax.device_get(make(key))  # type: ignore[no-any-return]


def _matching(shapes: Mapping[str, Any], globs: list[str]) -> set[str]:
    """The paths that match a glob; an error for one that matches none."""
    for glob in globs:
        if not any(fnmatchcase(path, glob) for path in shapes):
            raise ValueError(f"weights: fresh={glob!r} matches no leaf; the last ones are {list(shapes)[-4:]}")
    return {path for path in shapes if any(fnmatchcase(path, glob) for glob in globs)}


def _remedy(report: Report, parts: Sequence[Part]) -> str:
    """What to pass where only shapes are wrong, which is what another number of classes looks like."""
    if not report.misshapen or report.missing or report.unexpected:
        return ""
    paths = sorted({path for part in parts for path in part.leaves if set(part.tensors) & set(report.misshapen)})
    return f". To begin these leaves anew, pass fresh={paths[:LONGEST]} and a key" if len(paths) <= LONGEST else ""


LONGEST = 6


def rules(name: str, source: str) -> Names:
    """The model's rules for a library's names; an error if it has none."""
    known = _sources(name)
    if source not in known:
        have = ", ".join(map(repr, sorted(known))) or "none"
        raise ValueError(f"weights: model {name!r} has no names of source {source!r}; it has {have}")
    return known[source]


def _sources(name: str) -> Mapping[str, Names]:
    """The rules of the model's module, without those of a library that `LACKS` this one of its models."""
    known, lacks = _module(name, "SOURCES", {}), _module(name, "LACKS", {})
    return {source: known[source] for source in known if not any(fnmatchcase(name, g) for g in lacks.get(source, ()))}


def _module(name: str, attribute: str, default: Any) -> Any:
    """What the module that the model is written in has under this name."""
    if name not in models.MODELS:
        models.create(name)  # raises, with the nearest names
    return getattr(sys.modules[inspect.unwrap(models.MODELS[name]).__module__], attribute, default)
