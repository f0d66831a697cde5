"""Room for a job: in quotas and on nodes."""

from __future__ import annotations

import time

import pytest

from fairing_az_jupyter.clients.cluster import Cluster
from fairing_az_jupyter.clients.kube.facts import Capacity, NodeCapacity, QuotaState
from fairing_az_jupyter.preflight.capacity_checks import Need, checks, quota_room, room, together
from fairing_az_jupyter.preflight.runner import Check, Finding, run_checks
from fairing_az_jupyter.preflight.subject import Subject
from fairing_az_jupyter.settings import Settings

GIB = 1024**3
NEED = Need("1", "2Gi")


def quota(hard, used=None, *, scoped=False):
    return QuotaState("few", hard, used or {}, scoped)


def node(name, cpu, gib, *, free=None, ready=True, schedulable=True):
    allocatable = Capacity(cpu, int(gib * GIB), 0, 110)
    left = None if free is None else Capacity(free[0], int(free[1] * GIB), 0, free[2])
    return NodeCapacity(name, ready, schedulable, allocatable, left)


@pytest.fixture
def checked(kubernetes, namespace, tmp_path):
    """Return a function that checks the capacity for a real namespace."""
    control_plane, opened = kubernetes.control_plane, []
    token = control_plane.profile(namespace).editor

    def checked(broken=None, **settings):
        port = kubernetes.kubernetes_front.port
        environ = control_plane.in_cluster(tmp_path / "pod", token, namespace, port=port)
        cluster = Cluster.connect(environ, tmp_path / "pod", timeout=2.0, deadline=2.0)
        opened.append(cluster)
        subject = Subject(Settings(**settings), broken=broken or {})
        given = [standing("cluster", cluster), standing("cluster.namespace", None)]
        return {result.check: result for result in run_checks([*given, *checks(subject)])}

    yield checked
    for cluster in opened:
        cluster.close()


def standing(name, value):
    return Check(name, name, "why", "thing", lambda _: Finding("pass", "thing", "fine", value=value))


def test_without_quotas_and_without_a_look_at_nodes_nothing_fails(checked):
    results = checked()

    assert results["cluster.quota"].status == "pass"
    assert results["cluster.nodes"].status == "skipped"
    assert "FailedScheduling" in results["cluster.nodes"].message


def test_a_real_quota_without_room_is_the_only_failure(checked, kubernetes, namespace):
    path = f"/api/v1/namespaces/{namespace}/resourcequotas"
    body = {"metadata": {"name": "small"}, "spec": {"hard": {"requests.cpu": "500m", "pods": "3"}}}
    kubernetes.control_plane.admin.post(path, body)
    end = time.monotonic() + 20
    while "used" not in kubernetes.control_plane.admin.get(f"{path}/small")["status"] and time.monotonic() < end:
        time.sleep(0.05)
    results = checked()

    assert (results["cluster.quota"].status, results["cluster.quota"].code) == ("fail", "quota-exceeded")
    assert results["cluster.quota"].cures[0].command == f"kubectl -n {namespace} describe quota small"
    assert "requests.cpu: 1 is needed, 0 of 500m is used" in results["cluster.quota"].message
    assert checked(cpu="500m")["cluster.quota"].message.count("no room for") == 1
    assert checked(cpu="500m", build_cpu="0.5")["cluster.quota"].status == "pass"
    assert checked(cpu="500m", builder="acr-tasks")["cluster.quota"].status == "pass"


def test_quotas_that_may_not_be_looked_at_are_no_fault(checked, kubernetes):
    kubernetes.kubernetes_front.refuse(403, path="/resourcequotas")
    assert checked()["cluster.quota"].status == "skipped"


def test_real_nodes_are_judged_where_they_may_be_read(checked, kubernetes, namespace):
    kubernetes.control_plane.let_read_nodes(namespace)
    name = f"node-{namespace}"
    kubernetes.control_plane.node(name, cpu="4", memory="16Gi")
    try:
        assert checked()["cluster.nodes"].status == "pass"
        assert "how much of that is free may not be looked at" in checked()["cluster.nodes"].message
        large = checked(cpu="400")["cluster.nodes"]
        assert (large.status, large.code) == ("fail", "job-too-large")
        assert "FAIRING_CPU" in large.cures[0].command
    finally:
        kubernetes.control_plane.admin.delete(f"/api/v1/nodes/{name}")


def test_amounts_that_are_broken_are_not_replaced_by_the_defaults(checked):
    results = checked(broken={"memory": "2 GB is no amount"})

    assert results["cluster.quota"].status == results["cluster.nodes"].status == "skipped"
    assert "FAIRING_MEMORY" in results["cluster.quota"].message


