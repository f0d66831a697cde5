"""Parameters that a later cell of the notebook would set again."""

from __future__ import annotations

import nbformat
import pytest

from fairing_az_jupyter import services
from fairing_az_jupyter.exceptions import ParameterError

PARAMETERS = "parameters"
INJECTED = "injected-parameters"


@pytest.fixture
def write(tmp_path):
    """Return a function that writes a notebook from pairs of a tag and a source, and returns its path."""

    def written(*cells):
        made = [
            nbformat.v4.new_markdown_cell(source) if tag == "text" else nbformat.v4.new_code_cell(source)
            for tag, source in cells
        ]
        for number, (cell, (tag, _)) in enumerate(zip(made, cells, strict=True), start=1):
            cell.id = f"c{number}"
            cell.metadata.tags = [PARAMETERS if tag == "text" else tag]
        metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
        path = tmp_path / "train.ipynb"
        nbformat.write(nbformat.v4.new_notebook(cells=made, metadata=metadata), path)
        return str(path)

    return written


def refused(notebook, *pairs):
    with pytest.raises(ParameterError) as caught:
        services.plan_run(services.Session(), notebook, pairs=pairs)
    assert caught.value.code == "parameter-set-again"
    return caught.value


@pytest.mark.parametrize("again", ["A = 3", "A, B = 3, 4", "A: int = 3", "A = int('3')", "print(B)\nA = 3"])
def test_a_value_that_a_later_parameters_cell_sets_again_is_refused(write, again):
    error = refused(write((PARAMETERS, "A = 1\nB = 2"), ("other", "B"), (PARAMETERS, again)), ("A", "5"))

    assert "'A'" in error.message
    assert "cell 1 (id c1)" in error.message
    assert "cell 3 (id c3), tagged 'parameters', sets it again" in error.message


@pytest.mark.parametrize(
    "later",
    ["B = 3", "A += 1", "A = A * 2", "if B:\n    A = 3", "A = 5", "A = globals().get('A', 3)", "C = A\nA = 3"],
)
def test_a_value_that_a_later_cell_uses_or_keeps_is_accepted(write, later):
    request = services.plan_run(
        services.Session(), write((PARAMETERS, "A = 1\nB = 2"), (PARAMETERS, later)), pairs=[("A", "5")]
    )

    assert request.parameters == {"A": 5}


def test_the_cell_that_papermill_replaces_does_not_count(write):
    assert services.plan_run(
        services.Session(), write((PARAMETERS, "A = 1"), (INJECTED, "A = 3")), pairs=[("A", "5")]
    ).parameters == {"A": 5}


def test_a_second_injected_cell_is_refused_as_papermill_replaces_the_first_only(write):
    error = refused(write((PARAMETERS, "A = 1"), (INJECTED, "A = 3"), (INJECTED, "A = 4")), ("A", "5"))

    assert "cell 3 (id c3), tagged 'injected-parameters'" in error.message


def test_an_injected_cell_before_the_parameters_cell_is_refused(write):
    assert "cell 2" in refused(write((INJECTED, "A = 3"), (PARAMETERS, "A = 1")), ("A", "5")).message


def test_a_tagged_text_cell_counts_as_papermill_injects_behind_it(write):
    assert "cell 2" in refused(write(("text", "About"), (PARAMETERS, "A = 1")), ("A", "5")).message


@pytest.mark.parametrize(
    "cells",
    [
        [(PARAMETERS, "A = 1"), (PARAMETERS, "A = 3")],
        [(PARAMETERS, "A = 1"), (INJECTED, "A = 3")],
        [(PARAMETERS, "A = 1"), (INJECTED, "A = 3"), (INJECTED, "A = 4")],
        [(INJECTED, "A = 3"), (PARAMETERS, "A = 1")],
        [("text", "About"), (PARAMETERS, "A = 1")],
        [(PARAMETERS, "A = 1"), (PARAMETERS, "A = A * 2")],
    ],
)
def test_papermill_itself_agrees_with_what_is_refused(write, cells):
    from papermill.iorw import load_notebook_node
    from papermill.parameterize import parameterize_notebook

    path = write(*cells)
    parameterized = parameterize_notebook(load_notebook_node(path), {"A": 5}, kernel_name="python3", language="python")
    names = {}
    exec("\n".join(cell.source for cell in parameterized.cells if cell.cell_type == "code"), names)  # noqa: S102

    try:
        services.plan_run(services.Session(), path, pairs=[("A", "5")])
        is_refused = False
    except ParameterError:
        is_refused = True
    assert is_refused == (names["A"] not in {5, 10})
