"""Clients against servers of their own: the fixtures that their tests share."""

from __future__ import annotations

import pytest

from tests.clients.azure_scene import CLIENT_ID, CLIENT_SECRET, OBJECT_ID, TENANT_ID
from tests.stand.authority import Authority
from tests.stand.docker_registry import DockerRegistry
from tests.stand.entra import Entra
from tests.stand.fixtures import all_there
from tests.stand.processes import Guard
from tests.stand.programs import binaries
from tests.stand.scripted import Scripted


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    """The authority that signs all certificates; its own is in the file `bundle`."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def bundle(authority):
    return str(authority.bundle)


@pytest.fixture
def directory():
    """Microsoft Entra ID, with one tenant and one application."""
    made = Entra()
    made.register(TENANT_ID, CLIENT_ID, CLIENT_SECRET).oid = OBJECT_ID
    return made


@pytest.fixture
def entra(directory, authority):
    """The address of Entra ID, where faults can be put before it."""
    with Scripted(directory.answer, authority) as front:
        yield front


@pytest.fixture(scope="session")
def servers_guard(tmp_path_factory):
    """What ends the servers if this process can't."""
    guard = Guard(tmp_path_factory.mktemp("guarded"))
    yield guard
    guard.close()


@pytest.fixture(scope="session")
def docker_registry(servers_guard):
    """Return a function that starts Docker's registry in a folder, for all or for the logins of a password file."""
    with all_there():
        binaries.registry()

    def start(folder, *, htpasswd=None):
        if htpasswd is None:
            return DockerRegistry(folder, servers_guard)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "htpasswd").write_text(htpasswd)
        return DockerRegistry(folder, servers_guard, {"htpasswd": {"realm": "test", "path": str(folder / "htpasswd")}})

    return start
