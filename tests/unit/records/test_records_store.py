"""The folder of all records: made, found and listed, also where its files are broken or somebody else's."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from fairing_az_jupyter import machine
from fairing_az_jupyter.exceptions import FairingAzureError, InputError
from fairing_az_jupyter.models import RunEvent, RunRequest
from fairing_az_jupyter.records import Recorder, RunStore, layout, rescue
from fairing_az_jupyter.runs.recorded import begin

NOTEBOOK = b'{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}'


def ended(store, run=None, *, notebook="prices.ipynb", state="succeeded", metrics=None, error=None, **parameters):
    """Make the record of a run that has ended."""
    folder = store.create(RunRequest(notebook, "out.ipynb", parameters), NOTEBOOK, run=run)
    with Recorder(folder) as recorder:
        recorder(RunEvent("cell-started", time.time(), cell=1, cells=3, text="train()"))
        for name, value in (metrics or {}).items():
            recorder(RunEvent("metric", time.time(), cell=1, cells=3, name=name, value=value))
        recorder.finish(state, duration=1.5, error=error)
    return folder


def forget(store):
    """Delete the index, which knows the runs as they were."""
    (store.path / "index.jsonl").unlink()


def test_record_of_a_run_that_waits_is_readable_by_hand(store):
    folder = store.create(RunRequest("a folder/prices.ipynb", "out.ipynb", {"rate": 0.25}), NOTEBOOK)

    assert json.loads((folder / "request.json").read_text())["request"]["parameters"] == {"rate": 0.25}
    assert json.loads((folder / "status.json").read_text())["state"] == "waiting"
    assert (folder / "notebook.ipynb").read_bytes() == NOTEBOOK
    assert sorted(entry.name for entry in store.path.iterdir()) == [folder.name]


def test_records_are_closed_to_other_users(store):
    folder = ended(store)

    modes = {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir() if path.name != "claim-1"}
    assert folder.stat().st_mode & 0o077 == 0
    assert modes["status.json"] == 0o600


@pytest.mark.parametrize(
    "name",
    [
        "Übungs Heft ☃.ipynb",
        "zeile\nzwei.ipynb",
        "x" * 200 + ".ipynb",
        "..",
        "../..",
        "CON.ipynb",
        "-rf.ipynb",
        "C:\\Users\\me\\prices.ipynb",
        "abs://team/books/prices.ipynb",
        ".ipynb",
        "a\udcffb.ipynb",
    ],
)
def test_any_name_of_a_notebook_gives_a_record_that_is_found_again(store, name):
    folder = store.create(RunRequest(name, None), NOTEBOOK)

    assert folder.parent == store.path
    assert layout.is_run_id(folder.name)
    assert len(folder.name) < 60
    assert folder.name.isascii()
    assert [info.notebook for info in store.list()] == [name]
    assert store.request(folder.name).notebook == name


def test_runs_are_listed_with_the_newest_first(store):
    for second in (10, 30, 20):
        ended(store, f"20260101-0000{second}.000-a-0000")

    assert [info.id[13:15] for info in store.list()] == ["30", "20", "10"]
    assert [info.id[13:15] for info in store.list(limit=1)] == ["30"]


def test_two_runs_of_the_same_moment_get_records_of_their_own(store, monkeypatch):
    monkeypatch.setattr(time, "time", lambda: 1_700_000_000.0)

    names = {store.create(RunRequest("a.ipynb", None), NOTEBOOK).name for _ in range(50)}

    assert len(names) == 50


def test_second_run_of_a_given_identifier_is_refused_and_leaves_nothing(store):
    store.create(RunRequest("a.ipynb", None), NOTEBOOK, run="point-7")

    with pytest.raises(FileExistsError, match="run already exists"):
        store.create(RunRequest("b.ipynb", None), NOTEBOOK, run="point-7")

    assert [entry.name for entry in store.path.iterdir()] == ["point-7"]
    assert store.find("point-7").notebook == "a.ipynb"


def test_list_is_the_same_with_and_without_the_index(store):
    for number in range(30):
        ended(store, f"20260101-0000{number:02}.000-a-0000", metrics={"rmse": number / 3}, rate=number)
    first = store.list()
    assert (store.path / "index.jsonl").exists()

    assert store.list() == first
    (store.path / "index.jsonl").unlink()
    assert store.list() == first


@pytest.mark.parametrize(
    "content",
    [b"\0\0\0", b"not json\n", b"[1, 2]\n", b'{"no": "id"}\n', b'{"id": ["list"]}\n', b"\xff\xfe", b'{"id": "x"'],
)
def test_broken_index_changes_no_list_and_is_replaced(store, content):
    for number in range(30):
        ended(store, f"20260101-0000{number:02}.000-a-0000")
    before = store.list()
    (store.path / "index.jsonl").write_bytes(content)

    assert store.list() == before
    assert len((store.path / "index.jsonl").read_text().splitlines()) == 30


def test_index_with_values_of_wrong_types_breaks_no_list(store):
    folder = ended(store, metrics={"rmse": 1.0})
    odd = {
        "id": folder.name,
        "state": "succeeded",
        "notebook": "a.ipynb",
        "created": "then",
        "metrics": [1],
        "cell": {},
    }
    (store.path / "index.jsonl").write_text(json.dumps(odd) + "\n")

    (info,) = store.list()

    assert (info.created, info.metrics, info.cell) == (0.0, {}, None)


def test_list_and_show_agree_after_the_index_has_been_written(store):
    error = {"code": "run-failed", "message": "Cell 1 failed.", "hint": "", "source": "1/0", "traceback": ["a", "b"]}
    for number in range(30):
        ended(store, f"20260101-0000{number:02}.000-a-0000", state="failed", error=error)
    store.list()

    listed = store.list(limit=1)[0]
    shown = store.find(listed.id)

    assert shown.error["traceback"] == ["a", "b"]
    assert shown.error["source"] == "1/0"
    assert listed.error == {"code": "run-failed", "message": "Cell 1 failed.", "hint": ""}


def test_tracebacks_of_failed_runs_do_not_swell_the_list(store):
    error = {"code": "run-failed", "message": "no", "hint": "", "source": "x" * 10**6, "traceback": ["y" * 10**6] * 500}
    for number in range(25):
        ended(store, f"20260101-0000{number:02}.000-a-0000", state="failed", error=error)
    store.list()

    assert (store.path / "index.jsonl").stat().st_size < 50_000
    assert max((folder / "status.json").stat().st_size for folder in store.path.glob("2026*")) < 600_000


def test_run_that_ends_after_the_index_was_written_is_shown_as_it_ended(store):
    folder = store.create(RunRequest("a.ipynb", None), NOTEBOOK, run="20260102-000000.000-a-0000")
    for number in range(30):
        ended(store, f"20260101-0000{number:02}.000-a-0000")
    assert store.list()[0].state == "waiting"

    with Recorder(folder) as recorder:
        assert store.list()[0].state == "running"
        recorder.finish("succeeded")

    assert store.list()[0].state == "succeeded"


def test_list_selects_by_state_and_notebook(store):
    ended(store, "r1", notebook="a/prices.ipynb")
    ended(store, "r2", notebook="C:\\work\\prices.ipynb", state="failed")
    ended(store, "r3", notebook="/data/sales.ipynb")

    assert [info.id for info in store.list(notebook="prices.ipynb")] == ["r2", "r1"]
    assert [info.id for info in store.list(notebook="./a/prices.ipynb")] == ["r1"]
    assert [info.id for info in store.list(notebook="/some/a/prices.ipynb")] == ["r1"]
    assert [info.id for info in store.list(notebook="/other/sales.ipynb")] == []
    assert [info.id for info in store.list(state="failed")] == ["r2"]


def test_run_is_found_by_what_only_it_has(store):
    names = ["20260101-120000.000-prices-7f3a", "20260101-130000.000-prices-0b1c", "20260202-120000.000-sales-7777"]
    for name in names:
        ended(store, name)

    assert store.find(names[0]).id == names[0]
    assert store.find("20260101-12").id == names[0]
    assert store.find("0b1c").id == names[1]
    assert store.find("sales").id == names[2]
    assert store.find("last").id == names[2]


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("prices", "run-ambiguous"),
        ("2026", "run-ambiguous"),
        ("nothing", "run-unknown"),
        ("", "run-unknown"),
        ("..", "run-unknown"),
        ("../runs", "run-unknown"),
        ("index.jsonl", "run-unknown"),
        ("\n", "run-unknown"),
    ],
)
def test_name_that_says_no_run_or_several_is_refused_with_a_cure(store, name, code):
    for each in ("20260101-120000.000-prices-7f3a", "20260101-130000.000-prices-0b1c"):
        ended(store, each)

    with pytest.raises(InputError) as refused:
        store.find(name)

    assert refused.value.code == code
    assert refused.value.hint


def test_mistyped_identifier_is_answered_with_the_right_one(store):
    ended(store, "20260101-120000.000-prices-7f3a")

    with pytest.raises(InputError, match=r"Did you mean '20260101-120000\.000-prices-7f3a'"):
        store.find("20260101-120000.000-prices-7f3b")


def test_foreign_files_and_folders_between_the_records_are_no_runs(store):
    folder = ended(store)
    (store.path / "zzz-notes.txt").write_text("mine")
    (store.path / "zzz-folder").mkdir()
    (store.path / ".hidden").mkdir()
    (store.path / "zzz-link").symlink_to(store.path / "nowhere")

    assert [info.id for info in store.list()] == [folder.name]
    assert store.find("last").id == folder.name


@pytest.mark.parametrize("name", ["request.json", "status.json"])
@pytest.mark.parametrize(
    "content", [b"", b"\0" * 100, b"[]", b'"text"', b'{"state": 5, "request": 3}', b"{\xff}", None]
)
def test_broken_record_is_left_out_of_the_list_and_named_when_asked_for(store, name, content):
    whole, broken = ended(store, "r1"), ended(store, "r2")
    path = broken / name
    path.unlink()
    if content is not None:
        path.write_bytes(content)
        os.utime(path, (1, 1))
    forget(store)

    assert [info.id for info in store.list()] == [whole.name]
    assert store.find("last").id == "r1"
    with pytest.raises(InputError, match="record of the run 'r2' is broken") as refused:
        store.find("r2")
    assert "rm -r" in refused.value.hint


def test_many_broken_records_take_no_time(store):
    for number in range(100):
        folder = store.create(RunRequest("a.ipynb", None), NOTEBOOK, run=f"r{number}")
        (folder / "status.json").write_bytes(b"{")
        os.utime(folder / "status.json", (1, 1))
    began = time.monotonic()

    assert store.list() == []

    assert time.monotonic() - began < 2


def test_status_with_values_of_wrong_types_breaks_neither_list_nor_show(store):
    folder = ended(store)
    odd = {"state": "failed", "started": "yesterday", "metrics": None, "error": "text", "cell": "3", "attempt": []}
    (folder / "status.json").write_text(json.dumps(odd))
    forget(store)

    (info,) = store.list()

    assert info.state == "failed"
    assert (info.started, info.metrics, info.error, info.cell, info.attempt) == (None, {}, None, None, 0)


def test_record_of_a_newer_version_is_read_as_far_as_it_is_known(store):
    folder = ended(store)
    for name in ("request.json", "status.json"):
        document = json.loads((folder / name).read_text())
        (folder / name).write_text(json.dumps({**document, "news": {"from": 2030}}))
    document = json.loads((folder / "request.json").read_text())
    document["request"]["colour"] = "blue"
    (folder / "request.json").write_text(json.dumps(document))

    assert store.list()[0].state == "succeeded"
    assert store.request(folder.name).notebook == "prices.ipynb"


def test_paths_of_a_request_count_from_where_it_was_asked_for(store, tmp_path, monkeypatch):
    (tmp_path / "a").mkdir()
    monkeypatch.chdir(tmp_path / "a")
    folder = store.create(RunRequest("prices.ipynb", "abs://c/out.ipynb", cwd="data"), NOTEBOOK)
    assert store.request(folder.name).notebook == "prices.ipynb"

    monkeypatch.chdir(tmp_path)
    request = store.request(folder.name)

    assert request.notebook == str(tmp_path / "a" / "prices.ipynb")
    assert request.cwd == str(tmp_path / "a" / "data")
    assert request.output == "abs://c/out.ipynb"


def test_list_of_a_folder_that_is_not_there_is_empty_and_makes_none(tmp_path):
    assert RunStore(tmp_path / "none").list() == []
    assert not (tmp_path / "none").exists()


def test_relative_folder_counts_from_the_current_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    assert RunStore.open(environ={"FAIRING_AZURE_RUNS": "kept/runs"}).path == tmp_path / "kept" / "runs"
    assert RunStore.open("given", environ={"FAIRING_AZURE_RUNS": "kept"}).path == tmp_path / "given"


def test_tilde_is_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))

    assert RunStore.open(environ={"FAIRING_AZURE_RUNS": "~/runs"}).path == tmp_path / "runs"


def test_home_of_a_user_who_is_not_known_is_refused_with_a_cure():
    with pytest.raises(InputError, match="not a folder for records") as refused:
        RunStore.open("~nobody-of-that-name/runs")

    assert "--runs-folder" in refused.value.hint


@pytest.mark.parametrize("kind", ["file", "loop", "below-a-file"])
def test_what_is_no_folder_is_refused_with_its_name(tmp_path, kind):
    path = tmp_path / "runs"
    if kind == "loop":
        path.symlink_to(path)
    else:
        path.write_text("mine")
    folder = path / "deeper" if kind == "below-a-file" else path

    with pytest.raises(FairingAzureError, match=str(folder)) as refused:
        begin(RunStore(folder), RunRequest("a.ipynb", None), NOTEBOOK)

    assert refused.value.code == "record"
    assert "--runs-folder" in refused.value.hint


def test_list_of_a_file_is_refused_with_a_cure(tmp_path):
    (tmp_path / "runs").write_text("mine")

    with pytest.raises(InputError, match="Not a directory") as refused:
        RunStore(tmp_path / "runs").list()

    assert "--runs-folder" in refused.value.hint


def test_run_that_could_not_be_recorded_in_its_folder_is_in_the_list(tmp_path, monkeypatch):
    store = RunStore(tmp_path / "runs")

    def full(*_arguments, **_more):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store, "create", full)
    with pytest.raises(FairingAzureError, match="No space left"):
        begin(store, RunRequest("prices.ipynb", None, {"rate": 1}), NOTEBOOK)

    (info,) = RunStore(tmp_path / "runs").list()
    assert info.state == "failed"
    assert info.parameters == {"rate": 1}
    assert "No space left" in info.error["message"]
    assert store.find(info.id[-4:]) == info


def test_notes_in_a_folder_that_others_may_write_to_do_not_count(store):
    rescue.keep(store.path / "20260101-000000.000-a-0000", {"state": "failed"}, {"request": {"notebook": "a.ipynb"}})
    assert len(store.list()) == 1

    rescue.rescue_folder().chmod(0o777)

    assert store.list() == []
    with pytest.raises(PermissionError):
        rescue.keep(store.path / "x", {"state": "failed"}, {})


def test_notes_are_not_written_through_a_link(store, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    rescue.rescue_folder().symlink_to(tmp_path / "elsewhere")

    with pytest.raises(PermissionError):
        rescue.keep(store.path / "x", {"state": "failed"}, {})

    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_note_is_found_whichever_way_the_folder_is_named(store, tmp_path):
    store.path.mkdir()
    (tmp_path / "link").symlink_to(store.path)
    rescue.keep(store.path / "r1", {"state": "failed"}, {"request": {"notebook": "a.ipynb"}})

    assert [info.id for info in RunStore(tmp_path / "link").list()] == ["r1"]
    assert RunStore(tmp_path / "other").list() == []


def test_cancel_of_a_run_that_has_ended_is_refused(store):
    ended(store, "r1")

    with pytest.raises(InputError, match="has ended") as refused:
        store.cancel("r1")

    assert "runs retry r1" in refused.value.hint


def test_second_cancel_is_as_good_as_the_first(store):
    folder = store.create(RunRequest("a.ipynb", None), NOTEBOOK)
    store.cancel("last")
    store.cancel("last")

    with Recorder(folder) as recorder:
        assert recorder.cancel.wait(5)


def test_record_made_by_this_process_names_it(store):
    folder = store.create(RunRequest("a.ipynb", None), NOTEBOOK)

    document = json.loads((folder / "request.json").read_text())
    assert document["asked_by"] == machine.process_name()
    assert document["asked_in"] == str(Path.cwd())


def test_environment_is_in_no_file_of_a_record(store, monkeypatch):
    monkeypatch.setenv("AZURE_CLIENT_SECRET", "marked-value-0815")
    folder = ended(store)

    assert not any(b"marked-value-0815" in path.read_bytes() for path in folder.iterdir())


@pytest.mark.parametrize("name", ["password", "AZURE_STORAGE_KEY", "client_secret"])
def test_secret_parameter_is_refused_before_anything_is_written(store, name):
    with pytest.raises(FairingAzureError) as refused:
        begin(store, RunRequest("a.ipynb", None, {name: "marked-value-0815"}), NOTEBOOK)

    assert "marked-value-0815" not in str(refused.value)
    assert not store.path.exists()


def test_a_line_of_the_index_that_is_broken_costs_that_line_only(store):
    first, second = ended(store, "r1"), ended(store, "r2")
    index = store.path / "index.jsonl"
    index.write_bytes(index.read_bytes().replace(b'"id":"r1"', b'"id":"r', 1))

    assert [info.id for info in store.list()] == [second.name, first.name]


def test_the_end_of_a_run_stands_in_the_index_at_once(store):
    ended(store, "r1", metrics={"rmse": 0.5})

    (line,) = (store.path / "index.jsonl").read_text().split()
    assert (json.loads(line)["state"], json.loads(line)["metrics"]) == ("succeeded", {"rmse": 0.5})
