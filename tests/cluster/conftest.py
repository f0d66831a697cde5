"""The test stand's fixtures, and what many tests on it need."""

from __future__ import annotations

import pytest

from tests.cluster.blob_scene import scene_of  # noqa: F401 - a fixture
from tests.cluster.builders_scene import workshop  # noqa: F401 - a fixture
from tests.cluster.job_scene import job_place  # noqa: F401 - a fixture
from tests.cluster.serving_scene import endpoint_place  # noqa: F401 - a fixture
from tests.cluster.yard_scene import yard  # noqa: F401 - a fixture
from tests.conftest import REPOSITORY
from tests.stand.fixtures import *  # noqa: F403 - fixtures are found by their names
from tests.stand.fixtures import all_there
from tests.stand.wheels import wheels_for


@pytest.fixture(scope="session")
def example_wheels():
    """The wheels that the example asks for, fetched before the stand's names are the only ones there are."""
    with all_there():
        return wheels_for(REPOSITORY / "notebooks" / "requirements.txt")
