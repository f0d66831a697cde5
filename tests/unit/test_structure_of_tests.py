"""How tests are built: what they share lives in scenes and conftest.py files, and each has one kind."""

from __future__ import annotations

import ast

import pytest

from tests.conftest import REPOSITORY

MODULES = sorted(path.relative_to(REPOSITORY) for path in (REPOSITORY / "tests").rglob("*.py"))


def imported(path):
    """Yield the dotted name of each thing that a module imports, also within functions."""
    for node in ast.walk(ast.parse((REPOSITORY / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module or ''}.{name.name}" for name in node.names)


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_no_module_imports_from_a_test_module(path):
    tests = {other.stem for other in MODULES if other.name.startswith("test_")}

    assert [name for name in imported(path) if name.startswith("tests.") and tests & set(name.split("."))] == []
