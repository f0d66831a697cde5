"""Launches in the background on a cluster, as the side panel makes them: what their records tell, and how they end."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import psutil
import pytest

from fairing_az_jupyter import machine, services
from fairing_az_jupyter.exceptions import InputError
from fairing_az_jupyter.fairing.cluster import ownership
from fairing_az_jupyter.records import RunStore
from fairing_az_jupyter.records.provenance.files import read_provenance
from fairing_az_jupyter.records.status import read_status
from fairing_az_jupyter.settings import from_notebook
from tests.cluster.builders_scene import SMALL

TASKS = """
import signal, sys, time

def counts():
    import greeter
    data = open("data.csv").read().strip()
    print(greeter.greeting, data)
    open("model.txt", "w").write(f"{greeter.greeting} {data}")
    for number in range(5):
        print("step", number)
    sys.stderr.write("to standard error\\n")

def lasts():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    print("begun", flush=True)
    time.sleep(600)

def takes_its_time():
    print("begun", flush=True)
    time.sleep(8)
    print("done", flush=True)

def fails():
    print("loaded 3 rows", flush=True)
    raise ValueError("the data are odd")
"""
MODEL = """
class Summing:
    def predict(self, X, feature_names=None):
        print("asked for", len(X), "rows", flush=True)
        return [float(sum(row)) for row in X]
