"""Networks out of layers: `serial`, `parallel`, `collect`, `repeat` and `remat`. A network is a layer.

Each child has a name, from the caller's keyword or its position, and the name is all there is to it: the key in
`params` and `state`, the salt of its random key, the scope in profiles, the path in error messages.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple
from zlib import crc32

import jax
import jax.numpy as jnp
import numpy as np
from jax.ad_checkpoint import checkpoint_name

from jaxnets.core import Layer, Params, State, Tree, lift, require_key

LayerLike = Layer | Callable[[Tree], Tree]
"""A layer, or a plain function of arrays, which combinators lift."""

OUTPUT = "output"
"""The `checkpoint_name` of every child's output: what `summary` reads, and `jax.checkpoint` policies can save."""

_NOTE = "in layer "


class Parts(NamedTuple):
    """What a combinator has put together, and how it puts others together: for what changes a network, as `fold` does.

    `repeat` and `remat` have one child, of the name "". Combinators hang it on their `apply`.
    """

    combinator: str
    children: dict[str, Layer]
    rebuild: Callable[[dict[str, Layer]], Layer]


def parts_of(layer: Layer) -> Parts | None:
    """The parts of a combinator's layer; None for any other layer."""
    return getattr(layer.apply, "parts", None)


def _of(
    layer: Layer, combinator: str, children: dict[str, Layer], rebuild: Callable[[dict[str, Layer]], Layer]
) -> Layer:
    layer.apply.parts = Parts(combinator, children, rebuild)  # type: ignore[attr-defined]
    return layer


def as_layer(combinator: str, name: str, child: Any) -> Layer:
    """`child` as a `Layer`; a `TypeError` that names it otherwise."""
    if isinstance(child, Layer):
        return child
    if not callable(child) or isinstance(child, type):
        raise TypeError(
            f"{combinator}: layer '{name}' is {child!r} ({type(child).__name__}); pass a Layer or a function of arrays"
        )
    return lift(child)


def _children(combinator: str, layers: tuple[Any, ...], named: dict[str, Any]) -> dict[str, Layer]:
    """Names and layers in order; positions are names too."""
    pairs = [(str(i), layer) for i, layer in enumerate(layers)] + list(named.items())
    if not pairs:
        raise ValueError(f"{combinator}: no layers given; pass at least one, such as relu=jax.nn.relu")
    for name, _ in pairs:
        if "/" in name or not name:
            raise ValueError(f"{combinator}: {name!r} cannot name a layer; names are parts of a path, joined by '/'")
    return {name: as_layer(combinator, name, child) for name, child in pairs}


def child_key(key: jax.Array | None, name: str) -> jax.Array | None:
    """The child's own key: `fold_in(key, crc32(name))`, so that a new sibling changes nobody's draws."""
    return None if key is None else jax.random.fold_in(key, np.uint32(crc32(name.encode())))


def _prefix_path(error: Exception, name: str) -> None:
    """Note the layer an exception comes from: one note, the whole path, begun by the innermost child."""
    notes = getattr(error, "__notes__", [])
    for i, note in enumerate(notes):
        if note.startswith(_NOTE):
            notes[i] = f"{_NOTE}'{name}/{note[len(_NOTE) + 1 :]}"
            return
    error.add_note(f"{_NOTE}'{name}'")


@contextmanager
def inside(name: str) -> Iterator[None]:
    """Everything traced here carries `name` in profiles, and an exception that leaves gains the path of its layer."""
    try:
        with jax.named_scope(name):
            yield
    except Exception as error:
        _prefix_path(error, name)
        raise


def abstract(x: Tree) -> Tree:
    """The shapes and dtypes of `x`, an example or already abstract."""

    def leaf(a: Any) -> jax.ShapeDtypeStruct:
        if isinstance(a, jax.ShapeDtypeStruct):
            return a
        a = a if hasattr(a, "dtype") else jnp.asarray(a)
        return jax.ShapeDtypeStruct(a.shape, a.dtype)

    return jax.tree.map(leaf, x)


def init_and_output(layer: Layer, key: jax.Array, x: Tree) -> tuple[Params, State, Tree]:
    """`(params, state, y)` with `y` the abstract output.

    A combinator finds the shape of its output while it makes its children, and hands it on through the `walk`
    attribute of its `init`: each leaf is traced once however deeply it is nested, so `init` stays linear in depth.
    """
    walk = getattr(layer.init, "walk", None)
    if walk is not None:
        return walk(key, x)  # type: ignore[no-any-return]
    params, state = layer.init(key, x)
    y, _ = jax.eval_shape(layer.apply, params, state, x)  # by its identity traced once, however often `init` is called
    return params, state, y


def from_walk(walk: Callable[[jax.Array, Tree], tuple[Params, State, Tree]]) -> Any:
    def init(key: jax.Array, x: Tree, /) -> tuple[Params, State]:
        params, state, _ = walk(key, abstract(x))
        return params, state

    init.walk = walk  # type: ignore[attr-defined]
    return init