@pytest.mark.parametrize(
    ("hard", "used", "status"),
    [
        ({"requests.cpu": "4"}, {"requests.cpu": "3"}, "pass"),
        ({"requests.cpu": "4"}, {"requests.cpu": "3001m"}, "fail"),
        ({"cpu": "1000m"}, {}, "pass"),
        ({"memory": "2Gi"}, {"memory": "1"}, "fail"),
        ({"requests.memory": "2G"}, {}, "fail"),
        ({"pods": "5"}, {"pods": "5"}, "fail"),
        ({"count/jobs.batch": "1"}, {"count/jobs.batch": "1"}, "fail"),
        ({"count/pods": "0"}, {}, "fail"),
        ({"secrets": "0", "requests.nvidia.com/gpu": "0", "requests.storage": "0"}, {}, "pass"),
        ({"limits.cpu": "10"}, {}, "warn"),
        ({"limits.memory": "2Gi"}, {}, "pass"),
        ({"limits.memory": "2Gi"}, {"limits.memory": "1"}, "fail"),
    ],
)
def test_a_job_fits_into_a_quota_to_the_last_bit(hard, used, status):
    assert quota_room([quota(hard, used)], NEED, "team-a").status == status


def test_a_build_takes_a_secret_of_its_own_and_a_job_takes_none():
    full = [quota({"count/secrets": "7"}, {"count/secrets": "7"})]

    assert quota_room(full, NEED, "team-a").status == "pass"
    assert "count/secrets: 1 is needed" in quota_room(full, Need("1", "2Gi", "build"), "team-a").message


def test_job_and_build_are_told_in_one_finding_with_the_settings_of_both():
    needs = (Need("9", "2Gi"), Need("1", "9Gi", "build"))
    finding = together(room([node("a", 4, 8)], need, "nodes") for need in needs)

    assert (finding.status, finding.code) == ("fail", "job-too-large")
    assert "a job of 9 cpu and 2Gi memory" in finding.message
    assert "a build of 1 cpu and 9Gi memory" in finding.message
    told = " ".join(cure.command for cure in finding.cures)
    assert "FAIRING_CPU or FAIRING_MEMORY" in told
    assert "FAIRING_BUILD_CPU or FAIRING_BUILD_MEMORY" in told


def test_the_one_of_job_and_build_that_finds_no_room_is_told_alone():
    needs = (Need("1", "2Gi"), Need("1", "9Gi", "build"))
    finding = together(room([node("a", 4, 8)], need, "nodes") for need in needs)

    assert finding.message == (
        "No node can ever hold a build of 1 cpu and 9Gi memory: the largest has 4 cpu, 8 GiB memory and room for 110 "
        "pods."
    )


def test_a_quota_for_some_pods_only_warns():
    assert quota_room([quota({"pods": "0"}, scoped=True)], NEED, "team-a").status == "warn"


def test_of_several_quotas_the_one_without_room_is_named():
    finding = quota_room([QuotaState("wide", {"pods": "9"}, {}), quota({"pods": "0"})], NEED, "team-a")

    assert finding.status == "fail"
    assert finding.message.startswith("ResourceQuota few ")


@pytest.mark.parametrize(
    ("nodes", "status", "code"),
    [
        ([], "warn", "no-nodes"),
        ([node("a", 4, 16, free=(1, 2, 1))], "pass", ""),
        ([node("a", 4, 16, free=(0.999, 2, 1))], "warn", "no-room"),
        ([node("a", 4, 16, free=(4, 16, 0))], "warn", "no-room"),
        ([node("a", 0.5, 16), node("b", 8, 1)], "fail", "job-too-large"),
        ([node("a", 4, 16, ready=False), node("b", 4, 16, schedulable=False)], "warn", "no-usable-node"),
        ([node("a", 0.5, 1), node("b", 4, 16, schedulable=False)], "warn", "no-room"),
        ([node("a", 4, 16)], "pass", ""),
    ],
)
def test_nodes_are_judged_by_what_is_left_on_them(nodes, status, code):
    finding = room(nodes, NEED, "nodes")

    assert (finding.status, finding.code) == (status, code)
    assert bool(finding.cures) == (status != "pass")


def test_the_largest_room_is_told_where_none_is_enough():
    finding = room([node("a", 4, 16, free=(0.25, 0.5, 10)), node("b", 4, 16, free=(0.5, 1, 20))], NEED, "nodes")

    assert "has free 0.5 cpu, 1 GiB memory and room for 20 pods" in finding.message
    assert "1 cpu and 2Gi memory" in finding.message
