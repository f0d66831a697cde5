"""The server extension on a real cluster: what is launched, endpoints, Secrets and checks, as the side panel asks."""

from __future__ import annotations

import json
import subprocess
import threading
import time

import psutil
import pytest

from fairing_az_jupyter.settings import from_notebook
from tests.cluster.builders_scene import SMALL, workshop  # noqa: F401 - a fixture
from tests.cluster.launches_scene import SERVER, opened
from tests.stand.fixtures import (  # noqa: F401 - fixtures
    kaniko,
    namespace,
    node,
    package_index,
    stand,
    stand_of_session,
)

ENDPOINT = "fairing-endpoint-1"


class Panel:
    """A side panel: a server, and the settings of its form."""

    def __init__(self, start, setup):
        environment = {name: value for name, value in setup.environment.items() if not name.startswith("KUBERNETES_")}
        environment |= {"KUBECONFIG": str(setup.kubeconfig), "NB_PREFIX": f"/notebook/{setup.namespace}/tester"}
        self.server = start("--FairingAzureApp.heartbeat_seconds=0.5", **environment)
        self.setup = setup
        given = {name: value for name, value in from_notebook(setup.settings).items() if value is not None}
        self.values = {**given, "namespace": setup.namespace}
        self.sources = {"values": self.values}

    def ask(self, path, body, status=200):
        answer = self.server.ask("POST", path, body, timeout=90)
        assert answer.status_code == status, answer.text
        assert not [mark for mark in self.setup.marks if mark in answer.text]
        return answer.json()

    def has_marks(self):
        """Tell whether a secret is anywhere in what the server has written."""
        folders = [str(self.server.home), str(self.server.root), str(self.server.log_file)]
        words = [word for mark in self.setup.marks for word in ("-e", mark)]
        done = subprocess.run(["grep", "-rlF", *words, *folders], capture_output=True, text=True, check=False)
        return done.stdout


@pytest.fixture
def place(node, stand, namespace):  # noqa: F811
    setup = stand.correct_setup(namespace)
    with opened(stand, setup, node.push_base(setup.login_server, setup.dockerconfig)) as found:
        yield found


def test_a_training_goes_to_the_cluster_and_is_cancelled_there(new_server, until, workshop):  # noqa: F811
    panel = Panel(new_server, workshop.setup)
    (panel.server.root / "work").mkdir()
    (panel.server.root / "work" / "tasks.py").write_text(
        "import signal, sys, time\n"
        "def counts():\n    print('in', open('data.csv').read())\n"
        "def lasts():\n    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))\n"
        "    print('begun')\n    time.sleep(600)\n"
    )
    (panel.server.root / "work" / "data.csv").write_text("the cluster")
    own = {**SMALL, "base_image": workshop.base, "builder_image": workshop.builder_image}
    body = {"kind": "train", "notebook": "work/tasks.py", "values": {**panel.values, **own}}

    run = panel.ask("launches", {**body, "task": "counts", "input_files": ["data.csv"]}, 201)["id"]
    *events, (_, name, end) = panel.server.events(f"runs/{run}/events", seconds=100)

    told = [data for _, event, data in events if event == "event"]
    assert (name, end["state"]) == ("end", "succeeded"), (end, told)
    phases = [each["name"] for each in told if each["kind"] == "phase" and each["value"] in {"finished", "skipped"}]
    assert phases == ["context", "build", "push", "schedule", "run"]
    printed = "".join(each["text"] for each in told if each["kind"] == "output")
    assert printed.splitlines().count("in the cluster") == 1
    assert end["job"].startswith("fairing-job-")

    run = panel.ask("launches", {**body, "task": "lasts"}, 201)["id"]
    for _, _, data in panel.server.events(f"runs/{run}/events", seconds=100):
        if data and data.get("text") == "begun\n":
            break
    panel.ask(f"runs/{run}/cancel", None)
    ended = until(lambda: now if (now := view(panel, run))["state"] != "running" else None, 40)
    assert ended["state"] == "cancelled"
    assert workshop.nothing_left()
    assert panel.has_marks() == ""


