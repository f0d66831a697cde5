"""The endpoint's messages as plain data, and how a user's predict is called."""

from __future__ import annotations

import datetime as dt
import json
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from fairing_az_jupyter.fairing.model_server import serving
from fairing_az_jupyter.fairing.model_server import serving_messages as messages

BATCH = messages.Batch(np.array([[1.0]]), "tensor", ["a"], {"puid": "7"})


def called(predict):
    """Call predict as the endpoint does."""
    positions, keywords = serving.call_plan(predict)
    return predict(
        *(getattr(BATCH, source) for source in positions),
        **{name: getattr(BATCH, source) for name, source in keywords.items()},
    )


@pytest.mark.parametrize(
    ("predict", "expected"),
    [
        (lambda rows: rows.tolist(), [[1.0]]),
        (lambda rows, feature_names: feature_names, ["a"]),
        (lambda rows, feature_names=None: feature_names, ["a"]),
        (lambda rows, columns_of_mine: columns_of_mine, ["a"]),
        (lambda rows, names, meta: (names, meta), (["a"], {"puid": "7"})),
        (lambda rows, meta=None, names=None: (meta, names), ({"puid": "7"}, ["a"])),
        (lambda rows, *, names: names, ["a"]),
        (lambda *, rows, names: (len(rows), names), (1, ["a"])),
        (lambda rows, threshold=0.5: threshold, 0.5),
        (lambda rows, threshold=0.5, feature_names=None: (threshold, feature_names), (0.5, ["a"])),
        (lambda rows, /, names=None: names, ["a"]),
        (lambda *everything: len(everything), 2),
        (lambda rows, **more: (more["names"], more["feature_names"], more["meta"]), (["a"], ["a"], {"puid": "7"})),
        (lambda rows, feature_names, **more: (feature_names, more), (["a"], {"meta": {"puid": "7"}})),
    ],
)
def test_predict_is_called_with_what_its_parameters_ask_for(predict, expected):
    assert called(predict) == expected


def test_a_required_parameter_that_no_request_has_is_told():
    with pytest.raises(serving.StartupError, match="'threshold'"):
        serving.call_plan(lambda rows, names, threshold: None)
    with pytest.raises(serving.StartupError, match="'threshold'"):
        serving.call_plan(lambda rows, *, threshold: None)


def sent(result, form="tensor"):
    """Return the data of an answer after a trip through JSON."""
    batch = messages.Batch(np.zeros((1, 1)), form)
    return json.loads(messages.dumped(messages.seldon_answer(batch, messages.as_array(result), None)))["data"]


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (np.float32(0.1), {"tensor": {"shape": [1], "values": [float(np.float32(0.1))]}}),
        (np.float16(0.1), {"tensor": {"shape": [1], "values": [float(np.float16(0.1))]}}),
        (np.array([2**64 - 1], dtype=np.uint64), {"tensor": {"shape": [1], "values": [2**64 - 1]}}),
        ([True, False], {"tensor": {"shape": [2], "values": [True, False]}}),
        ((1, 2.5), {"tensor": {"shape": [2], "values": [1.0, 2.5]}}),
        ([], {"tensor": {"shape": [0], "values": []}}),
        (np.zeros((0, 3)), {"tensor": {"shape": [0, 3], "values": []}}),
        (pd.Series([1, 2]), {"tensor": {"shape": [2], "values": [1, 2]}}),
        (pd.DataFrame({"a": [1, 2], "b": ["x", None]}), {"ndarray": [[1, "x"], [2, None]]}),
        (["a", 1, 2.5, None], {"ndarray": ["a", 1, 2.5, None]}),
        (np.array(["ä"]), {"ndarray": ["ä"]}),
        (np.array([b"x"]), {"ndarray": ["x"]}),
        ("text", {"ndarray": ["text"]}),
        ([[1, 2], [3]], {"ndarray": [[1, 2], [3]]}),
        ([2**70], {"ndarray": [2**70]}),
        ({"price": np.float64(1.5), "low": float("nan")}, {"ndarray": [{"price": 1.5, "low": None}]}),
        (np.array(["2026-11-22"], dtype="datetime64[D]"), {"ndarray": ["2026-11-22"]}),
        ([dt.date(2026, 11, 22)], {"ndarray": ["2026-11-22"]}),
        (["\ud800"], {"ndarray": ["\ud800"]}),
    ],
)
def test_whatever_predict_returns_is_sent_as_it_was_meant(result, expected):
    assert sent(result) == {"names": [], **expected}


@pytest.mark.parametrize("result", [None, object(), [object()], 1j, (item for item in [1])])
def test_what_json_cant_hold_is_a_type_error(result):
    with pytest.raises(TypeError):
        messages.as_array(result)


@given(hnp.arrays(st.sampled_from([np.float32, np.float64]), hnp.array_shapes(min_dims=1, max_dims=3, min_side=0)))
def test_every_float_comes_back_as_exactly_that_number_or_null(array):
    tensor = sent(array)["tensor"]
    assert tensor["shape"] == list(array.shape)
    assert tensor["values"] == [float(x) if math.isfinite(x) else None for x in array.ravel()]


@given(
    hnp.arrays(
        st.sampled_from([np.int64, np.uint64, np.int8, np.bool_, np.float64]),
        hnp.array_shapes(min_dims=1, max_dims=4, min_side=1),
    )
)
def test_an_array_arrives_as_it_was_sent_in_either_form(array):
    for form in (
        {"tensor": {"shape": list(array.shape), "values": array.flatten().tolist()}},
        {"ndarray": array.tolist()},
    ):
        batch = messages.seldon_batch(json.dumps({"data": form}).encode(), "application/json")
        assert batch.rows.shape == array.shape
        np.testing.assert_array_equal(batch.rows, array)
        assert batch.rows.dtype.kind == ("i" if array.dtype.kind == "u" and array.max() < 2**63 else array.dtype.kind)


def test_numbers_beyond_64_bits_become_floats():
    assert messages.numbers([2**70, -1], "data").tolist() == [float(2**70), -1.0]
    assert messages.numbers([-1, 2**63], "data").dtype == np.float64


def test_names_may_stand_for_one_row_or_one_column_of_a_flat_list():
    assert messages.checked_names(["a"], (3,)) == ["a"]
    assert messages.checked_names(["a", "b", "c"], (3,)) == ["a", "b", "c"]
    assert messages.checked_names([], (2, 3)) is None
    with pytest.raises(messages.RequestError, match="has 2 name"):
        messages.checked_names(["a", "b"], (2, 3))


def test_an_error_is_told_in_one_line_without_the_stack_of_xgboost():
    error = ValueError("[09:11] Check failed: expected 5\n got 3\nStack trace:\n  [bt] (0) libxgboost.so")
    assert messages.one_line(error) == "[09:11] Check failed: expected 5 got 3"
    assert len(messages.one_line(ValueError("x" * 10_000))) < 1100
