"""The parameters cell: which cells are read and filled, what the plan says, and clear refusals."""

from __future__ import annotations

import json

import nbformat
import pytest

from fairing_az_jupyter.exceptions import NotebookFileError, ParameterError
from fairing_az_jupyter.parameters import (
    CellEdit,
    ParametersCell,
    apply_fill,
    plan_fill,
    plan_fill_text,
    read_parameters,
    read_parameters_text,
)


def text_of(*cells, minor=5, metadata=None):
    """Write a notebook of cells given as (kind or tag, source)."""
    built = []
    for number, (kind, source) in enumerate(cells):
        cell = {"cell_type": kind if kind in {"markdown", "raw"} else "code", "id": f"c{number}", "metadata": {}}
        if cell["cell_type"] == "code":
            cell |= {"execution_count": None, "outputs": []}
            cell["metadata"] = {"tags": [kind]} if kind != "code" else {}
        built.append(cell | {"source": source.splitlines(keepends=True)})
        if minor < 5:
            del built[-1]["id"]
    document = {"cells": built, "metadata": metadata or {}, "nbformat": 4, "nbformat_minor": minor}
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def sources(text):
    return ["".join(cell["source"]) for cell in json.loads(text)["cells"]]


EXAMPLE = """\
FAIRING_BACKEND = 'KubeflowAzureBackend'
DOCKER_REGISTRY = '<acr-name>.azurecr.io'  # your registry
# AZURE_REGION = None
AZURE_RESOURCE_GROUP = "rg"  # type: str
"""


def test_the_documented_cell_is_filled_in_place():
    text = text_of(("markdown", "# Title"), ("code", "import os"), ("parameters", EXAMPLE), ("code", "train()"))
    values = {
        "FAIRING_BACKEND": "LocalBackend",
        "DOCKER_REGISTRY": "team.azurecr.io",
        "AZURE_REGION": "NorthEurope",
        "AZURE_RESOURCE_GROUP": "ml",
        "AZURE_STORAGE_ACCOUNT": "store",
    }
    plan = plan_fill_text(text, values)
    assert sources(plan.new_text)[2] == (
        "FAIRING_BACKEND = 'LocalBackend'\n"
        "DOCKER_REGISTRY = 'team.azurecr.io'  # your registry\n"
        "AZURE_REGION = 'NorthEurope'\n"
        'AZURE_RESOURCE_GROUP = "ml"  # type: str\n'
        "AZURE_STORAGE_ACCOUNT = 'store'\n"
    )
    assert read_parameters_text(plan.new_text).values == values
    assert plan.new_text.startswith(text[: text.index("FAIRING_BACKEND")])
    assert plan.new_text.endswith(text[text.index('"\n   ]\n  },\n  {\n   "cell_type": "code",\n   "id": "c3"') :])


def test_fill_keeps_every_other_byte_of_the_notebook(tmp_path):
    path = tmp_path / "train.ipynb"
    data = ("\ufeff" + text_of(("parameters", "A = 1\nB = 'é'\n"), ("code", "x"))).replace("\n", "\r\n").encode()
    path.write_bytes(data)
    assert apply_fill(path, plan_fill(path, {"A": 2})) is True
    assert path.read_bytes() == data.replace(b"A = 1", b"A = 2")


def test_a_second_fill_writes_nothing(tmp_path):
    path = tmp_path / "train.ipynb"
    path.write_text(text_of(("parameters", "A = 1\n")), encoding="utf-8")
    apply_fill(path, plan_fill(path, {"A": 2, "B": None}))
    before = path.read_bytes(), path.stat().st_ino, path.stat().st_mtime_ns
    plan = plan_fill(path, {"A": 2, "B": None})
    assert (plan.changed, plan.edits, plan.diff()) == (False, (), "")
    assert apply_fill(path, plan) is False
    assert (path.read_bytes(), path.stat().st_ino, path.stat().st_mtime_ns) == before


def test_only_the_cell_with_exactly_this_tag_counts():
    text = text_of(("Parameters", "A = 1"), ("markdown", "A = 1"), ("parameters", "A = 1"), ("parameter", "A = 1"))
    assert sources(plan_fill_text(text, {"A": 2}).new_text) == ["A = 1", "A = 1", "A = 2", "A = 1"]


def test_tags_that_are_no_list_are_no_tags():
    text = text_of(("code", "x")).replace('"metadata": {},', '"metadata": {"tags": "parameters"},', 1)
    assert read_parameters_text(text).cells == ()


