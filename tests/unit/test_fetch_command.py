"""`fetch`, as it is typed in a terminal and in a cell, and the hint at it where an input file is missing."""

from __future__ import annotations

import dataclasses
import json
import os

import pytest

from fairing_az_jupyter.exceptions import InputError
from fairing_az_jupyter.frontends.command_line.completion import complete
from fairing_az_jupyter.models import RunRequest
from fairing_az_jupyter.records import RunStore
from fairing_az_jupyter.records.status import read_status, write_status
from fairing_az_jupyter.services import Session
from fairing_az_jupyter.services.launch_planning import check_input_files
from tests.outputs.outputs_scene import local

FILES = {"model.dat": b"model", "plots/a.png": b"png"}


@pytest.fixture(autouse=True)
def in_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def make_run(own_folders):
    """Return a function that makes the record of a run, with outputs where files are given."""

    def make(files=None, *, kind="train", state="succeeded", asked=(), **status):
        store = RunStore(own_folders / "fairing-home" / "runs")
        request = dataclasses.replace(RunRequest("train.py", None), kind=kind, **dict(asked))
        folder = store.create(request, None)
        write_status(folder, {**read_status(folder), "state": state, **status}, final=False)
        if files is not None:
            local(folder / "outputs", files)
        return folder

    return make


@pytest.fixture
def job(own_folders):
    folder = own_folders / "fairing-home" / "local" / "fairing-job-1a2b3c4d"
    local(folder / "outputs", FILES)
    return folder.name


def test_all_files_of_a_run_come_to_the_current_folder(fairing_azure, make_run, in_folder):
    run = make_run(FILES).name

    code, out, _ = fairing_azure("fetch", run)

    assert code == 0
    assert "2 files (8 B) fetched" in out
    assert (in_folder / "plots" / "a.png").read_bytes() == b"png"


@pytest.mark.parametrize("name", ["last", "the end of the identifier", "the beginning of it"])
def test_a_run_is_named_as_by_runs_show(fairing_azure, make_run, in_folder, name):
    run = make_run(FILES).name
    words = {"last": "last", "the end of the identifier": run.rpartition("-")[2], "the beginning of it": run[:22]}

    code, _, err = fairing_azure("fetch", words[name], "model.dat", "--to", "here/there")

    assert (code, err) == (0, "")
    assert [path.name for path in (in_folder / "here" / "there").iterdir()] == ["model.dat"]


def test_a_job_of_this_machine_is_named_by_its_name(fairing_azure, job):
    code, out, _ = fairing_azure("fetch", job, "--list")

    assert code == 0
    assert "model.dat" in out
    assert "5 B" in out


def test_a_run_is_named_by_its_job_too(fairing_azure, make_run):
    make_run(FILES, job="fairing-job-99999999")

    code, out, _ = fairing_azure("fetch", "fairing-job-99999999", "--list", "--json")

    assert code == 0
    assert [file["name"] for file in json.loads(out)["files"]] == ["model.dat", "plots/a.png"]


def test_the_files_of_a_job_whose_record_has_them_are_found_by_both_names(fairing_azure, make_run, own_folders):
    run = make_run(FILES, job="fairing-job-99999999").name
    (own_folders / "fairing-home" / "local" / "fairing-job-99999999").mkdir(parents=True)

    for name in (run, "fairing-job-99999999"):
        assert "model.dat" in fairing_azure("fetch", name, "--list")[1]


def test_the_files_of_a_run_whose_job_has_them_are_found_by_both_names(fairing_azure, make_run, job):
    run = make_run(job=job).name

    for name in (run, job):
        assert "model.dat" in fairing_azure("fetch", name, "--list")[1]


@pytest.mark.parametrize(
    ("name", "why"), [("fairing-job-77777777", "still running, was killed"), ("fairing-endpoint-77777777", "endpoint")]
)
def test_a_job_of_this_machine_without_a_list_says_why(fairing_azure, own_folders, name, why):
    (own_folders / "fairing-home" / "local" / name).mkdir(parents=True)

    code, _, err = fairing_azure("fetch", name)

    assert code == 6
    assert why in err


