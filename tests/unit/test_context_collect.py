from __future__ import annotations

import logging
import os
import re
import socket
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import pytest

from fairing_az_jupyter.exceptions import ContextError
from fairing_az_jupyter.fairing.context.collecting import collect, write_archive
from fairing_az_jupyter.fairing.context.dockerignore import IgnoreRules


@pytest.fixture
def project(tmp_path):
    root = tmp_path / "project"
    for name, text in {
        "train.py": "print('train')\n",
        "data/train.csv": "a,b\n",
        "data/deep/test.csv": "c,d\n",
        "notes.md": "# notes\n",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    (root / "data" / "empty").mkdir()
    return root


def names(entries):
    return [entry.destination for entry in entries]


def test_sources_relative_to_the_root_and_absolute_ones_are_taken_under_their_destinations(project, tmp_path):
    pickled = tmp_path / "tmpabc"
    pickled.write_bytes(b"pickle")
    entries = collect({"/app/train.py": "train.py", "/app/pickled_fn.p": str(pickled), "Dockerfile": pickled}, project)
    assert names(entries) == ["Dockerfile", "app", "app/pickled_fn.p", "app/train.py"]
    assert [entry.source for entry in entries if entry.kind == "file"] == [pickled, pickled, project / "train.py"]


def test_the_current_directory_is_the_root_unless_another_is_given(project, monkeypatch):
    monkeypatch.chdir(project)
    assert names(collect({"/app/train.py": "train.py"})) == ["app", "app/train.py"]


def test_a_folder_is_taken_with_everything_in_it_and_its_empty_folders(project):
    entries = collect({"/app/data": "data"}, project)
    assert {entry.destination: entry.kind for entry in entries} == {
        "app": "folder",
        "app/data": "folder",
        "app/data/deep": "folder",
        "app/data/deep/test.csv": "file",
        "app/data/empty": "folder",
        "app/data/train.csv": "file",
    }


@pytest.mark.parametrize("destination", ["/", "", ".", "./", "/."])
def test_a_folder_can_be_mapped_to_the_root_of_the_image(project, destination):
    assert names(collect({destination: "data"}, project)) == ["deep", "deep/test.csv", "empty", "train.csv"]


def test_a_file_without_a_name_in_the_image_is_refused(project):
    with pytest.raises(ContextError, match=r"'train\.py' is a file and has no name"):
        collect({"/": "train.py"}, project)


@pytest.mark.parametrize(
    ("destination", "name"),
    [
        ("/app/x", "app/x"),
        ("app/x", "app/x"),
        ("//app///x", "app/x"),
        ("/app/./x", "app/x"),
        ("/app/../x", "x"),
        ("/app/x/", "app/x"),
    ],
)
def test_destinations_are_relative_and_normalised(project, destination, name):
    assert names(collect({destination: "train.py"}, project))[-1] == name


@pytest.mark.parametrize("destination", ["../x", "/../x", "..", "/app/../../x", "/app/a/../../../etc/passwd"])
def test_a_destination_that_leaves_the_image_is_refused_with_the_cure(project, destination):
    with pytest.raises(ContextError, match=re.escape(repr(destination))) as caught:
        collect({destination: "../data.csv"}, project)
    assert "output_map={'../data.csv': '/app/data.csv'}" in caught.value.hint


@pytest.mark.parametrize("destination", ["/app/a\0b", "/app/\ud800"])
def test_a_destination_that_no_file_can_have_is_refused(project, destination):
    with pytest.raises(ContextError, match="not a file name"):
        collect({destination: "train.py"}, project)


def test_a_source_above_the_root_can_be_mapped_as_the_cure_says(project):
    (project.parent / "data.csv").write_text("x")
    entries = collect({"/app/data.csv": "../data.csv"}, project)
    assert entries[-1].source == project.parent / "data.csv"


@pytest.mark.parametrize("source", ["gone.py", "data/gone.csv", "/nowhere/gone.csv", "train.py/x"])
def test_a_missing_source_is_named_with_the_working_directory(project, source):
    with pytest.raises(ContextError) as caught:
        collect({"/app/x": source}, project)
    assert f"'{source}'" in caught.value.message
    assert f"'{project}'" in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("source", ["", "a\0b"])
def test_a_source_that_is_no_path_is_refused(project, source):
    with pytest.raises(ContextError, match="not a path"):
        collect({"/app/x": source}, project)


def test_a_symlink_to_nothing_is_told_from_a_missing_file(project):
    (project / "link.csv").symlink_to("gone.csv")
    with pytest.raises(ContextError, match=r"'link\.csv' .* symlink to 'gone\.csv', which does not exist"):
        collect({"/app/link.csv": "link.csv"}, project)


def test_two_sources_for_one_destination_are_refused(project):
    with pytest.raises(ContextError, match="both have the destination '/app/x'"):
        collect({"/app/x": "train.py", "app/x": "notes.md"}, project)


def test_two_folders_for_one_destination_are_refused(project):
    with pytest.raises(ContextError, match="both have the destination '/app/x'"):
        collect({"/app/x": "data", "/app/x/": "data/deep"}, project)


def test_a_file_from_elsewhere_does_not_silently_replace_one_of_a_taken_folder(project):
    with pytest.raises(ContextError, match=r"both have the destination '/app/train.csv'"):
        collect({"/app": "data", "/app/train.csv": "notes.md"}, project)


def test_a_file_listed_beside_its_own_folder_is_taken_once(project):
    entries = collect(
        {"/app": "data", "/app/train.csv": "data/../data/train.csv", "app/train.csv/": "data/train.csv"}, project
    )
    assert names(entries).count("app/train.csv") == 1


def test_a_folder_can_be_added_to_within_a_taken_folder(project):
    (project / "more").mkdir()
    (project / "more" / "x").write_text("x")
    assert "app/deep/x" in names(collect({"/app": "data", "/app/deep": "more"}, project))


def test_a_file_cannot_be_the_parent_of_another(project):
    with pytest.raises(ContextError, match="has to be a folder"):
        collect({"/app": "train.py", "/app/notes.md": "notes.md"}, project)


def test_no_member_is_put_below_a_symlink(project):
    (project / "data" / "link").symlink_to("deep")
    with pytest.raises(ContextError, match="has to be a folder"):
        collect({"/app": "data", "/app/link/notes.md": "notes.md"}, project)


def test_the_order_of_the_map_changes_nothing(project):
    context_map = {"/app/train.py": "train.py", "/app/data": "data", "/x/notes.md": "notes.md"}
    assert collect(context_map, project) == collect(dict(reversed(context_map.items())), project)


def test_members_are_sorted_by_the_bytes_of_their_names(project):
    context_map = {f"/app/{name}": "train.py" for name in ("b", "B", "a-b", "é", "\uff5a", "𝄞", "a/b", "\udcff")}
    entries = collect(context_map, project)
    encoded = [name.encode("utf-8", "surrogateescape") for name in names(entries)]
    assert encoded == sorted(encoded)
    assert len(encoded) == 10


def test_dockerignore_leaves_files_out_of_a_taken_folder(project):
    (project / ".dockerignore").write_text("**/*.csv\r\n!data/deep/test.csv\r\nnotes.md\r\n.dockerignore\r\n")
    assert names(collect({"/app": "."}, project)) == [
        "app",
        "app/data",
        "app/data/deep",
        "app/data/deep/test.csv",
        "app/data/empty",
        "app/train.py",
    ]


def test_an_exception_brings_a_file_back_from_an_excluded_folder(project):
    (project / ".dockerignore").write_text("data\n!data/deep/test.csv\n")
    assert names(collect({"/app/data": "data"}, project)) == [
        "app",
        "app/data",
        "app/data/deep",
        "app/data/deep/test.csv",
    ]


@pytest.mark.parametrize("source", ["notes.md", "data", "./data/train.csv"])
def test_a_listed_source_that_dockerignore_excludes_is_left_out_with_a_warning(project, caplog, source):
    (project / ".dockerignore").write_text("*.md\ndata\n")
    with caplog.at_level(logging.WARNING, "fairing_az_jupyter"):
        entries = collect({"/app/train.py": "train.py", "/app/x": source}, project)
    assert names(entries) == ["app", "app/train.py"]
    assert f"'{source}' is left out of the image" in caplog.text
    assert str(project / ".dockerignore") in caplog.text


def test_dockerignore_applies_to_absolute_sources_below_the_root(project, caplog):
    (project / ".dockerignore").write_text("notes.md\n")
    assert collect({"/app/notes.md": project / "notes.md"}, project) == ()
    assert "notes.md" in caplog.text


def test_dockerignore_applies_where_the_root_is_reached_by_a_symlink(project, caplog):
    (project / ".dockerignore").write_text("notes.md\n")
    alias = project.parent / "alias"
    alias.symlink_to(project)
    assert collect({"/app/notes.md": project / "notes.md"}, alias) == ()
    assert collect({"/app/notes.md": "notes.md"}, alias) == ()
    assert "notes.md" in caplog.text


def test_dockerignore_says_nothing_of_files_outside_the_root(project, tmp_path):
    (project / ".dockerignore").write_text("**\n")
    (tmp_path / "tmpabc").write_text("pickle")
    assert names(collect({"/app/f.p": tmp_path / "tmpabc"}, project)) == ["app", "app/f.p"]


def test_dockerignore_still_applies_in_the_root_when_a_folder_above_it_is_taken(project):
    (project / ".dockerignore").write_text("data\n*.md\n.dockerignore\n")
    (project.parent / "other.md").write_text("x")
    assert names(collect({"/w": ".."}, project)) == ["w", "w/other.md", "w/project", "w/project/train.py"]


def test_files_of_installed_packages_are_taken_though_their_environment_is_excluded(project):
    shim = project / ".venv" / "lib" / "site-packages" / "function_shim.py"
    shim.parent.mkdir(parents=True)
    shim.write_text("shim")
    (project / ".dockerignore").write_text(".venv\n")
    assert "app/function_shim.py" in names(collect({"/app/function_shim.py": shim, "/app": "."}, project))
    assert "app/.venv" not in names(collect({"/app/function_shim.py": shim, "/app": "."}, project))


def test_rules_can_be_given_instead_of_the_file(project):
    (project / ".dockerignore").write_text("**\n")
    assert "app/notes.md" in names(collect({"/app/notes.md": "notes.md"}, project, IgnoreRules()))


def test_a_malformed_dockerignore_is_refused_with_its_line(project):
    (project / ".dockerignore").write_text("*.csv\n[\n")
    with pytest.raises(ContextError, match="Line 2"):
        collect({"/app/train.py": "train.py"}, project)


@pytest.mark.parametrize(
    ("link", "target", "kept"),
    [
        ("data/deep/up", "../train.csv", "../train.csv"),
        ("data/side", "deep/test.csv", "deep/test.csv"),
        ("data/dotted", "./deep//test.csv", "deep/test.csv"),
        ("data/folder", "deep", "deep"),
        ("data/self", "self", "self"),
        ("data/top", ".", "."),
        ("data/dangling", "gone.csv", "gone.csv"),
        ("data/deep/around", "../../data/train.csv", "../train.csv"),
        ("data/absolute", "{root}/data/deep/test.csv", "deep/test.csv"),
        ("data/deep/absolute", "{root}/data/train.csv", "../train.csv"),
        ("data/absolute-dangling", "{root}/data/gone", "gone"),
    ],
)
def test_a_symlink_in_a_taken_folder_keeps_pointing_into_it(project, link, target, kept):
    (project / link).symlink_to(target.format(root=project))
    entry = next(e for e in collect({"/app": "data"}, project) if e.destination == link.replace("data/", "app/"))
    assert (entry.kind, entry.target) == ("symlink", kept)


@pytest.mark.parametrize(
    "target", ["../train.py", "/etc/passwd", "deep/../../train.py", "..", "{root}", "../data-old/x"]
)
def test_a_symlink_that_leaves_its_folder_is_refused(project, target):
    text = target.format(root=project)
    (project / "data" / "link").symlink_to(text)
    with pytest.raises(ContextError) as caught:
        collect({"/app": "data"}, project)
    assert f"'{project}/data/link' is a symlink to '{text}'" in caught.value.message
    assert ".dockerignore" in caught.value.hint


def test_a_symlink_that_leaves_its_folder_through_another_is_refused(project):
    (project / "data" / "deep" / "back").symlink_to("..")
    (project / "data" / "link").symlink_to("deep/back/../train.py")  # looks as if it stayed in data/
    with pytest.raises(ContextError, match="data/link"):
        collect({"/app": "data"}, project)


def test_a_symlink_that_leaves_is_no_error_where_dockerignore_excludes_it(project):
    (project / "data" / "link").symlink_to("/etc/passwd")
    (project / ".dockerignore").write_text("data/link\n")
    assert "app/link" not in names(collect({"/app": "data"}, project))


def test_loops_of_symlinks_end(project):
    (project / "data" / "a").symlink_to("b")
    (project / "data" / "b").symlink_to("a")
    (project / "data" / "deep" / "loop").symlink_to("..")
    kinds = {entry.destination: entry.kind for entry in collect({"/app": "data"}, project)}
    assert kinds["app/a"] == kinds["app/b"] == kinds["app/deep/loop"] == "symlink"
    with pytest.raises(ContextError, match=r"'data/a' .* can't be read"):
        collect({"/app/a": "data/a"}, project)


def test_a_listed_symlink_is_followed(project):
    (project / "link.csv").symlink_to("data/train.csv")
    (project / "link").symlink_to("data")
    entries = {e.destination: e for e in collect({"/app/l.csv": "link.csv", "/app/d": "link"}, project)}
    assert (entries["app/l.csv"].kind, entries["app/l.csv"].source) == ("file", project / "data" / "train.csv")
    assert entries["app/d/deep/test.csv"].kind == "file"


@pytest.mark.parametrize("source", ["link", "link/secret.txt"])
def test_a_listed_relative_source_that_leads_out_of_the_root_is_refused_with_the_cure(project, tmp_path, source):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.txt").write_text("x")
    (project / "link").symlink_to(outside)
    with pytest.raises(ContextError, match=r"leaves the working directory") as caught:
        collect({"/app/x": source}, project)
    assert f"'{outside}" in caught.value.message
    assert f"output_map={{'{outside}" in caught.value.hint


def test_a_listed_absolute_symlink_is_followed_anywhere(project, tmp_path):
    (tmp_path / "real").write_text("x")
    (tmp_path / "link").symlink_to("real")
    assert collect({"/app/x": tmp_path / "link"}, project)[-1].source == tmp_path / "real"


def test_a_symlink_listed_beside_its_folder_is_taken_as_what_it_points_to(project):
    (project / "data" / "link").symlink_to("train.csv")
    for context_map in ({"/app": "data", "/app/link": "data/link"}, {"/z": "data", "/z/link": "data/link"}):
        entry = next(e for e in collect(context_map, project) if e.destination.endswith("/link"))
        assert entry.kind == "file"


def test_pipes_sockets_and_devices_are_refused(project, monkeypatch):
    os.mkfifo(project / "pipe")
    monkeypatch.chdir(project)  # a socket's path has to be short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
        for source in ("pipe", "socket", "/dev/null"):
            with pytest.raises(ContextError, match=rf"{source}' is a socket, a pipe or a device"):
                collect({"/app/x": source}, project)
        with pytest.raises(ContextError, match="is a socket, a pipe or a device"):
            collect({"/app": "."}, project)
        (project / ".dockerignore").write_text("pipe\nsocket\n")
        assert "app/train.py" in names(collect({"/app": "."}, project))


def test_a_file_or_folder_without_read_permission_is_named():
    script = """
import os, sys
sys.path.insert(0, sys.argv[1])
from fairing_az_jupyter.exceptions import ContextError
from fairing_az_jupyter.fairing.context import collecting
if os.getuid() == 0:
    os.setuid(65534)
for source in ("locked.csv", "locked", "."):
    try:
        collecting.collect({"/app/x": source})
    except ContextError as error:
        print(error)
"""
    with tempfile.TemporaryDirectory() as folder:  # pytest's own folders are closed to other users
        (Path(folder) / "locked.csv").write_text("x")
        (Path(folder) / "locked").mkdir()
        (Path(folder) / "locked.csv").chmod(0)
        (Path(folder) / "locked").chmod(0)
        Path(folder).chmod(0o755)
        done = subprocess.run(
            [sys.executable, "-c", script, Path(__file__).resolve().parents[2]],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    lines = done.stdout.splitlines()
    assert len(lines) == 3, done.stderr
    assert "locked.csv' can't be read (Permission denied)" in lines[0]
    assert "locked' can't be read (Permission denied)" in lines[1]
    assert "chmod" in lines[2]


def test_a_tree_of_hundreds_of_levels_is_taken(tmp_path):
    folder = tmp_path / "deep"
    for _ in range(400):
        folder /= "d"
    folder.mkdir(parents=True)
    entries = collect({"/app": "deep"}, tmp_path)
    assert len(entries) == 401
    archive = write_archive(entries, tmp_path / "deep.tar.gz")
    with tarfile.open(archive.path) as tar:
        assert tar.getnames()[-1] == "app" + "/d" * 400


def test_an_empty_map_gives_no_members(project):
    assert collect({}, project) == ()