def view(panel, run):
    return panel.server.ask("GET", f"runs/{run}").json()


def test_an_endpoint_is_listed_asked_listened_to_and_deleted(new_server, until, place):
    place.endpoint(ENDPOINT, SERVER.replace("body = self", "print('asked', flush=True); body = self", 1))
    panel = Panel(new_server, place.setup)
    until(lambda: [each for each in listed(panel) if each["state"] == "ready"], 60)

    (found,) = listed(panel)
    predicted = panel.ask(f"endpoints/{ENDPOINT}/predict", {"sources": panel.sources, "data": "a,b\n1,2\n3,4.5\n"})
    refused = panel.ask(f"endpoints/{ENDPOINT}/predict", {"sources": panel.sources, "data": "[[1, 2, 3, 4]]"}, 409)
    lines = panel.server.events(f"endpoints/{ENDPOINT}/log", "POST", panel.sources)
    said = [next(event for event in lines if event[1] == "line") for _ in range(2)]
    lines.close()

    assert (found["name"], found["place"], found["namespace"]) == (ENDPOINT, "cluster", place.namespace)
    assert predicted["values"] == [3.0, 7.5]
    assert "too many columns" in refused["message"]
    assert [(number, data["text"]) for number, _, data in said] == [(1, "serving"), (2, "asked")]
    assert panel.ask(f"endpoints/{ENDPOINT}/delete", panel.sources) == {"deleted": ENDPOINT}
    assert panel.ask("endpoints/list", panel.sources) == {"endpoints": [], "note": ""}
    panel.ask(f"endpoints/{ENDPOINT}/delete", panel.sources, 404)
    panel.ask(f"endpoints/{ENDPOINT}/predict", {"sources": panel.sources, "data": "[[1]]"}, 404)
    assert place.names("Pod") | place.names("Service") | place.names("Deployment") == set()


def listed(panel):
    return panel.ask("endpoints/list", panel.sources)["endpoints"]


def test_clients_that_leave_silent_logs_leave_no_thread_in_the_worker(new_server, until, place):
    place.endpoint(ENDPOINT)
    panel = Panel(new_server, place.setup)
    place.until(ENDPOINT, "ready")

    leave_silent_logs(panel.server, until, ENDPOINT, panel.sources, "serving")


def test_clients_that_leave_silent_logs_of_an_endpoint_of_this_machine_leave_no_thread_either(new_server, until):
    server = new_server("--FairingAzureApp.heartbeat_seconds=0.5")
    (server.root / "model.py").write_text(
        "class Doubles:\n"
        "    def predict(self, X, feature_names=None):\n"
        "        print('asked', flush=True)\n"
        "        return [2 * row[0] for row in X]\n"
    )
    sources = {"values": {"backend": "LocalBackend"}}
    body = {"kind": "deploy", "notebook": "model.py", "task": "Doubles", **sources}
    run = server.ask("POST", "launches", body, timeout=60).json()["id"]
    events = server.events(f"runs/{run}/events", seconds=60)
    name = next(data["name"] for _, event, data in events if event == "event" and data["kind"] == "endpoint")
    events.close()
    server.ask("POST", f"endpoints/{name}/predict", {"sources": sources, "data": "[[21.0]]"}, timeout=60)

    leave_silent_logs(server, until, name, sources, "asked")

    assert server.ask("POST", f"endpoints/{name}/delete", sources, timeout=60).json() == {"deleted": name}


def leave_silent_logs(server, until, endpoint, sources, last):
    """Follow a log that says nothing any more by three clients, let them go, and wait until their threads are gone."""
    read = silent(server, endpoint, sources, last)
    read.close()
    worker = psutil.Process(server.worker().pid)
    settled = until(lambda: count if (count := worker.num_threads()) == (time.sleep(1) or worker.num_threads()) else 0)

    streams = [silent(server, endpoint, sources, last) for _ in range(3)]
    assert worker.num_threads() >= settled + 3
    for stream in streams:
        stream.close()

    until(lambda: worker.num_threads() <= settled, 15)


