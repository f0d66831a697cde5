"""Files of a job in an archive: what is asked of the store, and how little."""

from __future__ import annotations

import csv
import io
import random
import signal
import subprocess
import sys

import pytest

from fairing_az_jupyter.exceptions import ConflictError, InputError, NotFoundError
from fairing_az_jupyter.outputs.blobs import BlobOutputs
from fairing_az_jupyter.outputs.fetching import fetch
from tests.outputs.outputs_scene import archive, manifest

MEGABYTE = 1024 * 1024
URL = "abs://contosomldata.blob.core.windows.net/fairing-az-jupyter/outputs/fairing-job-1/"


class Store:
    """A store in memory that counts what it is asked; answers at most some bytes at once, if told to."""

    def __init__(self, files, most=None):
        self.data, self.entries = archive(files)
        self.etag, self.most, self.asked = '"0x1"', most, []
        self.write_list()

    def write_list(self, **changes):
        tar = {"etag": self.etag, "size": len(self.data)}
        self.list = manifest(self.entries, **{"tar": tar, **changes})

    def read(self, url):
        self.asked.append(url)
        assert url == f"{URL}manifest.json"
        if self.list is None:
            raise NotFoundError("no blob", hint="x", service="blob")
        return self.list

    def read_range(self, url, start, length, *, etag):
        self.asked.append((start, length))
        assert url == f"{URL}files.tar"
        assert 0 < length <= 8 * MEGABYTE
        assert start + length <= len(self.data)
        if etag != self.etag:
            raise ConflictError("changed", hint="x", code="blob-changed", service="blob")
        return self.data[start : start + min(length, self.most or length)]

    @property
    def bytes_read(self):
        return sum(each[1] for each in self.asked if isinstance(each, tuple))


def random_bytes(size, seed=0):
    return random.Random(seed).randbytes(size)  # noqa: S311 - content of files


def test_one_file_of_a_large_archive_takes_two_requests_and_its_own_bytes(tmp_path):
    files = {f"{number:02}.bin": random_bytes(3 * MEGABYTE, number) for number in range(20)}
    store = Store(files)

    fetch(BlobOutputs(store, URL), ["07.bin"], tmp_path)

    assert (tmp_path / "07.bin").read_bytes() == files["07.bin"]
    assert len(store.asked) == 2
    assert store.bytes_read == 3 * MEGABYTE


def test_many_small_files_are_read_in_one_pass(tmp_path):
    files = {f"folder/{number % 10}/{number:04}.txt": random_bytes(number, number) for number in range(1000)}
    store = Store(files)

    fetch(BlobOutputs(store, URL), to=tmp_path)

    assert {name: (tmp_path / name).read_bytes() for name in files} == files
    assert len(store.asked) == 2
    assert store.bytes_read <= len(store.data)


def test_what_lies_between_wanted_files_is_not_read_where_it_is_much(tmp_path):
    files = {"a.txt": b"a", "large.bin": random_bytes(20 * MEGABYTE), "z.txt": b"z"}
    store = Store(files)

    fetch(BlobOutputs(store, URL), ["?.txt"], tmp_path)

    assert store.bytes_read == 2


@pytest.mark.parametrize("most", [1000, 300_000])
def test_short_answers_are_continued_at_the_byte_where_they_ended(tmp_path, most):
    files = {"a.bin": random_bytes(700_001), "b.bin": b"", "c.bin": random_bytes(5)}
    store = Store(files, most=most)

    fetch(BlobOutputs(store, URL), to=tmp_path)

    assert {name: (tmp_path / name).read_bytes() for name in files} == files


def test_files_of_an_archive_that_was_replaced_are_never_mixed(tmp_path, monkeypatch):
    monkeypatch.setattr("fairing_az_jupyter.outputs.fetching._WAIT_SECONDS", 0)
    store = Store({"a.txt": b"old a", "b.txt": b"old b"})
    outputs = BlobOutputs(store, URL)
    assert outputs.manifest.by_path
    store.data, store.entries = archive({"b.txt": b"new b"})
    store.etag = '"0x2"'
    store.write_list()

    fetched = fetch(outputs, to=tmp_path)

    assert [file.name for file in fetched.files] == ["b.txt"]
    assert (tmp_path / "b.txt").read_bytes() == b"new b"
    assert not (tmp_path / "a.txt").exists()


