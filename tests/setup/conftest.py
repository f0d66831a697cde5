"""The test stand's fixtures."""

from __future__ import annotations

from tests.stand.fixtures import *  # noqa: F403 - fixtures are found by their names
