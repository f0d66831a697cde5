"""The files of a job as what an endpoint gets: which can be used, and the tar that they are in its image."""

from __future__ import annotations

import contextlib
import io
import tarfile

import pytest

from fairing_az_jupyter.exceptions import ConflictError, ContextError, InputError, NotFoundError
from fairing_az_jupyter.fairing.context.archive import ArchiveEntry
from fairing_az_jupyter.fairing.context.job_files import JobTar, check_apart, provenance_of
from fairing_az_jupyter.outputs.blobs import BlobOutputs
from fairing_az_jupyter.outputs.sources import FileSource
from fairing_az_jupyter.outputs.stored import LocalOutputs
from tests.outputs.outputs_scene import archive, entry, local, manifest

LONG = f"models/{'d' * 120}/model ä.dat"
FILES = {"model.dat": b"model" * 500, LONG: b"\0" * 512, "a/b/empty": b"", ".fairing-az/result.json": b"{}"}
WRITTEN = {path: content for path, content in FILES.items() if path[0] != "."}


class Blobs:
    """Outputs in a storage account, and how often it was asked."""

    def __init__(self, files, **changes):
        self.data, entries = archive(files)
        self.list = manifest(entries, tar={"etag": "1", "size": len(self.data)}, **changes)
        self.ranges = []

    def read(self, _url):
        return self.list

    def read_range(self, _url, start, length, *, etag):
        assert etag == '"1"'
        self.ranges.append((start, length))
        return self.data[start : start + length]

    @contextlib.contextmanager
    def opened(self):
        yield BlobOutputs(self, "abs://account.blob.core.windows.net/c/outputs/job/")


def in_folder(folder, files=FILES, names=(), **changes):
    local(folder, files, **changes)
    return FileSource("run-1", lambda: contextlib.nullcontext(LocalOutputs(folder)), names)


def tar_bytes(source, prefix="app"):
    tar = JobTar(source, prefix)
    content = b"".join(tar.pieces())
    assert len(content) == tar.size
    return content


def members(content):
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        return {one.name: tar.extractfile(one).read() if one.isfile() else None for one in tar}


def test_the_same_files_have_the_same_tar_wherever_they_are_kept_and_in_whichever_order(tmp_path):
    backward = Blobs(dict(reversed(FILES.items())))
    source = in_folder(tmp_path / "local")
    content = tar_bytes(source)

    assert content == tar_bytes(FileSource("job", Blobs(FILES).opened))
    assert content == tar_bytes(FileSource("job", backward.opened))
    assert members(content) == {
        "app/a": None,
        "app/a/b": None,
        "app/models": None,
        f"app/models/{'d' * 120}": None,
        **{f"app/{path}": data for path, data in WRITTEN.items()},
    }
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        assert {(one.mode, one.mtime, one.uid, one.uname) for one in tar} == {(0o755, 0, 0, "")}
    assert [file.path for file in source.files] == sorted(WRITTEN)


def test_the_archive_of_a_job_is_read_in_a_few_requests():
    files = {f"part-{number:04}": b"x" * 10_000 for number in range(300)}
    blobs = Blobs(files)

    content = tar_bytes(FileSource("job", blobs.opened))

    assert len(members(content)) == 300
    assert len(blobs.ranges) == 1


def test_some_of_the_files_are_chosen_by_name_and_another_choice_has_another_digest(tmp_path):
    every = in_folder(tmp_path)
    some = FileSource("run-1", every.opened, ("models", "*.dat"))

    assert [file.path for file in some.files] == ["model.dat", LONG]
    assert some.digest != every.digest
    assert some.digest == FileSource("another", Blobs(FILES).opened, ("*.dat",)).digest
    with pytest.raises(InputError, match=r"Did you mean 'model\.dat'") as caught:
        _ = FileSource("run-1", every.opened, ("modle.dat",)).files
    assert caught.value.code == "output-unknown"


@pytest.mark.parametrize(
    ("changes", "code", "said"),
    [
        ({"error": {"type": "ValueError", "message": "no rows"}}, "source-failed", "ValueError: no rows"),
        ({"complete": False}, "source-unfinished", "has not ended"),
    ],
)
def test_a_job_that_has_failed_or_not_ended_is_an_error_with_what_to_do(tmp_path, changes, code, said):
    source = in_folder(tmp_path, **changes)

    with pytest.raises(InputError, match=said) as caught:
        _ = source.files

    assert caught.value.code == code
    assert "fairing-azure fetch run-1" in caught.value.hint


def test_a_job_without_files_and_one_whose_files_are_gone_are_errors(tmp_path):
    with pytest.raises(InputError, match="no files") as caught:
        _ = in_folder(tmp_path, {".fairing-az/result.json": b"{}"}).files
    assert caught.value.code == "source-empty"
    gone = FileSource("run-1", lambda: contextlib.nullcontext(LocalOutputs(tmp_path / "gone")))
    with pytest.raises(NotFoundError, match="No files of this launch were kept"):
        _ = gone.files


def test_a_damaged_file_never_makes_a_whole_layer(tmp_path):
    blobs = Blobs(FILES)
    blobs.data = blobs.data.replace(b"modelmodel", b"modelMODEL", 1)
    made = []

    with pytest.raises(ConflictError, match=r"model\.dat.*SHA-256") as caught:
        made.extend(JobTar(FileSource("job", blobs.opened), "app").pieces())

    assert caught.value.code == "outputs-damaged"
    assert b"modelMODEL" not in b"".join(made)


def test_files_that_are_replaced_meanwhile_are_an_error(tmp_path):
    blobs = Blobs(FILES)
    source = FileSource("job", blobs.opened)
    tar = JobTar(source, "app")
    again = Blobs({**FILES, "model.dat": b"other"})
    blobs.list = again.list

    with pytest.raises(ConflictError, match="replaced") as caught:
        list(tar.pieces())

    assert caught.value.code == "outputs-changed"


@pytest.mark.parametrize(
    "own",
    [
        [ArchiveEntry("app/model.dat")],
        [ArchiveEntry("app/model.dat", kind="folder"), ArchiveEntry("app/model.dat/x")],
        [ArchiveEntry("app/a")],
        [ArchiveEntry("app/a/b", kind="symlink", target="c")],
    ],
)
def test_a_name_that_the_endpoint_has_already_is_an_error_that_names_it(tmp_path, own):
    with pytest.raises(ContextError, match="'run-1'") as caught:
        check_apart(in_folder(tmp_path), own, "app")

    assert caught.value.code == "files-twice"
    assert "--from-files" in caught.value.hint


def test_files_beside_those_of_the_endpoint_are_none(tmp_path):
    check_apart(in_folder(tmp_path), [ArchiveEntry("app", kind="folder"), ArchiveEntry("app/a", kind="folder")], "app")
    assert "run-1" in repr(in_folder(tmp_path))


def test_a_record_names_the_job_and_its_files_once_they_are_known(tmp_path):
    source = in_folder(tmp_path)

    assert provenance_of(None) == {}
    assert provenance_of(source) == {"from_job": "run-1", "from_files": ()}
    _ = source.files
    assert [file.path for file in provenance_of(source)["from_files"]] == sorted(WRITTEN)
    assert provenance_of(source)["from_files"][1].sha256 == entry("x", FILES["model.dat"])["sha256"]
