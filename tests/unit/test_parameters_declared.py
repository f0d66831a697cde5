"""What a parameters cell says about its names besides their values: types, help, and how papermill reads the same."""

from __future__ import annotations

import nbformat
import pytest

from fairing_az_jupyter.exceptions import NotebookFileError
from fairing_az_jupyter.parameters import read_type
from fairing_az_jupyter.services.planning import describe_parameters
from fairing_az_jupyter.services.session import Session

PYTHON = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}


@pytest.fixture
def write(tmp_path):
    """Return a function that writes a notebook with parameters cells and returns its path."""

    def written(*sources, tags=("parameters",)):
        cells = [nbformat.v4.new_code_cell(source, metadata={"tags": list(tags)}) for source in sources]
        path = tmp_path / "train.ipynb"
        nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=PYTHON), path)
        return str(path)

    return written


def described(path):
    return {info.name: (info.type, info.default, info.help) for info in describe_parameters(Session(), path)}


# Every line alone is a cell; papermill's inspection says the same of each.
SAME = [
    "a = 1",
    "a = 1  # how many",
    "a: int = 1",
    "a: int = 1  # how many",
    "a: 'int' = 1",
    'a: "int" = 1',
    "a = None  # type: float",
    "a = None  #type:float how fast",
    "a = None  # type: float   how fast it goes",
    "a: int = 1  # type: float  the annotation counts",
    "a: Optional[int] = None",
    "a: List[str] = None",
    "a: Dict[str, int] = None",
    "a = 'x'  # a # in the comment",
    "a = 1.5  # type:",
    "a = [1, 2]  # numbers",
    "a = open",
    "a = float('inf')",
    "a = [  # dropped\n    1,\n    2\n]  # numbers",
    "# type: int  about nothing\na = 1",
    "a = 1\n\nb = 2  # second\n",
    "a = 'one'  # type: one of several",
]


@pytest.mark.parametrize("source", SAME)
def test_a_cell_is_read_as_papermill_inspects_it(write, source):
    from papermill import inspect_notebook

    path = write(source)
    inspected = {
        name: (
            "" if said["inferred_type_name"] == "None" else said["inferred_type_name"],
            said["default"],
            said["help"],
        )
        for name, said in inspect_notebook(path).items()
    }

    ours = described(path)
    assert {name: (each[0], each[2]) for name, each in ours.items()} == {
        name: (each[0], each[2]) for name, each in inspected.items()
    }
    assert {name: "".join(each[1].split()) for name, each in ours.items()} == {
        name: "".join(each[1].split()) for name, each in inspected.items()
    }


# Where papermill's pattern reads less than Python does, and what we read.
DIFFERENT = [
    pytest.param("a = 'x=y'", {"a": ("", "'x=y'", "")}, id="a text with an equals sign"),
    pytest.param("a = '#1'  # colour", {"a": ("", "'#1'", "colour")}, id="a hash within a text"),
    pytest.param("a = 1; b = 2  # two", {"a": ("", "1", ""), "b": ("", "2", "two")}, id="two in one line"),
    pytest.param("a, b = 1, 2", {"a": ("", "1", ""), "b": ("", "2", "")}, id="a tuple"),
    pytest.param("a: int", {"a": ("int", "", "")}, id="a type without a value"),
    pytest.param("a: int | None = None", {"a": ("int | None", "None", "")}, id="a union by a bar"),
    pytest.param("a: typing.List[int] = None", {"a": ("typing.List[int]", "None", "")}, id="a dotted type"),
    pytest.param(
        "a = None  # type: Dict[str, int]  sizes", {"a": ("Dict[str, int]", "None", "sizes")}, id="a blank in a type"
    ),
    pytest.param("a = None  # type: int | None  n", {"a": ("int | None", "None", "n")}, id="a bar in a type comment"),
    pytest.param("a = x  # type: ignore[name-defined]", {"a": ("", "x", "")}, id="a word to the type checker"),
    pytest.param("a = dict(\n    b=1,\n)  # sizes", {"a": ("", "dict(b=1)", "sizes")}, id="an argument over lines"),
    pytest.param('a = """one\n= two"""  # text', {"a": ("", "'one\\n= two'", "text")}, id="a text over lines"),
    pytest.param("if True:\n    a: int = 1  # n", {"a": ("int", "", "n")}, id="a block may not run"),
    pytest.param("a = 1\ndel a\nb = 2", {"b": ("", "2", "")}, id="a deleted name"),
    pytest.param("%matplotlib inline\na = 1  # n", {"a": ("", "1", "n")}, id="a magic"),
    pytest.param("a = !ls\nb = 1", {"a": ("", "", ""), "b": ("", "1", "")}, id="a shell assignment"),
]