"""


class Panel:
    """A user of the side panel on a notebook server: what is launched are processes of their own."""

    def __init__(self, workshop, store):
        self.workshop, self.store = workshop, store
        own = {"base_image": workshop.base, "builder_image": workshop.builder_image, **SMALL}
        given = {name: value for name, value in from_notebook(workshop.setup.settings).items() if value is not None}
        self.settings = {**given, **own, "namespace": workshop.namespace}

    def launch(self, kind, file, task, **more):
        return services.start_launch(services.Session(self.settings), kind, file, task, **more).id

    def until(self, what, seconds=90):
        end = time.monotonic() + seconds
        while not (found := what()):
            assert time.monotonic() < end, [self.told(info) for info in self.store.list()]
            time.sleep(0.1)
        return found

    def told(self, info):
        return (
            info.to_dict(),
            "".join(services.run_log(services.Session(), info.id)),
            (Path(info.folder) / "process.log").read_text(),
        )

    def ended(self, run, seconds=90):
        info = self.until(
            lambda: info if (info := services.describe_run(services.Session(), run)).has_ended else None, seconds
        )
        text = str(self.told(info))
        assert not [mark for mark in self.workshop.setup.marks if mark in text]
        return info

    def began(self, run):
        """Wait until a job prints, and return its name."""
        self.until(lambda: "begun\n" in self.printed(run) or services.describe_run(services.Session(), run).has_ended)
        info = services.describe_run(services.Session(), run)
        assert info.state == "running", self.told(info)
        return info.job

    def events(self, run):
        return [event for _, event in services.run_events(services.Session(), run)]

    def printed(self, run):
        return "".join(event.get("text", "") for event in self.events(run) if event["kind"] == "output")

    def steps(self, run):
        return [(event["name"], event["value"]) for event in self.events(run) if event["kind"] == "phase"]

    def process(self, run):
        status = read_status(Path(services.describe_run(services.Session(), run).folder))
        return psutil.Process(int(status["process"].split(" ")[1]))

    def repeated_as_it_was(self, info):
        """Repeat a training when its code, data and requirements have changed, until its image is deleted."""
        Path("notebook/tasks.py").unlink()
        Path("notebook/data.csv").write_text("3,4\n")
        Path("notebook/requirements.txt").write_text("greeter==9.9\n")
        session, folder = services.Session(), Path(info.folder)

        def plan():
            return services.plan_retry(session, info.id, as_it_was=True)

        again = self.ended(services.start_run(session, plan(), retry_of=info.id).id)

        assert (again.state, again.retry_of, again.task) == ("succeeded", info.id, "counts"), self.told(again)
        assert "hello 1,2" in self.printed(again.id).splitlines()
        opened = services.open_output(services.Session(self.settings), again.id, "model.txt")
        assert b"".join(opened.pieces) == b"hello 1,2"
        assert not services.compare_runs(session, [info.id, again.id]).differences
        made = read_provenance(folder)
        assert read_provenance(Path(again.folder)).image_digest == made.image_digest
        assert self.workshop.nothing_left()

        setup, repository = self.workshop.setup, made.image.partition("/")[2].rpartition(":")[0]
        self.workshop.stand.arm.assign(setup.oid, "AcrDelete", setup.registry)
        assert self.workshop.images.delete(repository, made.image_digest)
        with pytest.raises(InputError, match=f"{made.image_digest} is no longer in the registry") as gone:
            plan()
        assert gone.value.code == "as-it-was"

    def jobs(self):
        path = f"/apis/batch/v1/namespaces/{self.workshop.namespace}/jobs"
        return {item["metadata"]["name"]: item for item in self.workshop.admin.get(path)["items"]}


@pytest.fixture
def panel(workshop, tmp_path, monkeypatch):
    monkeypatch.setenv("FAIRING_AZURE_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("NB_PREFIX", f"/notebook/{workshop.namespace}/tester")
    Path("tasks.py").write_text(TASKS)
    Path("data.csv").write_text("1,2\n")
    # What is launched works beside its file, wherever the server was started.
    monkeypatch.chdir(tmp_path)
    found = Panel(workshop, RunStore(tmp_path / "runs"))
    yield found
    for info in found.store.list():
        if info.state in {"waiting", "running"}:
            found.process(info.id).kill()


def pairs(*names):
    return [(name, value) for name in names for value in ("started", "finished")]


def test_a_training_is_recorded_from_its_context_to_its_last_line(panel):
    panel.workshop.index.add("greeter", "1.0", {"greeter.py": "greeting = 'hello'\n"})
    Path("notebook/requirements.txt").write_text("greeter==1.0\n")
    files = ["data.csv", "requirements.txt"]

    run = panel.launch("train", "notebook/tasks.py", "counts", input_files=files)
    info = panel.ended(run)

    assert (info.state, info.error) == ("succeeded", None), panel.told(info)
    assert panel.steps(run) == pairs("context", "build", "push", "schedule", "run")
    events = panel.events(run)
    assert (events[0]["kind"], events[-1]["kind"]) == ("run-started", "run-finished")
    reasons = {(event["name"][:12], event["value"]) for event in events if event["kind"] == "pod-event"}
    assert {("fairing-job-", "Scheduled"), ("fairing-job-", "Started"), ("fairing-buil", "Started")} <= reasons
    lines = panel.printed(run).splitlines()
    for line in ["hello 1,2", *(f"step {number}" for number in range(5)), "to standard error"]:
        assert lines.count(line) == 1, lines
    assert (info.place, info.namespace) == ("here", panel.workshop.namespace)
    assert info.job.startswith("fairing-job-")
    assert f"The job {info.job} launched." in panel.printed(run)
    assert panel.workshop.nothing_left()

    panel.repeated_as_it_was(info)


def test_a_training_that_is_cancelled_ends_in_the_cluster_as_well(panel):
    run = panel.launch("train", "notebook/tasks.py", "lasts")
    job = panel.began(run)
    assert list(panel.jobs()) == [job]

    began = time.monotonic()
    services.cancel_run(services.Session(), run)
    info = panel.ended(run)
    took = time.monotonic() - began

    assert (info.state, info.error["code"]) == ("cancelled", "run-cancelled")
    assert took < 20
    assert panel.events(run)[-1]["kind"] == "run-cancelled"
    assert panel.printed(run).splitlines()[-1] == f"The launch was cancelled: job {job} is deleted."
    assert panel.jobs() == {}
    assert panel.workshop.nothing_left()


def test_a_job_that_can_not_be_deleted_is_named_with_the_command_that_does(panel):
    run = panel.launch("train", "notebook/tasks.py", "lasts")
    job = panel.began(run)
    front = panel.workshop.stand.kubernetes_front
    front.refuse(403, path=rf".*/jobs/{job}$", method="DELETE", message="jobs is forbidden")

    services.cancel_run(services.Session(), run)
    info = panel.ended(run)

    assert info.state == "cancelled"
    assert f"Job '{job}' could not be deleted" in info.error["message"]
    assert info.error["hint"] == f"Delete it: fairing-azure delete {job}"
    assert list(panel.jobs()) == [job]


def test_the_jobs_of_others_stay_when_a_training_is_cancelled(panel):
    run = panel.launch("train", "notebook/tasks.py", "lasts")
    job = panel.began(run)
    other = panel.jobs()[job]
    metadata = {"name": "fairing-job-0ther000", "labels": other["metadata"]["labels"]}
    metadata["annotations"] = {ownership.PROCESS: machine.process_name()}
    template = other["spec"]["template"]
    template["metadata"] = {}
    spec = {"template": template, "suspend": True}
    path = f"/apis/batch/v1/namespaces/{panel.workshop.namespace}/jobs"
    panel.workshop.admin.post(path, {"metadata": metadata, "spec": spec})

    services.cancel_run(services.Session(), run)

    assert panel.ended(run).state == "cancelled"
    assert list(panel.jobs()) == ["fairing-job-0ther000"]


def test_a_training_that_fails_tells_why_with_its_last_lines_and_a_cure(panel):
    run = panel.launch("train", "notebook/tasks.py", "fails")

    info = panel.ended(run)

    assert (info.state, info.error["code"]) == ("failed", "container-failed"), panel.told(info)
    assert "exit code 1" in info.error["message"]
    assert "ValueError: the data are odd" in info.error["message"]
    assert "loaded 3 rows" in info.error["message"]
    assert info.error["hint"]
    assert info.error["raised"] == "ValueError: the data are odd"
    assert info.error["traceback"][-1] == "ValueError: the data are odd"
    assert any("in fails" in line for line in info.error["traceback"])
    [seen] = services.list_cluster_launches(services.Session(panel.settings))
    assert (seen.name, seen.state, seen.raised) == (info.job, "failed", info.error["raised"])
    assert panel.steps(run)[-2:] == [("run", "started"), ("run", "failed")]
    last = panel.events(run)[-1]
    assert last["kind"] == "run-failed"
    assert "\n" not in last["message"]
    assert panel.printed(run).splitlines().count("loaded 3 rows") == 1
    assert panel.workshop.nothing_left()


@pytest.mark.parametrize(
    ("number", "state"), [(signal.SIGKILL, "lost"), (signal.SIGTERM, "cancelled")], ids=["killed", "told-to-end"]
)
def test_a_job_whose_process_has_gone_goes_on_and_the_same_launch_picks_it_up(panel, number, state):
    run = panel.launch("train", "notebook/tasks.py", "takes_its_time")
    job = panel.began(run)
    process = panel.process(run)

    os.kill(process.pid, number)
    info = panel.until(lambda: now if (now := services.describe_run(services.Session(), run)).state == state else None)
    assert list(panel.jobs()) == [job]
    if number == signal.SIGTERM:
        assert f"job '{job}'" in info.error["message"]
        assert "still running" in info.error["message"]
        assert info.error["hint"].endswith(f"fairing-azure runs retry {run}")
    again = panel.ended(
        services.start_run(services.Session(), services.plan_retry(services.Session(), run), retry_of=run).id
    )

    assert (again.state, again.job) == ("succeeded", job), panel.told(again)
    assert panel.printed(again.id).splitlines().count("done") == 1
    assert panel.workshop.nothing_left()


def test_an_endpoint_is_deployed_listed_asked_listened_to_and_deleted(example_wheels, panel):
    for wheel in example_wheels.glob("*.whl"):
        (panel.workshop.index.folder / wheel.name).symlink_to(wheel)
    Path("notebook/summing.py").write_text(MODEL)
    Path("notebook/requirements.txt").write_text("kserve>=0.15\n")
    session = services.Session({"backend": "KubeflowAzureBackend", "namespace": panel.workshop.namespace})

    def launch():
        return panel.launch("deploy", "notebook/summing.py", "Summing", input_files=["requirements.txt"])

    run = served = launch()
    info = panel.ended(run, 240)

    assert (info.state, info.error) == ("succeeded", None), panel.told(info)
    url = f"http://{info.endpoint}.{panel.workshop.namespace}.svc.cluster.local/predict"
    assert info.url == url
    # What another test has had installed is not built again.
    over = [step for step, state in panel.steps(run) if state in {"finished", "skipped"}]
    assert over == ["context", "build", "push", "schedule", "serve"]
    (told,) = [event for event in panel.events(run) if event["kind"] == "endpoint"]
    assert (told["name"], told["value"]) == (info.endpoint, url)
    (found,), note = services.list_endpoints(session)
    assert (found.name, found.place, found.state, found.url, note) == (info.endpoint, "cluster", "ready", url, "")
    for data, values in [("a,b\n1,2\n3,4.5\n", [3.0, 7.5]), ("[[1, 2]]", [3.0]), ('{"a": [5], "b": [6]}', [11.0])]:
        assert services.test_endpoint(session, info.endpoint, data).values == values
    assert "asked for 2 rows" in [line.text for line in services.launch_logs(session, info.endpoint)]

    # Cancelled when it serves, but before the record says so.
    again = cancelled_when_it_serves(panel, launch)
    assert (again.state, again.endpoint, again.url) == ("succeeded", info.endpoint, url)
    services.delete(session, [info.endpoint])

    assert services.list_endpoints(session) == ((), "")
    assert panel.workshop.nothing_left()

    # Cancelled while its pod starts.
    run = launch()
    panel.until(lambda: ("schedule", "started") in panel.steps(run))
    services.cancel_run(services.Session(), run)
    info = panel.ended(run)
    assert (info.state, info.endpoint) == ("cancelled", "")
    assert panel.workshop.nothing_left(40)

    # As it was, when its code has gone here.
    Path("notebook/summing.py").unlink()
    request = services.plan_retry(services.Session(), served, as_it_was=True)
    info = panel.ended(services.start_run(services.Session(), request, retry_of=served).id)
    assert (info.state, info.error) == ("succeeded", None), panel.told(info)
    assert services.test_endpoint(session, info.endpoint, "[[1, 2]]").values == [3.0]
    services.delete(session, [info.endpoint])
    assert panel.workshop.nothing_left(40)


def cancelled_when_it_serves(panel, launch):
    """Cancel a launch at the moment when its endpoint serves: the process stands still from there until it is told."""
    run = launch()
    process = panel.process(run)
    panel.until(lambda: ("serve", "finished") in panel.steps(run))
    process.suspend()
    if not services.describe_run(services.Session(), run).has_ended:
        services.cancel_run(services.Session(), run)
        process.send_signal(signal.SIGINT)
    process.resume()
    return panel.ended(run)
