"""What a launch makes, against a real API server with its controllers, and ports of pods."""

from __future__ import annotations

import socket
import threading
import time

import pytest

from fairing_az_jupyter.exceptions import (
    ConflictError,
    ExecutionError,
    InputError,
    NotAllowedError,
    NotFoundError,
    UnreachableError,
)
from tests.cluster.workloads_kubelet import deployment, job
from tests.cluster.workloads_scene import *  # noqa: F403 - fixtures are found by their names
from tests.cluster.workloads_scene import pod_of


def test_an_object_is_tried_created_found_and_deleted_with_its_pods(workloads, namespace):
    workloads.create(job(), dry_run=True)
    with pytest.raises(NotFoundError):
        workloads.get("Job", "train")
    created = workloads.create(job())
    pod_of(workloads, {"job-name": "train"})
    assert created["metadata"]["namespace"] == namespace
    assert [one["metadata"]["name"] for one in workloads.list("Job", {"run": "train"})] == ["train"]
    assert workloads.list("Job", {"run": "other"}) == ()
    assert workloads.delete("Job", "train", wait=20) is True
    assert workloads.list("Pod") == ()
    assert workloads.delete("Job", "train") is False


def test_creating_twice_is_a_conflict_unless_one_is_as_good(workloads):
    first = workloads.create(job())
    with pytest.raises(ConflictError, match=r"'train' already exists") as caught:
        workloads.create(job())
    assert caught.value.code == "already-exists"
    assert "delete jobs train" in caught.value.hint
    assert workloads.create(job(), exists_ok=True)["metadata"]["uid"] == first["metadata"]["uid"]


@pytest.mark.parametrize("kind", ["Deployment", "Service", "InferenceService"])
def test_applying_makes_and_changes_and_repeats(workloads, kind):
    spec = {
        "Deployment": deployment()["spec"],
        "Service": {"selector": {"app": "serve"}, "ports": [{"port": 80}]},
        "InferenceService": {"predictor": {"containers": [{"name": "main", "image": "i"}]}},
    }[kind]
    version = {"Deployment": "apps/v1", "Service": "v1", "InferenceService": "serving.kserve.io/v1beta1"}[kind]
    body = {"apiVersion": version, "kind": kind, "metadata": {"name": "serve"}, "spec": spec}
    first = workloads.apply(body)
    assert workloads.apply(body)["metadata"]["uid"] == first["metadata"]["uid"]
    labelled = {**body, "metadata": {"name": "serve", "labels": {"team": "a"}}}
    assert workloads.apply(labelled, dry_run=True)["metadata"]["labels"] == {"team": "a"}
    assert "labels" not in workloads.get(kind, "serve")["metadata"]
    assert workloads.apply(labelled)["metadata"]["labels"] == {"team": "a"}
    # The garbage collector learns of a new API group only every 30 s.
    propagation = "Background" if kind == "InferenceService" else "Foreground"
    assert workloads.delete(kind, "serve", propagation=propagation, wait=15)


def test_an_invalid_object_is_told_by_its_field_and_without_its_values(workloads):
    broken = job(containers=[{"name": "Main", "image": "i", "env": [{"name": "A", "value": "SECRET-VALUE"}]}])
    with pytest.raises(ConflictError, match=r"containers\[0\]\.name") as caught:
        workloads.create(broken)
    assert caught.value.code == "invalid"
    workloads.create(job(containers=[{"name": "main", "image": "i", "env": [{"name": "A", "value": "SECRET-VALUE"}]}]))
    changed = job(containers=[{"name": "main", "image": "i", "env": [{"name": "A", "value": "OTHER-SECRET"}]}])
    with pytest.raises(ConflictError, match=r"spec\.template.*immutable") as caught:
        workloads.apply(changed)
    assert "SECRET" not in str(caught.value)


def test_a_quota_forbids_in_its_own_words(workloads, control_plane, namespace):
    quota = {"metadata": {"name": "team"}, "spec": {"hard": {"count/jobs.batch": "0"}}}
    control_plane.admin.post(f"/api/v1/namespaces/{namespace}/resourcequotas", quota)
    end = time.monotonic() + 10
    while time.monotonic() < end:
        status = control_plane.admin.get(f"/api/v1/namespaces/{namespace}/resourcequotas/team").get("status") or {}
        if status.get("hard"):
            break
        time.sleep(0.05)
    with pytest.raises(NotAllowedError, match=r"exceeded quota: team, requested: count/jobs\.batch=1") as caught:
        workloads.create(job())
    assert caught.value.code == "quota"
    assert "describe quota team" in caught.value.hint


