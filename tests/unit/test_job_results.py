"""What a job returns comes back as it was: plain data as such, all else as a pickle that its launch has signed."""

from __future__ import annotations

import datetime as dt
import json
import math
import pickle
import zoneinfo
from pathlib import Path

import hypothesis.extra.numpy as arrays
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairing_az_jupyter.clients.secret_values import SecretValue
from fairing_az_jupyter.exceptions import InputError
from fairing_az_jupyter.fairing.job_program.result_files import NotKeptError, write_result
from fairing_az_jupyter.outputs.results import decode_result

KEY = "0123456789abcdef"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("results")


def there_and_back(value, folder, key=KEY):
    found = write_result(value, str(folder), key.encode())
    data = Path(folder, found["path"].rpartition("/")[2]).read_bytes()
    return found["kind"], decode_result(found["kind"], data, digest=found["digest"], key=SecretValue(key))


def same_json(left, right):
    if isinstance(left, float) and math.isnan(left):
        return isinstance(right, float) and math.isnan(right)
    if type(left) is not type(right):
        return False
    if isinstance(left, list):
        return len(left) == len(right) and all(map(same_json, left, right))
    if isinstance(left, dict):
        return list(left) == list(right) and all(same_json(left[name], right[name]) for name in left)
    return left == right


@settings(max_examples=60, deadline=None)
@given(JSON.filter(lambda value: value is not None))
def test_plain_data_comes_back_with_its_types(folder, value):
    kind, found = there_and_back(value, folder)

    assert kind == "json"
    assert same_json(value, found)


@settings(max_examples=60, deadline=None)
@given(
    arrays.arrays(
        arrays.scalar_dtypes() | arrays.unicode_string_dtypes() | arrays.byte_string_dtypes(),
        arrays.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=4),
    )
)
def test_arrays_come_back_with_type_shape_and_bytes(folder, value):
    kind, found = there_and_back(value, folder)

    assert kind == "npy"
    assert (type(found), found.dtype, found.shape) == (np.ndarray, value.dtype, value.shape)
    assert found.tobytes() == value.tobytes()


@pytest.mark.parametrize("value", [np.float32(1.5), np.int64(7), np.bool_(1), np.datetime64("2026-01-02", "D")])
def test_scalars_of_numpy_come_back_as_such(folder, value):
    kind, found = there_and_back(value, folder)

    assert (kind, type(found), found) == ("npy", type(value), value)


NUMBERS = ["int8", "uint64", "float32", "float64", "bool", "complex128"]
NULLABLE = ["Int8", "UInt64", "Float32", "Float64", "boolean"]
TEXTS = st.none() | st.text(max_size=3)
TIMES = st.none() | st.datetimes(dt.datetime(1800, 1, 1), dt.datetime(2200, 1, 1))  # noqa: DTZ001
ZONES = ["UTC", "Europe/Berlin", "+05:30", zoneinfo.ZoneInfo("America/New_York"), dt.timezone.utc]
ZONES.append(dt.timezone(dt.timedelta(hours=-3, minutes=-30)))


@st.composite
def columns(draw, size):  # noqa: PLR0911 - one for each kind
    def values(of):
        return draw(st.lists(of, min_size=size, max_size=size))

    kind = draw(st.sampled_from(["numbers", "nullable", "texts", "objects", "times", "zones", "spans", "categories"]))
    if kind == "numbers":
        return pd.Series(draw(arrays.arrays(np.dtype(draw(st.sampled_from(NUMBERS))), size)))
    if kind == "nullable":
        name = draw(st.sampled_from(NULLABLE))
        return pd.Series(values(st.none() | (st.booleans() if name == "boolean" else st.integers(0, 99))), dtype=name)
    if kind == "texts":
        return pd.Series(values(TEXTS), dtype=draw(st.sampled_from(["string[python]", "object"])))
    if kind == "objects":
        return pd.Series(values(TEXTS | st.integers() | st.booleans() | st.floats()), dtype=object)
    if kind == "categories":
        letters = values(st.none() | st.sampled_from("abc"))
        return pd.Series(pd.Categorical(letters, ["c", "a", "b"], ordered=draw(st.booleans())))
    unit = draw(st.sampled_from(["s", "ms", "ns"]))
    times = pd.Series(pd.to_datetime(pd.Series(values(TIMES), dtype=object), utc=True)).dt.as_unit(unit)
    if kind == "zones":
        return times.dt.tz_convert(draw(st.sampled_from(ZONES)))
    plain = times.dt.tz_localize(None)
    return plain if kind == "times" else plain - pd.Timestamp("2000-01-01").as_unit(unit)


