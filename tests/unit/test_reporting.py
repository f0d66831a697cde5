"""What a notebook reports of itself, in a kernel and elsewhere."""

from __future__ import annotations

import json
import sys
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

import fairing_az_jupyter
from fairing_az_jupyter.exceptions import InputError
from fairing_az_jupyter.metrics import METRIC_MIME, PrintedMetrics, report, reported


@pytest.fixture
def shown(monkeypatch):
    """Stand in a kernel, and return what it shows."""
    outputs = []

    class Publisher:
        def publish(self, data):
            outputs.append(json.loads(json.dumps(data, allow_nan=False)))

    class IPython:
        @staticmethod
        def get_ipython():
            return type("Shell", (), {"display_pub": Publisher()})()

    monkeypatch.setitem(sys.modules, "IPython", IPython)
    return outputs


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.25, 0.25),
        (3, 3),
        (True, True),
        (None, None),
        ("good", "good"),
        (np.float32(0.5), 0.5),
        (np.float64(0.5), 0.5),
        (np.int64(7), 7),
        (np.bool_(True), True),  # noqa: FBT003 - it takes no keywords
        (np.str_("good"), "good"),
        (np.array([0.5]), 0.5),
        (np.array(0.5), 0.5),
        (np.ma.masked_array([1.5])[0], 1.5),
        (Decimal("0.5"), 0.5),
        (Fraction(1, 4), 0.25),
        (float("nan"), "nan"),
        (np.float64("nan"), "nan"),
        (float("inf"), "inf"),
        (np.float32("-inf"), "-inf"),
        (-0.0, -0.0),
        (2**1000, 2**1000),
        ("half \udc80", "half \\udc80"),
        ("", ""),
        ("two\nlines", "two\nlines"),
    ],
)
def test_value_is_shown_as_plain_json(shown, value, expected):
    report("rmse", value)

    (data,) = shown
    assert data[METRIC_MIME] == {"name": "rmse", "value": expected}
    assert type(data[METRIC_MIME]["value"]) is type(expected)
    assert data["text/plain"].startswith("rmse: ")


@pytest.mark.parametrize(
    "value",
    [
        [1, 2],
        {"a": 1},
        np.array([1, 2]),
        object(),
        b"12",
        1j,
        "1" * 10_001,
        pytest.param(10**5_000, id="5,000 digits"),
        np.datetime64("2026-01-01"),
        lambda: 1,
        float,
    ],
)
def test_what_is_no_single_value_is_refused_with_its_name(shown, value):
    with pytest.raises(InputError, match="'rmse' can't be reported") as refused:
        report("rmse", value)

    assert "one number, text" in refused.value.hint
    assert len(str(refused.value)) < 300
    assert shown == []


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "\x1b[31m", "x" * 121, None, 5, b"rmse", "a\udc80"])
def test_name_that_no_table_can_show_is_refused(shown, name):
    with pytest.raises(InputError, match="needs a name"):
        report(name, 1)

    assert shown == []


@pytest.mark.parametrize("name", ["rmse", "mean absolute error", "Fehler Ü ☃", "a/b.c-d", "x" * 120])
def test_any_printable_name_is_taken(shown, name):
    report(name, 1)

    assert reported(shown[0]) == (name, 1)


def test_outside_of_a_notebook_the_value_is_printed(run_python):
    done = run_python("from fairing_az_jupyter import report\nreport('rmse', 0.25)\nreport('best', True)")

    assert done.stdout == "rmse: 0.25\nbest: True\n"
    assert done.stderr == ""


def test_report_loads_no_ipython_and_nothing_heavy(run_python):
    done = run_python(
        "import sys\nfrom fairing_az_jupyter import report\nreport('a', 1)\n"
        "print(sorted({'IPython', 'numpy', 'pydantic', 'papermill'} & set(sys.modules)))"
    )

    assert done.stdout.splitlines()[-1] == "[]"


def test_report_is_part_of_the_package():
    assert callable(fairing_az_jupyter.report)


@pytest.mark.parametrize(
    "found",
    [
        None,
        [],
        "text",
        {},
        {"name": 5, "value": 1},
        {"name": "", "value": 1},
        {"name": "x" * 10_000, "value": 1},
        {"name": "a\nb", "value": 1},
        {"name": "a", "value": [1]},
        {"name": "a", "value": {"b": 1}},
        {"name": "a", "value": "x" * 20_000},
    ],
)
def test_output_that_only_looks_like_a_report_is_none(found):
    assert reported({METRIC_MIME: found, "text/plain": "a: 1"}) is None


def test_number_that_json_does_not_know_becomes_text():
    assert reported({METRIC_MIME: {"name": "a", "value": float("nan")}}) == ("a", "nan")


def test_what_a_job_prints_by_report_is_found_in_pieces_of_its_output_and_nothing_else():
    found = PrintedMetrics()

    pieces = ["rm", "se: 0.25\r\nepoch 1\nLoss is: 3\ncount: 12\n", "a b: 1\nr2: -1e-3\nlr: 0.1 of 1\n", "x: 1"]
    read = [each for piece in pieces for each in found.of(piece)]

    assert read == [("rmse", 0.25), ("count", 12), ("r2", -0.001)]
    assert list(found.of("0\n")) == [("x", 10)]
    assert list(found.of("y" * 100_000 + ": 1\nz: 2\n")) == [("z", 2)]


def test_what_report_prints_in_a_job_is_what_is_found_there(run_python):
    done = run_python("from fairing_az_jupyter import report; report('rmse', 0.5); report('n', 3); report('t', 'x')")

    assert list(PrintedMetrics().of(done.stdout)) == [("rmse", 0.5), ("n", 3)]