def _check_names(combinator: str, tree: Any, children: dict[str, Layer], what: str) -> None:
    """`params` and `state` hold this network's layers and nothing else."""
    if not isinstance(tree, dict):
        raise TypeError(
            f"{combinator}: {what} is {type(tree).__name__}, not a dict; "
            f"pass apply(params, state, x) what init returned"
        )
    strange = [name for name in tree if name not in children]
    if strange:
        raise ValueError(
            f"{combinator}: {what} has entries for {strange}, which are not layers here; the layers are "
            f"{list(children)}. Was it made by another network's init?"
        )


def _init_child(name: str, layer: Layer, key: jax.Array, x: Tree, params: Params, state: State) -> Tree:
    """Make one child, put what it has into `params` and `state`, and return its abstract output."""
    with inside(name):
        child_params, child_state, y = init_and_output(layer, child_key(key, name), x)  # type: ignore[arg-type]
    if child_params:
        params[name] = child_params
    if child_state:
        state[name] = child_state
    return y


def _apply_child(
    name: str,
    layer: Layer,
    params: Params,
    state: State,
    x: Tree,
    train: bool,
    key: jax.Array | None,
) -> tuple[Tree, State]:
    """Run one child; its state, under its name, is `{}` or `{name: new state}`."""
    with inside(name):
        own_params, own_state = params.get(name, {}), state.get(name, {})
        try:
            y, new = layer.apply(own_params, own_state, x, train=train, key=child_key(key, name))
        except KeyError as error:
            if own_params or own_state:
                raise
            raise ValueError(
                f"layer '{name}' asked for {error} but params and state have no entry '{name}' (params has "
                f"{list(params)}); pass what this network's init returned"
            ) from error
        y = jax.tree.map(lambda a: checkpoint_name(a, OUTPUT), y)
    return y, {name: new} if new else {}


def _chain(combinator: str, children: dict[str, Layer], keep: bool) -> Layer:
    """Children one after the other; with `keep`, all their outputs by name."""

    def walk(key: jax.Array, x: Tree) -> tuple[Params, State, Tree]:
        params: Params = {}
        state: State = {}
        outputs = {}
        for name, layer in children.items():
            outputs[name] = x = _init_child(name, layer, key, x, params, state)
        return params, state, outputs if keep else x

    def apply(
        params: Params, state: State, x: Tree, /, *, train: bool = False, key: jax.Array | None = None
    ) -> tuple[Tree, State]:
        _check_names(combinator, params, children, "params")
        _check_names(combinator, state, children, "state")
        outputs = {}
        new_state: State = {}
        for name, layer in children.items():
            x, child_state = _apply_child(name, layer, params, state, x, train, key)
            outputs[name] = x
            new_state |= child_state
        return outputs if keep else x, new_state

    return _of(Layer(from_walk(walk), apply), combinator, children, lambda others: _chain(combinator, others, keep))


def serial(*layers: LayerLike, **named: LayerLike) -> Layer:
    """Layers one after the other: `y = last(... first(x))`.

    Positional layers are named "0", "1", …; keywords name the rest, in order. A layer without parameters leaves no
    entry in `params`. Raises `ValueError` without layers, `TypeError` for what is neither layer nor function.

    >>> import jax, jax.numpy as jnp
    >>> net = serial(double=lambda x: 2 * x, shift=lambda x: x + 1)
    >>> params, state = net.init(jax.random.key(0), jnp.ones(3))
    >>> net.apply(params, state, jnp.ones(3))[0]
    Array([3., 3., 3.], dtype=float32)
    """
    return _chain("serial", _children("serial", layers, named), keep=False)


def collect(**named: LayerLike) -> Layer:
    """A `serial` that returns the output of every layer by name, with the same parameter tree.

    Under `jax.jit` outputs that nobody uses cost nothing, so a classifier's weights drop into whatever needs its
    feature maps. Raises as `serial` does.

    >>> import jax, jax.numpy as jnp
    >>> maps, _ = collect(double=lambda x: 2 * x, shift=lambda x: x + 1).apply({}, {}, jnp.ones(()))
    >>> {name: float(y) for name, y in maps.items()}
    {'double': 2.0, 'shift': 3.0}
    """
    return _chain("collect", _children("collect", (), named), keep=True)


