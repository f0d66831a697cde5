"""Layers that are made while they are sent, into Docker's registry."""

from __future__ import annotations

import os
import tracemalloc

import pytest
import requests

from fairing_az_jupyter.clients.oci.push.streamed import StreamedBlob
from fairing_az_jupyter.exceptions import ConflictError, FairingAzureError
from tests.clients.image_parts import DOCKER, OCI, MemoryRegistry, base_in, files_in, opened, put_image, sha, tar_of
from tests.stand.scripted import Scripted

TAR = tar_of({"app/model.dat": bytes(range(256)) * 500, "app/a.txt": "a"})


@pytest.fixture(scope="module")
def registry(docker_registry, tmp_path_factory):
    with docker_registry(tmp_path_factory.mktemp("registry")) as made:
        yield made.host


@pytest.fixture
def name(request):
    """A repository that no other test has."""
    return f"team/{request.node.name.lower().replace('[', '-').replace(']', '')[:100]}".rstrip("-_.")


class Source:
    """Gives the bytes of a layer, and counts how often it has begun to."""

    def __init__(self, pieces, size=None, error=None):
        self.given, self.error, self.begun, self.closed = pieces, error, 0, 0
        self.size = sum(map(len, pieces)) if size is None else size

    def pieces(self):
        self.begun += 1
        try:
            yield from self.given
            if self.error is not None:
                raise self.error
        finally:
            self.closed += 1

    def blob(self):
        return StreamedBlob(self.size, self.pieces)


def in_pieces(content, size=1000):
    return [content[at : at + size] for at in range(0, len(content), size)]


def streamed(store, name, source, tag="files-1", **more):
    return store.push_stream(name, tag, source.blob(), "linux/amd64", created_by="files", **more)


def got(host, repository, what, kind="manifests"):
    headers = {"Accept": f"{OCI['manifest']}, {DOCKER['manifest']}"}
    answer = requests.get(f"http://{host}/v2/{repository}/{kind}/{what}", headers=headers, timeout=20)
    answer.raise_for_status()
    return answer


@pytest.mark.parametrize("types", [OCI, DOCKER])
def test_a_layer_is_sent_once_and_then_belongs_to_any_image_of_the_repository(registry, name, types):
    put_image(f"http://{registry}", name, "base", types=types)
    source = Source(in_pieces(TAR))
    with opened(registry) as store:
        layer = streamed(store, name, source)
        assert (layer.digest, layer.diff_id, layer.size) == (sha(TAR), sha(TAR), len(TAR))
        assert store.stored_layer(name, "files-1") == layer
        base = base_in(store, name, "base")
        pushed = store.append(base, store, layer, repository=name, tag="1", created_by="files")
        assert pushed.sent_bytes < 2000
        again = store.append(base, store, layer, repository=name, tag="1", created_by="files")
        assert (again.digest, again.sent_bytes) == (pushed.digest, 0)
    assert (source.begun, source.closed) == (1, 1)
    manifest = got(registry, name, "1").json()
    plain = {OCI["layer"]: "application/vnd.oci.image.layer.v1.tar"}
    plain[DOCKER["layer"]] = "application/vnd.docker.image.rootfs.diff.tar"
    assert manifest["layers"][-1] == {"mediaType": plain[types["layer"]], "size": len(TAR), "digest": sha(TAR)}
    assert files_in(got(registry, name, sha(TAR), "blobs").content)["app/a.txt"] == b"a"
    config = got(registry, name, manifest["config"]["digest"], "blobs").json()
    assert config["rootfs"]["diff_ids"][-1] == sha(TAR)


def test_no_layer_is_found_where_there_is_none_or_an_image_of_another_kind(registry, name):
    put_image(f"http://{registry}", name, "base")
    with opened(registry) as store:
        assert store.stored_layer(name, "files-1") is None
        assert store.stored_layer(name, "base") is None


@pytest.mark.parametrize(
    ("source", "error"),
    [
        (Source([TAR[:3000]], size=len(TAR), error=ConflictError("damaged", code="outputs-damaged")), "damaged"),
        (Source([TAR[:3000]], size=len(TAR)), "should have"),
    ],
    ids=["damaged", "short"],
)
def test_what_can_not_be_made_is_an_error_and_leaves_no_image(registry, name, source, error):
    with opened(registry) as store:
        with pytest.raises(FairingAzureError, match=error):
            streamed(store, name, source)
        assert store.stored_layer(name, "files-1") is None
    assert source.begun == source.closed == 1


def test_a_connection_that_breaks_off_costs_a_part_and_not_the_whole():
    content = os.urandom(40_000_000)
    source = Source(in_pieces(content, 1 << 20))
    memory = MemoryRegistry()
    breaks = iter([True, False, True])

    def broken(request):
        if request.method != "PATCH" or not next(breaks, False):
            return MemoryRegistry.GO_ON
        # A part of it has arrived, and the answer is lost.
        number = request.path.rpartition("/")[2]
        memory.uploads[number] += request.content[:1_000_000]
        return None

    memory.fault = broken
    with Scripted(memory) as front, opened(front.host) as store:
        layer = streamed(store, "team/model", source)
    assert (layer.digest, source.begun) == (sha(content), 1)
    assert memory.blobs["team/model", sha(content)][1] == content


def test_memory_stays_the_same_however_large_the_layer_is(registry, name):
    piece = bytes(1 << 20)

    class Large(Source):
        def pieces(self):
            for _ in range(100):
                yield piece

    told = []
    tracemalloc.start()
    try:
        with opened(registry) as store:
            source = Large([], size=100 << 20)
            layer = streamed(store, name, source, progress=lambda done, size: told.append((done, size)))
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert layer.size == 100 << 20
    assert told[-1][0] == told[-1][1] > 100 << 20
    assert most < 48 << 20
