"""Nodes of the stand come late, and an autoscaler says of it what a real one says."""

from __future__ import annotations

import time

import pytest
import requests

from tests.cluster.team_scene import SERVER, Team
from tests.stand.node.pools import Pool

GPU = Pool("gpu", gpus=1, taints=("sku=gpu:NoSchedule",))
ONE_GPU = {"resources": {"limits": {"nvidia.com/gpu": "1"}}}
TOLERATED = {"tolerations": [{"key": "sku", "operator": "Equal", "value": "gpu", "effect": "NoSchedule"}]}
FAST = {"delay": 3, "interval": 0.5}


@pytest.fixture
def team(node, stand, namespace):
    setup = stand.correct_setup(namespace)
    made = Team(stand, setup, node.push_base(setup.login_server, setup.dockerconfig))
    made.be_alone()
    return made


def said_of(team, name):
    found = team.admin.get(f"{team.core}/events", fieldSelector=f"involvedObject.name={name}")["items"]
    sources = {"cluster-autoscaler", "karpenter"}
    return [(one["reason"], one["message"]) for one in found if one["source"].get("component") in sources]


@pytest.mark.parametrize(
    ("style", "said"),
    [
        ("classic", [("TriggeredScaleUp", "pod triggered scale-up: [{aks-gpu-24680135-vmss 0->1 (max: 3)}]")]),
        ("karpenter", [("Nominated", "Pod should schedule on: nodeclaim/gpu-00000")]),
        ("silent", []),
    ],
)
def test_a_pod_runs_on_a_node_that_came_for_it(team, pools, style, said):
    made = pools(GPU, style=style, **FAST)
    began = time.monotonic()

    team.pod("p", "print('ran')", container=ONE_GPU, **TOLERATED)

    assert team.ended("p")["phase"] == "Succeeded"
    assert time.monotonic() - began > FAST["delay"]
    [node] = made.nodes()
    pod = team.admin.get(f"{team.core}/pods/p")
    assert pod["spec"]["nodeName"] == node
    assert team.log("p") == "ran\n"
    assert said_of(team, "p") == said
    waited = [message for reason, message in team.events("p") if reason == "FailedScheduling"]
    assert waited[0].startswith("0/1 nodes are available: 1 ")


def test_what_serves_on_a_late_node_is_reached_by_its_service(team, node, pools):
    made = pools(Pool("spot", spot=True), **FAST)
    labels = {"app": "served"}
    tolerated = {"tolerations": [{"key": "kubernetes.azure.com/scalesetpriority", "operator": "Exists"}]}
    spec = team.spec(SERVER, container={"resources": {"requests": {"cpu": "3"}}}, **tolerated)
    team.admin.post(f"{team.core}/pods", {"metadata": {"name": "served", "labels": labels}, "spec": spec})
    service = {
        "metadata": {"name": "served"},
        "spec": {"selector": labels, "ports": [{"port": 80, "targetPort": 8080}]},
    }
    team.admin.post(f"{team.core}/services", service)

    def answered():
        try:
            return requests.get(node.service_url(team.namespace, "served"), timeout=10).text
        except requests.ConnectionError:
            return ""

    assert team.until(answered, "an answer") == "served"
    assert team.admin.get(f"{team.core}/pods/served")["spec"]["nodeName"] == made.nodes()[0]


@pytest.mark.parametrize(
    ("style", "pool", "reason", "words"),
    [
        ("classic", GPU, "NotTriggerScaleUp", "pod didn't trigger scale-up: 1 node(s) had untolerated taint(s)"),
        ("classic", Pool(most=0), "NotTriggerScaleUp", "pod didn't trigger scale-up: 1 max node group size reached"),
        ("classic", Pool(cpu="50m"), "NotTriggerScaleUp", "pod didn't trigger scale-up: 1 Insufficient cpu"),
        (
            "classic",
            Pool(failure="quota exceeded"),
            "FailedScaleUp",
            "associated with this pod failed: quota exceeded.",
        ),
        ("classic", Pool(failure="quota exceeded"), "NotTriggerScaleUp", "1 in backoff after failed scale-up"),
        ("karpenter", GPU, "FailedScheduling", 'incompatible with nodepool "gpu"'),
        ("karpenter", Pool(most=0), "FailedScheduling", 'exceed limits for nodepool: "pool"'),
    ],
)
def test_a_pool_that_stays_at_zero_is_reported_with_its_reason(team, pools, style, pool, reason, words):
    made = pools(pool, style=style, **FAST)

    team.pod("p", "", container={"resources": {"requests": {"cpu": "100m"}}})

    def reported():
        return any(which == reason and words in message for which, message in said_of(team, "p"))

    team.until(reported, reason)
    assert made.nodes() == []
    assert team.status("p")["phase"] == "Pending"


def test_after_the_pools_the_stands_own_node_takes_pods_again(team, pools):
    pools(GPU, **FAST).close()

    team.pod("p", "print('ran')")

    assert team.ended("p")["phase"] == "Succeeded"
    assert [node["metadata"]["name"] for node in team.admin.get("/api/v1/nodes")["items"]] == ["stand-node"]