def parallel(join: Callable[..., Tree], /, **branches: LayerLike) -> Layer:
    """Layers side by side on the same input, their outputs joined: `join(first(x), second(x), ...)`.

    `join` takes the outputs in order: `jnp.add` of a residual, or `lambda *ys: jnp.concatenate(ys, -1)`. Raises as
    `serial` does. He et al., 2016 (residual), https://arxiv.org/abs/1512.03385; Szegedy et al., 2015 (Inception),
    https://arxiv.org/abs/1409.4842.

    >>> import jax, jax.numpy as jnp
    >>> residual = parallel(jnp.add, skip=lambda x: x, main=lambda x: 2 * x)
    >>> residual.apply({}, {}, jnp.ones(2))[0]
    Array([3., 3.], dtype=float32)
    """
    if isinstance(join, Layer) or not callable(join):
        raise TypeError(f"parallel: join is {join!r}; pass a function of the branches' outputs, such as jnp.add")
    children = _children("parallel", (), branches)

    def walk(key: jax.Array, x: Tree) -> tuple[Params, State, Tree]:
        params: Params = {}
        state: State = {}
        outputs = [_init_child(name, layer, key, x, params, state) for name, layer in children.items()]
        return params, state, jax.eval_shape(join, *outputs)

    def apply(
        params: Params, state: State, x: Tree, /, *, train: bool = False, key: jax.Array | None = None
    ) -> tuple[Tree, State]:
        _check_names("parallel", params, children, "params")
        _check_names("parallel", state, children, "state")
        outputs = []
        new_state: State = {}
        for name, layer in children.items():
            y, child_state = _apply_child(name, layer, params, state, x, train, key)
            outputs.append(y)
            new_state |= child_state
        return join(*outputs), new_state

    return _of(Layer(from_walk(walk), apply), "parallel", children, lambda others: parallel(join, **others))


def repeat(layer: LayerLike, n: int) -> Layer:
    """`layer` applied `n` times, each time with parameters of its own, as one `jax.lax.scan` over depth.

    The program does not grow with `n`. Leaves of `params` and `state` gain a first axis of length `n`; repetition
    `i` draws from `fold_in(key, i)`. Raises `ValueError` when `n` is below 1 or the output's shape or dtype differs
    from the input's. Gradient: through the scan, which keeps each repetition's intermediates (see `remat`).

    >>> import jax, jax.numpy as jnp
    >>> repeat(lambda x: 2 * x, 10).apply({}, {}, jnp.ones(()))[0]
    Array(1024., dtype=float32)
    """
    if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 1:
        raise ValueError(f"repeat: n is {n!r}; pass an int of at least 1")
    child = as_layer("repeat", "layer", layer)

    def keys_of(key: jax.Array) -> jax.Array:
        return jax.vmap(lambda i: jax.random.fold_in(key, i))(jnp.arange(n, dtype=jnp.uint32))

    def walk(key: jax.Array, x: Tree) -> tuple[Params, State, Tree]:
        outputs: list[Tree] = []

        def one(own_key: jax.Array) -> tuple[Params, State]:
            params, state, y = init_and_output(child, own_key, x)
            outputs.append(y)
            return params, state

        params, state = jax.vmap(one)(keys_of(require_key("repeat", key)))
        (y,) = outputs
        if _shapes(y) != _shapes(x):
            raise ValueError(
                f"repeat: the layer turns {_shapes(x)} into {_shapes(y)}; only a layer that keeps shape and dtype "
                f"can be repeated"
            )
        return params, state, y

    def apply(
        params: Params, state: State, x: Tree, /, *, train: bool = False, key: jax.Array | None = None
    ) -> tuple[Tree, State]:
        keys = None if key is None else keys_of(key)

        def step(carry: Tree, own: Any) -> tuple[Tree, State]:
            own_params, own_state, own_key = own
            return child.apply(own_params, own_state, carry, train=train, key=own_key)

        return jax.lax.scan(step, x, (params, state, keys), length=n)

    return _of(Layer(from_walk(walk), apply), "repeat", {"": child}, lambda others: repeat(others[""], n))


def remat(layer: LayerLike, *, policy: Callable[..., bool] | None = None) -> Layer:
    """`layer`, its intermediates recomputed in the backward pass instead of kept: less memory, one more forward.

    `policy` is one of `jax.checkpoint_policies`; every child's output is named "output" for
    `save_only_these_names`. Values and gradients are unchanged. Chen et al., 2016, Training Deep Nets with Sublinear
    Memory Cost, https://arxiv.org/abs/1604.06174.

    >>> import jax, jax.numpy as jnp
    >>> remat(jnp.sin).apply({}, {}, jnp.zeros(()))[0]
    Array(0., dtype=float32)
    """
    child = as_layer("remat", "layer", layer)

    def apply(
        params: Params, state: State, x: Tree, /, *, train: bool = False, key: jax.Array | None = None
    ) -> tuple[Tree, State]:
        run = jax.checkpoint(lambda p, s, a, k: child.apply(p, s, a, train=train, key=k), policy=policy)
        return run(params, state, x, key)  # type: ignore[no-any-return]

    return _of(Layer(child.init, apply), "remat", {"": child}, lambda others: remat(others[""], policy=policy))


def _shapes(x: Tree) -> str:
    """Dtypes and shapes in words, with paths where there is more than one leaf."""
    leaves = jax.tree_util.tree_leaves_with_path(x)
    return ", ".join(f"{a.dtype}{list(a.shape)}{jax.tree_util.keystr(path)}" for path, a in leaves)
