"""What can go wrong while an image is pushed, and what the user sees and finds then."""

from __future__ import annotations

import json
import os
import threading
import time

import pytest

from fairing_az_jupyter.clients.oci.images import Layer
from fairing_az_jupyter.clients.secret_values import SecretValue
from fairing_az_jupyter.exceptions import (
    ConflictError,
    ContextError,
    CredentialError,
    FairingAzureError,
    InputError,
    NotAllowedError,
    NotFoundError,
    ServiceError,
    ThrottledError,
    UnreachableError,
)
from tests.clients.image_parts import (
    MemoryRegistry,
    base_in,
    files_in,
    opened,
    put_image,
    sha,
    tar_of,
)
from tests.clients.registry_scene import PULLER, PUSHER, SECRET, acr_service
from tests.marked import MARK
from tests.stand.scripted import Scripted, errors

SMALL = Layer.from_bytes(tar_of({"a": "b"}))
GO_ON = MemoryRegistry.GO_ON
PAGE = (200, {"Content-Type": "text/html"}, b"<html>Access denied</html>")


@pytest.fixture(scope="module")
def large():
    """A layer of 40 MB that does not get smaller: three parts."""
    return Layer.from_bytes(tar_of({"large": os.urandom(40_000_000)}))


@pytest.fixture
def memory():
    return MemoryRegistry()


@pytest.fixture
def front(memory):
    with Scripted(memory) as served:
        put_image(f"http://{served.host}", "base", "1")
        served.requests.clear()
        yield served


@pytest.fixture
def store(front):
    with opened(front.host) as made:
        yield made


def push(store, layer=SMALL, **more):
    return store.append(base_in(store, "base"), store, layer, repository="a", tag="1", created_by="x", **more)


def refused_by(memory, answer, *, method, part, times=None, skip=0):
    """Answer so where method and path fit; None for an answer hangs up."""
    left, skipped = [times], [skip]

    def fault(request):
        if request.method not in method.split("|") or part not in request.target:
            return GO_ON
        if skipped[0]:
            skipped[0] -= 1
            return GO_ON
        if left[0] == 0:
            return GO_ON
        if left[0] is not None:
            left[0] -= 1
        return answer(request) if callable(answer) else answer

    memory.fault = fault


def kept(memory, layer):
    return memory.blobs["a", layer.digest][1]


def test_a_large_layer_goes_in_parts(memory, store, front, large):
    seen = []
    pushed = push(store, large, progress=lambda *told: seen.append(told))
    assert sha(kept(memory, large)) == large.digest
    assert [len(one.content) for one in front.asked("PATCH")] == [1 << 24, 1 << 24, large.size - (1 << 25)]
    assert seen[-1] == (pushed.sent_bytes, pushed.sent_bytes)
    assert seen == sorted(seen)
    assert memory.uploads == {}


def test_parts_are_not_smaller_than_the_registry_asks(memory, store, large):
    memory.least_chunk = 20_000_000
    push(store, large)
    assert sha(kept(memory, large)) == large.digest
    assert memory.broken == [large.size % 20_000_000]  # the last part, which may be smaller


@pytest.mark.parametrize("largest", [9_000_000, 300_000])
def test_parts_get_smaller_where_the_registry_takes_less(memory, store, large, largest):
    memory.largest = largest
    layer = large if largest > 1_000_000 else Layer.from_bytes(tar_of({"x": os.urandom(700_000)}))
    push(store, layer)
    assert sha(kept(memory, layer)) == layer.digest
    assert memory.uploads == {}


def test_a_registry_that_takes_no_size_at_all_is_told(memory, store):
    memory.largest = 10
    with pytest.raises(ServiceError) as refused:
        push(store)
    assert refused.value.code == "too-large"
    assert "client_max_body_size" in refused.value.hint
    assert memory.uploads == {}


