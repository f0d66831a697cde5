"""A list of runs fits into a terminal, and tells runs of one notebook apart."""

from __future__ import annotations

import dataclasses
import time

import pytest

from fairing_az_jupyter.frontends.views.run_lists import lines_of_runs, of_runs
from fairing_az_jupyter.models import RunInfo

NOW = time.mktime((time.localtime().tm_year, 11, 30, 14, 35, 0, 0, 0, -1))
NOTEBOOK = "examples/prediction/xgboost-high-level-apis.ipynb"
FAILED = "Job 'x' failed with exit code 1. Its last lines:\n  | Traceback (most recent call last):\n  | {}\n"


def run(end, **facts):
    known = {"state": "succeeded", "notebook": NOTEBOOK, "created": NOW, "started": NOW, "duration": 12.34}
    return RunInfo(**{"id": f"20261130-143500.000-xgboost-high-level-{end}", **known, **facts})


def runs():
    return (
        run("7f3a", metrics={"rmse": 0.2512345, "r2": 0.9}),
        run("0a41", name="more trees", metrics={"rmse": 0.24}),
        run(
            "1c22",
            kind="train",
            task="HousingServe",
            state="failed",
            error={"message": FAILED.format("ValueError: no")},
        ),
        run("9d10", state="running", duration=None, started=time.time() - 125, cell=3, cells=12),
        run("5e11", kind="deploy", task="HousingServe", endpoint="fairing-endpoint-1", duration=4000.0),
        run("4f01", kind="train", task="HousingServe", state="running", unattended=True, job="fairing-job-12345678"),
    )


@pytest.mark.parametrize("columns", [80, 100, 120, 200])
def test_no_line_is_wider_than_the_terminal(columns):
    long = "KeyError: " + "'a column that nobody has' " * 9
    infos = (*runs(), run("aaaa", name="n" * 90, state="cancelled", error={"message": long}))

    assert all(len(line) <= columns for line in lines_of_runs(infos, columns))


def test_each_row_tells_name_or_class_state_time_and_result():
    lines = lines_of_runs(runs(), 120)

    assert [line.split() for line in lines[:4]] == [
        ["RUN", "NAME", "STATE", "WHEN", "TOOK", "RESULT"],
        ["7f3a", "xgboost-high-level-apis", "succeeded", "11-30", "14:35", "12.3", "s", "rmse=0.251235,", "r2=0.9"],
        ["0a41", "more", "trees", "succeeded", "11-30", "14:35", "12.3", "s", "rmse=0.24"],
        ["1c22", "train", "HousingServe", "failed", "11-30", "14:35", "12.3", "s", "ValueError:", "no"],
    ]
    assert "2m 05s  cell 3/12" in lines[4]
    assert "1h 06m  fairing-endpoint-1" in lines[5]
    assert "not watched: job fairing-job-12345678" in lines[6]


def test_an_error_without_room_in_its_row_stands_below_it():
    error = "ValueError: could not convert string to float: 'n/a'"
    failed = run("1c22", kind="train", task="HousingServe", state="failed", error={"message": FAILED.format(error)})

    assert lines_of_runs([failed], 80)[1:] == [
        "1c22  train HousingServe  failed  11-30 14:35  12.3 s",
        f"  {error}",
    ]
    assert lines_of_runs([failed], 120)[1].endswith(f"  {error}")


def test_handles_are_as_long_as_they_need_to_be_and_those_of_points_name_their_sweep():
    infos = [
        run("7f3a"),
        dataclasses.replace(run("x"), id="20261130-143501.000-other-7f3a"),
        run("1701"),
        run("beef-0001", sweep="20261130-143500.000-xgboost-high-level-beef", point=1),
        run("beef-0001-r2", sweep="20261130-143500.000-xgboost-high-level-beef", point=1),
    ]

    handles = [line.split()[0] for line in lines_of_runs(infos, 120)[1:]]

    assert handles == ["level-7f3a", "other-7f3a", "1701", "beef-0001", "beef-0001-r2"]
    assert all(info.id.endswith(f"-{handle}") for info, handle in zip(infos, handles, strict=True))
    assert "xgboost-high-level-apis #1" in lines_of_runs(infos, 120)[4]


def test_a_notebook_shows_the_same_rows_with_longer_results():
    table = of_runs(runs(), note="There are older ones.")

    assert [row[0] for row in table.rows] == ["7f3a", "0a41", "1c22", "9d10", "5e11", "4f01"]
    assert "ValueError: no" in table.html()
    assert "There are older ones." in table.html()


def test_no_run_is_no_table():
    assert lines_of_runs([], 80) == [""]
    assert of_runs([]).lines() == ["No runs recorded."]
