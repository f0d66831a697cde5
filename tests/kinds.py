"""What kind of test a test is: found in its code, its fixtures' and that of all they call below tests/.

A test that starts processes or listens through the package alone says so by a mark, and the guard below finds it out.
"""

from __future__ import annotations

import functools
import inspect
import sys
import types
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

KINDS = ("browser", "stand", "kernel", "fast")
"""The kinds, and of what a test needs the first that is named here."""

NEEDS = {
    "playwright": "browser",
    "http.server": "stand",
    "socketserver": "stand",
    "tests.stand": "stand",
    "jupyter_client": "kernel",
    "multiprocessing": "kernel",
    "nbclient": "kernel",
    "papermill": "kernel",
    "pty": "kernel",
    "subprocess": "kernel",
}
"""What needs what: modules, with all that is in them."""

PROCESSES = frozenset({"os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "subprocess.Popen"})
"""Events of Python's audit, https://docs.python.org/3/library/audit_events.html, that tell of a process."""


class NotFastError(AssertionError):
    """A test that is marked fast has started a process, or listens."""


class Guard:
    """In a run of the fast tests, what none of them may do fails at once, and the test too where that was caught."""

    def __init__(self) -> None:
        self.watching = False
        self.found: list[str] = []
        sys.addaudithook(self._heard)

    def _heard(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.watching:
            return
        if event in PROCESSES or (event == "socket.bind" and isinstance(arguments[1], tuple)):
            self.found.append(f"{event} {arguments[:2]}")
            raise NotFastError(self.found[-1])

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """Watch over the test, and over the fixtures that are set up for it."""
        self.found.clear()
        self.watching = item.config.option.markexpr == "fast" and item.get_closest_marker("fast") is not None
        try:
            return (yield)
        finally:
            self.watching = False

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_teardown(self) -> None:
        """Fail the test for what it has done."""
        assert not self.found, f"Not a fast test, for it has called {self.found}: mark it kernel or stand."


def kind_of(item: pytest.Item) -> str:
    """Return the kind of a test: the one that it is marked with, or what it reaches."""
    marked = [kind for kind in KINDS if item.get_closest_marker(kind)]
    if marked:
        return marked[0]
    fixtures = item._fixtureinfo.name2fixturedefs  # noqa: SLF001 - pytest has no other way to a test's fixtures
    functions = (item.function, *(fixture.func for found in fixtures.values() for fixture in found))
    needed = set[str]().union(*map(_reached, functions))
    return next((kind for kind in KINDS if kind in needed), "fast")


@functools.cache
def _reached(function: Any) -> frozenset[str]:
    things = [function]
    seen: set[int] = set()
    needed: set[str] = set()
    while things:
        thing = things.pop()
        if id(thing) in seen:
            continue
        seen.add(id(thing))
        needed |= {kind for name, kind in NEEDS.items() if f"{_home(thing)}.".startswith(f"{name}.")}
        if not _home(thing).startswith(("tests.", "test_", "conftest")):
            continue
        if inspect.isclass(thing):
            things += [*thing.__bases__, *vars(thing).values()]
        elif inspect.isfunction(thing := inspect.unwrap(getattr(thing, "__func__", thing))):
            names = set(_names(thing.__code__))
            needed |= {kind for name, kind in NEEDS.items() if name in names}
            things += [thing.__globals__[name] for name in names if name in thing.__globals__]
    return frozenset(needed)


def _home(thing: Any) -> str:
    return thing.__name__ if inspect.ismodule(thing) else getattr(thing, "__module__", None) or ""


def _names(code: types.CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _names(constant)
