"""Writes a Series, a DataFrame or an Index of pandas into a file, column by column and without pickle.

The file is a zip archive: `content.json` describes the object, and `N.npy` has the N-th array of numbers. What it can't
give back as it was (objects, intervals, periods, sparse and Arrow types, a subclass) is not written. It is read by
`fairing_az_jupyter.outputs.results`.

Stand-alone (see `CONTAINER_FILES` of `job.py`); pandas is used where the user's program has loaded it.
"""

from __future__ import annotations

import json
import sys
import zipfile
from datetime import timezone
from typing import Any

FORMAT = 1

_PLAIN = (str, int, float, bool, type(None))
_NULLABLE = {f"{sign}{bits}" for sign in ("Int", "UInt") for bits in (8, 16, 32, 64)} | {
    "Float32",
    "Float64",
    "boolean",
}
# The second is what it was called before pandas 2.2.
_OF_NUMPY = ("NumpyExtensionArray", "PandasArray")


class _NotPlainError(Exception):
    """The object has something that can't be given back as it was."""


def write(value: Any, path: str) -> bool:  # noqa: ANN401 - pandas is not loaded here
    """Write an object of pandas.

    Args:
        value: Anything.
        path: The file.

    Returns:
        Whether it was written: False for what is not an object of pandas, or can't be given back as it was.

    """
    pandas = sys.modules.get("pandas")
    if pandas is None or not isinstance(value, (pandas.DataFrame, pandas.Series, pandas.Index)):
        return False
    writer = _Writer(pandas)
    try:
        content = writer.described(value)
    except _NotPlainError:
        return False
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for number, array in enumerate(writer.arrays):
            with archive.open(f"{number}.npy", "w", force_zip64=True) as file:
                writer.numpy.save(file, array, allow_pickle=False)
        archive.writestr("content.json", json.dumps({"format": FORMAT, "content": content}))
    return True


