"""Layers of tars."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import time
import zipfile

import pytest

from fairing_az_jupyter.clients.oci.images import Layer
from fairing_az_jupyter.exceptions import ContextError
from tests.clients.image_parts import files_in, sha, tar_of

TAR = tar_of({"app/train.py": "print('x')\n" * 500})


def sent(layer):
    with layer.blob.open() as stream:
        return stream.read()


def test_a_tar_is_compressed_the_same_way_each_time(tmp_path):
    first = Layer.from_bytes(TAR)
    time.sleep(1.1)  # gzip's clock has whole seconds
    second = Layer.from_bytes(TAR)
    (tmp_path / "one.tar").write_bytes(TAR)
    with Layer.from_file(tmp_path / "one.tar") as third:
        assert first.digest == second.digest == third.digest
        assert sent(first) == sent(second) == sent(third)


def test_both_digests_are_of_what_they_say(tmp_path):
    (tmp_path / "one.tar").write_bytes(TAR)
    with Layer.from_file(str(tmp_path / "one.tar")) as layer:
        content = sent(layer)
        assert (layer.digest, layer.size) == (sha(content), len(content))
        assert (layer.diff_id, layer.uncompressed_size) == (sha(TAR), len(TAR))
        assert files_in(content) == {"app/train.py": b"print('x')\n" * 500}


@pytest.mark.parametrize(
    "packed",
    [gzip.compress(TAR), gzip.compress(TAR[:700]) + gzip.compress(TAR[700:])],
    ids=["one member", "two members"],
)
def test_what_is_compressed_already_is_sent_as_it_is(tmp_path, packed):
    (tmp_path / "one.tgz").write_bytes(packed)
    for layer in (Layer.from_bytes(packed), Layer.from_file(tmp_path / "one.tgz")):
        assert sent(layer) == packed
        assert (layer.digest, layer.diff_id) == (sha(packed), sha(TAR))


def test_the_compressed_form_goes_when_the_layer_is_closed_and_the_tar_stays(tmp_path):
    source, scratch = tmp_path / "one.tar", tmp_path / "scratch"
    source.write_bytes(TAR)
    scratch.mkdir()
    with Layer.from_file(source, scratch_folder=scratch) as layer:
        assert len(list(scratch.iterdir())) == 1
        assert "sha256" in repr(layer)
    layer.close()
    assert list(scratch.iterdir()) == []
    assert source.read_bytes() == TAR


def zipped():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a", "b" * 600)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"x", id="one byte"),
        pytest.param(b"{}" * 600, id="json"),
        pytest.param(zipped(), id="zip"),
        pytest.param(gzip.compress(b""), id="gzip of nothing"),
        pytest.param(gzip.compress(b"no tar" * 200), id="gzip of text"),
        pytest.param(gzip.compress(TAR)[:-20], id="gzip cut short"),
        pytest.param(gzip.compress(TAR)[:40] + b"damage" + gzip.compress(TAR)[46:], id="gzip damaged"),
        pytest.param(b"\x1f\x8b", id="gzip magic"),
        pytest.param(b"\x28\xb5\x2f\xfd" + b"zstd" * 300, id="zstd"),
    ],
)
def test_what_is_no_tar_is_refused_and_leaves_no_file(tmp_path, content):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    (tmp_path / "one.tar").write_bytes(content)
    for make in (
        lambda: Layer.from_bytes(content),
        lambda: Layer.from_file(tmp_path / "one.tar", scratch_folder=scratch),
    ):
        with pytest.raises(ContextError, match="No layer can be built"):
            make()
    assert list(scratch.iterdir()) == []


def test_a_tar_without_members_is_a_layer():
    assert Layer.from_bytes(bytes(1024)).diff_id == sha(bytes(1024))


@pytest.mark.parametrize("name", ["absent.tar", "folder"])
def test_a_file_that_can_not_be_read_is_named(tmp_path, name):
    (tmp_path / "folder").mkdir()
    with pytest.raises(ContextError, match=name):
        Layer.from_file(tmp_path / name)


def test_no_room_for_the_compressed_form_is_told(tmp_path):
    (tmp_path / "one.tar").write_bytes(TAR)
    with pytest.raises(ContextError, match="can't be built"):
        Layer.from_file(tmp_path / "one.tar", scratch_folder=tmp_path / "absent")


def test_a_large_tar_is_compressed_in_little_memory(tmp_path, run_python):
    block = os.urandom(1 << 20)
    with (tmp_path / "large.tar").open("wb") as file:
        file.write(tar_of({"large": b""})[:512])
        for _ in range(96):
            file.write(block)
    script = (
        "import resource, sys\n"
        "from fairing_az_jupyter.clients.oci.images import Layer\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "with Layer.from_file(sys.argv[1]) as layer:\n"
        "    print(layer.diff_id, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    diff_id, grown = run_python(script, str(tmp_path / "large.tar")).stdout.split()
    with (tmp_path / "large.tar").open("rb") as file:
        assert diff_id == f"sha256:{hashlib.sha256(file.read()).hexdigest()}"
    assert int(grown) < 24 * 1024  # in KiB; the tar has 96 MiB
