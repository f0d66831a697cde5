"""How tests are built: what they share lives in scenes and conftest.py files, and each has one kind."""

from __future__ import annotations

import ast
import os
import socket

import pytest

from tests.conftest import REPOSITORY
from tests.kinds import KINDS, NotFastError

MODULES = sorted(path.relative_to(REPOSITORY) for path in (REPOSITORY / "tests").rglob("*.py"))


def imported(path):
    """Yield the dotted name of each thing that a module imports, also within functions."""
    for node in ast.walk(ast.parse((REPOSITORY / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module or ''}.{name.name}" for name in node.names)


def test_no_module_imports_from_a_test_module():
    tests = {other.stem for other in MODULES if other.name.startswith("test_")}
    found = {(str(path), name) for path in MODULES for name in imported(path) if name.startswith("tests.")}

    assert {(path, name) for path, name in found if tests & set(name.split("."))} == set()


def test_every_test_has_exactly_one_kind(request):
    kinds = {item.nodeid: [kind for kind in KINDS if item.get_closest_marker(kind)] for item in request.session.items}

    assert {test: found for test, found in kinds.items() if len(found) != 1} == {}


@pytest.fixture
def guard(request):
    """Return the guard of fast tests; what it has found in this test is forgotten."""
    guard = request.config.pluginmanager.get_plugin("guard-of-fast-tests")
    guard.watching = True
    yield guard
    guard.watching = False
    guard.found.clear()


def test_a_fast_test_that_starts_a_process_fails(guard):
    with pytest.raises(NotFastError):
        os.posix_spawn("/bin/true", ["true"], {})
    assert len(guard.found) == 1


def test_a_fast_test_that_listens_fails(guard):
    with socket.socket() as listening, pytest.raises(NotFastError):
        listening.bind(("127.0.0.1", 0))
    assert len(guard.found) == 1