def test_pod_security_forbids_in_its_own_words(workloads, control_plane, namespace):
    patch = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}}
    control_plane.admin.patch(f"/api/v1/namespaces/{namespace}", patch, "application/merge-patch+json")
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p"},
        "spec": {"containers": [{"name": "main", "image": "i"}]},
    }
    with pytest.raises(NotAllowedError, match="violates PodSecurity") as caught:
        workloads.create(pod)
    assert caught.value.code == "pod-security"


def test_a_role_that_may_not_is_no_rule(connect, profile):
    with pytest.raises(NotAllowedError, match="may not create Job 'train'") as caught:
        connect(profile.viewer).create(job())
    assert caught.value.code == "not-allowed"


def test_a_lost_answer_to_a_creation_makes_one_object_and_no_error(fronted, kubernetes):
    kubernetes.kubernetes_front.drop(method="POST", path="jobs", times=1)
    with pytest.raises(UnreachableError):
        fronted.create(job())
    assert fronted.create(job())["kind"] == "Job"


def test_a_name_that_leads_elsewhere_is_refused(workloads):
    for name in ("", "../secrets", "a/b", "A"):
        with pytest.raises(InputError, match="is not a valid name"):
            workloads.get("Job", name)
    with pytest.raises(InputError, match="is not a kind"):
        workloads.list("ConfigMap")


def test_only_the_very_object_is_deleted(workloads):
    workloads.create(job())
    with pytest.raises(ConflictError):
        workloads.delete("Job", "train", uid="another")
    assert workloads.get("Job", "train")


def test_what_does_not_go_is_told_with_what_holds_it(workloads, control_plane):
    held = job()
    held["metadata"]["finalizers"] = ["example.com/held"]
    workloads.create(held)
    with pytest.raises(ExecutionError, match=r"example\.com/held") as caught:
        workloads.delete("Job", "train", wait=1)
    assert caught.value.code == "not-gone"
    path = f"/apis/batch/v1/namespaces/{workloads.namespace}/jobs/train"
    control_plane.admin.patch(path, {"metadata": {"finalizers": None}}, "application/merge-patch+json")


@pytest.fixture
def echo():
    """A server that sends back in capitals what it gets."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve(client):
        with client:
            while part := client.recv(65536):
                client.sendall(part.upper())

    def accept():
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(client,), daemon=True).start()

    thread = threading.Thread(target=accept)
    thread.start()
    yield listener.getsockname()[1]
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(5)


def test_a_port_of_a_pod_is_reached_by_several_at_once(workloads, printing, echo):
    pod, _ = printing
    with workloads.port_forward(pod, echo) as forward:
        clients = [socket.create_connection(("127.0.0.1", forward.local_port), timeout=10) for _ in range(4)]
        for number, client in enumerate(clients):
            client.sendall(f"client {number} ".encode() * 5000)
        for number, client in enumerate(clients):
            wanted, got = f"CLIENT {number} ".encode() * 5000, b""
            while len(got) < len(wanted):
                got += client.recv(65536)
            assert got == wanted
            client.close()
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", forward.local_port), timeout=2)


def test_a_port_that_nothing_listens_on_is_told(workloads, printing):
    pod, _ = printing
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with workloads.port_forward(pod, port) as forward:
        with socket.create_connection(("127.0.0.1", forward.local_port), timeout=10) as client:
            assert client.recv(10) == b""
        with pytest.raises(UnreachableError, match=f"[Pp]ort {port} of pod"):
            forward.check()


def test_a_port_of_a_pod_that_does_not_run_is_refused(workloads):
    workloads.create(job())
    with pytest.raises(ConflictError, match="is Pending"):
        workloads.port_forward(pod_of(workloads, {"job-name": "train"}), 80)


def test_a_local_port_in_use_is_told(workloads, printing, echo):
    with pytest.raises(InputError, match=f"Port {echo} of this machine"):
        workloads.port_forward(printing[0], 80, local_port=echo)
