"""The tree of errors in the docstring of exceptions.py is the one in the code."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
import warnings
from pathlib import Path

import kubeflow.fairing  # noqa: F401 - the bridge's modules expect it loaded
import pytest

import fairing_az_jupyter
from fairing_az_jupyter import exceptions
from fairing_az_jupyter.exceptions import ExecutionError, FairingAzureError

PACKAGE = Path(fairing_az_jupyter.__file__).parent
LINE = re.compile(
    r"^(?P<branch>[ |+-]*)(?P<name>\w+Error) +(?P<code>\(?[a-z-]+\)?)(?: +(?P<exit>\d+))?(?: |$)", re.MULTILINE
)
# It runs the command line.
NOT_IMPORTED = {"fairing_az_jupyter.__main__"}


def modules():
    return sorted(
        each.name
        for each in pkgutil.walk_packages([str(PACKAGE)], prefix="fairing_az_jupyter.")
        if each.name not in NOT_IMPORTED
    )


def below(error):
    yield error
    for each in error.__subclasses__():
        yield from below(each)


@pytest.fixture(scope="module")
def errors():
    """All classes of our errors, once every module of the package is imported."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # those of the libraries of jupyter-scheduler, which are not ours to fix
        for name in modules():
            importlib.import_module(name)
    return {
        each.__name__: each for each in below(FairingAzureError) if each.__module__.startswith("fairing_az_jupyter.")
    }


@pytest.fixture(scope="module")
def documented():
    """The lines of the tree by class, each with the name of its parent."""
    found, parents = {}, []
    for line in LINE.finditer(exceptions.__doc__):
        depth = len(line["branch"]) // 4
        parents[depth:] = [line["name"]]
        assert line["name"] not in found
        found[line["name"]] = (parents[depth - 1] if depth else "", line["code"], line["exit"])
    return found


def test_the_docstring_names_every_error_under_its_parent(errors, documented):
    parents = {name: next(base.__name__ for base in each.__mro__[1:]) for name, each in errors.items()}
    parents["FairingAzureError"] = ""

    assert {name: parent for name, (parent, _, _) in documented.items()} == parents


def test_the_docstring_has_the_code_and_the_exit_code_of_each(errors, documented):
    for name, (_, code, exit_code) in documented.items():
        error = errors[name]
        own = "code" in vars(error)
        assert code == (error.code if own else f"({error.code})"), name
        inherited = error.__mro__[1].exit_code if name != "FairingAzureError" else None
        assert error.exit_code == (int(exit_code) if exit_code else inherited), name


def test_no_two_errors_share_a_code_unless_one_inherits_it(errors):
    own = [each.code for each in errors.values() if "code" in vars(each)]

    assert len(own) == len(set(own))


def test_every_error_that_is_not_of_an_execution_is_raised_with_a_hint(errors):
    """All calls in the source: each passes a hint, or passes on arguments that it got."""
    wanted = {name for name, each in errors.items() if not issubclass(each, ExecutionError)} - {"InvalidSettingsError"}
    missing = []
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or node.func.id not in wanted:
                continue
            if not {"hint", None} & {each.arg for each in node.keywords}:
                missing.append(f"{path.relative_to(PACKAGE)}:{node.lineno} {node.func.id}")

    assert missing == []
