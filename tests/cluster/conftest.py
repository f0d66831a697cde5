"""The test stand's fixtures."""

from __future__ import annotations

from tests.cluster.blob_scene import scene_of  # noqa: F401 - a fixture
from tests.stand.fixtures import *  # noqa: F403 - fixtures are found by their names
