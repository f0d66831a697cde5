"""Room for a job: in quotas and on nodes."""

from __future__ import annotations

import dataclasses
import os
import time

import pytest

from fairing_az_jupyter import services
from fairing_az_jupyter.clients.kube.cluster import Cluster
from fairing_az_jupyter.clients.kube.objects.facts import Capacity, NodeCapacity, QuotaState
from fairing_az_jupyter.preflight.checks.capacity_checks import checks, quota_room, together
from fairing_az_jupyter.preflight.context import CheckContext
from fairing_az_jupyter.preflight.node_room import room
from fairing_az_jupyter.preflight.pod_needs import Need
from fairing_az_jupyter.preflight.runner import Check, Finding, run_checks
from fairing_az_jupyter.settings import Settings, sources

GIB = 1024**3
NEED = Need("1", "2Gi")


def quota(hard, used=None, *, scoped=False):
    return QuotaState("few", hard, used or {}, scoped)


def node(name, cpu, gib, *, free=None, ready=True, schedulable=True, gpus=0, **more):
    allocatable = Capacity(cpu, int(gib * GIB), gpus, 110)
    left = None if free is None else Capacity(free[0], int(free[1] * GIB), gpus, free[2])
    return NodeCapacity(name, ready, schedulable, allocatable, left, **more)


CONTEXT = CheckContext(Settings(), notebook="train.ipynb")


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
        resolved, errors = sources.resolve_usable(explicit={"backend": "KubeflowAzureBackend", **settings})
        found = services.subject_of(resolved, errors, os.environ)
        context = dataclasses.replace(found, broken=broken or {}, installs=True)
        given = [standing("cluster", cluster), standing("cluster.namespace", None)]
        return {result.check: result for result in run_checks([*given, *checks(context)])}

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
    assert results["cluster.quota"].fixes[0].command == f"kubectl -n {namespace} describe quota small"
    assert "requests.cpu: 1 is needed, 0 of 500m is used" in results["cluster.quota"].message
    assert checked(cpu="500m")["cluster.quota"].message.count("no capacity for") == 1
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
        assert "no permission to see how much of that is free" in checked()["cluster.nodes"].message
        large = checked(cpu="400")["cluster.nodes"]
        assert (large.status, large.code) == ("warn", "job-too-large")
        assert "FAIRING_CPU" in large.fixes[0].command
        assert "waits up to 30m (FAIRING_NODE_WAIT) for an autoscaler" in large.message
        assert checked(cpu="400", node_wait="0")["cluster.nodes"].status == "fail"
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
        ({"requests.cpu": "4"}, {"requests.cpu": "3001m"}, "warn"),
        ({"requests.cpu": "999m"}, {"requests.cpu": "0"}, "fail"),
        ({"cpu": "1000m"}, {}, "pass"),
        ({"memory": "2Gi"}, {"memory": "1"}, "warn"),
        ({"requests.memory": "2G"}, {}, "fail"),
        ({"pods": "5"}, {"pods": "5"}, "warn"),
        ({"count/jobs.batch": "1"}, {"count/jobs.batch": "1"}, "fail"),
        ({"count/pods": "0"}, {}, "fail"),
        ({"secrets": "0", "requests.nvidia.com/gpu": "0", "requests.storage": "0"}, {}, "pass"),
        ({"limits.cpu": "10"}, {}, "pass"),
        ({"limits.memory": "2Gi"}, {}, "pass"),
        ({"limits.memory": "2Gi"}, {"limits.memory": "1"}, "warn"),
        ({"pods": "5", "count/jobs.batch": "1"}, {"pods": "5", "count/jobs.batch": "1"}, "fail"),
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
    finding = together(room(CONTEXT, [node("a", 4, 8)], need, "nodes") for need in needs)

    assert (finding.status, finding.code) == ("warn", "job-too-large")
    assert "a job of 9 cpu and 2Gi memory" in finding.message
    assert "a build of 1 cpu and 9Gi memory" in finding.message
    told = " ".join(fix.command for fix in finding.fixes)
    assert "FAIRING_CPU or FAIRING_MEMORY" in told
    assert "FAIRING_BUILD_CPU or FAIRING_BUILD_MEMORY" in told


