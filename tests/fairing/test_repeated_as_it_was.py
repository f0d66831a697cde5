"""A training of before is repeated from its record as it was, or what can't be had again is named before it starts."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fairing_az_jupyter import services
from fairing_az_jupyter.exceptions import InputError
from fairing_az_jupyter.frontends.views.runs import lines_of_differences
from fairing_az_jupyter.records import RunStore
from fairing_az_jupyter.records.provenance.files import read_provenance

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(180)]

CODE = """
from pathlib import Path

class Model:
    def train(self):
        rows = Path("data.csv").read_text().split()
        Path("model.dat").write_text("model of then")
        print("rows:", len(rows))
        return {"rows": len(rows)}
"""


class Desk:
    """A folder with a class and its data, and the records of what is launched there."""

    def __init__(self, folder):
        self.folder = folder
        self.store, self.session = RunStore(folder / "runs"), services.Session()
        self.write("tasks.py", CODE)
        self.write("data.csv", "1 2 3\n")

    def write(self, name, text):
        (self.folder / name).write_text(text)

    def train(self, *more):
        words = ["train", "tasks.py:Model", "--backend", "LocalBackend", "--input-files", "data.csv", *more]
        subprocess.run([sys.executable, "-m", "fairing_az_jupyter", *words], check=True, capture_output=True)
        return self.store.find("last")

    def again(self, run):
        request = services.plan_retry(self.session, run, as_it_was=True)
        info = services.start_run(self.session, request, retry_of=run)
        end = time.monotonic() + 100
        while not (info := self.store.find(info.id)).has_ended:
            assert time.monotonic() < end, info
            time.sleep(0.1)
        return info

    def outputs(self, info):
        files = services.list_outputs(self.session, info.id).files
        return {file.path: b"".join(services.open_output(self.session, info.id, file.path).pieces) for file in files}

    def other_packages(self, run):
        """Let a record tell other versions, as it would after an upgrade here."""
        path = self.store.folder(run) / "packages.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), "pandas": "0.1", "gone-package": "2.0"}))

    def refused(self, run):
        before = [info.id for info in self.store.list()]
        with pytest.raises(InputError) as caught:
            services.plan_retry(self.session, run, as_it_was=True)
        assert caught.value.code == "as-it-was"
        assert caught.value.hint.endswith(f"fairing-azure runs retry {run}")
        assert [info.id for info in self.store.list()] == before
        return caught.value.message


@pytest.fixture
def desk(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PWD", str(tmp_path))
    monkeypatch.setenv("FAIRING_AZURE_RUNS", str(tmp_path / "runs"))
    return Desk(tmp_path)


def test_code_of_then_runs_again_and_what_has_changed_is_named_by_a_refusal_and_by_compare(desk):
    first = desk.train("--name", "mine")
    desk.write("tasks.py", CODE.replace("model of then", "model of now").replace("len(rows)}", "-1}"))
    desk.write("model.dat", "the user's own")

    again = desk.again(first.id)

    assert (again.state, again.name, again.retry_of, again.task) == ("succeeded", "mine", first.id, "Model")
    assert desk.outputs(again) == desk.outputs(first) == {"model.dat": b"model of then"}
    assert "rows: 3" in (Path(again.folder) / "log.txt").read_text()
    assert (desk.folder / "model.dat").read_text() == "the user's own"
    made, repeated = (read_provenance(Path(info.folder)) for info in (first, again))
    assert (repeated.code, repeated.inputs, repeated.packages) == (made.code, made.inputs, made.packages)
    compared = services.compare_runs(desk.session, [first.id, again.id])
    assert not compared.differences

    desk.write("data.csv", "1 2 3 4\n")
    desk.other_packages(first.id)
    said = desk.refused(first.id)
    assert "input file 'data.csv' has changed" in said
    assert "gone-package was 2.0, and is gone" in said
    assert "pandas was 0.1" in said

    now = desk.train()
    differing = services.compare_runs(desk.session, [first.id, now.id])
    assert {each.aspect for each in differing.differences} == {"code", "data", "packages"}
    assert any("data data.csv" in line for line in lines_of_differences(differing))


def test_all_that_is_gone_is_named_at_once_also_code_that_is_not_kept_for_it_holds_a_secret(desk, monkeypatch):
    monkeypatch.setenv("AZ_CLIENT_SECRET", "s3cret-of-the-team")
    desk.write("tasks.py", f"{CODE}\n    key = 's3cret-of-the-team'\n")
    first = desk.train()
    record = desk.store.folder(first.id)
    assert not (record / "code.pickle").exists()
    desk.write("data.csv", "other\n")
    made = json.loads((record / "provenance.json").read_text())
    (record / "provenance.json").write_text(json.dumps({**made, "python": "3.7.1", "mutators": ["mount_data"]}))

    said = desk.refused(first.id)

    for part in ("does not tell its code", "(mount_data)", "'data.csv' has changed", "with Python 3.7.1"):
        assert part in said
    for name in ("provenance.json", "packages.json"):
        (record / name).unlink()
    assert "does not tell the digests of its input files" in desk.refused(first.id)
