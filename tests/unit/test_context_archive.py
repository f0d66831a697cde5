from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fairing_az_jupyter.exceptions import ContextError
from fairing_az_jupyter.fairing.context import archive as archive_module
from fairing_az_jupyter.fairing.context.collecting import ArchiveEntry, collect, digest_of, unpack, write_archive

REPOSITORY = Path(__file__).resolve().parents[2]
EMPTY = "84ff92691f909a05b224e1c56abb4864f01b4f8e3c854e4bb4c7baf1d3f6d652"
SMALL = "9e922a8edd1b53cb2cc2d2e83047173e3f7f5b4572ce911a4c41057d317b663f"

# Run by other versions of Python too, so it loads the two modules without the package around them.
DIGEST_SCRIPT = """
import sys, types
for name in ("fairing_az_jupyter", "fairing_az_jupyter.fairing"):
    package = sys.modules[name] = types.ModuleType(name)
    package.__path__ = [sys.argv[1] + "/" + name.replace(".", "/")]
from pathlib import Path
from fairing_az_jupyter.fairing.context.collecting import collect, digest_of, write_archive
entries = collect({"/app": ".", "Dockerfile": "run.sh"}, Path(sys.argv[2]))
archive = write_archive(entries, Path(sys.argv[3]), compression="none")
assert digest_of(entries) == archive.digest
assert "zlib_ng" not in sys.modules
print(archive.digest)
"""


def make_small_tree(root):
    """Fill a folder with what is hard to pack: names that are long, not ASCII or not UTF-8, links, empty things."""
    (root / "data" / "empty").mkdir(parents=True)
    (root / "train.py").write_text("print('train')\n")
    (root / "run.sh").write_text("#!/bin/sh\n")
    (root / "data" / "nothing").write_bytes(b"")
    (root / "data" / "block.bin").write_bytes(bytes(range(256)) * 2)
    (root / "data" / "größe-数据.csv").write_text("ä,ö\n")
    (root / "data" / ("l" * 200)).write_text("long")
    deep = root / "data" / ("d" * 150) / ("e" * 150)
    deep.mkdir(parents=True)
    (deep / "file").write_text("deep")
    Path(os.fsdecode(os.fsencode(root) + b"/caf\xe9")).write_text("latin-1")
    (root / "latest").symlink_to("data/block.bin")
    (root / "data" / "far").symlink_to(f"{'d' * 150}/{'e' * 150}/file")
    return root


@pytest.fixture
def small(tmp_path):
    return make_small_tree(tmp_path / "small")


@pytest.fixture
def no_threads_left():
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) <= before


def contents(folder):
    """Return what is in a folder: names to bytes, link targets, or None for folders."""
    found = {}
    for path in sorted(Path(folder).rglob("*")):
        name = os.fsencode(path.relative_to(folder))
        found[name] = str(path.readlink()) if path.is_symlink() else None if path.is_dir() else path.read_bytes()
    return found


def test_the_digest_of_a_fixed_tree_is_the_one_of_every_release(small):
    assert digest_of(collect({"/app": ".", "Dockerfile": "run.sh"}, small)) == SMALL


def test_the_digest_of_no_members_is_that_of_an_empty_tar(tmp_path):
    assert digest_of(()) == EMPTY == hashlib.sha256(bytes(10240)).hexdigest()
    archive = write_archive((), tmp_path / "empty.tar.gz")
    assert (archive.digest, archive.uncompressed_size, archive.members) == (EMPTY, 10240, 0)


def other_pythons():
    """Return this interpreter and every other supported one that is here, on the PATH or kept by pyenv."""
    names = [f"python3.{minor}" for minor in range(10, 14)]
    found = [path for path in map(shutil.which, names) if path]
    if shutil.which("pyenv"):
        kept = subprocess.run(["pyenv", "root"], capture_output=True, text=True, check=True).stdout.strip()
        found += [str(path) for name in names for path in Path(kept).glob(f"versions/*/bin/{name}")]
    works = [path for path in found if not subprocess.run([path, "-V"], capture_output=True, check=False).returncode]
    return [sys.executable, *works]