def test_the_one_of_job_and_build_that_finds_no_room_is_told_alone():
    needs = (Need("1", "2Gi"), Need("1", "9Gi", "build"))
    finding = together(room(CONTEXT, [node("a", 4, 8)], need, "nodes") for need in needs)

    assert finding.message == (
        "No current node can hold a build of 1 cpu and 9Gi memory: the largest has 4 cpu, 8 GiB memory and room for "
        "110 pods."
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
        ([node("a", 0.5, 16), node("b", 8, 1)], "warn", "job-too-large"),
        ([node("a", 4, 16, ready=False), node("b", 4, 16, cordoned=True)], "warn", "no-usable-node"),
        ([node("a", 0.5, 1), node("b", 4, 16, cordoned=True)], "warn", "no-room"),
        ([node("a", 4, 16)], "pass", ""),
    ],
)
def test_nodes_are_judged_by_what_is_left_on_them(nodes, status, code):
    finding = room(CONTEXT, nodes, NEED, "nodes")

    assert (finding.status, finding.code) == (status, code)
    assert bool(finding.fixes) == (status != "pass")


def test_the_largest_room_is_told_where_none_is_enough():
    finding = room(
        CONTEXT, [node("a", 4, 16, free=(0.25, 0.5, 10)), node("b", 4, 16, free=(0.5, 1, 20))], NEED, "nodes"
    )

    assert "has free 0.5 cpu, 1 GiB memory and room for 20 pods" in finding.message
    assert "1 cpu and 2Gi memory" in finding.message


SPOT = {"key": "kubernetes.azure.com/scalesetpriority", "value": "spot", "effect": "NoSchedule"}
TEAM = {"key": "team", "value": "vision", "effect": "NoExecute"}
GPU = {"key": "sku", "value": "gpu", "effect": "NoSchedule"}
NOT_READY = {"key": "node.kubernetes.io/not-ready", "value": "", "effect": "NoSchedule"}


def test_a_taint_that_keeps_a_pod_off_is_named_with_the_toleration_to_set():
    finding = room(CONTEXT, [node("a", 4, 16, taints=(TEAM, SPOT))], NEED, "nodes")

    assert (finding.status, finding.code) == ("warn", "taint")
    assert "team=vision:NoExecute" in finding.message
    assert "fairing-azure fill train.ipynb --spot True" in [fix.command for fix in finding.fixes]
    tolerated = "team=vision:NoExecute,kubernetes.azure.com/scalesetpriority=spot:NoSchedule"
    assert f"fairing-azure fill train.ipynb --tolerations {tolerated}" in [fix.command for fix in finding.fixes]


@pytest.mark.parametrize(
    "toleration",
    [
        {"key": "team", "operator": "Equal", "value": "vision", "effect": "NoExecute"},
        {"key": "team", "value": "vision"},
        {"key": "team", "operator": "Exists"},
        {"operator": "Exists"},
    ],
)
def test_a_taint_that_is_tolerated_keeps_nobody_off(toleration):
    need = dataclasses.replace(NEED, tolerations=(toleration,))

    assert room(CONTEXT, [node("a", 4, 16, taints=(TEAM,))], need, "nodes").status == "pass"


@pytest.mark.parametrize(
    "toleration",
    [
        {"key": "team", "operator": "Equal", "value": "speech"},
        {"key": "team", "operator": "Exists", "effect": "NoSchedule"},
        {"key": "other", "operator": "Exists"},
    ],
)
def test_a_toleration_of_something_else_does_not_help(toleration):
    need = dataclasses.replace(NEED, tolerations=(toleration,))

    assert room(CONTEXT, [node("a", 4, 16, taints=(TEAM,))], need, "nodes").code == "taint"


def test_a_taint_that_passes_by_itself_is_not_to_be_tolerated():
    finding = room(CONTEXT, [node("a", 4, 16, taints=(NOT_READY,), ready=False)], NEED, "nodes")

    assert (finding.status, finding.code) == ("warn", "no-usable-node")


def tainted(key, effect="NoSchedule", name="a", **more):
    return node(name, 4, 16, taints=({"key": key, "value": "true", "effect": effect},), **more)


SYSTEM = tainted("CriticalAddonsOnly", name="system")