def test_json_says_what_became_of_each_file(fairing_azure, job, in_folder):
    (in_folder / "model.dat").write_bytes(b"model")

    code, out, _ = fairing_azure("fetch", job, "--json")

    assert code == 0
    found = json.loads(out)
    assert [(file["name"], file["outcome"]) for file in found["files"]] == [
        ("model.dat", "there"),
        ("plots/a.png", "fetched"),
    ]


def test_a_file_that_exists_names_the_flag(fairing_azure, job, in_folder):
    (in_folder / "model.dat").write_bytes(b"mine")

    code, _, err = fairing_azure("fetch", job)

    assert code == 3
    assert "'model.dat'" in err
    assert "--overwrite" in err
    assert (in_folder / "model.dat").read_bytes() == b"mine"
    assert (in_folder / "plots" / "a.png").exists()
    assert fairing_azure("fetch", job, "--overwrite")[0] == 0
    assert (in_folder / "model.dat").read_bytes() == b"model"


def test_an_unknown_launch_names_the_nearest(fairing_azure, job):
    code, _, err = fairing_azure("fetch", "fairing-job-1a2b3c4e")

    assert code == 3
    assert "Did you mean 'fairing-job-1a2b3c4d'?" in err
    assert "fairing-azure runs list" in err


def test_an_unknown_file_names_the_nearest_and_what_there_is(fairing_azure, job):
    code, _, err = fairing_azure("fetch", job, "modle.dat")

    assert code == 3
    assert "Did you mean 'model.dat'?" in err
    assert "plots/a.png" in err


@pytest.mark.parametrize(
    ("kind", "state", "why"),
    [
        ("train", "failed", "failed, perhaps before its job began"),
        ("train", "running", "files are kept when it ends"),
        ("deploy", "succeeded", "has deployed an endpoint"),
        ("notebook", "succeeded", "directly into its working folder, "),
        ("train", "succeeded", "has kept none"),
    ],
)
def test_where_nothing_was_kept_it_is_said_why(fairing_azure, make_run, kind, state, why):
    from fairing_az_jupyter import machine

    run = make_run(kind=kind, state=state, process=machine.process_name(os.getpid())).name

    code, _, err = fairing_azure("fetch", run)

    assert code == 6
    assert why in err


def test_a_notebook_that_was_to_keep_nothing_in_the_cluster_says_so(fairing_azure, make_run):
    run = make_run(
        kind="notebook", place="cluster", outputs="", job="fairing-job-1", namespace="a", asked={"outputs": False}
    )

    code, _, err = fairing_azure("fetch", run.name)

    assert code == 6
    assert "launched with --no-outputs" in err


@pytest.mark.parametrize(
    ("kept", "said"),
    [
        ({"files": 1, "size": 2_000_000}, "1 file, 2.0 MB: fairing-azure fetch {}"),
        ({"files": 0, "size": 0, "note": "They are too large. Not kept: a."}, "They are too large. Not kept: a."),
        (None, "see which: fairing-azure fetch {} --list"),
    ],
)
def test_a_run_in_the_cluster_shows_what_was_kept_of_its_files(fairing_azure, make_run, kept, said):
    state = {"kept": kept} if kept else {}
    run = make_run(
        kind="notebook", state="failed", place="cluster", outputs="abs://a/b/outputs/x/", started=1.0, **state
    )

    code, out, _ = fairing_azure("runs", "show", run.name)

    assert code == 0
    assert said.format(run.name) in out


def test_files_of_records_of_this_machine_are_offered_by_tab(make_run, job):
    run = make_run(FILES).name

    for launch in (run, job, "last"):
        assert offered(f"%fairing_azure fetch {launch} mo") == ["model.dat"]
    assert offered(f"%fairing_azure fetch {run} model.dat --to x pl") == ["plots/a.png"]
    assert offered("%fairing_azure fetch nosuch ") == []


