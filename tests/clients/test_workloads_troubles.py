"""What is wrong, told from what the cluster has: pods, Jobs, Deployments and events as they are there."""

from __future__ import annotations

import pytest

from fairing_az_jupyter.clients.kube.board import container_state
from fairing_az_jupyter.clients.kube.troubles import diagnose, endpoint_ready
from fairing_az_jupyter.exceptions import EndpointError, JobFailedError

META = {"namespace": "team-a", "name": "p", "uid": "u"}


def pod(phase="Pending", *statuses, init=(), **more):
    status = {"phase": phase, "containerStatuses": list(statuses), "initContainerStatuses": list(init)}
    status |= more.pop("status", {})
    spec = {"containers": [{"name": "main"}], **more.pop("spec", {})}
    return {"kind": "Pod", "metadata": {**META, **more}, "spec": spec, "status": status}


def waiting(reason, message="", *, image="team.azurecr.io/train:1", **more):
    state = {"waiting": {"reason": reason, "message": message}}
    return {"name": "main", "image": image, "restartCount": 0, "state": state, **more}


def ended(code, reason="Error", message=""):
    return {
        "name": "main",
        "restartCount": 0,
        "state": {"terminated": {"exitCode": code, "reason": reason, "message": message}},
    }


def job(**condition):
    conditions = [{"status": "True", **condition}] if condition else []
    return {"kind": "Job", "metadata": {**META, "name": "train"}, "spec": {}, "status": {"conditions": conditions}}


def deployment(**status):
    metadata = {**META, "name": "serve", "generation": 2}
    return {"kind": "Deployment", "metadata": metadata, "spec": {"replicas": 2}, "status": status}


def event(reason, message, *, kind="Pod", name="p"):
    return {"reason": reason, "message": message, "involvedObject": {"kind": kind, "name": name}}


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("failed to authorize: failed to fetch anonymous token: 401 Unauthorized", "image-unauthorized"),
        ("pull access denied, repository does not exist or may require authorization", "image-unauthorized"),
        ('rpc error: code = NotFound desc = "team.azurecr.io/train:1": not found', "image-not-found"),
        ("manifest unknown: manifest tagged by 1 is not found", "image-not-found"),
        ("dial tcp: lookup team.azurecr.io on 10.0.0.10:53: no such host", "image-host"),
        ("dial tcp 20.0.0.1:443: i/o timeout", "image-unreachable"),
        ("toomanyrequests: You have reached your pull rate limit", "image-throttled"),
        ("no match for platform in manifest: not found", "image-platform"),
        ("x509: certificate signed by unknown authority", "image-tls"),
        ("write /var/lib/containerd: no space left on device", "image-disk"),
        ("something new", "image-pull"),
        ("", "image-pull"),
    ],
)
def test_images_that_cant_be_had_are_told_apart(said, code):
    found = diagnose(job(), [pod("Pending", waiting("ImagePullBackOff", f"Back-off pulling image: {said}"))])
    assert (found.code, found.heals) == (code, False)
    assert "team.azurecr.io/train:1" in found.message


def test_the_words_of_an_images_name_are_no_reason():
    status = waiting("ErrImagePull", "x/404-unauthorized:1: i/o timeout", image="x/404-unauthorized:1")
    assert diagnose(job(), [pod("Pending", status)]).code == "image-unreachable"


def test_a_first_failure_of_the_network_may_pass_and_a_definite_one_does_not():
    assert diagnose(job(), [pod("Pending", waiting("ErrImagePull", "i/o timeout"))]).heals
    assert not diagnose(job(), [pod("Pending", waiting("ErrImagePull", "401 Unauthorized"))]).heals
    assert diagnose(job(), [pod("Pending", waiting("InvalidImageName"))]).code == "image-name"
    assert diagnose(job(), [pod("Pending", waiting("ErrImageNeverPull"))]).code == "image-absent"


