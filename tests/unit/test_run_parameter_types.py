"""Parameters typed by what the parameters cell declares, before a kernel starts."""

from __future__ import annotations

import nbformat
import pytest

from fairing_az_jupyter import services
from fairing_az_jupyter.exceptions import ParameterError

CELL = """\
rate: float = None
n: Optional[int] = None
epochs: int = 3
names: list = None
sizes = None  # type: Dict[str, int]  how large
flag = False  # type: bool
title: str = 'x'
note: Optional[str] = 'x'
width: "int" = 3
both: int | str = None
mode: Literal['fast', 'slow'] = 'fast'
array: np.ndarray = None
anything: Any = 3
pair = (1, 2)
needed: int
odd: int = 0.5
auto = 'auto'  # type: int or 'auto'
"""


@pytest.fixture
def notebook(tmp_path):
    """Return the path of a notebook whose parameters cell declares types."""
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    cell = nbformat.v4.new_code_cell(CELL, metadata={"tags": ["parameters"]})
    path = tmp_path / "train.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[cell], metadata=metadata), path)
    return str(path)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("rate", "0.5", 0.5),
        ("rate", "2", 2.0),
        ("rate", "1e-3", 0.001),
        ("rate", "None", None),
        ("n", "3", 3),
        ("n", "none", None),
        ("epochs", "-4", -4),
        ("names", "['a', 'b']", ["a", "b"]),
        ("names", '["a", true, null]', ["a", True, None]),
        ("names", "(1, (2,))", [1, [2]]),
        ("names", " [] ", []),
        ("sizes", "{'a': 1}", {"a": 1}),
        ("sizes", '{"a": 1}', {"a": 1}),
        ("flag", "True", True),
        ("flag", "false", False),
        ("title", "12", "12"),
        ("title", "true", "true"),
        ("title", "null", "null"),
        ("title", "", ""),
        ("title", "[1]", "[1]"),
        ("note", "None", None),
        ("width", "4", 4),
        ("both", "4", 4),
        ("both", "four", "four"),
        ("mode", "slow", "slow"),
        ("array", "12", 12),
        ("array", "x", "x"),
        ("anything", "x", "x"),
        ("pair", "(3, 4)", [3, 4]),
        ("needed", "1", 1),
        ("odd", "0.25", 0.25),
        ("auto", "3", 3),
        ("auto", "never", "never"),
    ],
)
def test_a_text_is_read_as_the_cell_declares_it(notebook, name, text, value):
    read = services.plan_run(services.Session(), notebook, pairs=[(name, text)]).parameters[name]

    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize(
    ("name", "text", "declared", "fix"),
    [
        ("rate", "abc", "float", "Write a number: -p rate 0.5"),
        ("rate", "true", "float", "a number"),
        ("rate", "", "float", "a number"),
        ("n", "3.5", "Optional[int]", "a whole number"),
        ("epochs", "3.5", "int", "Write a whole number: -p epochs 3"),
        ("epochs", "None", "int", "Optional"),
        ("needed", "None", "int", "Optional"),
        ("names", "a,b", "list", "-p names '[1, 2]'"),
        ("names", "{'a': 1}", "list", "a list"),
        ("names", "[1", "list", "a list"),
        ("names", "[" * 5000, "list", "a list"),
        ("sizes", "[1]", "Dict[str, int]", """-p sizes '{"a": 1}'"""),
        ("flag", "yes", "bool", "Write True or False: -p flag"),
        ("flag", "1", "bool", "True or False"),
        ("title", "None", "str", "Optional"),
        ("mode", "fastest", "Literal['fast', 'slow']", "'fast', 'slow'"),
    ],
)
def test_a_text_that_can_not_be_read_as_declared_is_refused(notebook, name, text, declared, fix):
    with pytest.raises(ParameterError) as caught:
        services.plan_run(services.Session(), notebook, pairs=[(name, text)])

    assert caught.value.code == "parameter-type"
    assert f"'{name}'" in caught.value.message
    assert f"the cell declares {declared}:" in caught.value.message
    assert fix in caught.value.hint
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize(("name", "text"), [("rate", "inf"), ("rate", "nan"), ("names", "[NaN]"), ("title", "\udcff")])
def test_a_value_that_a_notebook_can_not_hold_is_refused(notebook, name, text):
    with pytest.raises(ParameterError, match=f"'{name}' can't be written into a notebook"):
        services.plan_run(services.Session(), notebook, pairs=[(name, text)])


@pytest.mark.parametrize(
    ("content", "name", "value"),
    [
        ("rate: 1e-3", "rate", 0.001),
        ("rate: 2", "rate", 2),
        ("flag: 'true'", "flag", True),
        ("names: '[1, 2]'", "names", [1, 2]),
        ("title: 'None'", "title", "None"),
        ("array: '12'", "array", "12"),
    ],
)
def test_a_text_in_a_file_is_read_as_declared(notebook, tmp_path, content, name, value):
    (tmp_path / "params.yaml").write_bytes(f"{content}\r\n".encode())

    read = services.plan_run(services.Session(), notebook, parameters_file=str(tmp_path / "params.yaml")).parameters

    assert read == {name: value}
    assert type(read[name]) is type(value)


@pytest.mark.parametrize(
    ("content", "fix"),
    [
        ("rate: abc", "Write a number: rate: 0.5"),
        ("epochs: 3.5", "epochs: 3"),
        ("epochs: null", "Optional"),
        ("title: 1.10", 'title: "1.1"'),
        ("flag: 1", "flag: false"),
    ],
)
def test_a_value_in_a_file_that_does_not_fit_is_refused_with_the_file(notebook, tmp_path, content, fix):
    path = tmp_path / "params.yaml"
    path.write_text(content)

    with pytest.raises(ParameterError) as caught:
        services.plan_run(services.Session(), notebook, parameters_file=str(path))

    assert f"from {path}" in caught.value.message
    assert fix in caught.value.hint


def test_the_notebooks_own_secret_is_not_shown_by_an_error(tmp_path):
    cell = nbformat.v4.new_code_cell("place = ['AccountKey=hunter2']", metadata={"tags": ["parameters"]})
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), tmp_path / "train.ipynb")

    with pytest.raises(ParameterError) as caught:
        services.plan_run(services.Session(), str(tmp_path / "train.ipynb"), pairs=[("place", "x")])

    assert "hunter2" not in str(caught.value)


def test_a_run_gets_a_list_where_the_cell_has_a_tuple(notebook, tmp_path):
    from papermill.iorw import load_notebook_node
    from papermill.parameterize import parameterize_notebook

    given = services.plan_run(services.Session(), notebook, pairs=[("pair", "(3, (4,))")]).parameters
    ran = parameterize_notebook(load_notebook_node(notebook), given, kernel_name="python3", language="python")

    assert "pair = [3, [4]]" in ran.cells[1].source