def test_the_first_of_several_tagged_cells_gets_every_value_and_later_ones_what_they_set():
    text = text_of(
        ("parameters", "A = 1\n"), ("code", "A = 0"), ("parameters", "A = 2; C = 3\n# B = 1\n"), ("parameters", "D = 1")
    )
    plan = plan_fill_text(text, {"A": "new", "B": 5})
    assert sources(plan.new_text) == ["A = 'new'\nB = 5\n", "A = 0", "A = 'new'; C = 3\n# B = 1\n", "D = 1"]
    assert len(plan.warnings) == 1
    assert "Cell 3" in plan.warnings[0]
    assert "sets A too" in plan.warnings[0]
    assert read_parameters_text(plan.new_text).values == {"A": "new", "B": 5, "C": 3, "D": 1}


@pytest.mark.parametrize(
    ("later", "filled"),
    [
        ("f()", "f()\nA = None"),
        ("A = 2; f()", "A = 2; f()\nA = None"),
        ("%run other.py", "%run other.py\nA = None"),
        ("B = 1", "B = 1"),
    ],
)
def test_a_cell_that_may_run_an_earlier_ones_function_gets_its_global_too(later, filled):
    function = "def f():\n    global A\n    A = 7"
    text = text_of(("parameters", f"A = 1\n{function}"), ("parameters", later))

    plan = plan_fill_text(text, {"A": None})

    assert sources(plan.new_text) == [f"A = 1\n{function}\nA = None", filled]
    assert not plan_fill_text(plan.new_text, {"A": None}).changed


def test_papermills_injected_cell_gets_the_values_that_it_would_override():
    text = text_of(("parameters", "A = 1\nB = 1"), ("injected-parameters", "# Parameters\nA = 2\n"))
    plan = plan_fill_text(text, {"A": 3, "B": 4})
    assert sources(plan.new_text) == ["A = 3\nB = 4", "# Parameters\nA = 3\n"]
    assert "injected-parameters" in plan.warnings[0]


def test_an_injected_cell_alone_gets_a_parameters_cell_before_it():
    text = text_of(("injected-parameters", "A = 2\n"), ("code", "import os"), ("code", "work()"))
    plan = plan_fill_text(text, {"A": 3, "B": 4})
    assert sources(plan.new_text) == ["A = 3\nB = 4", "A = 3\n", "import os", "work()"]
    assert [edit.cell_index for edit in plan.edits] == [0, 1]
    assert read_parameters_text(plan.new_text).values == {"A": 3, "B": 4}


@pytest.mark.parametrize(
    ("cells", "position"),
    [
        ([], 0),
        ([("markdown", "# T")], 1),
        ([("markdown", "# T"), ("code", "work()")], 1),
        ([("code", "import a\nfrom b import c")], 1),
        ([("markdown", "# T"), ("code", "import a"), ("markdown", "text"), ("code", "import b"), ("code", "f()")], 4),
        ([("code", "import a"), ("markdown", "## Train"), ("code", "f()")], 1),
        ([("code", "!pip install x\n%load_ext y"), ("code", "import a"), ("code", "f()")], 2),
        ([("code", "%%bash\npip install x"), ("code", "import a"), ("code", "f()")], 2),
        ([("code", "'''doc'''\ntry:\n    import a\nexcept ImportError:\n    a = None"), ("code", "import b")], 0),
        ([("code", "try:\n    import a\nexcept ImportError:\n    pass"), ("code", "f()")], 1),
        ([("code", "# only a comment"), ("code", "import a"), ("code", ""), ("code", "f()")], 2),
        ([("code", "import a"), ("code", "def f(:"), ("code", "import b")], 1),
        ([("code", "def f(:")], 0),
        ([("raw", "---"), ("code", "import a\nx = 1"), ("code", "import b")], 1),
    ],
)
def test_without_a_tagged_cell_one_is_made_behind_the_imports(cells, position):
    text = text_of(*cells)
    plan = plan_fill_text(text, {"A": 1, "B": "x"})
    expected = [source for _kind, source in cells]
    expected.insert(position, "A = 1\nB = 'x'")
    assert sources(plan.new_text) == expected
    assert plan.edits == (CellEdit(position, "parameters", "", "A = 1\nB = 'x'", created=True),)
    nbformat.validate(json.loads(plan.new_text))
    assert read_parameters_text(plan.new_text).cells == (ParametersCell(position, "parameters", "parameters"),)
    assert not plan_fill_text(plan.new_text, {"A": 1, "B": "x"}).changed


def test_no_values_change_nothing_and_make_no_cell():
    text = text_of(("code", "x"))
    plan = plan_fill_text(text, {})
    assert (plan.changed, plan.new_text, plan.edits) == (False, text, ())


