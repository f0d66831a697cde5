"""What a registry keeps, as Azure Container Registry lists it, page by page."""

from __future__ import annotations

import json
from datetime import datetime, timezone

import pytest

from fairing_az_jupyter.clients.oci.registry import Registry
from fairing_az_jupyter.clients.oci.stored_images import StoredImages
from fairing_az_jupyter.exceptions import NotAllowedError
from tests.clients.image_parts import OCI, sha
from tests.stand.scripted import Scripted, errors

LAYERS = [{"digest": sha(name), "size": 100} for name in (b"base", b"own")]
MANIFEST = json.dumps({"config": {"digest": sha(b"config"), "size": 7}, "layers": LAYERS}).encode()
PUSHED = "2026-10-15T12:30:00.1234567Z"
DOCUMENTS = {
    "/v2/": {},
    "/v2/team/model/tags/list": {"tags": ["1", "gone", "2"]},
    "/acr/v1/team/model/_manifests": {"manifests": [{"digest": sha(MANIFEST), "lastUpdateTime": PUSHED}, {"odd": 1}]},
}


def acr(request):
    """Answer as Azure Container Registry does, for one repository of two tags, and 501 more repositories."""
    path = request.path
    if path in DOCUMENTS:
        return 200, {}, json.dumps(DOCUMENTS[path])
    if path == "/v2/_catalog" and "last" not in request.query:
        link = '</v2/_catalog?last=r499&n=500>; rel="next"'
        return 200, {"Link": link}, json.dumps({"repositories": [f"r{number}" for number in range(500)]})
    if path == "/v2/_catalog":
        return 200, {}, json.dumps({"repositories": ["team/model", "x"]})
    if path.startswith("/v2/team/model/manifests/") and not path.endswith("gone"):
        return 200, {"Content-Type": OCI["manifest"]}, MANIFEST
    return 404, {}, errors("NAME_UNKNOWN")


@pytest.fixture
def opened():
    """Return a function that opens a registry which answers as it is told."""
    fronts, registries = [], []

    def make(answer):
        fronts.append(Scripted(answer).__enter__())
        registries.append(Registry(fronts[-1].host, username=None, password=None, scheme="http"))
        return StoredImages(registries[-1], timeout=2, deadline=4)

    yield make
    for each in registries:
        each.close()
    for each in fronts:
        each.__exit__(None, None, None)


def test_the_tags_of_one_image_are_together_with_its_sizes_and_when_it_was_pushed(opened):
    images = opened(acr)

    assert images.repositories(lambda name: name.startswith("team/")) == ["team/model"]
    (image,) = images.images("team/model")

    assert (image.tags, image.digest) == (("1", "2"), sha(MANIFEST))
    assert sum(image.blobs.values()) == 207
    assert image.layers == {sha(b"base"), sha(b"own")}
    assert image.pushed == datetime(2026, 10, 15, 12, 30, tzinfo=timezone.utc).timestamp()
    assert images.images("team/nothing") == []


def test_who_may_not_list_repositories_is_told_the_role(opened):
    images = opened(lambda asked: acr(asked) if asked.path == "/v2/" else (403, {}, errors("DENIED")))

    with pytest.raises(NotAllowedError, match="may not list the repositories") as caught:
        images.repositories(lambda _name: True)

    assert "AcrPull" in caught.value.hint