@pytest.mark.parametrize("arrived", [0.0, 0.5, 1.0])
def test_an_upload_goes_on_where_the_connection_broke_off(memory, store, front, large, arrived):
    def some(request):
        number = request.target.rsplit("/", 1)[1].partition("?")[0]
        memory.uploads[number] += request.content[: int(len(request.content) * arrived)]

    refused_by(memory, some, method="PATCH", part="/uploads/", times=1, skip=1)
    push(store, large)
    assert sha(kept(memory, large)) == large.digest
    begun = [one for one in front.asked("POST") if "mount" not in one.target]
    assert len(begun) == 4  # two for the base, one for the layer, one for the configuration: none was begun again


def test_an_upload_whose_last_answer_was_lost_is_done(memory, store, front):
    def taken(request):
        memory.fault = lambda _: GO_ON
        memory(request)

    refused_by(memory, taken, method="PUT", part=SMALL.digest.replace(":", "%3A"), times=1)
    push(store)
    assert sum(SMALL.digest.replace(":", "%3A") in one.target for one in front.asked("PUT")) == 1
    assert kept(memory, SMALL)


def test_an_upload_that_the_registry_has_forgotten_is_begun_again(memory, store, large):
    def forgotten(request):
        memory.uploads.clear()
        return 404, {}, errors("BLOB_UPLOAD_UNKNOWN")

    refused_by(memory, forgotten, method="PATCH", part="/uploads/", times=2, skip=1)
    push(store, large)
    assert sha(kept(memory, large)) == large.digest


@pytest.mark.parametrize(
    "answer",
    [
        lambda _: (202, {"Range": "0-0", "Location": _.target}, b""),
        (416, {}, b""),
        (404, {}, errors("BLOB_UPLOAD_UNKNOWN")),
    ],
)
def test_an_upload_that_never_gets_further_ends(memory, store, large, answer):
    refused_by(memory, answer, method="PATCH", part="/uploads/")
    with pytest.raises(ServiceError) as refused:
        push(store, large)
    assert refused.value.code == "upload-lost"
    assert memory.uploads == {}


@pytest.mark.parametrize("method", ["HEAD", "POST", "PATCH", "PUT", "GET"])
@pytest.mark.parametrize("answer", [(503, {}, b""), (429, {"Retry-After": "0"}, b""), None])
def test_every_request_is_tried_again_where_that_helps(memory, store, large, method, answer):
    refused_by(memory, answer, method=method, part="/a/" if method != "GET" else "/base/", times=2)
    push(store, large)
    assert sha(kept(memory, large)) == large.digest
    assert ("a", "1") in memory.manifests


