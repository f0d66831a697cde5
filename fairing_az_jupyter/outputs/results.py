"""Reads what a job has returned, as `fairing.job_program.result_files` has written it in the job's pod.

Plain data is read as plain data. A pickle can run anything when it is read: it is read only where its signature is that
of the launch's own key, and otherwise not a byte of it is unpickled.
"""

from __future__ import annotations

import hashlib
import hmac
import importlib
import io
import json
import zipfile
from datetime import timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn
from zoneinfo import ZoneInfo

from fairing_az_jupyter.exceptions import InputError, InstallationError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fairing_az_jupyter.clients.secret_values import SecretValue

__all__ = ["decode_result"]

_FORMAT = 1
_CODE = "result-unreadable"
_AGAIN = "Run the job again, or read the file itself: it is among the job's files."


def decode_result(kind: str, source: Path | bytes, *, digest: str | None = None, key: SecretValue | None = None) -> Any:  # noqa: ANN401 - whatever the job has returned
    """Return what a job has returned.

    Args:
        kind: How it was written: `json`, `npy`, `pandas` or `pickle`, as the list of files says.
        source: The file, or its bytes.
        digest: The signature of a pickle, as the list of files says, in hexadecimal digits.
        key: The key of the launch, which has signed it; None where it is not known any more.

    Returns:
        The value.

    Raises:
        InputError: A pickle is not signed by the key (code `result-signature`); or the file is not what it is said to
            be (code `result-unreadable`).
        InstallationError: It needs a package that is not here.

    """
    readers: dict[str, Callable[[bytes], Any]] = {"json": json.loads, "npy": _array, "pandas": _of_pandas}
    data = source.read_bytes() if isinstance(source, Path) else source
    if kind == "pickle":
        return _unpickled(data, digest, key)
    if kind not in readers:
        raise InputError(
            f"The job's result is written as {kind[:40]!r}, which this version of fairing-az-jupyter can't read.",
            hint="Update this package: pip install --upgrade fairing-az-jupyter",
            code=_CODE,
        )
    try:
        return readers[kind](data)
    except ImportError as error:
        raise _not_installed(error) from error
    except (
        ValueError,
        TypeError,
        KeyError,
        IndexError,
        EOFError,
        OSError,
        AttributeError,
        zipfile.BadZipFile,
    ) as error:
        raise InputError(
            f"The job's result is not the {kind} data that its list of files says: {type(error).__name__}.",
            hint=_AGAIN,
            code=_CODE,
        ) from error


