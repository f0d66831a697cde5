"""What is wrong with a run is told before anything is started or written."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from fairing_az_jupyter.exceptions import InputError, NotebookFileError, ParameterError
from fairing_az_jupyter.models import RunRequest
from fairing_az_jupyter.runs.execution.checks import plan

CELL = {"cell_type": "code", "metadata": {}, "source": "1", "outputs": [], "execution_count": None}
METADATA = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}


def document(**changes: object) -> dict[str, object]:
    return {"nbformat": 4, "nbformat_minor": 4, "metadata": METADATA, "cells": [CELL], **changes}


@pytest.fixture
def notebook(tmp_path):
    path = tmp_path / "nb.ipynb"
    path.write_text(json.dumps(document()), encoding="utf-8")
    return path


def refused(notebook: Path | str, output: Path | str | None = None, **more: object) -> InputError:
    with pytest.raises(InputError) as caught:
        plan(RunRequest(str(notebook), str(output or Path(notebook).with_name("out.ipynb")), **more))
    assert caught.value.hint
    assert "\n" not in caught.value.message
    return caught.value


def test_notebook_runs_in_its_own_folder_with_its_own_kernel(notebook, tmp_path):
    settled = plan(RunRequest(str(notebook), str(tmp_path / "out.ipynb"), cell_timeout=1.2))

    assert (settled.cwd, settled.session_name) == (str(tmp_path), str(notebook))
    assert (settled.kernel_name, settled.language, settled.cell_timeout) == ("python3", "python", 2)


def test_check_leaves_nothing_behind(notebook, tmp_path):
    plan(RunRequest(str(notebook), str(tmp_path / "out.ipynb")))

    assert list(tmp_path.iterdir()) == [notebook]


def test_check_leaves_the_output_of_an_earlier_run_alone(notebook, tmp_path):
    (tmp_path / "out.ipynb").write_text("earlier", encoding="utf-8")

    plan(RunRequest(str(notebook), str(tmp_path / "out.ipynb")))

    assert (tmp_path / "out.ipynb").read_text(encoding="utf-8") == "earlier"


def test_missing_notebook_is_refused(tmp_path):
    error = refused(tmp_path / "no.ipynb")

    assert isinstance(error, NotebookFileError)
    assert str(tmp_path / "no.ipynb") in error.message


def test_folder_is_no_notebook(tmp_path):
    (tmp_path / "folder.ipynb").mkdir()

    assert isinstance(refused(tmp_path / "folder.ipynb"), NotebookFileError)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not JSON"),
        (b"print(1)", "line 1"),
        (b"\xef\xbb\xbf{}", "BOM"),
        (b"\xff\xfe{\x00}\x00", "not UTF-8"),
        (b"[]", "nbformat"),
        (b"{}", "nbformat"),
        (b"[" * 100_000, "not JSON"),
        (json.dumps(document(nbformat="4")).encode(), "nbformat"),
        (json.dumps(document(nbformat=9)).encode(), "newer than 4"),
        (json.dumps(document(metadata=None)).encode(), "metadata"),
        (json.dumps(document(cells={})).encode(), "cells"),
        (json.dumps(document(cells=[1])).encode(), "cell 1"),
        (json.dumps(document(cells=[CELL, {**CELL, "source": None}])).encode(), "cell 2 has no 'source'"),
        (json.dumps(document(cells=[{**CELL, "metadata": {"tags": "parameters"}}])).encode(), "tags"),
        (json.dumps({"nbformat": 3, "metadata": {}}).encode(), "worksheets"),
    ],
)
def test_file_that_is_no_notebook_is_refused_with_the_reason(tmp_path, content, reason):
    path = tmp_path / "nb.ipynb"
    path.write_bytes(content)

    error = refused(path)

    assert isinstance(error, NotebookFileError)
    assert str(path) in error.message
    assert reason in error.message


@pytest.mark.parametrize("name", ["nb.py", "nb", "nb.ipynb?x", "what?.ipynb", ""])
def test_name_that_is_no_notebooks_name_is_refused(tmp_path, name):
    assert isinstance(refused(f"{tmp_path}/{name}", tmp_path / "out.ipynb"), NotebookFileError)


@pytest.mark.parametrize("url", ["https://example.com/nb.ipynb", "abs://a.blob.core.windows.net/c/nb.ipynb?sig=S3CR3T"])
def test_url_is_refused_without_showing_its_query(notebook, url):
    assert "not a local path" in refused(url).message
    assert "S3CR3T" not in str(refused(notebook, url))


def test_output_over_the_notebook_is_refused(notebook, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link.ipynb").symlink_to(notebook)
    os.link(notebook, tmp_path / "hard.ipynb")

    for output in (notebook, "nb.ipynb", "./nb.ipynb", f"../{tmp_path.name}/nb.ipynb", "link.ipynb", "hard.ipynb"):
        assert "would overwrite" in refused(notebook, output).message


def test_missing_output_folder_is_refused_with_the_command_that_makes_it(notebook, tmp_path):
    error = refused(notebook, tmp_path / "no" / "out.ipynb")

    assert isinstance(error, NotebookFileError)
    assert f"mkdir -p '{tmp_path}/no'" in error.hint


def test_folder_as_output_is_refused(notebook, tmp_path):
    (tmp_path / "runs.ipynb").mkdir()

    assert "that is a folder" in refused(notebook, tmp_path / "runs.ipynb").message


def test_output_that_cannot_be_created_is_refused(notebook):
    # Nobody, root included, can create a file here.
    error = refused(notebook, "/proc/out.ipynb")

    assert isinstance(error, NotebookFileError)
    assert "/proc/out.ipynb" in error.message


def test_output_that_only_dangles_is_created_where_it_points(notebook, tmp_path):
    (tmp_path / "out.ipynb").symlink_to(tmp_path / "real.ipynb")

    plan(RunRequest(str(notebook), str(tmp_path / "out.ipynb")))

    assert (tmp_path / "out.ipynb").is_symlink()


def test_path_that_begins_with_a_dash_is_a_path(notebook, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    notebook.rename("-nb.ipynb")

    settled = plan(RunRequest("-nb.ipynb", "-out.ipynb"))

    assert (settled.notebook, settled.output) == ("./-nb.ipynb", "./-out.ipynb")


def test_kernel_that_is_not_installed_is_refused_with_those_that_are(tmp_path):
    path = tmp_path / "nb.ipynb"
    path.write_text(json.dumps(document(metadata={"kernelspec": {"name": "julia-1.9"}})), encoding="utf-8")

    error = refused(path)

    assert error.code == "kernel"
    assert re.search(r"'julia-1\.9' that '.*nb\.ipynb' names is not installed.*'python3'", error.message)
    assert "--kernel" in error.hint
    assert plan(RunRequest(str(path), str(tmp_path / "o.ipynb"), kernel_name="python3")).kernel_name == "python3"


def test_broken_kernel_spec_is_told(notebook, tmp_path, monkeypatch):
    spec = tmp_path / "kernels" / "odd"
    spec.mkdir(parents=True)
    (spec / "kernel.json").write_text("{", encoding="utf-8")
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))

    assert "is broken" in refused(notebook, kernel_name="odd").message


def test_notebook_in_another_language_without_a_kernel_is_refused(tmp_path):
    path = tmp_path / "nb.ipynb"
    path.write_text(json.dumps(document(metadata={"language_info": {"name": "R"}})), encoding="utf-8")

    assert "written in R" in refused(path).message


def test_working_directory_that_is_missing_is_refused(notebook, tmp_path):
    assert "working directory" in refused(notebook, cwd=str(tmp_path / "no")).message


@pytest.mark.parametrize("limit", [0, -1, float("nan"), float("inf")])
def test_time_limit_that_is_none_is_refused(notebook, limit):
    assert "time limit" in refused(notebook, cell_timeout=limit).message


def test_secret_is_refused_and_not_shown(notebook):
    error = refused(notebook, parameters={"DB_PASSWORD": "hunter2"})

    assert isinstance(error, ParameterError)
    assert "hunter2" not in str(error)


@pytest.mark.parametrize("value", [float("nan"), {"a": [float("inf")]}, {1}, {"a": {1: 2}}, b"x"])
def test_value_that_no_notebook_can_hold_is_refused(notebook, value):
    assert "'ALPHA'" in refused(notebook, parameters={"ALPHA": value}).message