@pytest.mark.parametrize(
    "key",
    [
        "CriticalAddonsOnly",
        "ToBeDeletedByClusterAutoscaler",
        "karpenter.sh/disrupted",
        "virtual-kubelet.io/provider",
        "node-role.kubernetes.io/control-plane",
    ],
)
def test_a_node_that_is_kept_for_the_system_or_about_to_go_is_not_to_be_tolerated(key):
    finding = room(CONTEXT, [tainted(key)], NEED, "nodes")

    assert (finding.status, finding.code) == ("warn", "no-node-of-pool")
    assert finding.message.startswith("The pool for your pods has no node now")
    assert not [fix for fix in finding.fixes if "tolerations" in fix.command]


def test_of_several_tainted_nodes_one_that_is_set_apart_for_users_is_to_be_tolerated():
    both = [SYSTEM, node("b", 4, 16, taints=(TEAM,))]
    finding = room(CONTEXT, both, NEED, "nodes")

    assert finding.code == "taint"
    assert finding.fixes[0].command == "fairing-azure fill train.ipynb --tolerations team=vision:NoExecute"


@pytest.mark.parametrize(
    "key",
    [
        "node.kubernetes.io/disk-pressure",
        "node.cloudprovider.kubernetes.io/uninitialized",
        "node.cilium.io/agent-not-ready",
        "startup-taint.cluster-autoscaler.kubernetes.io/gpu",
        "remediator.kubernetes.azure.com/unschedulable",
    ],
)
def test_a_node_whose_taint_goes_by_itself_is_not_usable_now(key):
    finding = room(CONTEXT, [SYSTEM, tainted(key)], NEED, "nodes")

    assert (finding.status, finding.code) == ("warn", "no-usable-node")
    assert key in finding.message
    assert not [fix for fix in finding.fixes if "tolerations" in fix.command]
    assert room(CONTEXT, [tainted(key), node("b", 4, 16)], NEED, "nodes").status == "pass"


def test_nodes_without_amd64_or_linux_are_told_as_such():
    need = dataclasses.replace(NEED, node_selector={"kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"})
    arm = node("a", 64, 256, labels={"kubernetes.io/os": "linux", "kubernetes.io/arch": "arm64"})
    windows = node("w", 64, 256, labels={"kubernetes.io/os": "windows", "kubernetes.io/arch": "amd64"})

    found = {name: room(CONTEXT, [each], need, "nodes") for name, each in (("arm", arm), ("windows", windows))}

    assert {finding.code for finding in found.values()} == {"no-node-of-platform"}
    assert "images are built for amd64 here" in found["arm"].message
    assert "runs Linux" in found["windows"].message
    assert not [each for finding in found.values() for each in finding.fixes if "NODE_SELECTOR" in each.command]
    assert room(CONTEXT, [arm, windows], need, "nodes").code == "no-node-of-platform"


class Known:
    """A cluster whose nodes are known."""

    namespace = "team-a"

    def __init__(self, *found):
        self.found = found

    def nodes(self):
        return self.found


def judged(*found, **settings):
    explicit = {"backend": "KubeflowAzureBackend", "docker_registry": "contoso.azurecr.io", **settings}
    resolved, errors = sources.resolve_usable(explicit={**explicit, "builder": "acr-tasks"})
    context = services.subject_of(resolved, errors, {})
    given = [standing("cluster", Known(*found)), standing("cluster.namespace", None)]
    return {each.check: each for each in run_checks([*given, *checks(context)])}["cluster.nodes"]


@pytest.mark.parametrize(
    ("nodes", "wait", "status", "code"),
    [
        ([SYSTEM], "30m", "warn", "no-node-of-pool"),
        ([SYSTEM], "0", "fail", "no-node-of-pool"),
        ([tainted("node.kubernetes.io/disk-pressure")], "0", "fail", "no-usable-node"),
        ([tainted("node.kubernetes.io/memory-pressure")], "0", "warn", "memory-pressure"),
        ([tainted("node.kubernetes.io/memory-pressure"), node("b", 4, 16)], "0", "pass", ""),
    ],
)
def test_what_is_not_usable_now_fails_where_no_node_is_waited_for(nodes, wait, status, code):
    finding = judged(*nodes, node_wait=wait)

    assert (finding.status, finding.code) == (status, code)


