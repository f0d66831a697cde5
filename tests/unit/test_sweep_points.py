"""Which points a sweep has: grids, files, samples, and what is refused before anything runs."""

from __future__ import annotations

import json

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from fairing_az_jupyter.exceptions import InputError, ParameterError
from fairing_az_jupyter.frontends.command_line.parsing import parse
from fairing_az_jupyter.services import plan_sweep, sweep_points
from fairing_az_jupyter.services.session import Session
from fairing_az_jupyter.sweeps.points import Axis, PointsRequest, Range, gather


@pytest.fixture
def notebook(tmp_path):
    cell = new_code_cell("rate = 0.1\ndepth = 3\nkind = 'tree'\nnote = ''", metadata={"tags": ["parameters"]})
    spec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    path = tmp_path / "small.ipynb"
    path.write_text(nbformat.writes(new_notebook(cells=[cell], metadata={"kernelspec": spec})), encoding="utf-8")
    return str(path)


def points_of(notebook, request, **options):
    plan = plan_sweep(Session(), notebook, request, **options).plan
    return [dict(point.request.parameters) for point in plan.points]


def test_grid_has_every_combination_in_the_order_of_the_command_line(notebook):
    points = points_of(notebook, sweep_points(grid=[["rate", "0.1", "1e-3"], ["depth", "2", "3"]]))

    assert points == [
        {"rate": 0.1, "depth": 2},
        {"rate": 0.1, "depth": 3},
        {"rate": 0.001, "depth": 2},
        {"rate": 0.001, "depth": 3},
    ]


def test_the_same_point_twice_in_a_grid_is_run_once_and_told(notebook):
    plan = plan_sweep(Session(), notebook, sweep_points(grid=[["rate", "0.1", "0.10", "1e-1"]])).plan

    assert len(plan.points) == 1
    assert plan.notes == ("2 points are duplicates and run only once.",)


def test_values_of_a_grid_may_look_like_options():
    words = ["sweep", "run", "a.ipynb", "--grid", "rate", "-1e-3", "-x", "--grid", "kind", "", "-j", "2"]

    parsed = parse(words).request

    assert parsed.grid == (("rate", "-1e-3", "-x"), ("kind", ""))
    assert parsed.jobs == 2
    assert parsed.notebook == "a.ipynb"


def test_notebook_may_stand_behind_the_last_value():
    parsed = parse(["sweep", "run", "-p", "depth", "--grid", "--grid", "rate", "1", "2", "a.ipynb"]).request

    assert (parsed.notebook, parsed.grid, parsed.parameters) == (
        "a.ipynb",
        (("rate", "1", "2"),),
        (("depth", "--grid"),),
    )


def test_csv_is_typed_through_the_cell_with_windows_line_ends_and_a_byte_order_mark(notebook, tmp_path):
    file = tmp_path / "points.csv"
    file.write_bytes(b'\xef\xbb\xbfrate;depth;kind\r\n0.5;2;1.10\r\n\r\n;7;"a;b"\r\n')

    points = points_of(notebook, PointsRequest(csv_file=str(file)))

    assert points == [{"rate": 0.5, "depth": 2, "kind": "1.10"}, {"depth": 7, "kind": "a;b"}]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("rate,depth\n1,2\n1\n", "line 3: it has 1 value, and the header has 2 names"),
        ("rate,rate\n1,2\n", "two columns are called 'rate'"),
        ("rate,\n1,2\n", "the name of column 2 is missing"),
        ("", "it is empty"),
        ('rate\n"0.1\n', "it is not valid CSV"),
    ],
)
def test_broken_csv_is_refused_with_its_line(notebook, tmp_path, text, told):
    file = tmp_path / "points.csv"
    file.write_text(text, encoding="utf-8")

    with pytest.raises(ParameterError, match=told):
        plan_sweep(Session(), notebook, PointsRequest(csv_file=str(file)))


def test_csv_in_another_encoding_is_refused(notebook, tmp_path):
    file = tmp_path / "points.csv"
    file.write_bytes("rate,kind\n1,x\n".encode("utf-16"))

    with pytest.raises(ParameterError, match="not UTF-8 text"):
        plan_sweep(Session(), notebook, PointsRequest(csv_file=str(file)))


@pytest.mark.parametrize("name", ["points.yaml", "points.json"])
def test_list_takes_values_as_the_file_has_them(notebook, tmp_path, name):
    rows = [{"rate": 0.5, "kind": "1"}, {"depth": 4}]
    file = tmp_path / name
    file.write_text(json.dumps(rows), encoding="utf-8")

    assert points_of(notebook, PointsRequest(list_file=str(file))) == rows


def test_list_overrules_what_all_points_have_in_common(notebook):
    points = points_of(notebook, PointsRequest(rows=[{"rate": 0.5}, {"depth": 4}]), pairs=[("rate", "0.9")])

    assert points == [{"rate": 0.5}, {"rate": 0.9, "depth": 4}]


