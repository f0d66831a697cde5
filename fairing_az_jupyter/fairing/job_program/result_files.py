"""Writes what a task has returned into a file: as plain data where it is that, and as a signed pickle if not.

| kind | file | what |
|---|---|---|
| json | result.json | strings, numbers, booleans, lists and dictionaries, NaN and the infinities among the numbers |
| npy | result.npy | a NumPy array or scalar, without objects |
| pandas | result.pandas.zip | a Series, DataFrame or Index, column by column (see `pandas_results.py`) |
| pickle | result.pickle | everything else; signed, as reading it runs what is in it |

Stand-alone (see `CONTAINER_FILES` of `job.py`).
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import pickle
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING or __package__:
    from fairing_az_jupyter.fairing.job_program import pandas_results
else:  # beside the user's files
    import fairing_az_pandas_results as pandas_results

if TYPE_CHECKING:
    from collections.abc import Callable

_FOLDER = ".fairing-az"
_DEEPEST = 100
_NUMPY_KINDS = "biufcmMSUV"


class NotKeptError(Exception):
    """A result can't be kept; the text says why."""


def write_result(value: Any, folder: str, key: bytes) -> dict[str, str | None]:  # noqa: ANN401 - the user's
    """Write what a task has returned.

    Args:
        value: What it has returned.
        folder: Where the file is put.
        key: Signs a pickle; empty for none.

    Returns:
        What a list of files says about it: `kind`, `path`, and the `digest` of a pickle.

    Raises:
        NotKeptError: It can't be written, or would be a pickle and there is no key.

    """
    try:
        for kind, name, write in (
            ("json", "result.json", _write_json),
            ("npy", "result.npy", _write_npy),
            ("pandas", "result.pandas.zip", _write_pandas),
        ):
            if _is_written(write, value, os.path.join(folder, name)):  # noqa: PTH118 - pathlib is not loaded
                return {"kind": kind, "path": f"{_FOLDER}/{name}", "digest": None}
        if not key:
            raise NotKeptError("it is not plain data, and there is no key to sign a pickle with")
        digest = _write_pickle(value, os.path.join(folder, "result.pickle"), key)  # noqa: PTH118 - as above
    except OSError as error:
        raise NotKeptError(error.strerror or type(error).__name__) from None
    return {"kind": "pickle", "path": f"{_FOLDER}/result.pickle", "digest": digest}


def is_plain(value: Any, depth: int = _DEEPEST) -> bool:  # noqa: ANN401 - the user's
    """Tell whether JSON gives back exactly this value.

    Args:
        value: The value.
        depth: How many levels it may have.

    """
    kind = type(value)
    if value is None or kind in {str, bool, float, int}:
        return True
    if not depth:
        return False
    if kind is list:
        return all(is_plain(each, depth - 1) for each in value)
    return kind is dict and all(type(name) is str and is_plain(each, depth - 1) for name, each in value.items())


def _is_written(write: Callable[[Any, str], bool], value: Any, path: str) -> bool:  # noqa: ANN401 - the user's
    try:
        if write(value, path):
            return True
    except OSError:
        raise
    except Exception:  # noqa: BLE001, S110 - what this way of writing can't do, the next one may
        pass
    if os.path.exists(path):  # noqa: PTH110 - as above
        os.remove(path)  # noqa: PTH107 - as above
    return False


def _write_json(value: Any, path: str) -> bool:  # noqa: ANN401 - the user's
    if not is_plain(value):
        return False
    with open(path, "w", encoding="utf-8") as file:  # noqa: PTH123 - as above
        json.dump(value, file)
    return True


def _write_npy(value: Any, path: str) -> bool:  # noqa: ANN401 - the user's
    numpy = sys.modules.get("numpy")
    if numpy is None or not (type(value) is numpy.ndarray or isinstance(value, numpy.generic)):
        return False
    array = numpy.asarray(value)
    # An array without dimensions is read as a scalar.
    if (type(value) is numpy.ndarray and not value.ndim) or not is_plain_dtype(array.dtype):
        return False
    with open(path, "wb") as file:  # noqa: PTH123 - as above
        numpy.save(file, array, allow_pickle=False)
    return True


def is_plain_dtype(dtype: Any) -> bool:  # noqa: ANN401 - numpy is not loaded here
    """Tell whether a file of NumPy's gives back exactly this type.

    Args:
        dtype: The type.

    """
    if dtype.hasobject or dtype.kind not in _NUMPY_KINDS or dtype.metadata:
        return False
    from numpy.lib import format as file_format  # noqa: PLC0415 - loaded with numpy

    return bool(file_format.descr_to_dtype(file_format.dtype_to_descr(dtype)) == dtype)


def _write_pandas(value: Any, path: str) -> bool:  # noqa: ANN401 - the user's
    return pandas_results.write(value, path)


class _Signing:
    """A file that signs what is written to it.

    Args:
        file: Takes the bytes.
        key: The key.

    """

    def __init__(self, file: Any, key: bytes) -> None:  # noqa: ANN401 - a binary file
        self._file, self._signature = file, hmac.new(key, digestmod=hashlib.sha256)

    def write(self, data: Any) -> int:  # noqa: ANN401 - bytes, or a pickle's buffer
        self._signature.update(data)
        self._file.write(data)
        return len(data)

    def hexdigest(self) -> str:
        return self._signature.hexdigest()


def _write_pickle(value: Any, path: str, key: bytes) -> str:  # noqa: ANN401 - the user's
    dump: Callable[[Any, Any], object] = pickle.dump
    try:
        import cloudpickle  # noqa: PLC0415 - where it is there

        dump = cloudpickle.dump
    except ImportError:
        pass
    with open(path, "wb") as file:  # noqa: PTH123 - as above
        signing = _Signing(file, key)
        try:
            dump(value, signing)
        except OSError:
            raise
        except Exception as error:  # noqa: BLE001 - the user's own __reduce__ may raise anything
            raise NotKeptError(f"it can't be pickled: {type(error).__name__}: {str(error)[:200]}") from None
    return signing.hexdigest()
