"""Pickles of plain data without their danger: a pickle may name any function to call, and here it may not.

Only numbers, strings, bytes, lists, tuples, dicts and NumPy arrays of numbers are made. Not even NumPy's own
functions are called: stand-ins take what a pickle would hand to them, and the arrays are made from the raw bytes.
"""

import io
import pickle
from typing import Any

import numpy as np


class UnsafePickle(ValueError):
    """A pickle that asks for more than plain data."""


class _Dtype:
    """What a pickle hands to `numpy.dtype`: a code, as "u1"; then, as state, the byte order."""

    def __init__(self, code: Any, *_: Any) -> None:
        self.code = code.decode("ascii") if isinstance(code, bytes) else str(code)
        self.order = "="

    def __setstate__(self, state: Any) -> None:
        order = state[1].decode("ascii") if isinstance(state[1], bytes) else state[1]
        self.order = order if order in ("<", ">") else "="

    def made(self) -> np.dtype[Any]:
        dtype = np.dtype(self.code)
        if dtype.kind not in "biufc" or dtype.hasobject:
            raise UnsafePickle(f"it holds an array of {self.code!r}; only numbers are read")
        return dtype.newbyteorder(self.order)  # type: ignore[arg-type]


class _Array:
    """What a pickle hands to `numpy.ndarray`: as state, its version, shape, dtype, order and bytes."""

    value: np.ndarray | None = None

    def __setstate__(self, state: Any) -> None:
        _, shape, dtype, fortran, raw = state
        self.value = _array(raw, dtype, shape, "F" if fortran else "C")


def _array(raw: Any, dtype: Any, shape: Any, order: Any = "C") -> np.ndarray:
    if not isinstance(dtype, _Dtype) or not isinstance(raw, (bytes, bytearray)):
        raise UnsafePickle("it holds an array that is not made of numbers")
    array: np.ndarray = np.frombuffer(raw, dtype.made()).reshape(shape, order=order)
    return array


def _reconstruct(*_: Any) -> _Array:
    return _Array()


def _encode(text: str, encoding: str = "latin1") -> bytes:
    if encoding not in ("latin1", "latin-1"):  # Python 3 writes bytes so into old pickles
        raise UnsafePickle(f"it asks for the codec {encoding!r}")
    return text.encode("latin1")


def _empty() -> bytes:
    return b""


ALLOWED: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Dtype,
    ("_codecs", "encode"): _encode,
    ("__builtin__", "bytes"): _empty,  # which is how an old pickle says b""
    ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy._core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy.core.numeric", "_frombuffer"): _array,
    ("numpy._core.numeric", "_frombuffer"): _array,
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in ALLOWED:
            raise UnsafePickle(f"it asks to call {module}.{name}, which plain data never needs")
        return ALLOWED[module, name]


def loads(content: bytes) -> Any:
    """Make plain data from a pickle of any protocol, those of Python 2 included, whose strings become bytes.

    Raises:
        UnsafePickle: it asks for anything but numbers, strings, bytes, lists, tuples, dicts and arrays of numbers.
            Nothing of it has been called.
        ValueError: it is no pickle, or truncated.

    >>> loads(pickle.dumps({"data": np.array([1, 2]), "labels": [6]}))
    {'data': array([1, 2]), 'labels': [6]}
    >>> loads(pickle.dumps(print))
    Traceback (most recent call last):
    jaxnets.data.formats.safe_pickle.UnsafePickle: it asks to call builtins.print, which plain data never needs
    """
    try:
        return _plain(_Unpickler(io.BytesIO(content), encoding="bytes").load())
    except UnsafePickle:
        raise
    except Exception as error:  # a damaged pickle can fail in any way
        raise ValueError(f"it is no pickle, or damaged ({type(error).__name__}: {error})") from error


def _plain(value: Any) -> Any:
    if isinstance(value, _Array):
        return value.value
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_plain(each) for each in value)
    if isinstance(value, np.ndarray) or value is None or isinstance(value, (bool, int, float, str, bytes)):
        return value
    raise UnsafePickle(f"it holds a {type(value).__name__}; only plain data and arrays are read")