def test_an_older_kubelet_tells_the_reason_of_a_back_off_in_an_event():
    said = event("Failed", 'Failed to pull image "x": 401 Unauthorized')
    found = diagnose(job(), [pod("Pending", waiting("ImagePullBackOff", 'Back-off pulling image "x"'))], [said])
    assert found.code == "image-unauthorized"


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("0/2 nodes are available: 2 Insufficient cpu.", "unschedulable-cpu"),
        ("0/2 nodes are available: 2 Insufficient memory.", "unschedulable-memory"),
        ("0/2 nodes are available: 2 Insufficient nvidia.com/gpu.", "unschedulable-gpu"),
        ("0/2 nodes are available: 1 node(s) had untolerated taint {spot: true}.", "unschedulable-taint"),
        ("0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector.", "unschedulable-affinity"),
        ("0/2 nodes are available: 2 node(s) had volume node affinity conflict.", "unschedulable-volume"),
        ('persistentvolumeclaim "data" not found', "unschedulable-volume"),
        ("0/2 nodes are available: 2 Too many pods.", "unschedulable-pods"),
        ("no nodes available to schedule pods", "unschedulable"),
    ],
)
@pytest.mark.parametrize("by_event", [True, False])
def test_pods_that_no_node_takes_are_told_apart_and_may_heal(said, code, by_event):
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": said}
    one = pod() if by_event else pod(status={"conditions": [condition]})
    found = diagnose(job(), [one], [event("FailedScheduling", said)] if by_event else [])
    assert (found.code, found.heals) == (code, True)
    assert said.rstrip(".") in found.message


def test_what_the_scheduler_said_before_is_no_trouble_once_there_is_a_node():
    said = event("FailedScheduling", "0/2 nodes are available: 2 Insufficient cpu.")
    assert diagnose(job(), [pod(spec={"nodeName": "n"})], [said]) is None


@pytest.mark.parametrize(
    ("said", "code", "heals"),
    [
        ('Error creating: pods "p" is forbidden: exceeded quota: team, requested: pods=1', "quota", True),
        ('Error creating: admission webhook "guard.example.com" denied the request: no', "admission-denied", False),
        ('Error creating: pods "p" is forbidden: violates PodSecurity "restricted:latest"', "pod-security", False),
        (
            'Error creating: pods "p" is forbidden: error looking up service account a/b: serviceaccount "b" not found',
            "service-account-missing",
            True,
        ),
    ],
)
def test_pods_that_may_not_be_made_are_told_apart(said, code, heals):
    found = diagnose(job(), [], [event("FailedCreate", said, kind="Job", name="train")])
    assert (found.code, found.heals) == (code, heals)
    condition = {"type": "ReplicaFailure", "status": "True", "message": said}
    found = diagnose(deployment(conditions=[condition]), [])
    assert (found.code, found.heals) == (code, heals)


@pytest.mark.parametrize(
    ("reason", "said", "code", "wanted"),
    [
        ("CreateContainerConfigError", 'secret "azcreds" not found', "secret-missing", "secret 'azcreds'"),
        ("CreateContainerConfigError", 'configmap "settings" not found', "configmap-missing", "configmap 'settings'"),
        (
            "CreateContainerConfigError",
            "couldn't find key PASSWORD in Secret team-a/azcreds",
            "secret-key-missing",
            "key 'PASSWORD' of secret 'azcreds'",
        ),
        ("CreateContainerError", "invalid argument", "container-config", "invalid argument"),
    ],
)
def test_containers_that_cant_be_made_are_told_apart(reason, said, code, wanted):
    found = diagnose(job(), [pod("Pending", waiting(reason, said))])
    assert found.code == code
    assert wanted in found.message


def test_a_crash_loop_is_an_endpoints_trouble_and_a_jobs_own_affair():
    last = {"lastState": {"terminated": {"exitCode": 3, "reason": "Error"}}, "restartCount": 4}
    looping = pod("Running", waiting("CrashLoopBackOff", **last))
    found = diagnose(deployment(), [looping])
    assert (found.code, found.returncode, found.heals) == ("crash-loop", 3, False)
    assert "--previous" in found.hint
    assert diagnose(job(), [looping]) is None