@pytest.mark.parametrize(
    ("answer", "method", "part", "error", "code", "word"),
    [
        ((403, {}, errors("DENIED", "storage quota exceeded")), "POST", "/uploads/", NotAllowedError, "quota", "full"),
        ((413, {}, errors("DENIED", "quota")), "PUT", "/uploads/", NotAllowedError, "quota", "show-usage"),
        ((405, {}, errors("UNSUPPORTED")), "POST", "/uploads/", NotAllowedError, "read-only", "read-only"),
        ((404, {}, errors("NAME_UNKNOWN")), "POST", "/uploads/", NotFoundError, "not-found", "does not create one"),
        ((403, {}, errors("DENIED")), "PUT", "/manifests/", NotAllowedError, "not-allowed-push", "AcrPush"),
        ((405, {}, errors("UNSUPPORTED")), "PUT", "/manifests/", ConflictError, "tag-immutable", "write-enabled"),
        ((409, {}, errors("CONFLICT")), "PUT", "/manifests/", ConflictError, "tag-immutable", "another tag"),
        ((412, {}, errors("PRECONDITION")), "PUT", "/manifests/", ConflictError, "tag-immutable", "another tag"),
        ((400, {}, errors("TAG_INVALID")), "PUT", "/manifests/", ConflictError, "tag-immutable", "another tag"),
        ((400, {}, errors("MANIFEST_INVALID")), "PUT", "/manifests/", InputError, "manifest-refused", "base image"),
        ((404, {}, errors("MANIFEST_BLOB_UNKNOWN")), "PUT", "/manifests/", ConflictError, "layer-lost", "again"),
        ((201, {"Docker-Content-Digest": "sha256:0"}, b""), "PUT", "/manifests/", ConflictError, "conflict", "keeps"),
        ((201, {"Docker-Content-Digest": "sha256:0"}, b""), "PUT", "/uploads/", ConflictError, "conflict", "not match"),
        ((400, {}, errors("DIGEST_INVALID")), "PUT", "/uploads/", ConflictError, "conflict", "not match"),
        ((429, {"Retry-After": "900"}, b""), "PUT", "/uploads/", ThrottledError, "throttled", "900 seconds"),
        ((429, {"Retry-After": "900"}, b""), "HEAD", "/blobs/", ThrottledError, "throttled", "900 seconds"),
        ((500, {"Retry-After": "900"}, b""), "PUT", "/manifests/", ServiceError, "service", "HTTP 500"),
        (PAGE, "PUT", "/manifests/", UnreachableError, "html", "web page"),
        (PAGE, "HEAD", "/blobs/", UnreachableError, "html", "web page"),
        (PAGE, "POST", "/uploads/", UnreachableError, "html", "web page"),
        (PAGE, "PUT", "/uploads/", UnreachableError, "html", "web page"),
        (
            (302, {"Location": "https://login.example/"}, b""),
            "PUT",
            "/uploads/",
            UnreachableError,
            "redirected",
            "login",
        ),
        ((307, {"Location": "//[bad"}, b""), "POST", "/uploads/", UnreachableError, "redirected", "nowhere"),
        ((202, {}, b""), "POST", "/uploads/", ServiceError, "service", "HTTP 202"),
    ],
)
def test_a_refusal_is_told_with_its_cure_and_leaves_no_upload(memory, store, answer, method, part, error, code, word):
    refused_by(memory, answer, method=method, part=part)
    with pytest.raises(error) as refused:
        push(store)
    assert (type(refused.value), refused.value.code) == (error, code)
    assert word in str(refused.value)
    assert "127.0.0.1" in refused.value.message
    assert ("a", "1") not in memory.manifests
    assert memory.uploads == {}


def test_a_layer_that_a_clean_up_took_is_sent_again(memory, store, front):
    def lost(request):
        memory.blobs.pop(("a", SMALL.digest))
        return 404, {}, errors("MANIFEST_BLOB_UNKNOWN")

    refused_by(memory, lost, method="PUT", part="/manifests/", times=1)
    push(store)
    assert kept(memory, SMALL)
    assert ("a", "1") in memory.manifests


def test_a_registry_that_knows_no_mount_gets_the_layers_sent(memory, store):
    pushed = push(store)
    assert pushed.mounted == 0  # the registry in memory begins an upload instead
    assert pushed.sent_bytes == pushed.size
    assert memory.uploads == {}


def test_a_file_that_changes_while_it_is_sent_is_named_and_no_image_is_made(memory, store, tmp_path):
    path = tmp_path / "layer.tgz"
    with SMALL.blob.open() as stream:
        path.write_bytes(stream.read())
    layer = Layer.from_file(path)
    path.write_bytes(path.read_bytes()[:-1] + b"\1")
    with pytest.raises(ContextError, match=r"layer\.tgz' changed"):
        push(store, layer)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(ContextError, match=r"layer\.tgz' changed"):
        push(store, layer)
    path.unlink()
    with pytest.raises(ContextError, match=r"layer\.tgz' changed"):
        push(store, layer)
    assert ("a", "1") not in memory.manifests
    assert memory.uploads == {}


def test_who_listens_to_the_progress_may_end_it(memory, store, large):
    def stop(sent, total):
        if sent > 20_000_000:
            raise OSError("enough")

    with pytest.raises(OSError, match="enough"):
        push(store, large, progress=stop)
    assert ("a", "1") not in memory.manifests
    assert memory.uploads == {}


def elsewhere(memory, front, answer):
    """Keep the blobs of the base in another place, that the registry redirects to."""

    def redirect(request):
        if request.method in {"GET", "HEAD"} and "/base/blobs/" in request.target:
            return 307, {"Location": answer(request.target.rsplit("/", 1)[1])}, b""
        return GO_ON

    memory.fault = redirect


