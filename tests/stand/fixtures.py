"""Fixtures of the test stand; a conftest.py takes them with `from tests.stand.fixtures import *`.

All tests of a session share one stand, whichever conftest.py they get it through.
"""

from __future__ import annotations

import os
import sys
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from . import acr_tasks
from .package_index import PackageIndex
from .policies import Policies
from .programs import binaries
from .programs.base_image import base_image, base_image_is_ready
from .stand import close_shared, shared

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import Any

    from .acr_tasks import Tasks
    from .kserve import KServe
    from .kwok import Kwok
    from .node import Node
    from .node.disruptions import Disruptions
    from .node.pools import Pool, Pools
    from .stand import Stand

__all__ = [
    "disruptions",
    "kaniko",
    "kserve",
    "kubernetes",
    "kwok",
    "namespace",
    "node",
    "package_index",
    "policies",
    "pools",
    "pytest_collection_finish",
    "stand",
    "stand_of_session",
    "tasks",
]

_NEED_CLUSTER = frozenset({"stand", "kubernetes"})
_NEED_NODE = frozenset({"node"})
_NEED_KANIKO = frozenset({"kaniko"})
_NEED_KSERVE = frozenset({"kserve"})
_NEED_KWOK = frozenset({"kwok"})


def pytest_collection_finish(session: pytest.Session) -> None:
    """Build the control plane, and what a node needs, before the first test: that takes longer than one test may."""
    used = {name for item in session.items for name in getattr(item, "fixturenames", ())}
    if session.config.option.collectonly:
        return
    try:
        if _NEED_CLUSTER & used and not binaries.control_plane_is_ready():
            binaries.control_plane()
        node_is_ready = binaries.scheduler_is_ready() and base_image_is_ready()
        if _NEED_NODE & used and not node_is_ready:
            binaries.scheduler()
            base_image()
        if _NEED_KANIKO & used and not binaries.kaniko_is_ready():
            binaries.kaniko()
        if _NEED_KSERVE & used and not binaries.kserve_is_ready():
            binaries.kserve()
        if _NEED_KWOK & used and not binaries.kwok_is_ready():
            binaries.kwok()
    except binaries.MissingError as error:
        sys.stderr.write(f"{error}\n")


@pytest.fixture(scope="session")
def stand_of_session() -> Iterator[Stand]:
    """The shared stand, ended with the session."""
    yield shared()
    close_shared()


@pytest.fixture
def stand(stand_of_session: Stand, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stand]:
    """The whole stand, without faults, with Azure's names leading to it in this process."""
    _start(stand_of_session, "control_plane", "blob", "registry")
    yield from _led_there(stand_of_session, monkeypatch)


@pytest.fixture
def kubernetes(stand_of_session: Stand, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stand]:
    """The stand with its control plane only."""
    _start(stand_of_session, "control_plane")
    yield from _led_there(stand_of_session, monkeypatch)


@pytest.fixture
def node(stand: Stand) -> Iterator[Node]:
    """The stand's node, which runs pods during the test; after it no new ones, so that other tests' pods just wait."""
    _start(stand, "node")
    # What schedules and scales would count those that other tests have made, and on which nothing runs.
    stand.control_plane.remove_nodes()
    stand.node.resume()
    try:
        yield stand.node
    finally:
        stand.node.calm()
        stand.node.pause()


@pytest.fixture
def pools(node: Node, stand: Stand, namespace: str) -> Iterator[Callable[..., Pools]]:
    """Return what makes pools of nodes that come late, with autoscaler: `pools(Pool(...), style=..., delay=...)`."""
    from .node.pools import Pools

    made: list[Pools] = []

    def make(*pools: Pool, **options: Any) -> Pools:
        made.append(Pools(node, stand.control_plane.admin, pools, **{"namespace": namespace, **options}))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def disruptions(node: Node, stand: Stand) -> Iterator[Disruptions]:
    """Return what evicts pods, drains nodes and takes them away."""
    from .node.disruptions import Disruptions

    made = Disruptions(stand.control_plane, node)
    yield made
    made.close()


@pytest.fixture
def kaniko(node: Node) -> Callable[[str, dict[str, Any]], str]:
    """Return what pushes Kaniko's image to a registry, as `Node.push_kaniko` does."""
    with all_there():
        binaries.kaniko()
    return node.push_kaniko


@pytest.fixture
def kserve(node: Node, stand: Stand) -> Iterator[KServe]:
    """KServe's own controller: without it an InferenceService stays as it was made."""
    _start(stand, "kserve")
    stand.kserve.resume()
    yield stand.kserve
    stand.kserve.clear()
    stand.kserve.pause()


@pytest.fixture
def kwok(node: Node, stand: Stand) -> Iterator[Kwok]:
    """Return kwok, which imitates nodes and the pods on them; without any node at first."""
    _start(stand, "kwok")
    yield stand.kwok
    stand.kwok.clear()


@pytest.fixture
def policies(kubernetes: Stand) -> Iterator[Policies]:
    """Return what sets an administrator's rules for a namespace."""
    made = Policies(kubernetes.control_plane.admin)
    yield made
    made.close()


@pytest.fixture
def tasks(node: Node, stand: Stand) -> Iterator[Tasks]:
    """ACR Tasks, as the stand's Resource Manager offers them: real builds, and how they behave is a test's to say."""
    with all_there():
        found = acr_tasks.attach(stand)
    found.reset()
    yield found
    found.reset()


@pytest.fixture
def package_index(stand: Stand, tmp_path: Path) -> Iterator[PackageIndex]:
    """An empty package index, which pods reach by its name."""
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    index = PackageIndex(stand.authority, stand.names, wheels)
    yield index
    index.close()


@pytest.fixture
def namespace() -> str:
    """A name for a namespace that nobody has."""
    return f"team-{uuid.uuid4().hex[:10]}"


def _start(stand: Stand, *parts: str) -> None:
    with all_there():
        for part in parts:
            getattr(stand, part)


@contextmanager
def all_there() -> Iterator[None]:
    """Skip, and in CI fail, where something real can't be had here."""
    try:
        yield
    except binaries.MissingError as error:
        # In CI nothing is skipped.
        (pytest.fail if os.environ.get("CI") else pytest.skip)(str(error))


def _led_there(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stand]:
    # By the test's own monkeypatch: what that puts back, it puts back last, and not to what the stand had set.
    for name, value in stand.names.environment().items():
        monkeypatch.setenv(name, value)
    with stand.names.resolving():
        stand.reset()
        try:
            yield stand
        finally:
            stand.reset()
