"""What a run has written, through Jupyter Server: listed, downloaded, and copied beside its notebook."""

from __future__ import annotations

import hashlib
import json
import os

import pytest
import requests

from tests.outputs.outputs_scene import local

FILES = {"model.dat": b"model", "plots/ä b.html": b"<script>alert(1)</script>", ".hidden/x": b"x"}


@pytest.fixture
def run(server):
    folder = server.make_run(state="succeeded")
    (server.root / "work").mkdir(exist_ok=True)
    local(folder / "outputs", FILES)
    return folder.name


@pytest.fixture
def in_work(server, run):
    """Put the run's notebook into a folder of its own."""
    folder = server.home / "fairing" / "runs" / run
    request = json.loads((folder / "request.json").read_text())
    work = server.root / f"work-{run}"
    work.mkdir()
    (work / "prices.ipynb").write_text("{}")
    request["request"]["notebook"] = str(work / "prices.ipynb")
    (folder / "request.json").write_text(json.dumps(request))
    return work


def test_the_files_of_a_run_are_listed(server, run):
    answer = server.ask("GET", f"runs/{run}/outputs")

    assert answer.status_code == 200
    found = {file["name"]: file for file in answer.json()["files"]}
    assert found.keys() == FILES.keys()
    assert found["model.dat"]["size"] == 5
    assert found["model.dat"]["sha256"] == hashlib.sha256(b"model").hexdigest()


def test_a_file_is_downloaded_and_never_shown(server, run):
    answer = server.ask("GET", f"runs/{run}/outputs/file", params={"name": "plots/ä b.html"})

    assert answer.status_code == 200
    assert answer.content == FILES["plots/ä b.html"]
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["Content-Length"] == "25"
    assert answer.headers["Content-Disposition"].startswith("attachment;")
    assert "%C3%A4%20b.html" in answer.headers["Content-Disposition"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_a_large_and_an_empty_file_are_downloaded_as_they_are(server):
    files = {"large.bin": os.urandom(20_000_001), "empty.bin": b""}
    run = server.make_run(state="succeeded")
    local(run / "outputs", files)

    for name, content in files.items():
        answer = server.ask("GET", f"runs/{run.name}/outputs/file", params={"name": name})
        assert answer.content == content


def test_a_file_that_is_damaged_is_not_taken_for_whole(server):
    run = server.make_run(state="succeeded")
    local(run / "outputs", {"large.bin": bytes(5_000_000)})
    (run / "outputs" / "files" / "large.bin").write_bytes(bytes(4_999_999) + b"x")

    with pytest.raises((requests.exceptions.ChunkedEncodingError, requests.exceptions.ConnectionError)):
        server.ask("GET", f"runs/{run.name}/outputs/file", params={"name": "large.bin"})


def test_a_small_file_that_is_damaged_is_an_error(server):
    run = server.make_run(state="succeeded")
    local(run / "outputs", {"a.txt": b"abc"})
    (run / "outputs" / "files" / "a.txt").write_bytes(b"abd")

    answer = server.ask("GET", f"runs/{run.name}/outputs/file", params={"name": "a.txt"})

    assert answer.status_code == 409
    assert answer.json()["code"] == "outputs-damaged"


@pytest.mark.parametrize("name", ["none.dat", "../request.json", "/etc/passwd", "plots", "..\\request.json"])
def test_only_files_of_the_list_are_downloaded(server, run, name):
    answer = server.ask("GET", f"runs/{run}/outputs/file", params={"name": name})

    assert answer.status_code == 404
    assert answer.json()["code"] == "output-unknown"


def test_a_run_that_has_kept_nothing_says_why(server):
    run = server.make_run(state="succeeded").name

    for path in ("outputs", "outputs/file?name=x"):
        answer = server.ask("GET", f"runs/{run}/{path}")
        assert answer.status_code == 404
        assert answer.json()["code"] == "nothing-kept"


@pytest.mark.parametrize("run", ["20200101-000000.000-none-0000", "last"])
def test_a_run_that_is_not_there_is_a_404(server, run):
    assert server.ask("GET", f"runs/{run}/outputs").status_code == 404
    assert server.ask("GET", f"runs/{run}/outputs/file?name=x").status_code == 404
    assert server.ask("POST", f"runs/{run}/outputs/fetch", {}).status_code == 404


def test_files_are_copied_beside_the_notebook_of_the_run(server, run, in_work):
    answer = server.ask("POST", f"runs/{run}/outputs/fetch", {})

    assert answer.status_code == 200, answer.text
    found = {file["name"]: file for file in answer.json()["files"]}
    assert found.pop(".hidden/x") == {
        "name": ".hidden/x",
        "size": 1,
        "outcome": "rejected",
        "reason": "it is hidden, and Jupyter shows no hidden files",
        "replaceable": False,
        "contents_path": None,
    }
    assert found.keys() == {"model.dat", "plots/ä b.html"}
    assert found["plots/ä b.html"]["contents_path"] == f"{in_work.name}/plots/ä b.html"
    assert (in_work / "plots" / "ä b.html").read_bytes() == FILES["plots/ä b.html"]
    assert not (in_work / ".hidden").exists()


def test_a_file_that_exists_is_rejected_and_replaced_when_asked_for(server, run, in_work):
    (in_work / "model.dat").write_bytes(b"mine")

    answer = server.ask("POST", f"runs/{run}/outputs/fetch", {"files": ["model.dat"]}).json()
    assert answer["files"][0]["outcome"] == "rejected"
    assert "already exists" in answer["files"][0]["reason"]
    assert answer["files"][0]["replaceable"]
    assert (in_work / "model.dat").read_bytes() == b"mine"

    server.ask("POST", f"runs/{run}/outputs/fetch", {"files": ["model.dat"], "overwrite": True})
    assert (in_work / "model.dat").read_bytes() == b"model"


@pytest.mark.parametrize("folder", ["../outside", "/etc", "work/../../x", ".ssh", "none/there"])
def test_files_are_copied_to_no_folder_outside_of_the_contents(server, run, folder):
    (server.root / ".ssh").mkdir(exist_ok=True)

    answer = server.ask("POST", f"runs/{run}/outputs/fetch", {"folder": folder})

    assert answer.status_code in {400, 404}
    assert not list((server.root / ".ssh").iterdir())


def test_files_are_copied_to_the_root_folder_where_that_is_named(server, run):
    answer = server.ask("POST", f"runs/{run}/outputs/fetch", {"folder": "", "files": ["model.dat"], "overwrite": True})

    assert answer.json()["files"][0]["contents_path"] == "model.dat"
    assert (server.root / "model.dat").read_bytes() == b"model"


def test_nobody_without_a_login_gets_a_file(server, run):
    for method, path in (("GET", "outputs"), ("GET", "outputs/file?name=model.dat"), ("POST", "outputs/fetch")):
        answer = requests.request(method, f"{server.url}runs/{run}/{path}", json={}, timeout=10)
        assert answer.status_code in {401, 403}
        assert b"model" not in answer.content