@pytest.mark.parametrize("python", other_pythons())
def test_every_version_of_python_gives_the_same_digest(small, tmp_path, python):
    done = subprocess.run(
        [python, "-c", DIGEST_SCRIPT, REPOSITORY, small, tmp_path / "out.tar"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.stdout.strip() == SMALL, done.stderr


def test_the_tar_is_what_pythons_own_tarfile_writes(small, tmp_path):
    entries = collect({"/app": "."}, small)
    archive = write_archive(entries, tmp_path / "ours.tar", compression="none")
    expected = io.BytesIO()
    kinds = {"file": tarfile.REGTYPE, "folder": tarfile.DIRTYPE, "symlink": tarfile.SYMTYPE}
    with tarfile.open(fileobj=expected, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for entry in entries:
            info = tarfile.TarInfo(entry.destination)
            info.type, info.linkname, info.mode = kinds[entry.kind], entry.target, 0o755
            if entry.kind == "symlink":
                info.mode = 0o777
            data = entry.source.read_bytes() if entry.kind == "file" else b""
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    assert archive.path.read_bytes() == expected.getvalue()
    assert archive.digest == hashlib.sha256(expected.getvalue()).hexdigest()


@pytest.mark.parametrize("compression", ["gzip", "none"])
def test_gnu_tar_unpacks_the_archive_to_the_same_files(small, tmp_path, compression):
    archive = write_archive(collect({"/app": "."}, small), tmp_path / "a.tar", compression=compression)
    out = tmp_path / "out"
    out.mkdir()
    # Names that are not UTF-8 carry POSIX's `hdrcharset`, which GNU tar need not know to read them.
    command = [shutil.which("tar"), "--warning=no-unknown-keyword", "-xf", archive.path, "-C", out]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert contents(out / "app") == contents(small)


@pytest.mark.parametrize("compression", ["gzip", "none"])
def test_pythons_tarfile_reads_the_same_files(small, tmp_path, compression):
    archive = write_archive(collect({"/app": "."}, small), tmp_path / "a.tar", compression=compression)
    with tarfile.open(archive.path) as tar:
        members = tar.getmembers()
        found = {os.fsencode(m.name): tar.extractfile(m).read() for m in members if m.isreg()}
    assert found == {b"app/" + name: data for name, data in contents(small).items() if isinstance(data, bytes)}
    assert {(m.mtime, m.uid, m.gid, m.uname, m.gname) for m in members} == {(0, 0, 0, "", "")}
    assert {m.mode for m in members if not m.issym()} == {0o755}
    assert len(members) == archive.members


def test_the_archive_tells_its_digest_and_sizes(small, tmp_path):
    entries = collect({"/app": "."}, small)
    archive = write_archive(entries, tmp_path / "a.tar.gz")
    tar = gzip.decompress(archive.path.read_bytes())
    assert archive.digest == hashlib.sha256(tar).hexdigest() == digest_of(entries)
    assert archive.uncompressed_size == len(tar)
    assert archive.size == archive.path.stat().st_size
    assert len(tar) % 10240 == 0


def test_the_gzip_file_has_no_time_and_no_name_and_is_the_same_each_time(small, tmp_path):
    entries = collect({"/app": "."}, small)
    first = write_archive(entries, tmp_path / "first.tar.gz").path.read_bytes()
    assert write_archive(entries, tmp_path / "second.tar.gz", threads=5).path.read_bytes() == first
    assert first[:10] == b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"


def test_times_permissions_and_owners_do_not_change_the_digest(small):
    before = digest_of(collect({"/app": "."}, small))
    for path in (small, *small.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o777 if path.is_dir() else 0o640)
            os.utime(path, (1e9, 2e9))
    assert digest_of(collect({"/app": "."}, small)) == before


def test_the_order_of_the_members_does_not_change_the_digest(small):
    entries = collect({"/app": "."}, small)
    assert digest_of(reversed(entries)) == digest_of(entries)


@pytest.mark.parametrize(
    "change", [lambda p: p.write_text("x"), lambda p: p.rename(p.with_name("b")), lambda p: p.unlink()]
)
def test_contents_and_names_change_the_digest(small, change):
    before = digest_of(collect({"/app": "."}, small))
    change(small / "train.py")
    assert digest_of(collect({"/app": "."}, small)) != before


names = st.text(st.characters(exclude_characters="/\0", exclude_categories=("Cs",)), min_size=1, max_size=12).filter(
    lambda name: name not in {".", "..", ".dockerignore"} and len(name.encode()) < 200
)
trees = st.recursive(
    st.binary(max_size=1500), lambda children: st.dictionaries(names, children, max_size=4), max_leaves=10
).filter(lambda tree: isinstance(tree, dict))


def make_tree(folder, tree, *, backwards=False):
    folder.mkdir()
    for name in sorted(tree, reverse=backwards):
        if isinstance(tree[name], dict):
            make_tree(folder / name, tree[name], backwards=backwards)
        else:
            (folder / name).write_bytes(tree[name])


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(tree=trees, compression=st.sampled_from(["gzip", "none"]))
def test_any_tree_has_one_digest_and_comes_back_the_same(tree, compression):
    with tempfile.TemporaryDirectory() as temporary:
        one, two, out = (Path(temporary, name) for name in ("one", "two", "out"))
        make_tree(one, tree)
        make_tree(two, tree, backwards=True)
        for path in two.rglob("*"):
            path.chmod(0o700)
            os.utime(path, (1, 1))
        archive = write_archive(collect({"/app": one}, one), Path(temporary, "a"), compression=compression)
        assert digest_of(collect({"/app": two}, two)) == archive.digest
        listed = {f"/app/{name}": name for name in sorted(tree, reverse=True)}
        assert not tree or digest_of(collect(listed, two)) == archive.digest
        unpack(archive.path, out, digest=archive.digest)
        assert contents(out / "app") == contents(one)


def test_a_file_of_more_than_eight_gibibytes_has_its_size_in_the_header():
    size = 9 << 30
    header = archive_module.member_header(ArchiveEntry("app/big.bin", Path("big.bin")), size)  # no such file here
    with tarfile.open(fileobj=io.BytesIO(header + bytes(1024))) as tar:
        assert tar.next().size == size
    listed = subprocess.run(
        [shutil.which("tar"), "-tvf", "-"], input=header, capture_output=True, check=False, timeout=60
    )
    assert str(size) in listed.stdout.decode()


def test_a_file_of_more_than_two_gibibytes_is_packed_in_bounded_memory(tmp_path, run_python):
    size = (2 << 30) + 12345
    with (tmp_path / "big.bin").open("wb") as file:
        file.truncate(size)
    script = """
import json, resource
from pathlib import Path
from fairing_az_jupyter.fairing.context.collecting import collect, write_archive
entries = collect({"/app/big.bin": "big.bin"})
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
archive = write_archive(entries, Path("big.tar.gz"))
print(json.dumps([archive.uncompressed_size, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before]))
"""
    packed, kibibytes = json.loads(run_python(script, timeout=250).stdout)
    assert packed > size
    assert kibibytes < 100_000
    with tarfile.open(tmp_path / "big.tar.gz") as tar:
        assert [tar.next().name, tar.next().size] == ["app", size]


def test_a_binary_stream_gets_the_same_bytes_and_stays_open(small, tmp_path):
    entries = collect({"/app": "."}, small)
    stream = io.BytesIO()
    archive = write_archive(entries, stream)
    assert archive.path is None
    assert stream.getvalue() == write_archive(entries, tmp_path / "a.tar.gz").path.read_bytes()
    assert archive.size == len(stream.getvalue())


def test_a_stream_that_takes_less_than_it_is_given_gets_everything(small):
    class Narrow(io.RawIOBase):
        taken = b""

        def write(self, data):
            self.taken += bytes(data[:777])
            return len(data[:777])

    stream = Narrow()
    archive = write_archive(collect({"/app": "."}, small), stream, compression="none")
    assert hashlib.sha256(stream.taken).hexdigest() == archive.digest


def test_progress_adds_up_to_the_size_of_the_tar(small, tmp_path):
    (small / "big").write_bytes(os.urandom(5 << 20))
    seen = []
    archive = write_archive(collect({"/app": "."}, small), tmp_path / "a.tar.gz", on_bytes=seen.append)
    assert sum(seen) == archive.uncompressed_size
    assert len(seen) > 3


def growing(path):
    with path.open("ab") as file:
        file.write(b"more")


def becoming_a_pipe(path):
    path.unlink()
    os.mkfifo(path)


def becoming_a_link(path):
    path.rename(path.with_name("moved"))
    path.symlink_to("moved")


@pytest.mark.parametrize("change", [growing, lambda p: os.truncate(p, 1 << 20)])
@pytest.mark.parametrize("compression", ["gzip", "none"])
@pytest.mark.usefixtures("no_threads_left")
def test_a_file_that_changes_its_size_while_it_is_packed_is_refused(tmp_path, change, compression):
    source = tmp_path / "data.bin"
    source.write_bytes(bytes(8 << 20))
    entries = collect({"/app/data.bin": source}, tmp_path)
    changes = iter([change])

    def meanwhile(_count):
        next(changes, lambda _path: None)(source)

    with pytest.raises(ContextError, match=r"data\.bin' changed while it was packed"):
        write_archive(entries, tmp_path / "a.tar.gz", compression=compression, on_bytes=meanwhile)
    assert [path.name for path in tmp_path.iterdir()] == ["data.bin"]


@pytest.mark.parametrize("change", [Path.unlink, becoming_a_pipe, becoming_a_link])
@pytest.mark.usefixtures("no_threads_left")
def test_a_file_that_is_another_thing_by_the_time_it_is_packed_is_refused(tmp_path, change):
    source = tmp_path / "data.bin"
    source.write_bytes(b"x")
    entries = collect({"/app/data.bin": source}, tmp_path)
    change(source)
    with pytest.raises(ContextError, match=r"data\.bin' changed while it was packed"):
        write_archive(entries, tmp_path / "a.tar.gz")
    with pytest.raises(ContextError, match="changed while it was packed"):
        digest_of(entries)
    assert not list(tmp_path.glob("*a.tar.gz*"))
    assert not list(tmp_path.glob(".fairing*"))


class StopHereError(Exception):
    pass


@pytest.mark.parametrize("error", [StopHereError, KeyboardInterrupt])
@pytest.mark.parametrize("block", [1, 3, 7])
@pytest.mark.usefixtures("no_threads_left")
def test_an_exception_in_the_middle_leaves_the_older_archive_and_nothing_else(tmp_path, error, block):
    source = tmp_path / "data.bin"
    source.write_bytes(os.urandom(8 << 20))
    (tmp_path / "a.tar.gz").write_bytes(b"older")
    blocks = iter(range(1, 100))

    def stop(_count):
        if next(blocks) == block:
            raise error

    with pytest.raises(error):
        write_archive(collect({"/app/data.bin": source}, tmp_path), tmp_path / "a.tar.gz", on_bytes=stop)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.tar.gz", "data.bin"]
    assert (tmp_path / "a.tar.gz").read_bytes() == b"older"


@pytest.mark.parametrize("delay", [0.02, 0.1, 0.25])
def test_an_interrupt_ends_at_once_and_leaves_nothing_behind(tmp_path, delay):
    script = """
import threading, time
from pathlib import Path
from fairing_az_jupyter.fairing.context.collecting import collect, write_archive
entries = collect({"/app/data.bin": "data.bin"})
print("packing", flush=True)
try:
    write_archive(entries, Path("a.tar.gz"))
except KeyboardInterrupt:
    end = time.monotonic() + 5
    while threading.active_count() > 1 and time.monotonic() < end:
        time.sleep(0.01)
    print(f"interrupted, {threading.active_count()} thread", flush=True)
"""
    (tmp_path / "data.bin").write_bytes(os.urandom(8 << 20) * 20)
    with subprocess.Popen(
        [sys.executable, "-c", script], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout.readline() == "packing\n"
        time.sleep(delay)
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=30)
    assert (out, err) == ("interrupted, 1 thread\n", "")
    assert [path.name for path in tmp_path.iterdir()] == ["data.bin"]


@pytest.mark.usefixtures("no_threads_left")
def test_a_full_disk_is_told_and_leaves_nothing_behind(tmp_path):
    source = tmp_path / "data.bin"
    source.write_bytes(os.urandom(4 << 20))
    entries = collect({"/app/data.bin": source}, tmp_path)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, limits[1]))
    try:
        with pytest.raises(ContextError, match=r"a\.tar\.gz' can't be written") as caught:
            write_archive(entries, tmp_path / "a.tar.gz")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "space" in caught.value.hint
    assert [path.name for path in tmp_path.iterdir()] == ["data.bin"]


@pytest.mark.parametrize("output", ["gone/a.tar.gz", "folder", "file/a.tar.gz"])
def test_an_output_that_cannot_be_written_is_named(small, tmp_path, output):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("x")
    with pytest.raises(ContextError, match=f"{output}' can't be written"):
        write_archive(collect({"/app": "."}, small), tmp_path / output)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder", "small"]


def test_an_archive_does_not_swallow_its_own_last_version(small):
    write_archive(collect({"/app": "."}, small), small / "context.tar.gz")
    with pytest.raises(ContextError, match="its own previous version") as caught:
        write_archive(collect({"/app": "."}, small), small / "context.tar.gz")
    assert ".dockerignore" in caught.value.hint
    (small / ".dockerignore").write_text("context.tar.gz\n")
    write_archive(collect({"/app": "."}, small), small / "context.tar.gz")


def test_a_newer_archive_replaces_the_older_one(small, tmp_path):
    output = tmp_path / "a.tar.gz"
    write_archive((), output)
    archive = write_archive(collect({"/app": "."}, small), output)
    assert hashlib.sha256(gzip.decompress(output.read_bytes())).hexdigest() == archive.digest


def test_archives_written_at_the_same_time_to_one_place_are_whole(small, tmp_path):
    entries = collect({"/app": "."}, small)
    output = tmp_path / "a.tar.gz"
    digests = []
    writers = [threading.Thread(target=lambda: digests.append(write_archive(entries, output).digest)) for _ in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(30)
    assert set(digests) == {digest_of(entries)}
    assert hashlib.sha256(gzip.decompress(output.read_bytes())).hexdigest() == digests[0]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.tar.gz", "small"]


@pytest.mark.parametrize("wrong", [{"compression": "zip"}, {"threads": 0}])
def test_a_wrong_argument_leaves_nothing_behind(small, tmp_path, wrong):
    with pytest.raises(ValueError, match=r"compression|max_workers"):
        write_archive(collect({"/app": "."}, small), tmp_path / "a.tar.gz", **wrong)
    assert [path.name for path in tmp_path.iterdir()] == ["small"]