def _unpickled(data: bytes, digest: str | None, key: SecretValue | None) -> Any:  # noqa: ANN401 - as above
    if key is None or not key:
        _reject("the key of its launch is not known here")
    if digest is None:
        _reject("it has no signature")
    own = hmac.new(key.reveal().encode(), data, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(own.encode(), digest.encode("utf-8", "replace")):
        _reject("its signature is not that of its launch: it was changed, or is from another one")
    import cloudpickle  # noqa: PLC0415 - only here

    try:
        return cloudpickle.loads(data)
    except ImportError as error:
        raise _not_installed(error) from error
    except Exception as error:
        raise InputError(
            f"The job's result can't be unpickled here: {type(error).__name__}: {str(error)[:200]}",
            hint="Install the same versions of packages as the job had: they are in its requirements.txt.",
            code=_CODE,
        ) from error


def _reject(why: str) -> NoReturn:
    raise InputError(
        f"The job's result is a pickle, and {why}. It was not read, as reading a pickle runs what is in it.",
        hint="Return plain data, an array or a table from the job, or write a file: those need no signature.",
        code="result-signature",
    )


def _not_installed(error: ImportError) -> InstallationError:
    package = (error.name or "a package").partition(".")[0]
    return InstallationError(
        f"The job's result needs '{package}', which is not installed here.",
        hint=f"Install it, in the version that the job had: pip install {package}",
        code="result-package",
    )


def _array(data: bytes) -> Any:  # noqa: ANN401 - an array or a scalar
    import numpy as np  # noqa: PLC0415 - only here

    found = np.load(io.BytesIO(data), allow_pickle=False)
    return found if found.ndim else found[()]


def _of_pandas(data: bytes) -> Any:  # noqa: ANN401 - of pandas
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        document = json.loads(archive.read("content.json"))
        if document["format"] != _FORMAT:
            raise ValueError
        return _PandasReader(archive).read(document["content"])


class _PandasReader:
    """Makes objects of pandas of what `fairing.job_program.pandas_results` has written.

    Args:
        archive: The file.

    """

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._pd: Any = importlib.import_module("pandas")
        self._archive = archive

    def read(self, content: Mapping[str, Any]) -> Any:  # noqa: ANN401 - of pandas
        """Return the object."""
        pd = self._pd
        if content["is"] == "index":
            return self._index(content["index"])
        index = self._index(content["index"])
        if content["is"] == "series":
            found = self._series(content["array"], index).rename(_name(content["name"]))
        else:
            # By number first: two columns may have one name.
            columns = {at: self._series(each, index) for at, each in enumerate(content["arrays"])}
            found = pd.DataFrame(columns, index=index)
            found.columns = self._index(content["columns"])
        found.attrs = content["attrs"]
        return found

    def _series(self, content: Mapping[str, Any], index: Any) -> Any:  # noqa: ANN401 - of pandas
        array = self._array(content)
        # The type is said, for pandas may infer another one.
        return self._pd.Series(array, index=index, dtype=array.dtype)

    def _index(self, content: Mapping[str, Any]) -> Any:  # noqa: ANN401 - of pandas
        pd = self._pd
        if content["is"] == "range":
            return pd.RangeIndex(content["start"], content["stop"], content["step"], name=_name(content["name"]))
        if content["is"] == "multi":
            return pd.MultiIndex(
                levels=[self._index(level) for level in content["levels"]],
                codes=[self._numbers(codes) for codes in content["codes"]],
                names=[_name(name) for name in content["names"]],
            )
        array = self._array(content["array"])
        name = _name(content["name"])
        if "freq" in content:
            kind = pd.DatetimeIndex if content["array"]["is"] == "times" else pd.TimedeltaIndex
            return kind(array, freq=content["freq"], name=name)
        return pd.Index(array, dtype=array.dtype, name=name)

    def _array(self, content: Mapping[str, Any]) -> Any:  # noqa: ANN401, PLR0911 - of pandas or NumPy; one for each kind
        pd, kind = self._pd, content["is"]
        if kind == "objects":
            return _objects(content["values"])
        if kind == "strings":
            return self._strings(content)
        if kind == "categories":
            dtype = pd.CategoricalDtype(self._index(content["categories"]), content["ordered"])
            return pd.Categorical.from_codes(self._numbers(content["codes"]), dtype=dtype)
        values = self._numbers(content["values"])
        if kind == "numbers":
            return values
        if kind == "nullable":
            missing = self._numbers(content["missing"])
            masked = pd.arrays.BooleanArray if content["type"] == "boolean" else pd.arrays.IntegerArray
            return (pd.arrays.FloatingArray if content["type"].startswith("Float") else masked)(values, missing)
        numpy_kind = "timedelta64" if kind == "spans" else "datetime64"
        times = values.view(f"{numpy_kind}[{content['unit']}]")
        if content["zone"] is None:
            return pd.array(times, dtype=times.dtype)
        utc = pd.DatetimeIndex(times).tz_localize("UTC")
        return utc.tz_convert(_zone(content["zone"])).array

    def _strings(self, content: Mapping[str, Any]) -> Any:  # noqa: ANN401 - of pandas
        pd = self._pd
        if content["missing"] == "NA":
            dtype = pd.StringDtype(content["storage"])
        else:
            dtype = pd.StringDtype(content["storage"], na_value=float("nan"))
        return pd.array([pd.NA if each is None else each for each in content["values"]], dtype=dtype)

    def _numbers(self, number: int) -> Any:  # noqa: ANN401 - of NumPy
        import numpy as np  # noqa: PLC0415 - only here

        return np.load(io.BytesIO(self._archive.read(f"{number}.npy")), allow_pickle=False)


def _zone(zone: Any) -> Any:  # noqa: ANN401 - a name, or an object for a time zone
    if isinstance(zone, str):
        return zone
    return ZoneInfo(zone["key"]) if "key" in zone else timezone(timedelta(seconds=zone["offset"]))


def _objects(values: list[Any]) -> Any:  # noqa: ANN401 - of NumPy
    import numpy as np  # noqa: PLC0415 - only here

    found = np.empty(len(values), dtype=object)
    found[:] = values
    return found


def _name(name: Any) -> Any:  # noqa: ANN401 - any label
    return tuple(name["tuple"]) if isinstance(name, dict) else name