def offered(line):
    return [match.text for match in complete(line, {}).matches]


def test_a_run_that_wrote_nothing_says_so(fairing_azure, make_run):
    code, out, _ = fairing_azure("fetch", make_run({}).name)

    assert code == 0
    assert "wrote no files" in out


def test_what_was_left_out_and_cut_off_is_said(fairing_azure, make_run):
    folder = make_run()
    left_out = [{"path": "huge.bin", "size": 3_000_000_000, "reason": "limit"}]
    local(folder / "outputs", FILES, left_out=left_out, complete=False)

    _, out, _ = fairing_azure("fetch", folder.name, "--list")

    assert "huge.bin (3.0 GB, beyond the size limit)" in out
    assert "had not ended" in out


def test_a_name_that_would_move_the_cursor_is_shown_without(fairing_azure, make_run):
    _, out, _ = fairing_azure("fetch", make_run({"a\x1b[2Jb": b""}).name, "--list")

    assert "\x1b" not in out


def test_list_and_overwrite_exclude_each_other(fairing_azure, job):
    assert fairing_azure("fetch", job, "--list", "--overwrite")[0] == 2


def test_a_newer_list_says_how_to_update(fairing_azure, make_run):
    code, _, err = fairing_azure("fetch", local(make_run() / "outputs", FILES, format=2).parent.name)

    assert code == 3
    assert "pip install --upgrade" in err


IPYTHON = """
import sys
from IPython.testing.globalipapp import start_ipython
shell = start_ipython()
shell.run_line_magic("load_ext", "fairing_az_jupyter")
fetch = lambda words: shell.run_line_magic("fairing_azure", f"fetch {sys.argv[1]} {words}")
"""


def test_a_cell_gets_the_files_and_their_paths(run_python, job, in_folder):
    script = """
listed, fetched = fetch("--list"), fetch("model.dat --to results")
print([(file.name, file.size) for file in listed], [str(path) for path in fetched], listed._repr_html_())
"""
    out = run_python(IPYTHON + script, job).stdout

    assert "[('model.dat', 5), ('plots/a.png', 3)] ['results/model.dat'] <div" in out
    assert (in_folder / "results" / "model.dat").read_bytes() == b"model"


def test_a_cell_does_not_continue_without_the_file_that_it_has_asked_for(run_python, job, in_folder):
    (in_folder / "model.dat").write_bytes(b"mine")
    script = """
found = shell.run_cell(f"%fairing_azure fetch {sys.argv[1]} model.dat")
print("success", found.success, type(found.error_in_exec).__name__)
"""
    done = run_python(IPYTHON + script, job)

    assert "success False" in done.stdout
    assert "--overwrite" in done.stdout + done.stderr


@pytest.mark.parametrize("name", ["model.dat", "./model.dat", "other/model.dat"])
def test_a_missing_input_file_names_the_run_that_has_written_it(make_run, in_folder, name):
    make_run({"model.dat": b"old"})
    latest = make_run(FILES).name

    with pytest.raises(InputError) as caught:
        check_input_files(Session(), [name], in_folder, "Model")

    assert latest in caught.value.hint
    assert f"fairing-azure fetch {latest} model.dat" in caught.value.hint


def test_a_missing_input_file_names_the_job_of_this_machine_that_has_written_it(job, in_folder):
    with pytest.raises(InputError, match=f"fairing-azure fetch {job} plots/a.png"):
        check_input_files(Session(), ["plots/a.png"], in_folder, "Model")


def test_a_missing_input_file_that_nobody_has_written_is_told_as_before(job, in_folder):
    with pytest.raises(InputError, match="relative to the notebook's folder"):
        check_input_files(Session(), ["data.csv"], in_folder, "Model")
