from __future__ import annotations

import gzip
import io
import os
import tarfile
from pathlib import Path

import pytest

from fairing_az_jupyter.exceptions import ContextError
from fairing_az_jupyter.fairing.context.collecting import collect, unpack, write_archive


@pytest.fixture
def packed(tmp_path):
    root = tmp_path / "root"
    (root / "data" / "empty").mkdir(parents=True)
    (root / "train.py").write_text("print('train')\n")
    (root / "data" / "big.bin").write_bytes(os.urandom(3 << 20))
    (root / "data" / "latest").symlink_to("big.bin")
    return write_archive(collect({"/app": "."}, root), tmp_path / "a.tar.gz")


def foreign(path, *members, **options):
    """Write a tar with the members (name, type, link target, contents) that no archive of ours has."""
    with tarfile.open(path, "w", **options) as tar:
        for name, kind, target, data in members:
            info = tarfile.TarInfo(name)
            info.type, info.linkname, info.size, info.mode = kind, target, len(data), 0o755
            tar.addfile(info, io.BytesIO(data))
    return path


def test_files_folders_and_symlinks_come_back(packed, tmp_path):
    out = tmp_path / "out"
    unpack(packed.path, out)
    assert (out / "app" / "train.py").read_text() == "print('train')\n"
    assert (out / "app" / "data" / "latest").readlink() == Path("big.bin")
    assert (out / "app" / "data" / "latest").read_bytes() == (tmp_path / "root" / "data" / "big.bin").read_bytes()
    assert list((out / "app" / "data" / "empty").iterdir()) == []


def test_an_existing_empty_folder_is_filled(packed, tmp_path):
    (tmp_path / "out").mkdir()
    unpack(packed.path, tmp_path / "out", digest=packed.digest)
    assert (tmp_path / "out" / "app" / "train.py").is_file()


def test_unpacked_files_are_executable_and_new(packed, tmp_path):
    unpack(packed.path, tmp_path / "out")
    status = (tmp_path / "out" / "app" / "train.py").stat()
    assert status.st_mode & 0o700 == 0o700
    assert status.st_mtime >= packed.path.stat().st_mtime - 5


def test_a_folder_with_something_in_it_is_refused_and_left_alone(packed, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("mine")
    with pytest.raises(ContextError, match="is not empty"):
        unpack(packed.path, tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine"]


@pytest.mark.parametrize("folder", ["root/train.py", "gone/out"])
def test_a_folder_that_cannot_be_made_is_named(packed, tmp_path, folder):
    with pytest.raises(ContextError, match=f"{folder}' "):
        unpack(packed.path, tmp_path / folder)


@pytest.mark.parametrize("exists", [True, False])
@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[: len(data) // 2],
        lambda data: data[:-4],
        lambda data: data[:1000] + bytes([data[1000] ^ 255]) + data[1001:],
        lambda data: data[:-8] + b"\0\0\0\0" + data[-4:],
        lambda _data: b"",
        lambda _data: b"\x1f\x8b",
        lambda _data: b"no archive" * 1000,
        lambda data: gzip.compress(gzip.decompress(data)[:-9000]),
        lambda data: gzip.decompress(data)[: 1 << 20],
        lambda data: gzip.decompress(data)[: -len(gzip.decompress(data)) % 512 - 1024],
        lambda data: gzip.decompress(data)[:1536],
        lambda data: gzip.decompress(data)[:512] + b"\x01" + gzip.decompress(data)[513:],
    ],
)
def test_a_damaged_archive_is_refused_and_the_folder_left_as_it_was(packed, tmp_path, damage, exists):
    packed.path.write_bytes(damage(packed.path.read_bytes()))
    out = tmp_path / "out"
    if exists:
        out.mkdir()
    with pytest.raises(ContextError, match=r"a\.tar\.gz' can't be unpacked") as caught:
        unpack(packed.path, out)
    assert caught.value.hint
    assert out.exists() is exists
    assert not exists or list(out.iterdir()) == []


def test_an_archive_with_another_digest_is_refused(packed, tmp_path):
    with pytest.raises(ContextError, match=f"its digest is {packed.digest}"):
        unpack(packed.path, tmp_path / "out", digest="0" * 64)
    assert not (tmp_path / "out").exists()


def test_a_missing_archive_is_named(tmp_path):
    with pytest.raises(ContextError, match=r"gone\.tar\.gz"):
        unpack(tmp_path / "gone.tar.gz", tmp_path / "out")
    assert not (tmp_path / "out").exists()


FILE, FOLDER, LINK, HARD = tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE


@pytest.mark.parametrize(
    "members",
    [
        [("../evil", FILE, "", b"x")],
        [("/tmp/evil", FILE, "", b"x")],  # noqa: S108 -- never written
        [("app", FOLDER, "", b""), ("app/../../evil", FILE, "", b"x")],
        [("app", FOLDER, "", b""), ("app/link", LINK, "/etc/passwd", b"")],
        [("app", FOLDER, "", b""), ("app/link", LINK, "../../evil", b"")],
        [("link", LINK, ".", b""), ("link/evil", FILE, "", b"x")],
        [("link", LINK, ".", b""), ("link", FILE, "", b"x")],
        [
            ("a", FOLDER, "", b""),
            ("a/up", LINK, "..", b""),
            ("a/up/b", LINK, "..", b""),
            ("a/up/b/evil", FILE, "", b"x"),
        ],
        [("file", FILE, "", b"x"), ("hard", HARD, "file", b"")],
        [("hard", HARD, "/etc/passwd", b"")],
        [("pipe", tarfile.FIFOTYPE, "", b"")],
        [("device", tarfile.CHRTYPE, "", b"")],
        [("twice", FILE, "", b"1"), ("twice", FILE, "", b"2")],
        [("orphan/file", FILE, "", b"x")],
        [(".", FOLDER, "", b"")],
    ],
)
def test_what_no_archive_of_ours_holds_is_refused_and_nothing_is_written(tmp_path, members):
    archive = foreign(tmp_path / "foreign.tar", *members)
    (tmp_path / "out").mkdir()
    with pytest.raises(ContextError, match=r"foreign\.tar' can't be unpacked"):
        unpack(archive, tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["foreign.tar", "out"]
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("format_", [tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT, tarfile.PAX_FORMAT])
def test_a_plain_tar_of_another_program_is_taken_if_it_is_safe(tmp_path, format_):
    members = [("app", FOLDER, "", b""), ("app/f", FILE, "", b"x"), ("app/l", LINK, "f", b"")]
    unpack(foreign(tmp_path / "foreign.tar", *members, format=format_), tmp_path / "out")
    assert (tmp_path / "out" / "app" / "l").read_bytes() == b"x"


def test_a_name_that_is_not_utf_8_comes_back_byte_by_byte(tmp_path):
    source = tmp_path / "source"
    source.write_text("x")
    archive = write_archive(collect({"/app/caf\udce9": source}, tmp_path), tmp_path / "a.tar.gz")
    unpack(archive.path, tmp_path / "out")
    assert [os.fsencode(path.name) for path in (tmp_path / "out" / "app").iterdir()] == [b"caf\xe9"]
