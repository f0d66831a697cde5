"""Pods that the cluster takes away: the real Job controller starts others in their place, and launches go on."""

from __future__ import annotations

import threading
import time

import pytest

from fairing_az_jupyter.exceptions import JobFailedError
from fairing_az_jupyter.fairing.cluster import event_log
from fairing_az_jupyter.fairing.cluster.manifests import Placement

LONG = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit("taken away"))
print("begun", flush=True)
time.sleep(6)
print("ended")
"""
FAILS = """
import sys
print("attempt", flush=True)
sys.exit(3)
"""


def pods(admin, namespace):
    return admin.get(f"/api/v1/namespaces/{namespace}/pods")["items"]


def evict(admin, namespace, pod):
    """Take a pod away by the eviction API, as `kubectl drain`, the autoscaler and a node's upgrade do."""
    name = pod["metadata"]["name"]
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name, "namespace": namespace}}
    admin.post(f"/api/v1/namespaces/{namespace}/pods/{name}/eviction", body)


class Evictor(threading.Thread):
    """Evicts the first pod that runs its program, and counts all pods that it sees."""

    def __init__(self, admin, namespace, container, wait=1.0):
        super().__init__(daemon=True)
        self.admin, self.namespace, self.container, self.wait = admin, namespace, container, wait
        self.seen, self.evicted, self.over = {}, "", threading.Event()
        self.start()

    def run(self):
        while not self.over.is_set():
            for pod in pods(self.admin, self.namespace):
                self.seen[pod["metadata"]["name"]] = pod
                if not self.evicted and self._runs(pod):
                    time.sleep(self.wait)
                    evict(self.admin, self.namespace, pod)
                    self.evicted = pod["metadata"]["name"]
            time.sleep(0.1)

    def _runs(self, pod):
        states = pod["status"].get("containerStatuses", [])
        return any(each["name"] == self.container and "running" in each.get("state", {}) for each in states)

    def close(self):
        self.over.set()
        self.join()


@pytest.fixture
def place(job_place):
    return job_place


def test_a_job_whose_pod_was_evicted_unseen_is_followed_and_not_replaced(place, monkeypatch, caplog):
    def interrupted(text, **_more):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(event_log, "print_line", interrupted)
        with pytest.raises(KeyboardInterrupt):
            place.run(LONG)
    [pod] = pods(place.admin, place.namespace)
    evict(place.admin, place.namespace, pod)
    end = time.monotonic() + 40
    while not {each["metadata"]["name"] for each in pods(place.admin, place.namespace)} - {pod["metadata"]["name"]}:
        assert time.monotonic() < end
        time.sleep(0.2)
    [before] = place.launcher.workloads.list("Job")

    job = place.run(LONG)

    assert job == before["metadata"]["name"]
    assert job.lines[-1] == "ended"
    assert not any("it is replaced" in message for message in caplog.messages)


@pytest.mark.parametrize(("retries", "attempts"), [(0, 1), (1, 2)])
def test_a_program_that_fails_is_started_again_as_often_as_retries_says(place, retries, attempts):
    place.launcher.placement = Placement(cpu="100m", memory="64Mi", retries=retries)
    evictor = Evictor(place.admin, place.namespace, "nobody")

    with pytest.raises(JobFailedError) as caught:
        place.run(FAILS)

    evictor.close()
    assert len(evictor.seen) == attempts
    assert caught.value.returncode == 3
    assert place.nothing_left()


def test_the_pod_of_a_job_asks_not_to_be_moved(place):
    evictor = Evictor(place.admin, place.namespace, "nobody")
    place.run("print('here')")
    evictor.close()

    [pod] = evictor.seen.values()
    found = pod["metadata"]["annotations"]
    assert found["cluster-autoscaler.kubernetes.io/safe-to-evict"] == "false"
    assert found["karpenter.sh/do-not-disrupt"] == "true"