def silent(server, endpoint, sources, last):
    stream = server.events(f"endpoints/{endpoint}/log", "POST", sources)
    assert any(data["text"] == last for _, name, data in stream if name == "line")
    # Nothing comes any more.
    next(name for _, name, _ in stream if name == "heartbeat")
    return stream


def test_secrets_are_made_attached_and_told_without_their_values(new_server, stand, namespace):  # noqa: F811
    setup = stand.correct_setup(namespace, prepared=False)
    panel = Panel(new_server, setup)

    before = {each["name"]: each["state"] for each in panel.ask("secrets/state", panel.sources)["states"]}
    values = {
        "client_id": setup.client,
        "client_secret": setup.secret,
        "tenant_id": setup.tenant,
        "subscription_id": setup.subscription,
        "expires": "2099-01-01",
    }
    body = {"sources": panel.sources, "values": values}
    planned = panel.ask("secrets", {**body, "dry_run": True})["changes"]
    assert {each["name"]: each["state"] for each in panel.ask("secrets/state", panel.sources)["states"]} == before
    changes = panel.ask("secrets", body)["changes"]
    attached = panel.ask("secrets/attach", {"sources": panel.sources})["changes"]
    after = {each["name"]: each for each in panel.ask("secrets/state", panel.sources)["states"]}

    assert before == {"azcreds": "missing", "acrcreds": "missing", "default-editor": "present"}
    assert {each["name"] for each in changes} >= {"azcreds", "acrcreds"}
    assert [each["name"] for each in planned] == [each["name"] for each in changes]
    assert [each["name"] for each in attached] == ["default-editor"]
    assert {each["state"] for each in after.values()} == {"present"}
    assert after["azcreds"]["expires"].startswith("2099-01-01")
    assert "acrcreds" in after["default-editor"]["keys"]
    stored = stand.control_plane.admin.get(f"/api/v1/namespaces/{namespace}/secrets/azcreds")
    assert set(stored["data"]) == set(setup.azcreds)
    assert panel.has_marks() == ""


def test_checks_pass_where_everything_is_there_and_name_the_secret_that_is_not(new_server, stand, namespace):  # noqa: F811
    setup = stand.correct_setup(namespace)
    panel = Panel(new_server, setup)

    good, _ = checked(panel)
    stand.control_plane.admin.call("DELETE", f"/api/v1/namespaces/{namespace}/secrets/azcreds")
    bad, end = checked(panel)

    assert [each for each in good if each["status"] == "fail"] == []
    assert end["status"] == "fail"
    (failed, *_) = [each for each in bad if each["status"] == "fail"]
    assert "azcreds" in json.dumps(failed)
    assert panel.has_marks() == ""


def checked(panel):
    number = panel.ask("checks", panel.sources, 201)["id"]
    *events, (_, name, end) = panel.server.events(f"checks/{number}/events", seconds=60)
    assert name == "end"
    return [data for _, name, data in events if name == "result"], end


def test_a_log_of_an_endpoint_that_is_deleted_meanwhile_ends_with_the_reason(new_server, place):
    place.endpoint(ENDPOINT)
    panel = Panel(new_server, place.setup)
    place.until(ENDPOINT, "ready")
    seen = []

    def follow():
        seen.extend(panel.server.events(f"endpoints/{ENDPOINT}/log", "POST", panel.sources, seconds=60))

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    time.sleep(2)
    place.workloads.delete("Deployment", ENDPOINT, wait=30)
    thread.join(40)

    assert not thread.is_alive()
    named = [(name, data) for _, name, data in seen if name != "heartbeat"]
    assert named[0][1]["text"] == "serving"
    assert named[-1][0] == "error"
    assert ENDPOINT in named[-1][1]["message"]
