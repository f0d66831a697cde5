"""Build contexts in a real Azurite: sent once, in parallel blocks, readable by a link and by nothing else."""

from __future__ import annotations

import hashlib
import os
import threading
import tracemalloc

import pytest
import requests
from azure.storage.blob import BlobServiceClient

from fairing_az_jupyter.clients.azure.blob.contexts import ContextStore
from fairing_az_jupyter.clients.azure.blob.storage import CONTAINER
from fairing_az_jupyter.clients.secret_values import SecretValue
from fairing_az_jupyter.exceptions import NotAllowedError, ServiceError

MEGABYTE = 1024 * 1024


@pytest.fixture
def store(stand, namespace):
    setup = stand.correct_setup(namespace, prepared=False)
    store = ContextStore(setup.account, SecretValue(setup.account_key))
    yield store
    store.close()


@pytest.fixture
def archive(tmp_path):
    def make(size):
        path = tmp_path / f"{size}.tar.gz"
        path.write_bytes(os.urandom(min(size, MEGABYTE)) * max(1, size // MEGABYTE))
        return path, hashlib.sha256(path.read_bytes()).hexdigest()

    return make


def content(stand, store, context):
    credential = stand.blob.accounts[store.account]
    with (
        BlobServiceClient(stand.blob.account_url(store.account), credential=credential) as service,
        service.get_blob_client(context.container, context.blob) as blob,
    ):
        return blob.download_blob().readall()


@pytest.mark.parametrize("size", [1, 3 * MEGABYTE, 50 * MEGABYTE])
def test_a_context_is_sent_once_whatever_its_size(stand, store, archive, size):
    path, digest = archive(size)
    seen = []

    first = store.keep(path, digest, progress=lambda sent, total: seen.append((sent, total)))
    puts = stand.blob_front.count(f"/{first.blob}", "PUT")
    again = store.keep(path, digest)

    assert (first.sent, again.sent) == (True, False)
    assert first.blob == f"contexts/{digest}.tar.gz"
    assert content(stand, store, first) == path.read_bytes()
    assert stand.blob_front.count(f"/{first.blob}", "PUT") == puts
    assert seen[-1] == (path.stat().st_size, path.stat().st_size)


def test_the_container_is_made_on_demand(stand, store, archive):
    store.keep(*archive(10))

    assert store.container_exists(CONTAINER)


def test_the_link_reads_this_one_context_and_can_not_write(store, archive):
    context = store.keep(*archive(10))
    other = store.keep(*archive(11))
    link = store.link(context).reveal()

    assert requests.get(link, timeout=10).status_code == 200
    assert requests.get(link.replace(context.blob, other.blob), timeout=10).status_code == 403
    assert requests.put(link, data=b"x", headers={"x-ms-blob-type": "BlockBlob"}, timeout=10).status_code == 403
    assert requests.get(context.url, timeout=10).status_code in {401, 403, 404, 409}


def test_memory_holds_a_few_blocks_and_not_the_archive(store, archive):
    path, digest = archive(200 * MEGABYTE)
    tracemalloc.start()
    try:
        store.keep(path, digest)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert most < 90 * MEGABYTE


def test_a_block_whose_connection_is_dropped_is_sent_again(stand, store, archive):
    path, digest = archive(30 * MEGABYTE)
    stand.blob_front.drop(method="PUT", path="comp=block&", times=2)

    assert content(stand, store, store.keep(path, digest)) == path.read_bytes()


def test_two_who_send_the_same_at_the_same_time_leave_one_sound_context(stand, store, archive):
    path, digest = archive(40 * MEGABYTE)
    found = []
    senders = [threading.Thread(target=lambda: found.append(store.keep(path, digest))) for _ in range(3)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()

    assert len(found) == 3
    assert content(stand, store, found[0]) == path.read_bytes()


def test_what_was_cancelled_is_not_there(store, archive):
    path, digest = archive(60 * MEGABYTE)
    cancel = threading.Event()

    with pytest.raises(InterruptedError):
        store.keep(path, digest, progress=lambda *_: cancel.set(), cancel=cancel)

    assert store.keep(path, digest).sent


def test_a_refusal_at_the_end_leaves_nothing_and_says_why(stand, store, archive):
    path, digest = archive(30 * MEGABYTE)
    stand.blob_front.refuse(403, code="AuthorizationFailure", method="PUT", path="comp=blocklist")

    with pytest.raises(NotAllowedError) as refused:
        store.keep(path, digest)

    stand.reset()
    assert refused.value.code == "network-rules"
    assert store.keep(path, digest).sent


def test_an_account_that_is_not_there_is_told(stand, store, archive):
    stand.names.remove(store.host)

    with pytest.raises(ServiceError) as missing:
        store.keep(*archive(10))

    assert missing.value.code == "no-such-account"
