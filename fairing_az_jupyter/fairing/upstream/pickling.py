"""Pickles the user's class so that the same class gives the same bytes, in whichever kernel it was defined.

cloudpickle puts three things into a pickle that change from kernel to kernel: a random id of each class, the name of
the file that IPython keeps a cell's source in, and the order of sets of constants, which follows the hash seed. A
fourth is which of several equal texts of a function are one and the same, for pickle writes each of those once: others
are after compiling than after reading the module's bytecode. Images are named by the digest of what is in them; with
these, each kernel's would be another one.
"""

from __future__ import annotations

import re
from collections import ChainMap
from hashlib import sha256
from types import CodeType, FunctionType, SimpleNamespace
from typing import IO, Any, ClassVar

import cloudpickle

_CELL_FILE = re.compile(r".*[/\\]ipykernel_\d+[/\\]\d+\.py|<ipython-input-\d+-[0-9a-f]+>")
_CELL = "<notebook cell>"
_NO_FILE = "<dynamic-code>"
_ID = re.compile(r"[0-9a-f]{32}")
_ID_LENGTH = 32
_NUMBERS = (int, float, complex)
# Of the dictionaries that a class or function holds, these are none of the user's own objects.
_OWN_DICTS = frozenset({"__annotations__", "__globals__", "__kwdefaults__"})


def dump(payload: object, file: IO[bytes]) -> None:
    """Write a pickle that `cloudpickle.load` and `pickle.load` read.

    Args:
        payload: A class or a function.
        file: Where to write.

    """
    _Pickler(file).dump(payload)


def for_fairing() -> SimpleNamespace:
    """Return what Fairing's preprocessor uses of cloudpickle: where it is, and how a class is written."""
    return SimpleNamespace(__file__=cloudpickle.__file__, dump=dump)


class _Sorted:
    """Stands for a frozenset in a pickle, where its members come in an order that lasts."""

    def __init__(self, members: frozenset[Any]) -> None:
        self._members = members

    def __reduce__(self) -> tuple[type[frozenset[Any]], tuple[list[Any]]]:
        return frozenset, (sorted(self._members, key=lambda each: (type(each).__name__, repr(each))),)


def _reduce_code(code: CodeType) -> Any:  # noqa: ANN401 - pickle's protocol
    name = _CELL if _CELL_FILE.fullmatch(code.co_filename) else code.co_filename
    constants = tuple(_Sorted(each) if isinstance(each, frozenset) else each for each in code.co_consts)
    named = code.replace(co_filename=name, co_consts=constants)
    make, arguments, *rest = cloudpickle.Pickler.dispatch_table[CodeType](named)
    # From its release 3.1.3 on cloudpickle names no file, and a traceback would lead nowhere.
    kept = tuple(name if isinstance(each, str) and each == _NO_FILE else each for each in arguments)
    return (make, kept, *rest)


class _Pickler(cloudpickle.Pickler):  # type: ignore[misc] # cloudpickle is untyped
    dispatch_table: ClassVar[Any] = ChainMap({CodeType: _reduce_code}, cloudpickle.Pickler.dispatch_table)

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__(file)
        self._classes = 0
        self._pool: dict[Any, Any] = {}

    def reducer_override(self, obj: Any) -> Any:  # noqa: ANN401 - pickle's protocol
        """Reduce an object as cloudpickle does; a class gets an id by its place in the pickle."""
        reduced = _reduce_code(obj) if isinstance(obj, CodeType) else super().reducer_override(obj)
        if not isinstance(obj, (type, FunctionType, CodeType)) or not isinstance(reduced, tuple):
            return reduced
        reduced = self._with_own_texts(reduced)
        if not isinstance(obj, type):
            return reduced
        make, arguments, *rest = reduced
        if not any(isinstance(each, str) and _ID.fullmatch(each) for each in arguments):
            return reduced
        self._classes += 1
        identifier = sha256(f"{obj.__qualname__} {self._classes}".encode()).hexdigest()[:_ID_LENGTH]
        lasting = tuple(identifier if isinstance(each, str) and _ID.fullmatch(each) else each for each in arguments)
        return (make, lasting, *rest)

    def _with_own_texts(self, reduced: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return what code, a class or a function is reduced to, with one object for all equal texts of it."""
        make, arguments, *rest = reduced
        if rest and isinstance(rest[0], tuple):
            # The state: dictionaries that were made for it.
            rest[0] = tuple(self._same_in(each) if isinstance(each, dict) else each for each in rest[0])
        return (make, self._same(arguments), *rest)

    def _same_in(self, members: dict[Any, Any]) -> dict[Any, Any]:
        return {
            self._same(name): self._same_in(value) if name in _OWN_DICTS and type(value) is dict else self._same(value)
            for name, value in members.items()
        }

    def _same(self, value: Any) -> Any:  # noqa: ANN401
        """Return one and the same object for all texts, bytes and tuples of them that are equal; else what is given.

        It is none that the user's own objects hold: which of those are the same, nothing here decides.
        """
        kind = type(value)
        if kind is str:
            return self._pool.setdefault(value, "".join(value))
        if kind is bytes:
            return self._pool.setdefault(value, bytes(bytearray(value)))
        if kind is not tuple:
            return value
        parts = tuple(map(self._same, value))
        # Equal is not enough: 1, 1.0 and True are. What is known by its address lives as long as the pool.
        key = tuple((type(each), repr(each) if isinstance(each, _NUMBERS) else id(each)) for each in parts)
        return self._pool.setdefault(key, parts)
