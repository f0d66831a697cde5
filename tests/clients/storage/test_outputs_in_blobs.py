"""Files of a job in a real Azurite: through a network that cuts connections, in bounded memory, and in time."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
import tracemalloc
from urllib.parse import urlsplit

import pytest

from fairing_az_jupyter.clients.azure.blob.transfers import FileStore
from fairing_az_jupyter.clients.azure.blob.urls import BlobUrl
from fairing_az_jupyter.clients.secret_values import SecretValue
from fairing_az_jupyter.exceptions import ConflictError
from fairing_az_jupyter.outputs.blobs import BlobOutputs
from fairing_az_jupyter.outputs.fetching import fetch
from tests.clients.storage_scene import ACCOUNT, KEY
from tests.outputs.outputs_scene import archive, manifest

MEGABYTE = 1024 * 1024
FOLDER = f"abs://127.0.0.1:10000/{ACCOUNT}/kept/outputs/fairing-job-1/"


class Files:
    """`BlobFiles` without the choice of a credential."""

    def __init__(self, store):
        self.store = store

    def read(self, url):
        return self.store.read(BlobUrl.parse(url))

    def read_range(self, url, start, length, *, etag):
        return self.store.read_range(BlobUrl.parse(url), start, length, etag)


class Cutting:
    """A forwarder that ends each connection after so many bytes of answers.

    Args:
        port: Where to.
        after: How many bytes; None for all.

    """

    def __init__(self, port, after):
        self.port, self.after, self.cuts = port, after, 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.own_port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                threading.Thread(target=self._forward, args=(client,), daemon=True).start()

    def _forward(self, client):
        with client, socket.create_connection(("127.0.0.1", self.port)) as server:
            back = threading.Thread(target=self._pump, args=(server, client, self.after), daemon=True)
            back.start()
            self._pump(client, server, None)
            back.join()

    def _pump(self, source, target, left):
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                if left is not None and len(data) > left:
                    self.cuts += 1
                    break
                left = None if left is None else left - len(data)
                target.sendall(data)
        for each in (source, target):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def close(self):
        self.listener.close()


@pytest.fixture
def stores(blobs, bundle):
    """Return what gives a store, through a forwarder where bytes are given after which it cuts."""
    opened = []

    def make(cut_after=None):
        url = blobs
        if cut_after is not None:
            proxy = Cutting(urlsplit(blobs).port, cut_after)
            opened.append(proxy)
            url = f"https://127.0.0.1:{proxy.own_port}/{ACCOUNT}"
        store = FileStore(url, SecretValue(KEY), {}, ca_bundle=bundle)
        store.proxy = proxy if cut_after is not None else None
        opened.append(store)
        return store

    yield make
    for each in opened:
        each.close()


def keep(store, files):
    """Write outputs as a job does; return the archive."""
    data, entries = archive(files)
    place = BlobUrl.parse(f"{FOLDER}files.tar")
    store.write(place, data, "application/x-tar", "")
    client = store._client().get_blob_client(place.container, place.name)  # noqa: SLF001
    tar = {"etag": client.get_blob_properties().etag, "size": len(data)}
    store.write(BlobUrl.parse(f"{FOLDER}manifest.json"), manifest(entries, tar=tar), "application/json", "")
    return data


def outputs(store):
    return BlobOutputs(Files(store), FOLDER)


def test_what_a_job_has_written_comes_back(stores, tmp_path):
    files = {"model.dat": os.urandom(20 * MEGABYTE), "a/ü.txt": b"text", "empty": b""}
    store = stores()
    keep(store, files)

    fetch(outputs(store), to=tmp_path)

    assert {name: (tmp_path / name).read_bytes() for name in files} == files


@pytest.mark.parametrize("after", [100_000, 700_000, 3_000_000, 20_000_000])
def test_connections_that_are_cut_again_and_again_delay_it_only(stores, tmp_path, after):
    files = {"a.bin": os.urandom(9 * MEGABYTE), "b.bin": os.urandom(9 * MEGABYTE)}
    keep(stores(), files)
    store = stores(after)

    fetch(outputs(store), to=tmp_path)

    assert {name: (tmp_path / name).read_bytes() for name in files} == files
    assert store.proxy.cuts or after > 19_000_000


def test_an_archive_that_was_written_again_is_noticed(stores):
    store = stores()
    keep(store, {"a.txt": b"old"})
    before = outputs(store)
    assert before.manifest.files
    data, _ = archive({"a.txt": b"new"})
    store.write(BlobUrl.parse(f"{FOLDER}files.tar"), data, "application/x-tar", "")

    with pytest.raises(ConflictError) as caught:
        list(before.read("a.txt"))

    assert caught.value.code == "outputs-changed"


def test_an_archive_that_is_gone_or_shorter_is_noticed(stores):
    store = stores()
    keep(store, {"a.txt": b"old", "b.txt": b"x" * 5000})
    place = BlobUrl.parse(f"{FOLDER}manifest.json")
    document = json.loads(store.read(place))
    document["tar"]["size"] += 10_000_000
    document["files"][0]["offset"] = 9_000_000
    store.write(place, json.dumps(document).encode(), "application/json", "")
    with pytest.raises(ConflictError):
        list(outputs(store).read("a.txt"))
    store.delete(BlobUrl.parse(f"{FOLDER}files.tar"))

    with pytest.raises(ConflictError) as caught:
        list(outputs(store).read("b.txt"))
    assert caught.value.code == "outputs-changed"


def test_memory_holds_a_few_parts_of_a_large_archive(stores, tmp_path):
    store = stores()
    keep(store, {"large.bin": bytes(100 * MEGABYTE)})
    fetch(outputs(store), to=tmp_path / "warm")
    tracemalloc.start()
    try:
        fetch(outputs(store), to=tmp_path / "counted")
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert (tmp_path / "counted" / "large.bin").stat().st_size == 100 * MEGABYTE
    assert most < 48 * MEGABYTE