@pytest.mark.parametrize(
    ("others", "wait", "status"),
    [([SYSTEM], "30m", "warn"), ([SYSTEM], "0", "warn"), ([node("b", 4, 16)], "0", "pass")],
)
def test_endpoints_stay_off_spot_nodes_and_need_another(others, wait, status):
    finding = judged(node("spot", 4, 16, taints=(SPOT,)), *others, spot="true", node_wait=wait)

    assert finding.status == status
    if status == "warn":
        assert "an endpoint of 1 cpu and 2Gi memory" in finding.message
        assert "a job" not in finding.message
        assert not [fix for fix in finding.fixes if "--spot" in fix.command]


@pytest.mark.parametrize("spot", ["true", "false"])
def test_a_job_that_has_no_node_is_told_before_an_endpoint(spot):
    finding = judged(SYSTEM, spot=spot, node_wait="0")

    assert (finding.status, finding.code) == ("fail", "no-node-of-pool")
    assert "endpoint" not in finding.message


@pytest.mark.parametrize(
    ("need", "hard", "said", "settings"),
    [
        ({"gpus": 2}, {"requests.nvidia.com/gpu": "1"}, "requests.nvidia.com/gpu: 2 is needed", "lower FAIRING_GPUS,"),
        ({"cpu_limit": "8"}, {"limits.cpu": "4"}, "limits.cpu: 8 is needed", "lower FAIRING_CPU_LIMIT,"),
        ({}, {"cpu": "0.5", "memory": "1Gi"}, "memory: 2Gi is needed", "lower FAIRING_CPU or FAIRING_MEMORY,"),
        ({"what": "build"}, {"secrets": "0"}, "secrets: 1 is needed", "no longer needed or ask"),
        ({"what": "build"}, {"requests.cpu": "0"}, "requests.cpu: 1 is needed", "lower FAIRING_BUILD_CPU,"),
    ],
)
def test_a_quota_names_what_is_asked_of_it_and_the_setting_that_asks(need, hard, said, settings):
    finding = quota_room([quota(hard)], dataclasses.replace(NEED, **need), "team-a")

    assert said in finding.message
    assert settings in finding.fixes[1].command


def test_gpus_that_no_node_has_are_a_warning_since_a_pool_may_be_at_zero():
    need = dataclasses.replace(NEED, gpus=2)

    assert room(CONTEXT, [node("a", 64, 256)], need, "nodes").code == "no-gpu-node"
    assert "the most that one has is 1" in room(CONTEXT, [node("a", 64, 256, gpus=1)], need, "nodes").message
    assert room(CONTEXT, [node("a", 64, 256, gpus=2)], need, "nodes").status == "pass"


def test_labels_that_no_node_has_are_named():
    need = dataclasses.replace(NEED, node_selector={"pool": "gpu", "kubernetes.io/os": "linux"})

    finding = room(CONTEXT, [node("a", 64, 256, labels={"pool": "cpu"})], need, "nodes")

    assert (finding.status, finding.code) == ("warn", "no-node-selected")
    assert "pool=gpu" in finding.message
    assert room(CONTEXT, [node("a", 64, 256, labels={"pool": "gpu"})], need, "nodes").status == "pass"


def test_what_a_pod_tolerates_and_asks_for_is_read_from_the_pod_itself(checked, kubernetes, namespace):
    kubernetes.control_plane.let_read_nodes(namespace)
    name, admin = f"gpu-{namespace}", kubernetes.control_plane.admin
    labels = {"kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64", "pool": name}
    kubernetes.control_plane.node(name, cpu="16", memory="64Gi", **labels)
    merge = "application/merge-patch+json"
    try:
        admin.patch(f"/api/v1/nodes/{name}", {"spec": {"taints": [GPU]}}, merge)
        amounts = {"nvidia.com/gpu": "1"}
        admin.patch(f"/api/v1/nodes/{name}/status", {"status": {"capacity": amounts, "allocatable": amounts}}, merge)
        plain = {"docker_registry": "contoso.azurecr.io", "node_selector": f"pool={name}", "builder": "acr-tasks"}

        tolerant = checked(**plain, gpus=1)["cluster.nodes"]
        barred = checked(**plain)["cluster.nodes"]
    finally:
        admin.delete(f"/api/v1/nodes/{name}")

    assert tolerant.status == "pass", tolerant.message
    assert (barred.status, barred.code) == ("warn", "taint")
    assert "sku=gpu:NoSchedule" in barred.message
