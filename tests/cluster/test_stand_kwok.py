"""kwok's nodes take pods that need no real container, and leave the stand's own node alone."""

from __future__ import annotations

from tests.cluster.team_scene import BATCH, Team

GPU = {"resources": {"limits": {"nvidia.com/gpu": "1"}}}
TOLERATED = {"tolerations": [{"key": "sku", "operator": "Equal", "value": "gpu", "effect": "NoSchedule"}]}


def names(team):
    """The names of all nodes; other tests have left some that only the API server knows."""
    return {one["metadata"]["name"] for one in team.admin.get("/api/v1/nodes")["items"]}


def test_a_job_that_asks_for_a_gpu_ends_on_a_node_that_has_one_and_real_pods_run_elsewhere(
    kwok, node, stand, namespace
):
    setup = stand.correct_setup(namespace)
    team = Team(stand, setup, node.push_base(setup.login_server, setup.dockerconfig))
    before = names(team)
    kwok.add("gpu-1", gpus=1, taints=("sku=gpu:NoSchedule",), labels={"agentpool": "gpu"})

    team.job("train", "raise SystemExit(3)", container=GPU, **TOLERATED)
    team.pod("real", "print('ran')")

    job = f"{BATCH}/{namespace}/jobs/train"
    team.until(lambda: team.admin.get(job)["status"].get("succeeded") == 1, "the Job's completion")
    [pod] = team.pods("job-name=train")
    assert pod["spec"]["nodeName"] == "gpu-1"
    assert team.ended("real")["phase"] == "Succeeded"
    assert team.admin.get(f"{team.core}/pods/real")["spec"]["nodeName"] == "stand-node"
    assert team.log("real") == "ran\n"
    kwok.remove("gpu-1")
    assert "stand-node" in names(team)
    assert names(team) == before
