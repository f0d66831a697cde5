"""What a sweep has come to, as rows, as CSV and as a picture."""

from __future__ import annotations

import csv
import io

import pytest

from fairing_az_jupyter.exceptions import InputError
from fairing_az_jupyter.models import RunInfo, RunRequest
from fairing_az_jupyter.services import plot_sweep
from fairing_az_jupyter.sweeps.plans import SweepPlan, SweepPoint, run_id
from fairing_az_jupyter.sweeps.table import goal_of, tabulate

# The first time on a machine, matplotlib asks another program for its fonts.
draws = pytest.mark.kernel
PNG = b"\x89PNG\r\n\x1a\n"


def plan_of(*parameters):
    points = tuple(
        SweepPoint(number, run_id("s", number), RunRequest("a.ipynb", None, {"fixed": 1, **given}))
        for number, given in enumerate(parameters, start=1)
    )
    return SweepPlan("s", "a.ipynb", "list", tuple(dict.fromkeys(n for p in parameters for n in p)), points)


def table_of(parameters, reported, **options):
    plan = plan_of(*parameters)
    runs = {
        number: RunInfo(run_id("s", number), "succeeded", "a.ipynb", metrics=metrics, duration=1.5, point=number)
        for number, metrics in enumerate(reported, start=1)
        if metrics is not None
    }
    return tabulate(plan, runs, worked_on=False, folder="", **options)


def test_plan_survives_being_written_down():
    plan = plan_of({"rate": 0.1, "on": True}, {"rate": 1, "on": 1}, {"rate": None, "on": "\u00e9"})

    assert SweepPlan.from_dict(plan.to_dict()).runs() == plan.runs()
    assert plan.to_dict()["request"]["parameters"] == {"fixed": 1}


def test_csv_keeps_commas_quotes_and_what_is_called_alike():
    table = table_of([{"rate": 'a,"b"', "state": 2}], [{"rate": 0.5, "lines": "x\ny"}])

    rows = list(csv.DictReader(io.StringIO(table.csv())))

    assert rows == [
        {
            "point": "1",
            "run": "s-0001",
            "state": "succeeded",
            "rate": 'a,"b"',
            "parameter.state": "2",
            "metric.rate": "0.5",
            "lines": "x\ny",
            "duration": "1.500",
            "error": "",
        }
    ]


def test_sorting_puts_the_best_first_and_what_is_missing_last():
    table = table_of([{"x": 10}, {"x": 9}, {"x": 8}, {"x": 7}], [{"rmse": 3.0}, {"rmse": 1.0}, None, {"rmse": "nan"}])

    assert [row.point for row in table.sorted_by("rmse").rows] == [2, 1, 4, 3]
    assert [row.point for row in table.sorted_by("x").rows] == [4, 3, 2, 1]
    assert table.best("rmse").point == 2
    assert table.best("rmse", "max").point == 1
    assert table.counts == {"succeeded": 3, "missing": 1}
    assert table.state == "incomplete"


@pytest.mark.parametrize(
    ("metric", "goal"),
    [("rmse", "min"), ("val_loss", "min"), ("Accuracy", "max"), ("test_auc", "max"), ("r2", "max"), ("seconds", "min")],
)
def test_name_of_a_metric_tells_what_is_better(metric, goal):
    assert goal_of(metric) == goal


def test_unknown_names_are_refused_with_those_that_there_are():
    table = table_of([{"x": 1}], [{"rmse": 3.0, "kind": "a"}])

    with pytest.raises(InputError, match=r"no metric 'rsme'.*rmse, kind"):
        table.metric("rsme")
    with pytest.raises(InputError, match="not a number"):
        table.metric("kind")
    with pytest.raises(InputError, match="no column 'y'"):
        table.sorted_by("y")


@draws
@pytest.mark.parametrize("ending", ["png", "svg"])
def test_picture_shows_numbers_texts_and_what_has_not_run(tmp_path, ending):
    given = [{"rate": 10.0**-n, "kind": "ab"[n % 2], "layers": [n, 2], "cost $": n} for n in range(6)]
    table = table_of(given, [{"rmse": 1.0 / (n + 1)} for n in range(5)])

    path = plot_sweep(table, str(tmp_path / f"sweep.{ending}"))

    data = path.read_bytes()
    assert data.startswith(PNG) if ending == "png" else b"</svg>" in data
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


@draws
def test_picture_of_one_point_and_of_one_value_can_be_drawn(tmp_path):
    assert plot_sweep(table_of([{"x": 1}], [{"rmse": 2.0}]), str(tmp_path / "a.png")).read_bytes().startswith(PNG)
    same = table_of([{"x": "a"}, {"x": "a"}], [{"rmse": 0.0}, {"rmse": -1}])
    assert plot_sweep(same, str(tmp_path / "b.png")).read_bytes().startswith(PNG)


def test_picture_leaves_the_backend_of_the_process_alone(tmp_path, run_python):
    script = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from tests.unit.test_sweep_table import table_of\nfrom fairing_az_jupyter.services import plot_sweep\n"
        "plot_sweep(table_of([{'x': 1}], [{'rmse': 2.0}]), 'a.png')\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    from tests.conftest import REPOSITORY

    run_python(script, str(REPOSITORY))


@draws
def test_nothing_to_draw_and_nowhere_to_write_are_told(tmp_path):
    with pytest.raises(InputError, match="nothing to plot"):
        plot_sweep(table_of([{"x": 1}], [{}]), str(tmp_path / "a.png"))
    with pytest.raises(InputError, match="unsupported format"):
        plot_sweep(table_of([{"x": 1}], [{"rmse": 1}]), str(tmp_path / "a.bmp"))
    with pytest.raises(InputError, match="can't be written"):
        plot_sweep(table_of([{"x": 1}], [{"rmse": 1}]), str(tmp_path / "missing" / "a.png"))
