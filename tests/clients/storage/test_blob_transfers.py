"""Whole files by token and by key, against a real Azurite, and against a server that fails as it is told."""

from __future__ import annotations

import dataclasses
import time
import tracemalloc
from datetime import timedelta

import pytest

from fairing_az_jupyter.clients.azure.blob.transfers import FileStore
from fairing_az_jupyter.clients.azure.blob.urls import BlobUrl
from fairing_az_jupyter.clients.secret_values import SecretValue
from fairing_az_jupyter.exceptions import ConflictError, NotFoundError, ThrottledError, UnreachableError
from tests.clients.azure_scene import CLIENT_ID, PAGE
from tests.clients.storage_scene import ACCOUNT, KEY, refusal
from tests.marked import printed
from tests.stand.web import DRIP, HANG, RESET, Answer

MEGABYTE = 1024 * 1024


@pytest.fixture(params=["token", "key"])
def files(request, blobs, bundle):
    signer = SecretValue(KEY) if request.param == "key" else request.getfixturevalue("credential")
    store = FileStore(blobs, signer, {}, ca_bundle=bundle, names={"assignee": CLIENT_ID})
    yield store
    store.close()


@pytest.fixture
def broken(service, bundle):
    made = []

    def make(**options):
        made.append(FileStore(f"{service.url}/{ACCOUNT}", SecretValue(KEY), {}, ca_bundle=bundle, **options))
        return made[-1]

    yield make
    for each in made:
        each.close()


def place(name="a.ipynb", container="runs", url="abs://127.0.0.1:10000"):
    return BlobUrl.parse(f"{url}/{ACCOUNT}/{container}/{name}", prefix=True)


def test_the_container_is_made_with_the_first_file(files):
    there = place(container=f"made-{time.time_ns()}")

    files.write(there, b"1", "text/plain", "")
    files.write(there, b"2", "text/plain", "")

    assert files.read(there) == b"2"


def test_a_shorter_file_takes_the_place_of_a_longer_one_and_back(files):
    for size in (20 * MEGABYTE, 3, 17 * MEGABYTE, 0):
        files.write(place("changing"), b"x" * size, "text/plain", "")
        assert files.read(place("changing")) == b"x" * size


def test_a_file_that_changes_while_it_is_read_is_read_as_one_of_both(files, monkeypatch):
    old, new = b"o" * (20 * MEGABYTE), b"n" * (20 * MEGABYTE)
    there = place("torn")
    files.write(there, old, "text/plain", "")
    ask, parts = files._ask_for, []  # noqa: SLF001

    def between(call, action, size, **options):
        if not parts:
            monkeypatch.undo()
            files.write(there, new, "text/plain", "")
            monkeypatch.setattr(files, "_ask_for", between)
        found = ask(call, action, size, **options)
        parts.append(found)
        return found

    monkeypatch.setattr(files, "_ask_for", between)

    assert files.read(there) in {old, new}
    assert parts[0] is None


def test_a_large_file_needs_memory_for_itself_and_little_more(files):
    data = bytes(64 * MEGABYTE)
    files.write(place("warm"), b"1", "text/plain", "")
    tracemalloc.start()
    try:
        files.write(place("large"), data, "text/plain", "")
        most_written = tracemalloc.get_traced_memory()[1]
        found = files.read(place("large"))
        most_read = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert found == data
    assert most_written < 40 * MEGABYTE
    assert most_read < 2 * len(data) + 40 * MEGABYTE


def test_a_write_whose_answer_was_lost_is_known_for_its_own(service, broken):
    written = {}

    def answer(request):
        if request.method == "PUT" and written:
            return refusal(409, "BlobAlreadyExists")
        headers = {"x-ms-request-id": "1", "x-ms-blob-type": "BlockBlob", "ETag": '"1"'}
        if request.method == "PUT":
            found = {name.lower(): value for name, value in request.headers.items()}
            written.update({name: value for name, value in found.items() if name.startswith("x-ms-meta-")})
            return RESET
        return Answer(200, "", {**headers, **written})

    service.answering = answer

    broken().write(place(), b"1", "text/plain", "the-writer")

    with pytest.raises(ConflictError) as refused:
        broken().write(place(), b"1", "text/plain", "another-writer")
    assert refused.value.code == "already-there"


@pytest.mark.parametrize("page", [PAGE, Answer(200, "MARKED"), Answer(404, "MARKED"), Answer(302)])
def test_a_proxys_answer_is_never_taken_for_a_file(service, broken, page):
    service.answer(page)
    store = broken()

    for use in (store.read, store.exists, store.list, store.delete):
        with pytest.raises(UnreachableError) as caught:
            use(place())
        assert caught.value.code == "not-the-service"
        assert "MARKED" not in printed(caught.value, variables=True)
    with pytest.raises(UnreachableError):
        store.write(place(), b"1", "text/plain", "")


@pytest.mark.parametrize("fault", [HANG, DRIP])
def test_what_hangs_ends_within_the_deadline(service, broken, fault):
    service.answer(fault)
    store = broken(timeout=0.5, deadline=1)
    for use in (store.exists, store.read, store.delete, lambda there: store.write(there, b"1", "text/plain", "")):
        start = time.monotonic()

        with pytest.raises(UnreachableError):
            use(place())

        assert time.monotonic() - start < 2.5


def test_a_wait_beyond_the_deadline_is_told_at_once(service, broken):
    service.answer(refusal(429, "TooManyRequests", Retry_After="60"))
    store = broken()
    for use in (store.exists, store.read, store.list, lambda there: store.write(there, b"1", "text/plain", "")):
        start = time.monotonic()

        with pytest.raises(ThrottledError):
            use(place())

        assert time.monotonic() - start < 2


def test_a_file_that_is_not_there_is_told_with_a_command_that_lists_what_is(files):
    files.write(place("there"), b"1", "text/plain", "")

    with pytest.raises(NotFoundError) as missing:
        files.read(place("none.ipynb"))

    assert "the blob does not exist" in missing.value.message
    assert f"/{ACCOUNT}/runs/none.ipynb'" in missing.value.message
    assert "az storage blob list" in missing.value.hint


def test_blobs_are_deleted_by_the_hundred_but_for_those_that_were_written_since(files):
    container = f"many-{time.time_ns()}"
    for number in range(300):
        files.write(place(f"a/{number:03d}", container), b"x", "text/plain", "")
    listed = files.list(place("a/", container))
    old = [dataclasses.replace(blob, modified=blob.modified - timedelta(hours=1)) for blob in listed[:2]]
    files.delete(place("a/002", container))

    problems = files.delete_many(place("", container), [*old, *listed[2:]])

    assert problems == {"a/000": "ConditionNotMet", "a/001": "ConditionNotMet"}
    assert [blob.name for blob in files.list(place("a/", container))] == ["a/000", "a/001"]