def test_numbers_that_yaml_takes_for_texts_are_read_as_the_cell_says(notebook, tmp_path):
    file = tmp_path / "points.yaml"
    file.write_text("# rates\n- rate: 1e-3\n- {rate: 2, kind: 2024-01-01}\n", encoding="utf-8")

    points = points_of(notebook, PointsRequest(list_file=str(file)))

    assert points[0] == {"rate": 0.001}
    assert points[1]["kind"] == "2024-01-01"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("rate: 1", "it is not a list"),
        ("- 1", "entry 1 is not a mapping"),
        ("- {rate: 1, rate: 2}", "line 1: 'rate' is given twice"),
        ("- [", "it is not valid YAML"),
        ("- !!python/object:os.system {}", "not plain data"),
    ],
)
def test_broken_list_is_refused(notebook, tmp_path, text, told):
    file = tmp_path / "points.yaml"
    file.write_text(text, encoding="utf-8")

    with pytest.raises(ParameterError, match=told):
        plan_sweep(Session(), notebook, PointsRequest(list_file=str(file)))


def test_sample_with_the_same_seed_is_the_same():
    asked = PointsRequest(
        sample=20,
        ranges=[Range.parse(["rate", "1e-4", "1", "log"]), Range.parse(["depth", "2", "9", "int"])],
        choices=[Axis("kind", ["a", "b"])],
        seed=7,
    )

    first, second = gather(asked), gather(asked)

    assert first == second
    assert len({repr(point) for point in first.points}) == 20
    assert all(1e-4 <= point.values["rate"] <= 1 for point in first.points)
    assert all(point.values["depth"] in range(2, 10) for point in first.points)
    assert sum(point.values["rate"] < 0.01 for point in first.points) > 4


def test_sample_without_a_seed_tells_the_one_that_was_drawn():
    asked = PointsRequest(sample=3, ranges=[Range("rate", 0, 1)])

    found = gather(asked)

    assert found.seed is not None
    assert gather(PointsRequest(sample=3, ranges=asked.ranges, seed=found.seed)).points == found.points


def test_sample_larger_than_what_there_is_to_draw_is_told():
    found = gather(PointsRequest(sample=10, choices=[Axis("kind", ["a", "b"])], seed=1))

    assert len(found.points) == 2
    assert found.notes == ("Only 2 different points were found instead of 10.",)


@pytest.mark.parametrize(
    "words", [["x"], ["x", "1"], ["x", "a", "2"], ["x", "1", "nan"], ["x", "1", "2", "linear"], ["x", "1", "inf"]]
)
def test_range_that_can_not_be_understood_is_refused(words):
    with pytest.raises(ParameterError, match="range"):
        Range.parse(words)


@pytest.mark.parametrize("words", [["x", "2", "1"], ["x", "0", "1", "log"], ["x", "1.2", "1.8", "int"]])
def test_range_with_nothing_in_it_is_refused(words):
    with pytest.raises(ParameterError, match="Nothing can be drawn"):
        gather(PointsRequest(sample=1, ranges=[Range.parse(words)]))


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (PointsRequest(), "The sweep has no points"),
        (PointsRequest(grid=[Axis("a", ["1"])], sample=2), "one source"),
        (PointsRequest(ranges=[Range("a", 0, 1)]), "need a sample"),
        (PointsRequest(sample=3), "to draw from"),
        (PointsRequest(sample=0, ranges=[Range("a", 0, 1)]), "0 points"),
        (PointsRequest(grid=[Axis("a", [])]), "no value is given"),
        (PointsRequest(grid=[Axis("a", ["1"]), Axis("a", ["2"])]), "twice"),
        (PointsRequest(rows=[]), "no points"),
        (PointsRequest(grid=[Axis("a", range(200)), Axis("b", range(200))]), "40,000 points"),
    ],
)
def test_points_that_make_no_sense_are_refused(asked, told):
    with pytest.raises(InputError, match=told):
        gather(asked)


def test_wrong_value_is_refused_with_its_point(notebook, tmp_path):
    file = tmp_path / "points.csv"
    file.write_text("depth\n2\n\nmany\n", encoding="utf-8")

    with pytest.raises(ParameterError) as refused:
        plan_sweep(Session(), notebook, PointsRequest(csv_file=str(file)))

    assert refused.value.message.startswith(f"Point 2 of 2 ({file}, line 4): ")
    assert "depth" in refused.value.message


def test_trouble_of_all_points_names_none(notebook):
    with pytest.raises(ParameterError, match=r"^Unknown parameter 'dept'"):
        plan_sweep(Session(), notebook, sweep_points(grid=[["rate", "1", "2"]]), pairs=[("dept", "1")])


def test_secret_in_a_grid_is_refused_without_being_shown(notebook):
    with pytest.raises(InputError) as refused:
        plan_sweep(
            Session(),
            notebook,
            sweep_points(grid=[["note", "ok", "AccountKey=c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0MTIzNA=="]]),
        )

    assert "c2VjcmV0" not in str(refused.value)


def test_parameter_that_is_varied_and_fixed_is_refused(notebook):
    with pytest.raises(ParameterError, match="also has a fixed value"):
        plan_sweep(Session(), notebook, sweep_points(grid=[["rate", "1", "2"]]), pairs=[("rate", "3")])


def test_missing_kernel_is_told_before_anything_is_written(notebook, tmp_path):
    with pytest.raises(InputError, match="no-such-kernel"):
        plan_sweep(Session(), notebook, sweep_points(grid=[["rate", "1", "2"]]), kernel_name="no-such-kernel")

    assert [path.name for path in tmp_path.iterdir()] == ["small.ipynb"]
