"""`fairing-azure status`, `logs`, `predict`, `delete` and `cleanup`, and their magics, on the stand's real servers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest

from fairing_az_jupyter.frontends.command_line.setting_flags import setting_flag
from fairing_az_jupyter.settings import notebook_names
from tests.cluster.cells_scene import Notebook, error, texts
from tests.cluster.launch_terminal_scene import Terminal
from tests.cluster.launches_scene import FOREVER, opened


@pytest.fixture
def bare(stand, namespace):
    with opened(stand, stand.correct_setup(namespace)) as place:
        yield place


@pytest.fixture
def place(node, stand, namespace):
    setup = stand.correct_setup(namespace)
    with opened(stand, setup, node.push_base(setup.login_server, setup.dockerconfig)) as found:
        yield found


@pytest.fixture
def at(bare, tmp_path, own_folders):
    return Terminal(bare, tmp_path, own_folders)


@pytest.fixture
def on(place, tmp_path, own_folders):
    return Terminal(place, tmp_path, own_folders)


@pytest.fixture
def notebook(bare, at, tmp_path):
    started = Notebook(bare.setup, at.environ, tmp_path)
    yield started
    started.end()


def test_an_empty_namespace_says_so_and_asks_for_no_registry(at):
    assert at.type("status") == ("No launches found.\n", "")
    assert at.json("status") == {"launches": []}
    assert "Nothing to clean up." in at.type("cleanup")[0]


def test_status_shows_a_row_for_each_launch_and_what_it_waits_for(at):
    at.place.endpoint("fairing-endpoint-1")
    at.place.job("fairing-job-1")

    out, _ = at.type("status")

    rows = [line.split() for line in out.splitlines()]
    assert rows[0] == ["NAME", "KIND", "STATE", "OWNER", "CREATED", "URL"]
    assert ["fairing-job-1", "job", "pending", "tester"] in [row[:4] for row in rows]
    assert f"http://fairing-endpoint-1.{at.place.namespace}.svc.cluster.local/predict" in out
    assert {each["name"] for each in at.json("status")["launches"]} == {"fairing-endpoint-1", "fairing-job-1"}
    one, _ = at.type("status", "fairing-job-1")
    assert f"Namespace:   {at.place.namespace}\n" in one
    assert "Image:       nowhere.invalid/x:1\n" in one
    assert at.json("status", "fairing-job-1")["launch"]["state"] == "pending"


def test_a_name_that_is_none_is_told_with_the_nearest_and_the_command_that_lists(at):
    at.place.job("fairing-job-1a2b")

    for words in (["status"], ["logs"], ["delete"]):
        _, err = at.type(*words, "fairing-job-1a2c", code=6)
        assert "Did you mean 'fairing-job-1a2b'? List the launches: fairing-azure status\n" in err
    assert at.json("logs", "fairing-job-1a2c", code=6)["error"]["code"] == "not-found"
    assert at.place.names("Job") == {"fairing-job-1a2b"}


def test_where_local_backend_was_chosen_it_is_said_that_there_is_nothing_to_look_after(at):
    at.environ["FAIRING_BACKEND"] = "LocalBackend"

    out, _ = at.type("status")
    _, err = at.type("delete", "fairing-job-1", code=3)

    assert out == "LocalBackend's jobs and endpoints run in the process that launched them and end with it.\n"
    assert "--backend KubeflowAzureBackend" in err
    assert at.type("status", "--backend", "KubeflowAzureBackend")[0] == "No launches found.\n"


def test_logs_follow_a_running_job_line_by_line_to_its_end(on):
    on.place.job("fairing-job-1", "import time\nfor i in range(30): print('line', i); time.sleep(0.2)")

    with on.start("logs", "fairing-job-1", "--follow") as child:
        times = {line.rstrip(): time.monotonic() for line in child.stdout}
        said = child.stderr.read()

    assert child.returncode == 0, said
    assert list(times) == [f"line {i}" for i in range(30)]
    assert times["line 29"] - times["line 0"] > 1.5
    assert on.type("logs", "fairing-job-1", "--tail", "2")[0] == "line 28\nline 29\n"
    lines = [json.loads(line)["line"] for line in on.type("logs", "fairing-job-1", "--json")[0].splitlines()]
    assert (len(lines), lines[0]["container"], lines[0]["text"]) == (30, "model", "line 0")


def test_following_a_job_that_fails_has_exit_code_4(on):
    on.place.job("fairing-job-1", "print('before'); raise SystemExit(3)")

    out, err = on.type("logs", "-f", "fairing-job-1", code=4)

    assert out == "before\n"
    assert "exit code 3" in err


def test_ctrl_c_ends_following_and_the_job_goes_on(on):
    on.place.job("fairing-job-1", FOREVER)

    with on.start("logs", "-f", "fairing-job-1") as child:
        assert child.stdout.readline() == "on\n"
        began = time.monotonic()
        child.send_signal(signal.SIGINT)
        _, said = child.communicate(timeout=20)

    assert (child.returncode, said.splitlines()[-1]) == (130, "fairing-azure: cancelled")
    assert time.monotonic() - began < 10
    assert on.place.info("fairing-job-1").state == "running"
    assert on.type("delete", "fairing-job-1")[0].endswith("is deleted.\n")


def test_an_endpoint_is_asked_with_a_csv_file_and_deleted(on):
    on.place.endpoint("fairing-endpoint-1")
    on.place.until("fairing-endpoint-1", "ready")
    (on.folder / "rows.csv").write_bytes(b"\xef\xbb\xbfa,b\r\n1,2\r\n3,4.5\r\n")

    out, _ = on.type("predict", "fairing-endpoint-1", "rows.csv")
    found = on.json("predict", "fairing-endpoint-1", "[[1, 2, 3]]")
    _, err = on.type("predict", "fairing-endpoint-1", "[[1, 2, 3, 4]]", code=4)

    assert out.splitlines()[:2] == ["3.0", "7.5"]
    assert out.splitlines()[2].startswith("2 predictions in 0.")
    assert (found["values"], found["status"]) == ([6.0], 200)
    assert 0 < found["latency"] < 5
    assert "answered 400: too many columns" in err
    assert on.json("delete", "fairing-endpoint-1")["deleted"][0]["name"] == "fairing-endpoint-1"
    assert on.place.names("Pod") | on.place.names("Service") == set()


def test_cleanup_deletes_only_what_is_agreed_to(at):
    at.place.job("fairing-job-1")
    at.place.job("fairing-job-2")
    at.place.end(job_1="Succeeded")

    out, err = at.type("cleanup", code=3)
    assert "fairing-job-1" in out
    assert "fairing-job-2" not in out
    assert "Left out: 1 of yours that may be in use" in out
    assert "nobody can be asked whether to (standard input is not a terminal). Delete without a question: --yes." in err
    out, _ = at.type("cleanup", "--dry-run")
    assert out.endswith("Nothing was deleted: this was a dry run.\n")
    assert [left["outcome"] for left in at.json("cleanup", "--dry-run")["leftovers"]] == ["found"]
    assert "--yes" in at.type("cleanup", "--json", code=3)[0]
    seen, code = at.answer("cleanup", answer="")
    assert (code, "Nothing was deleted." in seen) == (0, True)
    assert at.place.names("Job") == {"fairing-job-1", "fairing-job-2"}

    seen, code = at.answer("cleanup", answer="y")

    assert (code, "Job fairing-job-1 is deleted" in seen) == (0, True)
    assert at.place.names("Job") == {"fairing-job-2"}
    assert [left["outcome"] for left in at.json("cleanup", "--all", "--yes")["leftovers"]] == ["deleted"]
    assert at.place.names("Job") == set()


def test_what_could_not_be_deleted_is_told_and_the_rest_is_deleted(at, stand):
    at.place.job("fairing-job-1")
    at.place.job("fairing-job-2")
    at.place.end(job_1="Succeeded", job_2="Failed")
    stand.kubernetes_front.refuse(403, path=r".*/jobs/fairing-job-1$", method="DELETE", message="jobs is forbidden")

    out, err = at.type("cleanup", "--yes", code=6)

    assert "Job fairing-job-1 could not be deleted: " in out
    assert "Job fairing-job-2 is deleted\n" in out
    assert "1 of 2 objects could not be deleted" in err
    assert at.json("cleanup", "--yes", code=6)["leftovers"][0]["outcome"] == "failed"


def test_a_cleanup_in_a_notebook_asks_in_its_own_prompt(notebook, bare):
    bare.job("fairing-job-1")
    bare.end(job_1="Succeeded")

    messages, asked = notebook.run("%fairing_azure cleanup", "n")
    assert texts(messages).endswith("Nothing was deleted.\n")
    assert asked[0]["prompt"] == "Delete this object? [y/N] "
    messages, _ = notebook.run("%fairing_azure cleanup", "yes")

    assert texts(messages).endswith("Job fairing-job-1 is deleted\n")
    assert bare.names("Job") == set()
    messages, _ = notebook.run("%fairing_azure status fairing-job-1")
    assert error(messages).endswith("List the launches: %fairing_azure status")
    assert "--everyone" in texts(notebook.run("%fairing_azure cleanup --help")[0])


def test_a_notebook_that_trains_here_is_told_that_there_is_nothing_in_the_cluster(notebook):
    notebook.run("FAIRING_BACKEND = 'LocalBackend'")

    messages, _ = notebook.run("%fairing_azure status")

    assert texts(messages).startswith("LocalBackend's jobs and endpoints run in the process")


def test_settings_that_only_a_launch_needs_may_be_wrong_for_a_look(at):
    at.place.endpoint("fairing-endpoint-1")
    at.environ["DOCKER_REGISTRY"] = "<acr-name>.azurecr.io"

    found = at.json("status", "fairing-endpoint-1", "--namespace", at.place.namespace)

    assert found["launch"]["kind"] == "endpoint"
    assert found["launch"]["detail"].startswith("Pod 'fairing-endpoint-1-")
    assert "NAMESPACE" in at.type("status", "--namespace", "Team_A", code=3)[1]


def test_a_function_of_a_file_is_trained_in_the_cluster_with_its_files(workshop):
    folder = Path.cwd()
    (folder / "tasks.py").write_text("def work():\n    print('in', open('/app/data.csv').read())\n")
    (folder / "data.csv").write_text("the cluster")
    environ = {name: value for name, value in os.environ.items() if not name.startswith("KUBERNETES_")}
    own = {"BASE_IMAGE": workshop.base, "BUILDER_IMAGE": workshop.builder_image, "BUILD_CPU": "100m", "CPU": "100m"}
    environ |= {f"FAIRING_{name}": value for name, value in {**own, "MEMORY": "256Mi"}.items()}
    environ |= {name: value for name, value in workshop.setup.settings.items() if value}
    command = [sys.executable, "-m", "fairing_az_jupyter", "train", "tasks.py:work", "--input-files", "data.csv"]

    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=200, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[0] == "in the cluster"
    assert done.stdout.splitlines()[-2].endswith(" succeeded.")
    assert done.stdout.splitlines()[-1].startswith("Record: ")
    assert workshop.nothing_left()


def test_a_notebook_is_checked_and_launched_in_one_command(workshop, tmp_path):
    train = (
        "from kubeflow.fairing import TrainJob, backends\n"
        "def work():\n    print('trained with', 6 * 7)\n"
        "job = TrainJob(work, input_files=[], docker_registry=DOCKER_REGISTRY,\n"
        "               backend=getattr(backends, FAIRING_BACKEND)()).submit()"
    )
    cell = "FAIRING_BACKEND = 'LocalBackend'\nDOCKER_REGISTRY = None\n"
    cells = [nbformat.v4.new_code_cell(cell, metadata={"tags": ["parameters"]}), nbformat.v4.new_code_cell(train)]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), "small.ipynb")
    environ = {name: value for name, value in os.environ.items() if not name.startswith("KUBERNETES_")}
    given = {**workshop.setup.settings, "FAIRING_BASE_IMAGE": workshop.base, "FAIRING_MEMORY": "256Mi"}
    given |= {"FAIRING_BUILDER_IMAGE": workshop.builder_image, "FAIRING_CPU": "100m", "FAIRING_BUILD_CPU": "100m"}
    fields = {notebook: field for field, notebook in notebook_names().items()}
    flags = [word for name, value in given.items() if value for word in (setting_flag(fields[name]), value)]
    command = [sys.executable, "-m", "fairing_az_jupyter", "launch", "small.ipynb", *flags]

    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=200, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "Ready to launch." in done.stdout
    assert "  | trained with 42\n" in done.stdout
    assert [line.partition(": ")[0] for line in done.stdout.splitlines()[-2:]] == ["Executed notebook", "Record"]
    assert workshop.nothing_left()
