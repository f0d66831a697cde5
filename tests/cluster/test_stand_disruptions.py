"""Pods of the stand are evicted, drained, preempted and lost with their node, with what a cluster says of it."""

from __future__ import annotations

import threading
import time

import pytest

from tests.cluster.team_scene import BATCH, Team
from tests.stand.node.kubelet import Machine
from tests.stand.node.watch import Watch

WAITS = "import signal, sys, time; signal.signal(15, lambda *_: sys.exit(143)); print('up'); time.sleep(120)"
IGNORED = {
    "podFailurePolicy": {"rules": [{"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]}]},
}


@pytest.fixture
def team(node, stand, namespace):
    setup = stand.correct_setup(namespace)
    made = Team(stand, setup, node.push_base(setup.login_server, setup.dockerconfig))
    yield made
    made.admin.delete(f"/api/v1/namespaces/{namespace}")


def running_pod(team, selector="job-name=train", other=()):
    def running():
        found = [
            one
            for one in team.pods(selector)
            if one["status"]["phase"] == "Running" and one["metadata"]["name"] not in other
        ]
        return found[0] if found and "deletionTimestamp" not in found[0]["metadata"] else None

    return team.until(running, "a pod that runs", 100)


def long_job(team, **more):
    template = {"spec": team.spec(WAITS)}
    spec = {"backoffLimit": 0, "template": template, **IGNORED, **more}
    team.admin.post(f"{BATCH}/{team.namespace}/jobs", {"metadata": {"name": "train"}, "spec": spec})


class History:
    """What the API server says of a pod from here on, each change of it."""

    def __init__(self, team, name):
        self.statuses, self._ended, self._team = [], threading.Event(), team
        control_plane = team.stand.control_plane
        self._watch = Watch(
            control_plane.url,
            team.stand.authority.bundle,
            control_plane.token(team.namespace, "default-editor", seconds=3600),
            f"{team.core}/pods",
            query={"fieldSelector": f"metadata.name={name}"},
            seen=lambda pod: self.statuses.append(pod["status"]),
            gone=lambda _: self._ended.set(),
        )
        team.until(lambda: self.statuses, f"what there is of pod {name}")

    def to_the_end(self):
        try:
            assert self._ended.wait(100), "The pod is still there."
        finally:
            self._watch.stop()
        return self.statuses


def target_of(statuses):
    found = [one for status in statuses for one in status.get("conditions", []) if one["type"] == "DisruptionTarget"]
    return {one["reason"] for one in found}


@pytest.mark.parametrize("how", ["evict", "drain"])
def test_an_evicted_pod_is_a_disruption_and_its_job_starts_another(team, disruptions, how):
    long_job(team)
    name = running_pod(team)["metadata"]["name"]
    history = History(team, name)

    if how == "evict":
        disruptions.evict(team.namespace, name)
    else:
        assert disruptions.drain(namespace=team.namespace) == [name]
    seen = history.to_the_end()

    assert target_of(seen) == {"EvictionByEvictionAPI"}
    [ended] = [one for one in seen[-1]["containerStatuses"] if "terminated" in one["state"]]
    assert ended["state"]["terminated"]["exitCode"] == 143
    disruptions.uncordon()
    assert running_pod(team, other=[name])
    assert not team.admin.get(f"{BATCH}/{team.namespace}/jobs/train")["status"].get("failed")


def test_a_pod_is_preempted_for_one_of_higher_priority(team, disruptions):
    team.be_alone()
    more = {"resources": {"requests": {"cpu": "3"}}}
    team.pod("low", WAITS, container=more, terminationGracePeriodSeconds=2)
    team.until(lambda: team.status("low").get("phase") == "Running", "the start", 100)
    history = History(team, "low")

    team.pod("high", "print('ran')", container=more, priorityClassName=disruptions.priority("urgent", 1000))

    assert target_of(history.to_the_end()) == {"PreemptionByScheduler"}
    assert team.ended("high")["phase"] == "Succeeded"


def test_a_node_that_vanishes_is_not_ready_and_its_pod_is_lost_and_replaced(team, node, disruptions):
    disruptions.cordon()
    node.join(Machine("spot-1"))
    long_job(team)
    name = running_pod(team)["metadata"]["name"]
    disruptions.uncordon()
    history = History(team, name)
    began = time.monotonic()

    disruptions.vanish("spot-1", delete_after=15)

    def not_ready():
        answer = team.admin.call("GET", "/api/v1/nodes/spot-1")
        conditions = answer.json()["status"]["conditions"] if answer.ok else []
        return any(one["type"] == "Ready" and one["status"] == "Unknown" for one in conditions)

    team.until(not_ready, "NotReady", 15)
    seen = history.to_the_end()
    assert time.monotonic() - began < 100
    assert seen[-1]["phase"] in {"Running", "Failed"}
    assert target_of(seen) & {"DeletionByTaintManager", "DeletionByPodGC"}
    assert running_pod(team, other=[name])["spec"]["nodeName"] == "stand-node"


def test_a_spot_node_is_taken_back_after_its_notice(team, node, disruptions):
    disruptions.cordon()
    node.join(Machine("spot-2", labels={"kubernetes.azure.com/scalesetpriority": "spot"}))
    long_job(team)
    name = running_pod(team)["metadata"]["name"]
    disruptions.uncordon()
    history = History(team, name)

    disruptions.reclaim("spot-2", notice=3)

    assert target_of(history.to_the_end()) == {"EvictionByEvictionAPI"}
    team.until(lambda: not team.admin.call("GET", "/api/v1/nodes/spot-2").ok, "the end of the node")
    assert running_pod(team, other=[name])["spec"]["nodeName"] == "stand-node"