@st.composite
def frames(draw):
    size = draw(st.integers(0, 4))
    made = [draw(columns(size)) for _ in range(draw(st.integers(0, 4)))]
    frame = pd.DataFrame(dict(enumerate(made)), index=pd.RangeIndex(size))
    names = st.text(max_size=2) | st.integers(0, 3)
    frame.columns = pd.Index([draw(names) for _ in made], dtype=object, name=draw(st.none() | st.text(max_size=3)))
    index = draw(st.sampled_from(["range", "column", "levels", "days"]))
    if index == "column":
        frame.index = pd.Index(draw(columns(size)), name=draw(st.none() | st.just("key") | st.just(("a", 1))))
    elif index == "levels":
        level = draw(columns(size).filter(lambda column: column.dtype != object))
        frame.index = pd.MultiIndex.from_arrays([level, range(size)], names=["a", None])
    elif index == "days":
        frame.index = pd.date_range("2026-03-28", periods=size, freq="D", tz="Europe/Berlin", name="day")
    frame.attrs = draw(st.sampled_from([{}, {"unit": "m", "scale": [1, 2]}]))
    return frame


@settings(max_examples=150, deadline=None)
@given(frames())
def test_tables_come_back_without_pickle_and_without_a_loss(folder, frame):
    kind, found = there_and_back(frame, folder)

    assert kind == "pandas"
    pd.testing.assert_frame_equal(found, frame, check_exact=True, check_freq=True, check_column_type="exact")
    assert [str(dtype) for dtype in found.dtypes] == [str(dtype) for dtype in frame.dtypes]
    assert found.attrs == frame.attrs


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 4).flatmap(columns), st.none() | st.text(max_size=3))
def test_series_and_indexes_come_back_too(folder, series, name):
    series = series.rename(name)
    index = pd.Index(series, name=name)

    kinds = [there_and_back(each, folder) for each in (series, index)]

    assert [kind for kind, _ in kinds] == ["pandas", "pandas"]
    pd.testing.assert_series_equal(kinds[0][1], series, check_exact=True)
    pd.testing.assert_index_equal(kinds[1][1], index, exact=True, check_exact=True)


@pytest.mark.parametrize(
    "value",
    [
        (1, 2),
        {1: "a"},
        np.array([{}], dtype=object),
        pd.Series([{"a": 1}]),
        pd.Series(pd.period_range("2026-01", periods=2, freq="M")),
        pd.Series(pd.arrays.SparseArray([0, 1])),
        dt.date(2026, 1, 2),
        np.array(3),
        pd.DataFrame({"a": [1]}).set_flags(allows_duplicate_labels=False),
    ],
    ids=lambda value: type(value).__name__,
)
def test_everything_else_is_a_signed_pickle(folder, value):
    kind, found = there_and_back(value, folder)

    assert kind == "pickle"
    assert type(found) is type(value)
    assert str(found) == str(value)


def test_without_a_key_there_is_no_pickle(folder):
    with pytest.raises(NotKeptError, match="no key"):
        write_result((1, 2), str(folder), b"")


class UnpickledError(Exception):
    """Something was unpickled."""


def explode():
    raise UnpickledError


class Bomb:
    def __reduce__(self):
        return explode, ()


@pytest.mark.parametrize(
    ("digest", "key"),
    [(None, KEY), ("0" * 64, KEY), ("ä", KEY), ("signed", None), ("signed", "another key"), ("signed", "")],
)
def test_a_pickle_without_the_launchs_signature_is_not_read(tmp_path, digest, key):
    found = write_result(Bomb(), str(tmp_path), KEY.encode())
    signed = found["digest"] if digest == "signed" else digest

    with pytest.raises(InputError) as caught:
        decode_result(
            "pickle", tmp_path / "result.pickle", digest=signed, key=None if key is None else SecretValue(key)
        )

    assert caught.value.code == "result-signature"
    assert KEY not in str(caught.value)


def test_a_pickle_that_was_changed_by_one_bit_is_not_read(tmp_path):
    found = write_result(("a", "b"), str(tmp_path), KEY.encode())
    data = bytearray((tmp_path / "result.pickle").read_bytes())
    data[-3] ^= 1

    with pytest.raises(InputError, match="signature"):
        decode_result("pickle", bytes(data), digest=found["digest"], key=SecretValue(KEY))


@pytest.mark.parametrize("kind", ["json", "npy", "pandas"])
def test_a_pickle_under_another_name_is_not_read_either(kind):
    with pytest.raises(InputError) as caught:
        decode_result(kind, pickle.dumps(Bomb()))

    assert caught.value.code == "result-unreadable"


def test_arrays_with_pickles_inside_are_not_read(tmp_path):
    np.save(tmp_path / "x.npy", np.array([Bomb()], dtype=object), allow_pickle=True)

    with pytest.raises(InputError, match="not the npy data"):
        decode_result("npy", tmp_path / "x.npy")


def test_a_kind_of_a_later_version_says_to_update():
    with pytest.raises(InputError, match="'arrow'") as caught:
        decode_result("arrow", b"")

    assert "pip install --upgrade" in caught.value.hint


def test_what_can_not_be_pickled_says_so(tmp_path):
    with pytest.raises(NotKeptError, match="can't be pickled"):
        write_result((i for i in ()), str(tmp_path), KEY.encode())


def test_json_of_a_result_is_json_for_others_too(tmp_path):
    write_result({"rmse": 0.5, "best": ["ä", None, True]}, str(tmp_path), b"")

    assert json.loads((tmp_path / "result.json").read_text()) == {"rmse": 0.5, "best": ["ä", None, True]}