def test_a_half_replaced_pair_is_never_offered_as_whole(tmp_path, monkeypatch):
    monkeypatch.setattr("fairing_az_jupyter.outputs.fetching._WAIT_SECONDS", 0)
    store = Store({"a.txt": b"old a"})
    store.etag = '"0x2"'

    with pytest.raises(ConflictError) as caught:
        fetch(BlobOutputs(store, URL), to=tmp_path)

    assert caught.value.code == "outputs-changed"
    assert list(tmp_path.iterdir()) == []


def test_a_changed_byte_is_an_error_and_leaves_nothing(tmp_path):
    store = Store({"a.txt": b"abc", "b.txt": b"def"})
    offset = next(each["offset"] for each in store.entries if each["path"] == "b.txt")
    store.data = store.data[:offset] + b"X" + store.data[offset + 1 :]

    with pytest.raises(ConflictError) as caught:
        fetch(BlobOutputs(store, URL), to=tmp_path)

    assert caught.value.code == "outputs-damaged"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_an_etag_without_quotes_is_understood(tmp_path):
    store = Store({"a.txt": b"abc"})
    store.write_list(tar={"etag": "0x1", "size": len(store.data)})

    fetch(BlobOutputs(store, URL), to=tmp_path)

    assert (tmp_path / "a.txt").read_bytes() == b"abc"


def test_an_opened_file_is_read_anywhere_without_the_rest():
    content = random_bytes(30 * MEGABYTE)
    store = Store({"other.bin": bytes(MEGABYTE), "model.bin": content})
    with BlobOutputs(store, URL).open("model.bin") as file:
        file.seek(-10, io.SEEK_END)
        assert file.read() == content[-10:]
        file.seek(12_345_678)
        assert file.read(100) == content[12_345_678 : 12_345_678 + 100]
        file.seek(5, io.SEEK_CUR)
        assert file.tell() == 12_345_678 + 105

    assert store.bytes_read < 3 * MEGABYTE


def test_an_opened_file_is_a_file_for_other_libraries():
    store = Store({"table.csv": b"a,b\n1,2\n3,4\n"})

    with BlobOutputs(store, URL).open("table.csv") as file, io.TextIOWrapper(file) as text:
        assert list(csv.reader(text)) == [["a", "b"], ["1", "2"], ["3", "4"]]


def test_an_opened_file_that_is_read_as_a_whole_is_checked():
    store = Store({"a.bin": random_bytes(3 * MEGABYTE)})
    with BlobOutputs(store, URL).open("a.bin") as file:
        assert file.read() == random_bytes(3 * MEGABYTE)
    store.data = store.data[:-2_000_000] + b"X" + store.data[-1_999_999:]

    with BlobOutputs(store, URL).open("a.bin") as file, pytest.raises(ConflictError):
        file.read()


def test_a_file_that_is_not_there_and_outputs_that_are_not(tmp_path):
    store = Store({"model.dat": b"1"})
    with pytest.raises(InputError) as caught:
        BlobOutputs(store, URL).open("modell.dat")
    assert "Did you mean 'model.dat'?" in caught.value.message
    store.list = None

    with pytest.raises(NotFoundError) as missing:
        fetch(BlobOutputs(store, URL), to=tmp_path)
    assert missing.value.code == "nothing-kept"


def test_an_interrupt_ends_the_process_though_the_store_hangs(tmp_path):
    script = """
import sys, time
from pathlib import Path
from fairing_az_jupyter.outputs.blobs import BlobOutputs
from fairing_az_jupyter.outputs.fetching import fetch
class Store:
    def read(self, url):
        return Path(sys.argv[1], "manifest.json").read_bytes()
    def read_range(self, url, start, length, *, etag):
        print("reading", flush=True)
        time.sleep(60)
fetch(BlobOutputs(Store(), "abs://a.blob.core.windows.net/c/outputs/x/"), to=Path(sys.argv[1]))
"""
    store = Store({"a.txt": b"abc"})
    (tmp_path / "manifest.json").write_bytes(store.list)
    child = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        assert child.stdout.readline() == "reading\n"
        child.send_signal(signal.SIGINT)
        child.wait(15)
    finally:
        child.kill()
        child.communicate()

    assert [path.name for path in tmp_path.iterdir()] == ["manifest.json"]
