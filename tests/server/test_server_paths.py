"""Paths of Jupyter's contents never lead out of the contents."""

from __future__ import annotations

import pytest

from fairing_az_jupyter.exceptions import InputError
from fairing_az_jupyter.frontends.server.contents_paths import Contents
from fairing_az_jupyter.frontends.server.operations.run_views import view
from fairing_az_jupyter.models import RunRequest
from fairing_az_jupyter.records import RunStore


@pytest.fixture
def root(tmp_path):
    found = tmp_path / "root"
    (found / "team").mkdir(parents=True)
    (found / "team" / "nb.ipynb").write_text("{}")
    (tmp_path / "outside.ipynb").write_text("{}")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "nb.ipynb").write_text("{}")
    return found


@pytest.mark.parametrize("path", ["team/nb.ipynb", "RTC:team/nb.ipynb", "team//nb.ipynb", "./team/./nb.ipynb"])
def test_a_path_is_the_file_below_the_root(root, path):
    assert Contents(str(root)).file(path) == str(root / "team" / "nb.ipynb")


@pytest.mark.parametrize(
    "path",
    [
        "../outside.ipynb",
        "team/../../outside.ipynb",
        "team/../team/nb.ipynb",
        "RTC:../outside.ipynb",
        "RTC:RTC:team/nb.ipynb",
        "/etc/passwd",
        "//etc/passwd",
        "RTC:/etc/passwd",
        "C:\\Windows\\nb.ipynb",
        "C:/Windows/nb.ipynb",
        "C:nb.ipynb",
        "S3:bucket/nb.ipynb",
        "team\\nb.ipynb",
        "\\\\host\\share\\nb.ipynb",
        "team/nb.ipynb\0",
        "team/\nnb.ipynb",
        "\ud800.ipynb",
        "n" * 300 + ".ipynb",
        "d/" * 2000 + "nb.ipynb",
        "",
        ".",
        "RTC:",
        "team",
        "team/nb.ipynb/nb.ipynb",
        "missing.ipynb",
        "missing/nb.ipynb",
    ],
)
def test_a_path_that_is_no_file_of_the_root_is_refused(root, path):
    with pytest.raises(InputError) as refused:
        Contents(str(root), hidden=True).file(path)
    assert refused.value.hint


def test_links_that_lead_out_are_refused_and_others_are_followed(root):
    (root / "file.ipynb").symlink_to(root.parent / "outside.ipynb")
    (root / "folder").symlink_to(root.parent / "outside")
    (root / "twice").symlink_to(root / "folder")
    (root / "dangling.ipynb").symlink_to(root.parent / "new.ipynb")
    (root / "round.ipynb").symlink_to(root / "round.ipynb")
    (root / "inside.ipynb").symlink_to(root / "team" / "nb.ipynb")
    contents = Contents(str(root))
    for path in ("file.ipynb", "folder/nb.ipynb", "twice/nb.ipynb", "round.ipynb"):
        with pytest.raises(InputError):
            contents.file(path)
    with pytest.raises(InputError):
        contents.place("dangling.ipynb")
    with pytest.raises(InputError):
        contents.place("folder/new.ipynb")
    assert contents.file("inside.ipynb") == str(root / "inside.ipynb")


def test_a_root_that_is_a_link_itself_has_its_files(root):
    link = root.parent / "link"
    link.symlink_to(root)
    contents = Contents(str(link))
    assert contents.file("team/nb.ipynb") == str(link / "team" / "nb.ipynb")
    assert contents.path_of(str(link / "team" / "nb.ipynb")) == "team/nb.ipynb"
    assert contents.path_of(str(root / "team" / "nb.ipynb")) == "team/nb.ipynb"


def test_hidden_files_are_there_only_where_jupyter_shows_them(root):
    (root / ".secret").mkdir()
    (root / ".secret" / "nb.ipynb").write_text("{}")
    (root / "open").symlink_to(root / ".secret")
    for path in (".secret/nb.ipynb", "open/nb.ipynb"):
        with pytest.raises(InputError):
            Contents(str(root)).file(path)
        assert Contents(str(root), hidden=True).file(path) == str(root / path)
    assert Contents(str(root)).path_of(str(root / ".secret" / "nb.ipynb")) is None


def test_a_file_outside_has_no_path_in_the_contents(root):
    contents = Contents(str(root))
    assert contents.path_of(str(root.parent / "outside.ipynb")) is None
    assert contents.path_of("team/nb.ipynb") is None
    assert contents.path_of(str(root / "missing.ipynb")) is None
    assert contents.path_of("https://example.org/nb.ipynb") is None
    assert Contents(None).path_of(str(root / "team" / "nb.ipynb")) is None


def test_contents_that_are_no_files_say_so(root):
    with pytest.raises(InputError, match="does not keep its contents as files"):
        Contents(None).file("team/nb.ipynb")


def test_a_new_file_needs_its_folder_only(root):
    assert Contents(str(root)).place("team/new.ipynb") == str(root / "team" / "new.ipynb")
    with pytest.raises(InputError):
        Contents(str(root)).place("other/new.ipynb")


@pytest.mark.parametrize(
    "path", ["../x.ipynb", "/etc/passwd", "C:\\x.ipynb", "link/x.ipynb", ".hidden/x.ipynb", "x\0.ipynb", "S3:x.ipynb"]
)
@pytest.mark.parametrize(
    ("route", "body"),
    [
        ("notebook/parameters", lambda path: {"path": path}),
        ("notebook/parameters", lambda path: {"path": path, "content": "{}"}),
        ("notebook/tasks", lambda path: {"path": path}),
        ("notebook/fill-plan", lambda path: {"notebook": {"path": path}, "values": {"backend": "LocalBackend"}}),
        ("settings/resolve", lambda path: {"notebook": {"path": path}}),
        ("checks", lambda path: {"notebook": {"path": path}}),
        ("runs", lambda path: {"notebook": path}),
        ("runs", lambda path: {"notebook": "good.ipynb", "output": path}),
        ("launches", lambda path: {"kind": "train", "notebook": path, "task": "X"}),
        ("launches", lambda path: {"kind": "train", "notebook": "good.ipynb", "task": "X", "input_files": [path]}),
    ],
    ids=lambda part: part if isinstance(part, str) else "",
)
def test_no_route_takes_a_path_out_of_the_contents(server, route, body, path):
    outside = server.root.parent / "outside"
    if not outside.exists():
        outside.mkdir()
        (outside / "x.ipynb").write_text("{}")
        (server.root / "link").symlink_to(outside)
        (server.root / ".hidden").mkdir()
        (server.root / ".hidden" / "x.ipynb").write_text("{}")
        server.write_notebook("good.ipynb")
    answer = server.ask("POST", route, body(path))
    assert answer.status_code in {400, 404}, answer.text
    assert answer.json()["code"] in {"contents-path", "file-missing"}


def test_a_run_of_a_terminal_in_the_same_folder_has_its_notebook(root, tmp_path, monkeypatch):
    monkeypatch.setenv("FAIRING_AZURE_RUNS", str(tmp_path / "runs"))
    monkeypatch.chdir(root)
    store = RunStore(tmp_path / "runs")
    run = store.get(store.create(RunRequest("team/nb.ipynb", None), None).name)

    assert view(run, Contents(str(root)))["notebook_path"] == "team/nb.ipynb"
