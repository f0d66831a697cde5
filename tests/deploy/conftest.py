"""The test stand's fixtures, and the manifests below deploy/."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from tests.conftest import REPOSITORY
from tests.stand.fixtures import *  # noqa: F403 - fixtures are found by their names

DEPLOY = REPOSITORY / "deploy"


@pytest.fixture(scope="session")
def manifests() -> dict[str, list[dict[str, Any]]]:
    """Every document of every manifest, by the file's name."""
    files = sorted(DEPLOY.glob("*.yaml"))
    return {file.name: list(yaml.safe_load_all(file.read_text(encoding="utf-8"))) for file in files}
