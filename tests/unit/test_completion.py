"""What Tab offers in a line of `%fairing_azure`, in IPython's own completer."""

from __future__ import annotations

import json

import pytest

from fairing_az_jupyter.frontends.cli import main
from fairing_az_jupyter.frontends.command_line import completion


class Model:
    def train(self):
        pass

    def predict(self, X, feature_names=None):
        return X


class Served:
    def predict(self, X, feature_names=None):
        return X


def work():
    pass


def needs(argument):
    pass


NAMES = {"__name__": __name__, "Model": Model, "Served": Served, "work": work, "needs": needs, "number": 3}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data.csv").write_text("a\n1\n")
    (tmp_path / "rows.json").write_text("[[1]]")
    (tmp_path / "train.py").write_text("")
    (tmp_path / "more rows").mkdir()
    source = {"cell_type": "code", "metadata": {"tags": ["parameters"]}, "execution_count": None, "outputs": []}
    cells = [{**source, "source": "ROUNDS = 3\nRATE = 0.5"}]
    (tmp_path / "nb.ipynb").write_text(json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 4}))
    return tmp_path


def offered(line):
    found = completion.complete(line, NAMES)
    assert found is not None
    return [match.text for match in found.matches]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("%fairing_azure tr", ["train"]),
        ("  job = %fairing_azure tr", ["train"]),
        ("%%fairing_azure dep", ["deploy"]),
        ("%fairing_azure secrets ", ["create", "rotate", "attach", "show"]),
        ("%fairing_azure help se", ["secrets", "settings"]),
        ("%fairing_azure help runs pr", ["prune"]),
        ("%fairing_azure train --inp", ["--input-files"]),
        (
            "%fairing_azure train Model --memory 8Gi --bui",
            ["--builder", "--builder-image", "--build-cpu", "--build-memory"],
        ),
        ("%fairing_azure settings --backend ", ["LocalBackend", "KubeflowAzureBackend"]),
        ("%fairing_azure settings --backend Kub", ["KubeflowAzureBackend"]),
        ("%fairing_azure runs list --state f", ["failed"]),
        ("%fairing_azure deploy ", ["Served", "Model", "more rows/", "nb.ipynb", "train.py"]),
        ("%fairing_azure train Mo", ["Model"]),
        ("%fairing_azure train w", ["work"]),
        ("%fairing_azure check n", ["nb.ipynb"]),
        ("%fairing_azure train Model --input-files d", ["data.csv"]),
        ("%fairing_azure train Model --input-files data.csv r", ["rows.json"]),
        ("%fairing_azure predict x ", ["data.csv", "more rows/", "rows.json"]),
        ("%fairing_azure run nb.ipynb -p ", ["ROUNDS", "RATE"]),
        ("%fairing_azure run nb.ipynb -p ROUNDS ", []),
        ("%fairing_azure run nb.ipynb -p ROUNDS 3 -p RA", ["RATE"]),
        ("%fairing_azure runs show ", ["last"]),
        ("%fairing_azure nosuch ", []),
        ("%fairing_azure status 'unclosed ", []),
    ],
)
def test_what_can_follow_is_offered(line, expected):
    assert sorted(offered(line)) == sorted(each if each != "more rows/" else "'more rows/'" for each in expected)


def test_what_was_defined_last_is_offered_first():
    assert offered("%fairing_azure train ")[:2] == ["work", "Model"]


def test_an_option_that_was_given_is_offered_once_unless_it_may_be_repeated():
    line = "%fairing_azure train Model --memory 8Gi --output-map a=b --"

    assert "--memory" not in offered(line)
    assert "--output-map" in offered(line)


def test_profiles_are_offered_by_name(capsys):
    for name in ("team-a", "team-b"):
        main(["profile", "set", name, "--backend", "LocalBackend"])

    assert offered("%fairing_azure check --profile ") == ["team-a", "team-b"]
    assert offered("%fairing_azure profile use team-b") == ["team-b"]


def test_a_line_of_something_else_is_left_to_ipython():
    assert completion.complete("fairing_azure train ", NAMES) is None
    assert completion.complete("%timeit train ", NAMES) is None


def test_ipython_offers_nothing_else_in_such_a_line(run_python):
    script = """
import json, warnings
from IPython.testing.globalipapp import start_ipython
from IPython.core.completer import ProvisionalCompleterWarning
shell = start_ipython()
warnings.simplefilter("ignore", ProvisionalCompleterWarning)
for _ in range(2):
    shell.run_cell("%reload_ext fairing_az_jupyter").raise_error()
shell.run_cell("class Model:\\n    def train(self): pass").raise_error()
def offered(line):
    return [each.text for each in shell.Completer.completions(line, len(line))]
print(json.dumps([offered("job = %fairing_azure train Mo"), offered("%fairing_azure chec"), offered("Mode")]))
"""
    magic, command, python = json.loads(run_python(script).stdout.splitlines()[-1])

    assert magic == ["Model"]
    assert command == ["check"]
    assert "Model" in python