@pytest.mark.parametrize(("source", "expected"), DIFFERENT)
def test_a_cell_is_read_as_python_where_papermills_pattern_misses_it(write, source, expected):
    from papermill import inspect_notebook

    path = write(source)

    assert described(path) == expected
    assert {
        name: (said["inferred_type_name"].replace("None", ""), said["default"], said["help"])
        for name, said in inspect_notebook(path).items()
    } != expected or "%" in source  # a line magic alone is nothing to papermill either


@pytest.mark.parametrize("newline", ["\r\n", "\r", "\n"])
def test_windows_line_ends_do_not_lose_a_comment(write, newline):
    source = newline.join(["a: float = None  # the räte", "b = [", "  1,", "]  # type: list  bs"])

    assert described(write(source)) == {"a": ("float", "None", "the räte"), "b": ("list", "[1]", "bs")}


def test_a_later_cell_gives_the_value_and_keeps_the_type_and_the_help(write):
    path = write("rate: float = None  # how fast", "rate = 0.5")

    assert described(path) == {"rate": ("float", "0.5", "how fast")}


def test_a_type_said_before_the_value_holds(write):
    assert described(write("rate: float\nrate = None")) == {"rate": ("float", "None", "")}


def test_a_setting_of_this_project_is_marked(write):
    infos = describe_parameters(Session(), write("AZURE_REGION = None\nrounds = 3"))

    assert [(info.name, info.is_setting) for info in infos] == [("AZURE_REGION", True), ("rounds", False)]
    assert infos[1].to_dict() == {"name": "rounds", "default": "3", "type": "", "help": "", "is_setting": False}


@pytest.mark.parametrize(
    "source",
    [
        "DB_PASSWORD = 'hunter2'",
        "DB_PASSWORD = 'hunt' 'er2'",
        "DB_PASSWORD = str('hunter2')",
        "place = 'AccountKey=hunter2'",
        "place = open('AccountKey=hunter2')",
        "places = {'password': 'hunter2'}",
        "place = 'x'  # AccountKey=hunter2",
    ],
)
def test_a_secret_in_the_cell_is_not_shown(write, source):
    assert "hunter2" not in repr(describe_parameters(Session(), write(source)))


def test_a_notebook_without_a_parameters_cell_has_no_parameters(write):
    assert describe_parameters(Session(), write("a = 1", tags=())) == ()


def test_a_broken_snapshot_is_told_by_the_notebooks_own_name(tmp_path):
    (tmp_path / "copy.ipynb").write_text("{")

    for snapshot in ("copy.ipynb", "missing.ipynb"):
        with pytest.raises(NotebookFileError) as caught:
            describe_parameters(Session(), "abs://account/container/train.ipynb", snapshot=str(tmp_path / snapshot))
        assert "abs://account/container/train.ipynb" in caught.value.message
        assert snapshot not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("int", ("int",)),
        ("'int'", ("int",)),
        ("typing.Optional[float]", ("float",)),
        ("Union[str, int]", ("int", "str")),
        ("str | 'int'", ("int", "str")),
        ("tuple[int, ...]", ("list",)),
        ("Mapping[str, Any]", ("dict",)),
        ("Annotated[int, 'at least 1']", ("int",)),
        ("Literal['a', 1]", ("int", "str")),
    ],
)
def test_a_type_of_plain_data_is_known(text, kinds):
    assert read_type(text).kinds == kinds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "np.ndarray",
        "np.float64",
        "pd.DataFrame",
        "MyClass",
        "set",
        "bytes",
        "None",
        "Optional[Path]",
        "int | np.ndarray",
        "List[",
        "int; str",
        "int = 3",
        "Callable[[int], int]",
        "Optional[int, str]",
        "f(x)",
        "1",
        "int[" * 300,
        "'" * 3,
        "\0",
        "Literal[x]",
    ],
)
def test_a_type_that_is_not_known_says_nothing(text):
    assert read_type(text) is None
