"""Classes and functions of a notebook as tasks: found without running it, and loaded without what it does."""

from __future__ import annotations

import io
import shutil
import traceback
from pathlib import Path

import cloudpickle
import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from fairing_az_jupyter import services
from fairing_az_jupyter.exceptions import InputError
from fairing_az_jupyter.fairing.tasks.lookup import load_task
from fairing_az_jupyter.fairing.upstream.pickling import dump
from tests.conftest import REPOSITORY


@pytest.fixture(autouse=True)
def in_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(*cells, path="nb.ipynb", parameters=None):
    made = [] if parameters is None else [new_code_cell(parameters, metadata={"tags": ["parameters"]})]
    made += [cell if isinstance(cell, dict) else new_code_cell(cell) for cell in cells]
    Path(path).write_text(nbformat.writes(new_notebook(cells=made)), encoding="utf-8")
    return path


MODEL = """class Model:
    def train(self):
        return {}
    def predict(self, X, feature_names=None):
        return X
"""


def trained(value, *cells, **options):
    write(*cells, MODEL.replace("{}", value), **options)
    return load_task("nb.ipynb:Model", "train")().train()


def test_only_what_defines_is_run_and_what_the_class_needs_is_there():
    write(
        "import os\nRATE = 0.5\nopen('ran.txt', 'w').write('x')",
        "raise RuntimeError('never run')",
        "EXTRA_UNUSED = open('ran.txt', 'w')",
        "FACTOR = len('abc') + EXTRA\ndef helper(x):\n    return x * FACTOR",
        "TABLE = {'a': 1}\nTABLE['b'] = 2",
        "SIZES = [n * BASE for n in range(2)]",
        MODEL.replace("{}", "(helper(2), RATE, TABLE, os.sep, SIZES)"),
        parameters="EXTRA = 4\nBASE = int('3')",
    )

    found = load_task("nb.ipynb:Model", "train")().train()

    assert found == (14, 0.5, {"a": 1, "b": 2}, "/", [0, 3])
    assert not Path("ran.txt").exists()


def test_names_that_a_method_has_for_itself_pull_in_no_statement_of_the_notebook():
    found = trained("[model for model in [1]]", "model = open('ran.txt', 'w')", "y = model")

    assert found == [1]
    assert not Path("ran.txt").exists()


def test_magics_shell_lines_other_languages_and_unfinished_cells_are_left_out():
    found = trained(
        "A + B",
        "%matplotlib inline\n!touch ran.txt\nA = 1\nfiles = !ls",
        "%%bash\ntouch ran.txt",
        "%%time\nB = 2",
        "def unfinished(:",
        "B = B\n?print",
        new_markdown_cell("A = 5"),
    )

    assert found == 3
    assert not Path("ran.txt").exists()


def test_statement_that_binds_what_is_needed_is_kept_whatever_it_is():
    found = trained(
        "(json, N, WORDS)",
        "try:\n    import nothing_of_this_name as json\nexcept ImportError:\n    json = None",
        "with open('words.txt', 'w') as file:\n    WORDS = file.write('abc')",
        "for N in range(3):\n    pass",
    )

    assert found == (None, 2, 3)


def test_function_that_nothing_needs_does_not_fail_for_want_of_what_was_left_out():
    assert trained("1", "data = undefined()", "def plot(x=data):\n    pass", "@data\nclass Other:\n    pass") == 1


def test_annotations_of_the_future_hold_for_the_cells_after_them():
    write(
        "from __future__ import annotations",
        "class Model:\n    def train(self, x: Missing = 1) -> Missing:\n        return x",
    )

    assert load_task("nb.ipynb:Model", "train")().train() == 1


def test_traceback_leads_to_the_cell_and_its_line_also_after_the_pickle():
    write("import os", "\n\nclass Model:\n    def train(self):\n        raise KeyError('lost')")
    sent = io.BytesIO()
    dump(load_task("nb.ipynb:Model", "train"), sent)
    model = cloudpickle.loads(sent.getvalue())

    with pytest.raises(KeyError) as raised:
        model().train()

    text = "".join(traceback.format_exception(raised.value))
    assert 'File "nb.ipynb, cell 2", line 5, in train' in text
    assert "raise KeyError('lost')" in text


def test_definition_that_fails_is_told_with_its_cell_and_line():
    write("import os", "import nothing_of_this_name\n" + MODEL.replace("{}", "nothing_of_this_name"))

    with pytest.raises(InputError, match=r"No module named 'nothing_of_this_name' \(cell 2, line 1\)"):
        load_task("nb.ipynb:Model", "train")


