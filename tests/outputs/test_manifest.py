"""The list of what a job has written: what is read comes back, and what is hostile never leaves a folder."""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath, PureWindowsPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairing_az_jupyter.exceptions import InputError
from fairing_az_jupyter.outputs.manifest import LeftOut, Manifest, OutputFile
from fairing_az_jupyter.outputs.paths import not_portable
from tests.outputs.outputs_scene import entry, manifest

NAMES = st.text(st.characters(exclude_characters="/\\\0:", exclude_categories=["Cs"]), min_size=1, max_size=20).filter(
    lambda name: name not in {".", ".."}
)
PATHS = st.lists(NAMES, min_size=1, max_size=4).map("/".join)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)
HOSTILE = (
    *(
        "/etc/passwd",
        "../x",
        "a/../../x",
        "a//b",
        "./a",
        "a/",
        "C:/x",
        "c:x",
        "a\\b",
        "..\\x",
        "\\\\host\\x",
        "",
        "a\0b",
    ),
    *("a/./b", "..", "."),
)


def parsed(data):
    return Manifest.parse(data, where="the-place")


@given(st.dictionaries(PATHS, st.binary(max_size=10), max_size=8), st.booleans())
def test_what_is_written_is_read_again(files, complete):
    paths = sorted(path for path in files if not any(other.startswith(f"{path}/") for other in files))
    before = Manifest(
        tuple(OutputFile(path, len(files[path]), "0" * 64, 1.25) for path in paths),
        "00ff",
        complete,
        (LeftOut("big", 5, "limit"),),
        error={"type": "ValueError", "message": "ä\udcff"},
    )

    assert parsed(before.dump()) == before


@given(st.text())
def test_no_path_of_a_manifest_leads_out_of_a_folder(path):
    try:
        found = parsed(manifest([entry(path)]))
    except InputError:
        return

    name = found.files[0].path
    for kind in (PurePosixPath, PureWindowsPath):
        assert not kind(name).is_absolute()
        assert ".." not in kind(name).parts
    assert not PureWindowsPath(name).drive
    assert Path("/target/of", name).resolve().is_relative_to("/target/of")


@given(JSON)
def test_any_json_is_a_manifest_or_a_clear_error(document):
    with pytest.raises(InputError) as caught:
        parsed(json.dumps(document).encode())
    assert "the-place" in caught.value.message
    assert caught.value.hint


@given(st.sampled_from(sorted(json.loads(manifest()))), JSON)
def test_a_manifest_with_one_odd_part_is_read_or_a_clear_error(part, value):
    try:
        found = parsed(manifest([entry()], **{part: value}))
    except InputError:
        return

    assert parsed(found.dump()) == found


@given(st.binary())
def test_any_bytes_are_a_clear_error(data):
    with pytest.raises(InputError):
        parsed(data)


@pytest.mark.parametrize("path", HOSTILE)
def test_a_path_that_could_leave_the_folder_is_rejected_with_the_whole_list(path):
    with pytest.raises(InputError) as caught:
        parsed(manifest([entry("good.txt"), entry(path)]))

    assert caught.value.code == "outputs-manifest"


@pytest.mark.parametrize(
    ("entries", "reason"),
    [
        ([entry("a"), entry("a")], "twice"),
        ([entry("a"), entry("a/b")], "both a file and a folder"),
        ([entry("a", link="/etc/passwd")], "is a link"),
        ([entry("a", type="symlink")], "is a link"),
        ([entry("a", size=-1)], "size"),
        ([entry("a", size=True)], "size"),
        ([entry("a", size=1.5)], "size"),
        ([entry("a", sha256="A" * 64)], "SHA-256"),
        ([entry("a", modified=10**400)], "time"),
        ([entry("a", offset=512)], "no"),
    ],
)
def test_entries_that_contradict_each_other_are_rejected(entries, reason):
    with pytest.raises(InputError) as caught:
        parsed(manifest(entries))

    assert reason in caught.value.message


@pytest.mark.parametrize(
    "entries",
    [
        [entry("a", offset=512), entry("b", offset=513)],
        [entry("a", offset=1022)],
        [entry("a")],
        [entry("a", offset=-1)],
    ],
)
def test_places_in_the_archive_that_can_not_be_are_rejected(entries):
    with pytest.raises(InputError):
        parsed(manifest(entries, tar={"etag": '"0x1"', "size": 1024}))


@pytest.mark.parametrize("etag", ["", "a\r\nb", 5, None, "ä"])
def test_an_etag_that_could_be_another_header_is_rejected(etag):
    with pytest.raises(InputError):
        parsed(manifest([], tar={"etag": etag, "size": 0}))


def test_a_newer_format_says_how_to_update():
    with pytest.raises(InputError) as caught:
        parsed(manifest(format=2))

    assert caught.value.code == "outputs-format"
    assert "format 2" in caught.value.message
    assert "pip install --upgrade" in caught.value.hint


def test_what_a_later_version_adds_to_a_file_is_passed_over():
    assert parsed(manifest([entry(mode=420)])).files[0].path == "a.txt"


def test_an_error_shows_no_character_that_moves_the_cursor():
    with pytest.raises(InputError) as caught:
        parsed(manifest([entry("/\x1b[2J\n" + "x" * 5000)]))

    assert caught.value.message.isprintable()
    assert len(caught.value.message) < 500


def test_the_files_of_this_package_are_not_among_those_that_the_job_has_written():
    found = parsed(manifest([entry(".fairing-az/result.json"), entry("model.dat")]))

    assert [file.path for file in found.written] == ["model.dat"]


@pytest.mark.parametrize(
    "name", ["con", "NUL.txt", "a/com1.log", "lpt¹", "x.", "x ", "a?b", "a<b", "tab\there", "aux .c"]
)
def test_a_name_that_windows_can_not_have_is_none_there_and_one_everywhere_else(name):
    assert not_portable(name, windows=True)
    assert not not_portable(name, windows=False)