class _Writer:
    """Describes objects as plain data, and collects their arrays.

    Args:
        pandas: The module.

    """

    def __init__(self, pandas: Any) -> None:  # noqa: ANN401 - the module
        self.pandas, self.numpy = pandas, sys.modules["numpy"]
        self.arrays: list[Any] = []

    def described(self, value: Any) -> dict[str, Any]:  # noqa: ANN401 - of pandas
        """Return what an object is."""
        pandas = self.pandas
        if type(value) is pandas.DataFrame:
            self._check(value)
            columns = [self._array(value.iloc[:, at].array) for at in range(value.shape[1])]
            return {
                "is": "frame",
                "index": self._index(value.index),
                "columns": self._index(value.columns),
                "arrays": columns,
                "attrs": value.attrs,
            }
        if type(value) is pandas.Series:
            self._check(value)
            return {
                "is": "series",
                "index": self._index(value.index),
                "name": self._name(value.name),
                "array": self._array(value.array),
                "attrs": value.attrs,
            }
        return {"is": "index", "index": self._index(value)}

    @staticmethod
    def _check(value: Any) -> None:  # noqa: ANN401 - of pandas
        if not value.flags.allows_duplicate_labels or not _is_plain(value.attrs):
            raise _NotPlainError

    def _index(self, index: Any) -> dict[str, Any]:  # noqa: ANN401 - of pandas
        pandas = self.pandas
        if type(index) is pandas.RangeIndex:
            return {
                "is": "range",
                "start": index.start,
                "stop": index.stop,
                "step": index.step,
                "name": self._name(index.name),
            }
        if type(index) is pandas.MultiIndex:
            return {
                "is": "multi",
                "names": [self._name(name) for name in index.names],
                "levels": [self._index(level.rename(None)) for level in index.levels],
                "codes": [self._numbers(codes) for codes in index.codes],
            }
        kinds = (pandas.Index, pandas.DatetimeIndex, pandas.TimedeltaIndex, pandas.CategoricalIndex)
        if type(index) not in kinds:
            raise _NotPlainError
        found = {"is": "values", "array": self._array(index.array), "name": self._name(index.name)}
        freq = getattr(index, "freq", None)
        if freq is not None:
            if pandas.tseries.frequencies.to_offset(freq.freqstr) != freq:
                raise _NotPlainError
            found["freq"] = freq.freqstr
        return found

    @staticmethod
    def _name(name: Any) -> Any:  # noqa: ANN401 - any label
        if type(name) is tuple and all(type(part) in _PLAIN for part in name):
            return {"tuple": list(name)}
        if type(name) not in _PLAIN:
            raise _NotPlainError
        return name

    def _array(self, array: Any) -> dict[str, Any]:  # noqa: ANN401, PLR0911 - of pandas; one for each kind
        """Return what an array is, by its type."""
        pandas, dtype = self.pandas, array.dtype
        if isinstance(dtype, pandas.CategoricalDtype):
            categories = self._index(dtype.categories)
            return {
                "is": "categories",
                "codes": self._numbers(array.codes),
                "categories": categories,
                "ordered": bool(dtype.ordered),
            }
        if isinstance(dtype, pandas.DatetimeTZDtype):
            return {
                "is": "times",
                "values": self._numbers(array.asi8),
                "unit": dtype.unit,
                "zone": self._zone(dtype),
            }
        if isinstance(dtype, pandas.StringDtype):
            return self._strings(array, dtype)
        if str(dtype) in _NULLABLE:
            return self._nullable(array, dtype)
        if type(array).__name__ in _OF_NUMPY:
            dtype = dtype.numpy_dtype
        if not isinstance(dtype, self.numpy.dtype):
            raise _NotPlainError
        if dtype.kind in "mM":
            unit = self.numpy.datetime_data(dtype)[0]
            values = self._numbers(array.asi8)
            return {"is": "times" if dtype.kind == "M" else "spans", "values": values, "unit": unit, "zone": None}
        values = array.to_numpy()
        if dtype.kind in "biufc":
            return {"is": "numbers", "values": self._numbers(values)}
        listed = values.tolist()
        if dtype.kind != "O" or not all(type(each) in _PLAIN for each in listed):
            raise _NotPlainError
        return {"is": "objects", "values": listed}

    def _zone(self, dtype: Any) -> Any:  # noqa: ANN401 - of pandas
        """Return a time zone as plain data: pandas' own by name, Python's by key or by its offset in seconds."""
        zone = dtype.tz
        key = getattr(zone, "key", None)
        if type(zone).__module__.startswith("zoneinfo") and key:
            return {"key": key}
        if type(zone) is timezone and zone is not timezone.utc:
            if zone.tzname(None) != timezone(zone.utcoffset(None)).tzname(None):
                raise _NotPlainError
            return {"offset": zone.utcoffset(None).total_seconds()}
        own = self.pandas.DatetimeTZDtype(dtype.unit, str(zone))
        if own != dtype or type(own.tz) is not type(zone):
            raise _NotPlainError
        return str(zone)

    def _strings(self, array: Any, dtype: Any) -> dict[str, Any]:  # noqa: ANN401 - of pandas
        missing = array.isna().tolist()
        values = [None if none else str(each) for each, none in zip(array.tolist(), missing)]  # noqa: B905 - Python 3.9
        na_value = getattr(dtype, "na_value", self.pandas.NA)
        return {
            "is": "strings",
            "values": values,
            "storage": dtype.storage,
            "missing": "NA" if na_value is self.pandas.NA else "nan",
        }

    def _nullable(self, array: Any, dtype: Any) -> dict[str, Any]:  # noqa: ANN401 - of pandas
        plain = self.numpy.dtype(str(dtype).lower().replace("boolean", "bool"))
        values = array.to_numpy(dtype=plain, na_value=plain.type(0))
        return {
            "is": "nullable",
            "type": str(dtype),
            "values": self._numbers(values),
            "missing": self._numbers(self.numpy.asarray(array.isna())),
        }

    def _numbers(self, values: Any) -> int:  # noqa: ANN401 - an array
        """Keep an array of numbers, and return its number."""
        self.arrays.append(self.numpy.ascontiguousarray(values))
        return len(self.arrays) - 1


def _is_plain(value: Any) -> bool:  # noqa: ANN401 - the user's
    if type(value) in _PLAIN:
        return True
    if type(value) is list:
        return all(map(_is_plain, value))
    return type(value) is dict and all(type(name) is str and _is_plain(each) for name, each in value.items())