def test_class_that_is_not_there_is_named_with_what_is():
    write(MODEL, "def broken(:")

    with pytest.raises(InputError, match=r"Did you mean 'Model'.*cell 2 has a syntax error.*It defines: Model"):
        load_task("nb.ipynb:Modell", "train")


def test_tasks_are_listed_from_the_text_of_an_editor_and_nothing_is_run():
    text = nbformat.writes(
        new_notebook(
            cells=[
                new_code_cell("open('ran.txt', 'w')\nfrom elsewhere import Base"),
                new_code_cell("class Both(Trains):\n    def predict(self, X): ..."),
                new_code_cell("class Trains:\n    def train(self): ..."),
                new_code_cell("class Odd(Base): ...\nclass Plain: ...\nclass _Hidden(Trains): ..."),
                new_code_cell("def job(n=1): ...\ndef needs(x): ...\nasync def later(): ..."),
            ]
        )
    )

    tasks = {task.name: task for task in services.list_tasks("sub/nb.ipynb", text)}

    assert {name: (t.kind, t.can_train, t.can_deploy) for name, t in tasks.items()} == {
        "Both": ("class", True, True),
        "Trains": ("class", True, False),
        "Odd": ("class", True, True),
        "Plain": ("class", False, False),
        "job": ("function", True, False),
        "needs": ("function", False, False),
        "later": ("function", False, False),
    }
    assert tasks["Both"].task == "nb.ipynb:Both"
    assert "Methods inherited from Base are checked at launch" in tasks["Odd"].reason
    assert "predict" in tasks["Trains"].reason
    assert "(x)" in tasks["needs"].reason
    assert not Path("ran.txt").exists()


@pytest.mark.parametrize(
    "data",
    [
        b"\xef\xbb\xbfclass Model:\r\n    def train(self):\r\n        pass\r\n",
        "# -*- coding: latin-1 -*-\nNAME = 'é'\nclass Model:\n    def train(self):\n        pass\n".encode("latin-1"),
    ],
)
def test_tasks_of_a_python_file_are_listed_in_whichever_encoding_it_is(data):
    Path("model.py").write_bytes(data)

    assert [task.name for task in services.list_tasks("model.py")] == ["Model"]


@pytest.mark.parametrize(
    ("path", "data"),
    [
        ("model.py", b"class Model(:"),
        ("model.py", b"\x00"),
        ("model.py", b"\xff\xfe"),
        ("nb.ipynb", b"{"),
        ("nb.ipynb", b"[]"),
        ("data.csv", b"a,b"),
    ],
)
def test_file_that_defines_nothing_is_told_by_its_name(path, data):
    Path(path).write_bytes(data)

    with pytest.raises(InputError, match=path.replace(".", r"\.")):
        services.list_tasks(path)


@pytest.mark.timeout(120)
def test_class_of_the_example_is_trained_and_deployed_by_its_name(in_folder, run_python):
    left_out = shutil.ignore_patterns("trained_ames_model.dat")
    shutil.copytree(REPOSITORY / "notebooks", in_folder / "example", ignore=left_out)
    command = (
        "import os, sys; os.chdir('example'); from fairing_az_jupyter.frontends.cli import main; "
        "sys.exit(main(sys.argv[1:]))"
    )
    task = "xgboost-high-level-apis.ipynb:HousingServe"

    done = run_python(command, "train", task, "--input-files", "ames_dataset/train.csv", "requirements.txt")
    assert "Model export success: trained_ames_model.dat" in done.stdout

    # A job's files are its own; the model is no part of the repository.
    assert not (in_folder / "example" / "trained_ames_model.dat").exists()
    file, _, name = f"example/{task}".partition(":")
    files = {"from_job": "last", "input_files": ["requirements.txt"]}
    info = services.start_launch(services.Session(), "deploy", file, name, **files)
    endpoint = next(
        e
        for _, e in services.run_events(services.Session(), info.id, follow_it=True)
        if e["kind"] in {"endpoint", "run-failed"}
    )
    assert endpoint["kind"] == "endpoint", endpoint
    try:
        listed, _ = services.list_endpoints(services.Session({"backend": "LocalBackend"}))
        assert [each.name for each in listed] == [endpoint["name"]]
    finally:
        services.delete(services.Session({"backend": "LocalBackend"}), [endpoint["name"]])
    assert services.describe_run(services.Session(), info.id).state == "succeeded"
