"""Fixtures of the test stand; a conftest.py takes them with `from tests.stand.fixtures import *`.

All tests of a session share one stand, whichever conftest.py they get it through.
"""

from __future__ import annotations

import os
import sys
import uuid
from typing import TYPE_CHECKING

import pytest

from . import binaries
from .stand import close_shared, shared

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .stand import Stand

__all__ = ["kubernetes", "namespace", "pytest_collection_finish", "stand", "stand_of_session"]

_NEED_CLUSTER = frozenset({"stand", "kubernetes"})


def pytest_collection_finish(session: pytest.Session) -> None:
    """Build the control plane before the first test: that takes longer than one test may."""
    needed = any(_NEED_CLUSTER & set(getattr(item, "fixturenames", ())) for item in session.items)
    if not needed or session.config.option.collectonly or binaries.control_plane_is_ready():
        return
    try:
        binaries.control_plane()
    except binaries.MissingError as error:
        sys.stderr.write(f"{error}\n")


@pytest.fixture(scope="session")
def stand_of_session() -> Iterator[Stand]:
    """The shared stand, ended with the session."""
    yield shared()
    close_shared()


@pytest.fixture
def stand(stand_of_session: Stand) -> Iterator[Stand]:
    """The whole stand, without faults, with Azure's names leading to it in this process."""
    _start(stand_of_session, "control_plane", "blob", "registry")
    yield from _led_there(stand_of_session)


@pytest.fixture
def kubernetes(stand_of_session: Stand) -> Iterator[Stand]:
    """The stand with its control plane only."""
    _start(stand_of_session, "control_plane")
    yield from _led_there(stand_of_session)


@pytest.fixture
def namespace() -> str:
    """A name for a namespace that nobody has."""
    return f"team-{uuid.uuid4().hex[:10]}"


def _start(stand: Stand, *parts: str) -> None:
    try:
        for part in parts:
            getattr(stand, part)
    except binaries.MissingError as error:
        # In CI nothing is skipped.
        (pytest.fail if os.environ.get("CI") else pytest.skip)(str(error))


def _led_there(stand: Stand) -> Iterator[Stand]:
    with stand.names.here():
        stand.reset()
        try:
            yield stand
        finally:
            stand.reset()