@pytest.mark.parametrize("minor", range(6))
def test_every_minor_version_of_nbformat_4_stays_valid(minor):
    for cells in ([("parameters", "A = 1")], [("code", "work()")]):
        text = text_of(*cells, minor=minor)
        nbformat.validate(json.loads(text))
        new = json.loads(plan_fill_text(text, {"A": 2}).new_text)
        nbformat.validate(new)
        assert ("id" in new["cells"][0]) is (minor == 5)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("x = 1\nA = = 2\n", "line 2"),
        ("%%bash\nA=1\n", "%%bash"),
        ("A = 1\x00", "NUL"),
    ],
)
def test_a_broken_parameters_cell_is_refused_by_number_and_line_and_nothing_is_written(tmp_path, source, said):
    path = tmp_path / "train.ipynb"
    path.write_text(text_of(("markdown", "T"), ("parameters", source)), encoding="utf-8")
    before = path.read_bytes()
    for act in (lambda: plan_fill(path, {"A": 1}), lambda: read_parameters(path)):
        with pytest.raises(NotebookFileError) as caught:
            act()
        assert "Cell 2" in caught.value.message
        assert said in caught.value.message
        assert "train.ipynb" in caught.value.message
        assert caught.value.hint
    assert path.read_bytes() == before


def test_half_a_surrogate_pair_in_the_cell_is_refused():
    text = json.dumps({"cells": json.loads(text_of(("parameters", "A = 1")))["cells"], "nbformat": 4, "metadata": {}})
    with pytest.raises(NotebookFileError, match="surrogate"):
        plan_fill_text(text.replace("A = 1", "A = '\\ud800'"), {"A": 1})


def test_a_text_with_a_raw_half_of_a_surrogate_pair_is_refused():
    with pytest.raises(NotebookFileError, match="surrogate"):
        plan_fill_text(text_of(("parameters", "A = 1"), ("markdown", "\ud800")), {"A": 1})


@pytest.mark.parametrize("name", ["", "1a", "a-b", "a b", "class", "None", "a.b", "a\n", "\ud800", "__debug__", 5])
def test_a_name_that_python_can_not_assign_to_is_refused(name):
    with pytest.raises(ParameterError, match="name"):
        plan_fill_text(text_of(("parameters", "A = 1")), {name: 1})


def test_names_are_compared_as_python_does():
    text = text_of(("parameters", "ﬁt = 1\n"))
    assert sources(plan_fill_text(text, {"ﬁt": 2}).new_text) == ["ﬁt = 2\n"]
    assert sources(plan_fill_text(text, {"fit": 2}).new_text) == ["ﬁt = 2\n"]
    with pytest.raises(ParameterError, match="twice"):
        plan_fill_text(text, {"fit": 1, "ﬁt": 2})


def test_reading_a_notebook_without_a_tagged_cell_gives_nothing():
    reading = read_parameters_text(text_of(("code", "A = 1")))
    assert (reading.cells, dict(reading.values), reading.names) == ((), {}, ())


def test_reading_gives_the_values_of_a_run_from_top_to_bottom():
    text = text_of(
        ("parameters", "A = 1\nB = 2\nimport os\nC = os.sep\nD = 4\nE = 5"),
        ("code", "A = 9"),
        ("injected-parameters", "B = 3\nD = f()\ndel E\n"),
    )
    reading = read_parameters_text(text)
    assert reading.cells == (ParametersCell(0, "c0", "parameters"), ParametersCell(2, "c2", "injected-parameters"))
    assert reading.values == {"A": 1, "B": 3}
    assert reading.names == ("A", "B", "os", "C", "D")


def test_the_diff_names_the_cell_and_shows_its_lines():
    diff = plan_fill_text(text_of(("markdown", "T"), ("parameters", "x = 1\nA = 1\r\n")), {"A": 2}).diff()
    assert diff == "--- cell 2 (id c1), before\n+++ cell 2 (id c1), after\n@@ -1,2 +1,2 @@\n x = 1\n-A = 1\n+A = 2\n"


def test_the_diff_of_a_new_cell_shows_all_of_it():
    diff = plan_fill_text(text_of(minor=4), {"A": 2}).diff()
    assert diff == "--- no cell\n+++ cell 1, after\n@@ -0,0 +1 @@\n+A = 2\n"


def test_a_plan_can_be_sent_as_json():
    plan = plan_fill_text(text_of(("parameters", "A = 1")), {"A": "é"})
    sent = json.loads(json.dumps(plan.to_dict()))
    assert sent["changed"] is True
    assert sent["edits"] == [
        {"cell_index": 0, "cell_id": "c0", "before": "A = 1", "after": "A = 'é'", "created": False},
    ]
    assert sent["diff"] == plan.diff()
    assert "new_text" not in sent


def test_planning_twice_gives_the_same_plan():
    text = text_of(("code", "x"))
    assert plan_fill_text(text, {"A": 1}) == plan_fill_text(text, {"A": 1})