def test_a_container_that_ran_out_of_memory_again_and_again_is_told_as_that():
    last = {"lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}, "restartCount": 2}
    found = diagnose(deployment(), [pod("Running", waiting("CrashLoopBackOff", **last))])
    assert (found.code, found.returncode) == ("oom-killed", 137)


@pytest.mark.parametrize(
    ("one", "code", "returncode"),
    [
        (pod("Failed", ended(1)), "container-failed", 1),
        (pod("Failed", ended(137, "OOMKilled")), "oom-killed", 137),
        (pod("Failed", ended(127, "StartError", 'exec: "pyton": not found')), "start-failed", 127),
        (pod("Failed", init=[ended(2)]), "init-failed", 2),
        (
            pod("Failed", status={"reason": "Evicted", "message": "The node was low on resource: memory."}),
            "evicted",
            None,
        ),
        (pod("Failed", status={"reason": "NodeLost", "message": "Node n is unresponsive"}), "node-lost", None),
        (
            pod(
                "Failed",
                status={
                    "conditions": [{"type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler"}]
                },
            ),
            "preempted",
            None,
        ),
        (pod("Failed", status={"reason": "DeadlineExceeded"}), "deadline", None),
        (pod("Failed", status={"reason": "OutOfcpu", "message": "no cpu"}), "node-refused", None),
    ],
)
def test_a_failed_job_is_told_by_what_failed_in_it(one, code, returncode):
    found = diagnose(job(type="Failed", reason="BackoffLimitExceeded"), [one])
    assert (found.code, found.returncode) == (code, returncode)
    assert found.message.startswith("Job 'train' in namespace 'team-a' failed.")
    assert diagnose(None, [one]).code == code


def test_a_failed_job_without_pods_is_told_by_its_own_words():
    found = diagnose(job(type="Failed", reason="BackoffLimitExceeded", message="Job has reached its limit"), [])
    assert (found.code, "reached its limit" in found.message) == ("job-failed", True)


def test_a_pod_that_fails_is_no_trouble_while_its_job_tries_again():
    assert diagnose(job(), [pod("Failed", ended(1))]) is None


def test_what_does_not_heal_comes_before_what_may():
    pods = [pod("Pending", waiting("ErrImagePull", "i/o timeout")), pod("Pending", waiting("InvalidImageName"))]
    assert diagnose(job(), pods).code == "image-name"


@pytest.mark.parametrize(
    "kind", [None, {}, {"status": None}, {"status": {"containerStatuses": [None, {}, {"state": None}]}}]
)
def test_objects_with_missing_parts_are_no_trouble(kind):
    assert diagnose(kind, [kind or {}], [{}, {"message": None, "involvedObject": None}]) is None


def test_an_error_has_the_last_lines_and_the_kind_of_what_failed():
    found = diagnose(None, [pod("Failed", ended(1))])
    error = found.error("Job", ("first", "last"))
    assert isinstance(error, JobFailedError)
    assert (error.returncode, error.last_lines) == (1, ("first", "last"))
    assert "\n  first\n  last\n" in str(error)
    assert isinstance(found.error("Deployment"), EndpointError)


def test_values_of_signed_addresses_are_not_told():
    found = diagnose(None, [pod("Failed", ended(1, "Error", "GET https://a.blob/x?sv=1&sig=MARKED%3D failed"))])
    assert "MARKED" not in found.message


@pytest.mark.parametrize(
    ("status", "ready"),
    [
        ({"observedGeneration": 2, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2}, True),
        ({"observedGeneration": 1, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2}, False),
        ({"observedGeneration": 2, "replicas": 3, "updatedReplicas": 2, "availableReplicas": 3}, False),
        ({"observedGeneration": 2, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 1}, False),
        ({}, False),
    ],
)
def test_a_deployment_serves_when_all_of_its_newest_pods_do(status, ready):
    assert endpoint_ready(deployment(**status)) is ready


def test_an_inference_service_serves_when_it_says_so():
    ready = {
        "kind": "InferenceService",
        "metadata": META,
        "status": {"conditions": [{"type": "Ready", "status": "True"}]},
    }
    assert endpoint_ready(ready)
    assert not endpoint_ready({**ready, "status": {"conditions": [{"type": "Ready", "status": "False"}]}})


def test_the_newest_start_of_a_container_is_known_while_it_is_held_back():
    last = {"terminated": {"exitCode": 1, "containerID": "c-1"}}
    held = waiting("CrashLoopBackOff", lastState=last, restartCount=1, containerID="c-1")
    state = container_state(pod("Running", held), "main")
    assert (state.started(1), state.ended(1), state.started(2), state.over) == (True, True, False, False)
    created = waiting("ContainerCreating", lastState=last, restartCount=2, containerID="c-2")
    state = container_state(pod("Running", created), "main")
    assert (state.ended(1), state.started(2)) == (True, False)
    assert container_state(pod("Running"), "main", gone=True).over
