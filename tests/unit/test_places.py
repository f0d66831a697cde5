"""Places of notebooks and parameters files: this machine's, Blob Storage's, the web's, and what papermill knows."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest

from fairing_az_jupyter.clients.web_files import read_web_file
from fairing_az_jupyter.exceptions import (
    FairingAzureError,
    InputError,
    NotAllowedError,
    NotFoundError,
    PackageMissingError,
    ServiceError,
    UnreachableError,
)
from fairing_az_jupyter.runs.papermill_io import AbsHandler
from fairing_az_jupyter.runs.places.addresses import Places, is_remote
from fairing_az_jupyter.settings import Settings
from tests.stand.scripted import Scripted
from tests.stand.web import DRIP

BLOB = "abs://contosomldata.blob.core.windows.net/runs/a.ipynb"


class Missing:
    """A finder before all others by which a package is not installed.

    Args:
        name: The package.

    """

    def __init__(self, name):
        self.name = name

    def find_spec(self, name, path=None, target=None):
        if name == self.name:
            raise ModuleNotFoundError(name)


@pytest.fixture
def places():
    places = Places(Settings, {})
    yield places
    places.close()


@pytest.fixture
def web():
    with Scripted(lambda _request: (404, {}, b"<html>not here</html>")) as server:
        yield server


@pytest.fixture
def plugin(monkeypatch):
    """Register a handler for a scheme as a papermill plug-in does."""
    from papermill.iorw import papermill_io

    def register(scheme, handler):
        monkeypatch.setattr(papermill_io, "_handlers", [(scheme, handler), *papermill_io._handlers])  # noqa: SLF001

    return register


@pytest.mark.parametrize(
    ("path", "remote"),
    [
        ("a.ipynb", False),
        ("./a:b.ipynb", False),
        ("C:\\work\\a.ipynb", False),
        ("/tmp/a://b.ipynb", False),  # noqa: S108
        ("-", False),
        (BLOB, True),
        ("s3://bucket/a.ipynb", True),
        ("HTTPS://example.com/a.ipynb", True),
    ],
)
def test_urls_are_told_from_paths(path, remote):
    assert is_remote(path) is remote


def test_the_name_is_the_last_part_without_the_query(places):
    assert places.name("folder/a.ipynb") == "a.ipynb"
    assert places.name(BLOB) == "a.ipynb"
    assert places.name("https://example.com/x/b.ipynb?sig=1/2#top") == "b.ipynb"
    assert places.name("s3://bucket/folder/") == "folder"


def test_what_is_shown_has_neither_query_nor_login(places):
    assert places.display("https://user:MARK@example.com/a.ipynb?sig=MARK#MARK") == "https://example.com/a.ipynb"
    assert places.display(f"{BLOB}?sig=MARK") == BLOB
    assert places.display("what?.ipynb") == "what?.ipynb"


# This machine's files


def test_a_file_comes_back_as_it_was_written(places, tmp_path):
    target = tmp_path / "a.ipynb"

    places.write(str(target), b"\xef\xbb\xbf{}\r\n\x00\xff")

    assert places.read(str(target)) == b"\xef\xbb\xbf{}\r\n\x00\xff"
    assert places.list(str(tmp_path)) == [str(target)]
    assert places.exists(str(target))


def test_a_new_file_has_the_permissions_that_the_umask_leaves(places, tmp_path):
    before = os.umask(0o027)
    try:
        places.write(str(tmp_path / "a.ipynb"), b"{}")
    finally:
        os.umask(before)

    assert stat.S_IMODE((tmp_path / "a.ipynb").stat().st_mode) == 0o640
    assert [each.name for each in tmp_path.iterdir()] == ["a.ipynb"]


def test_a_file_keeps_its_permissions_and_a_link_stays_a_link(places, tmp_path):
    target = tmp_path / "target.ipynb"
    target.write_bytes(b"old")
    target.chmod(0o660)
    (tmp_path / "link.ipynb").symlink_to(target)

    places.write(str(tmp_path / "link.ipynb"), b"new")

    assert (target.read_bytes(), stat.S_IMODE(target.stat().st_mode)) == (b"new", 0o660)
    assert (tmp_path / "link.ipynb").is_symlink()


def test_a_read_only_file_is_left_as_it_is(places, tmp_path):
    target = tmp_path / "a.ipynb"
    target.write_bytes(b"old")
    target.chmod(0o444)

    with pytest.raises(InputError, match="read-only"):
        places.write(str(target), b"new")

    assert target.read_bytes() == b"old"


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda folder: folder, "no-file"),
        (lambda folder: folder / "none" / "a.ipynb", "no-such-folder"),
        (lambda folder: folder / "file" / "a.ipynb", "no-such-folder"),
        (lambda folder: folder / ("a" * 300), "unwritable-file"),
        (lambda folder: f"{folder}/a\0b", "unwritable-file"),
    ],
)
def test_what_can_not_be_written_is_told_and_leaves_nothing(places, tmp_path, make, code):
    (tmp_path / "file").write_bytes(b"")

    with pytest.raises(InputError) as refused:
        places.write(str(make(tmp_path)), b"new")

    assert (refused.value.code, bool(refused.value.hint)) == (code, True)
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


def test_what_can_not_be_read_is_told(places, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path, code in [
        (tmp_path / "none", "no-such-file"),
        (tmp_path, "no-file"),
        (tmp_path / "pipe", "no-file"),
        ("a\0b", "unreadable-file"),
    ]:
        with pytest.raises(InputError) as refused:
            places.read(str(path))
        assert refused.value.code == code
        assert refused.value.message.isprintable()


def test_a_device_is_written_and_not_replaced(places):
    places.write(os.devnull, b"x")

    assert stat.S_ISCHR(Path(os.devnull).stat().st_mode)


def test_files_are_listed_by_what_their_paths_begin_with(places, tmp_path, monkeypatch):
    for name in ("run-1.ipynb", "run-2.ipynb", "other.ipynb"):
        (tmp_path / name).write_bytes(b"")
    monkeypatch.chdir(tmp_path)

    assert places.list("run-") == ["run-1.ipynb", "run-2.ipynb"]
    assert places.list("none/") == []


# Blob Storage


@pytest.mark.parametrize("use", ["read", "exists", "list", "check_writable", "check_readable"])
def test_a_signature_in_a_blobs_url_is_refused_before_anything_is_asked(places, use):
    with pytest.raises(InputError) as refused:
        getattr(places, use)(f"{BLOB}?sv=2024&sig=MARKED")

    assert refused.value.code == "blob-url"
    assert "MARKED" not in str(refused.value)


def test_without_a_credential_it_is_told_what_was_looked_at(tmp_path):
    places = Places(Settings, {"PATH": "", "HOME": str(tmp_path)}, service_account_folder=tmp_path)

    with pytest.raises(FairingAzureError) as refused:
        places.read(BLOB)

    assert refused.value.code == "no-credential"
    assert "az login" in refused.value.hint


# The web


def test_a_file_of_the_web_is_read_byte_by_byte(places, web):
    # Without a charset, papermill's own handler would take it for ISO 8859-1.
    web.answer((200, {"Content-Type": "text/plain"}, "ä\r\n".encode()), path="/a.ipynb")

    assert places.read(f"{web.url}/a.ipynb?sig=x") == "ä\r\n".encode()
    assert (places.exists(f"{web.url}/a.ipynb"), places.exists(f"{web.url}/b.ipynb")) == (True, False)


@pytest.mark.parametrize(
    ("status", "error"), [(404, NotFoundError), (403, NotAllowedError), (500, ServiceError), (204, ServiceError)]
)
def test_the_page_of_a_failure_is_never_taken_for_the_file(places, web, status, error):
    web.answer((status, {}, b"" if status == 204 else b"<html>MARKED</html>"))

    with pytest.raises(error) as refused:
        places.read(f"{web.url}/a.ipynb?sig=MARKED")

    assert f"{web.url}/a.ipynb" in refused.value.message
    assert "MARKED" not in str(refused.value)


@pytest.mark.kernel
def test_a_web_that_does_not_answer_is_told_in_time():
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/a.ipynb?sig=MARKED"
        with pytest.raises(UnreachableError) as refused:
            read_web_file(url, timeout=0.3)
    assert refused.value.code == "timeout"
    with pytest.raises(UnreachableError) as refused:
        read_web_file(url, timeout=0.3)
    assert "MARKED" not in str(refused.value)


def test_an_answer_that_comes_drop_by_drop_ends_with_its_time(web):
    web.answer(DRIP)

    with pytest.raises(UnreachableError, match=r"within 0\.5 s"):
        read_web_file(f"{web.url}/a.ipynb", timeout=1, deadline=0.5)


@pytest.mark.parametrize("use", [lambda places, url: places.write(url, b"{}"), Places.check_writable])
def test_the_web_is_refused_as_an_output_and_not_asked(places, web, use):
    with pytest.raises(InputError) as refused:
        use(places, f"{web.url}/a.ipynb?sig=MARKED")

    assert refused.value.code == "read-only-place"
    assert "MARKED" not in str(refused.value)
    assert web.requests == []


def test_a_blob_by_https_as_output_is_told_its_right_spelling(places):
    with pytest.raises(InputError) as refused:
        places.check_writable("https://contosomldata.blob.core.windows.net/runs/a.ipynb?sig=MARKED")

    assert refused.value.hint == f"Write {BLOB}"


# What papermill knows


@pytest.mark.parametrize(
    ("url", "module", "extra"),
    [
        ("s3://bucket/a.ipynb", "boto3", "papermill[s3]"),
        ("gs://bucket/a.ipynb", "gcsfs", "papermill[gcs]"),
        ("hdfs://host/a.ipynb", "pyarrow", "papermill[hdfs]"),
        ("adl://store/a.ipynb", "azure.datalake.store", "papermill[azure]"),
        ("https://github.com/o/r/blob/main/a.ipynb", "github", "papermill[github]"),
    ],
)
def test_a_package_that_is_missing_is_named_with_the_command_that_installs_it(places, url, module, extra, monkeypatch):
    for name in [name for name in sys.modules if name == module or name.startswith(f"{module}.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [Missing(module), *sys.meta_path])

    for use in (places.read, places.list, places.exists):
        with pytest.raises(PackageMissingError) as refused:
            use(f"{url}?token=MARKED")
        assert module in refused.value.message
        assert refused.value.hint == f"pip install '{extra}'"
        assert "MARKED" not in str(refused.value)
    if not url.startswith("https"):
        with pytest.raises(PackageMissingError):
            places.check_writable(url)


def test_a_scheme_that_nobody_knows_is_refused_and_makes_no_file(places, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for use in (places.read, places.check_writable, places.check_readable, lambda url: places.write(url, b"{}")):
        with pytest.raises(InputError) as refused:
            use("ftp://host/a.ipynb")
        assert refused.value.code == "unknown-scheme"
        assert "s3://" in refused.value.hint
    assert list(tmp_path.iterdir()) == []


def test_the_data_lake_drivers_spelling_is_told_as_papermill_has_it(places):
    with pytest.raises(InputError) as refused:
        places.read("abfss://runs@contosomldata.dfs.core.windows.net/a.ipynb")

    assert refused.value.hint == f"Write {BLOB}"


def test_a_plug_ins_handler_is_used_for_its_scheme(places, plugin):
    kept = {}

    class Handler:
        def read(self, path):
            return kept[path]

        def write(self, buf, path):
            kept[path] = buf

        def listdir(self, path):
            return iter(sorted(kept))

    plugin("mine://", Handler())

    places.check_writable("mine://a")
    places.write("mine://a", "ä\r\n".encode())

    assert kept == {"mine://a": "ä\r\n"}
    assert (places.read("mine://a"), places.list("mine://")) == ("ä\r\n".encode(), ["mine://a"])
    with pytest.raises(InputError, match="UTF-8"):
        places.write("mine://a", b"\xff")


@pytest.mark.parametrize("content", ["ab\n", b"ab\n", bytearray(b"ab\n"), ["a", "b\n"]])
def test_whatever_a_handler_reads_is_bytes_in_the_end(places, plugin, content):
    class Handler:
        def read(self, path):
            return content

    plugin("mine://", Handler())

    assert places.read("mine://a") == b"ab\n"


@pytest.mark.parametrize(
    ("raised", "error"),
    [
        (FileNotFoundError("mine://a"), NotFoundError),
        (RuntimeError("An error occurred (NoSuchKey) when calling GetObject"), NotFoundError),
        (ConnectionError("https://host/a?X-Amz-Signature=MARKED refused\nsecond line"), ServiceError),
        (ModuleNotFoundError("No module named 'boto'", name="boto"), PackageMissingError),
    ],
)
def test_what_a_handler_raises_is_told_in_one_line_without_a_signature(places, plugin, raised, error):
    class Handler:
        def read(self, path):
            raise raised

    plugin("mine://", Handler())

    with pytest.raises(error) as refused:
        places.read("mine://host/a?sig=MARKED")

    assert "'mine://host/a'" in refused.value.message
    assert "MARKED" not in str(refused.value)
    assert "\n" not in refused.value.message
    assert refused.value.hint
    assert refused.value.__context__ is None


# What papermill loads of ours


def test_a_url_with_a_signature_goes_to_papermills_own_handler(monkeypatch):
    from papermill.iorw import ABSHandler

    seen = []
    monkeypatch.setattr(ABSHandler, "read", lambda _self, path: seen.append(path) or "text")
    monkeypatch.setattr(ABSHandler, "write", lambda _self, buf, path: seen.append((buf, path)))
    monkeypatch.setattr(ABSHandler, "listdir", lambda _self, path: [path])

    assert AbsHandler.read(f"{BLOB}?sig=1") == "text"
    AbsHandler.write("buf", f"{BLOB}?sig=1")

    assert seen == [f"{BLOB}?sig=1", ("buf", f"{BLOB}?sig=1")]
    assert AbsHandler.listdir(f"{BLOB}?sig=1") == [f"{BLOB}?sig=1"]
    assert AbsHandler.pretty_path(f"{BLOB}?sig=1") == BLOB


def test_papermill_finds_it_by_its_entry_point(run_python, tmp_path):
    registered = tmp_path / "site" / "plug_in-1.0.dist-info"
    registered.mkdir(parents=True)
    (registered / "METADATA").write_text("Metadata-Version: 2.1\nName: plug-in\nVersion: 1.0\n")
    line = "abs:// = fairing_az_jupyter.runs.papermill_io:AbsHandler"
    (registered / "entry_points.txt").write_text(f"[papermill.io]\n{line}\n")
    script = f"from papermill.iorw import papermill_io; print(papermill_io.get_handler({BLOB!r}).__name__)"

    found = run_python(script, PYTHONPATH=os.pathsep.join([str(registered.parent), str(Path.cwd())]))

    assert found.stdout == "AbsHandler\n"


def test_papermills_start_does_not_wait_for_azure(run_python):
    script = "import fairing_az_jupyter.runs.papermill_io, sys; print(*sorted(sys.modules))"

    loaded = run_python(script).stdout.split()

    assert not {"azure", "kubernetes", "papermill", "pydantic", "requests"} & set(loaded)


def test_the_whole_room_is_light_until_it_is_used(run_python):
    script = "import fairing_az_jupyter.runs.places.addresses, sys; print(*sorted(sys.modules))"

    loaded = run_python(script).stdout.split()

    assert not {"azure.storage", "azure.identity", "kubernetes", "papermill", "requests"} & set(loaded)