def test_blob_storage_is_read_without_the_credential(memory):
    blobs = {}
    with (
        Scripted(lambda request: (200, {}, blobs[request.target.partition("?")[0]])) as storage,
        Scripted(memory) as plain,
    ):
        put_image(f"http://{plain.host}", "base", "1")
        blobs |= {f"/{digest}": content for (_, digest), (_, content) in memory.blobs.items()}
        memory.blobs.clear()
        with Scripted(acr_service(memory)) as front:
            elsewhere(memory, front, lambda digest: f"http://{storage.host}/{digest}?sig={MARK}")
            with (
                opened(front.host, username=PUSHER, password=SecretValue(SECRET)) as source,
                opened(plain.host) as store,
            ):
                base = base_in(source, "base")
                store.append(base, source, SMALL, repository="a", tag="1", created_by="x")
            assert all("Authorization" not in one.headers for one in storage.requests)
            assert len(storage.requests) == 3
            assert MARK not in "".join(one.target for one in front.requests)
    content = json.loads(memory.manifests["a", "1"][1])
    assert files_in(memory.blobs["a", content["layers"][0]["digest"]][1]) == {"etc/base": b"base"}


@pytest.mark.parametrize("wrong", [b"", b"other bytes", b"x" * 10_000])
def test_other_bytes_than_were_asked_for_are_not_passed_on(memory, front, store, wrong):
    with Scripted(lambda _: (200, {}, wrong)) as storage, Scripted(MemoryRegistry()) as target:
        base = base_in(store, "base")
        elsewhere(memory, front, lambda digest: f"http://{storage.host}/{digest}")
        with opened(target.host) as other, pytest.raises(ConflictError, match="content that does not match"):
            other.append(base, store, SMALL, repository="a", tag="1", created_by="x")
        assert target.answering.manifests == {}
        assert target.answering.uploads == {}


def test_a_download_goes_on_where_it_broke_off(memory, front, store):
    asked = []
    content = b""

    def broken(request):
        asked.append(request.headers.get("Range"))
        start = int((request.headers.get("Range") or "bytes=0-")[6:-1])
        if len(asked) < 3:
            return 200 if not start else 206, {"Content-Length": str(len(content) - start)}, content[start : start + 9]
        return 206, {}, content[start:]

    base = base_in(store, "base")
    content = memory.blobs["base", base.manifest["layers"][0]["digest"]][1]
    with Scripted(broken) as storage, Scripted(MemoryRegistry()) as target:
        first = base.manifest["layers"][0]["digest"]

        def redirect(request):
            if request.method == "GET" and first in request.target:
                return 307, {"Location": f"http://{storage.host}/"}, b""
            return GO_ON

        memory.fault = redirect
        with opened(target.host) as other:
            other.append(base, store, SMALL, repository="a", tag="1", created_by="x")
        assert target.answering.blobs["a", first][1] == content
    assert asked == [None, "bytes=9-", "bytes=18-"]


@pytest.mark.parametrize("location", ["", "//[bad", "ftp://a/b", "http://user:pw@127.0.0.1/"])
def test_a_redirect_that_leads_nowhere_is_told_without_its_address(memory, front, store, location):
    elsewhere(memory, front, lambda _: location)
    with pytest.raises(FairingAzureError) as refused:
        base_in(store, "base")
    assert isinstance(refused.value, UnreachableError)
    assert "pw" not in str(refused.value)


def test_redirects_without_end_end(memory, front, store):
    elsewhere(memory, front, lambda digest: f"/v2/base/blobs/{digest}")
    with pytest.raises(UnreachableError, match="redirects"):
        base_in(store, "base")


@pytest.fixture
def acr(memory, front):
    with Scripted(acr_service(memory)) as served:
        yield served


def test_a_token_that_expires_while_layers_are_sent_is_replaced(memory, acr, large):
    def expire(request):
        acr.answering.revoke()
        return GO_ON

    refused_by(memory, expire, method="PATCH", part="/uploads/", times=1)
    with opened(acr.host, username=PUSHER, password=SecretValue(SECRET)) as store:
        push(store, large)
    assert sha(kept(memory, large)) == large.digest


def test_who_may_only_pull_is_told_the_role_and_nothing_is_sent(memory, acr):
    with opened(acr.host, username=PULLER, password=SecretValue(SECRET)) as store:
        with pytest.raises(NotAllowedError, match="AcrPush") as refused:
            push(store)
        with pytest.raises(NotAllowedError, match="AcrDelete"):
            store.delete("base", "sha256:" + "0" * 64)
    assert MARK not in str(refused.value)
    assert [key for key in memory.blobs if key[0] == "a"] == []


def test_a_wrong_password_is_told_and_not_shown(acr):
    wrong = SecretValue(f"{MARK}-wrong")
    with opened(acr.host, username=PUSHER, password=wrong) as store, pytest.raises(CredentialError) as refused:
        push(store)
    assert MARK not in str(refused.value)
    trace = refused.value
    while trace is not None:
        assert MARK not in repr(trace)
        trace = trace.__cause__ or trace.__context__


def test_an_upload_on_another_host_gets_no_credential(memory, acr):
    with Scripted(memory) as storage:

        def answer(request):
            if request.method == "POST" and "mount" not in request.target:
                status, headers, body = memory.upload(request, "a", "")
                return status, {**headers, "Location": f"http://{storage.host}{headers['Location']}"}, body
            return GO_ON

        refused_by(memory, answer, method="POST", part="/a/")
        with opened(acr.host, username=PUSHER, password=SecretValue(SECRET)) as store:
            push(store)
        assert storage.requests
        assert all("Authorization" not in one.headers for one in storage.requests)
    assert kept(memory, SMALL)


def test_a_registry_that_is_gone_is_told_in_words(memory):
    with Scripted(memory) as front:
        put_image(f"http://{front.host}", "base", "1")
        with opened(front.host) as store:
            base = base_in(store, "base")
    with opened(front.host) as store, pytest.raises(UnreachableError) as refused:
        store.append(base, store, SMALL, repository="a", tag="1", created_by="x")
    assert refused.value.code == "refused"


def test_a_token_service_that_knows_one_scope_only_gets_the_layers_sent(memory, acr):
    whole = acr.answering

    def one_scope(request):
        if " ".join(request.values("scope")).count("repository:") > 1:
            return 400, {}, errors("UNSUPPORTED")
        return whole(request)

    acr.answering = one_scope
    with opened(acr.host, username=PUSHER, password=SecretValue(SECRET)) as store:
        pushed = push(store)
    assert pushed.mounted == 0
    assert ("a", "1") in memory.manifests


INTERRUPTED = """
import sys, threading, os, signal, time
from fairing_az_jupyter.clients.oci.images import ImageReference, ImageStore, Layer
from fairing_az_jupyter.clients.oci.registry import Registry
with Registry(sys.argv[1], username=None, password=None, scheme="http") as registry:
    store = ImageStore(registry)
    base = store.resolve(ImageReference(store.host, "base", "1"))
    threading.Timer(1, os.kill, (os.getpid(), signal.SIGINT)).start()
    began = time.monotonic()
    try:
        store.append(base, store, Layer.from_bytes(bytes(1024)), repository="a", tag="1", created_by="x")
    except KeyboardInterrupt:
        print(f"interrupted {time.monotonic() - began:.1f}", flush=True)
"""


def test_ctrl_c_ends_a_push_to_a_silent_registry_and_the_process(memory, front, run_python):
    released = threading.Event()

    def silent(request):
        if request.method == "PUT":
            released.wait(50)
        return GO_ON

    memory.fault = silent
    began = time.monotonic()
    try:
        told = run_python(INTERRUPTED, front.host, timeout=40).stdout.split()
    finally:
        released.set()
    assert told[0] == "interrupted"
    assert float(told[1]) < 5
    assert time.monotonic() - began < 20
    assert ("a", "1") not in memory.manifests
