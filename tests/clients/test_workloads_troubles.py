"""What is wrong, told from what the cluster has: pods, Jobs, Deployments and events as they are there."""

from __future__ import annotations

import pytest

from fairing_az_jupyter.clients.kube.diagnosis.scheduling import untolerated
from fairing_az_jupyter.clients.kube.diagnosis.waits import Waits
from fairing_az_jupyter.clients.kube.diagnosis.workloads import diagnose, endpoint_ready, replaces_disrupted
from fairing_az_jupyter.clients.kube.watching.container_states import container_state
from fairing_az_jupyter.clients.kube.watching.startup import stuck_on_node
from fairing_az_jupyter.exceptions import EndpointError, JobFailedError
from tests.clients.workloads_objects import META, deployment, ended, event, job, pod, unschedulable, waiting


@pytest.mark.parametrize(
    ("said", "code", "heals"),
    [
        (
            'pods "p" is forbidden: exceeded quota: team, requested: pods=1, used: pods=2, limited: pods=2',
            "quota",
            True,
        ),
        (
            (
                'pods "p" is forbidden: exceeded quota: team, requested: limits.cpu=4,requests.cpu=500m, '
                "used: limits.cpu=0,requests.cpu=0, limited: limits.cpu=3500m,requests.cpu=1"
            ),
            "quota",
            False,
        ),
        ('pods "p" is forbidden: failed quota: team: must specify limits.cpu for: model', "quota", False),
        (
            (
                "Error creating: pods \"p\" is forbidden: ValidatingAdmissionPolicy 'limits' with binding 'limits' "
                "denied request: CPU limits are required"
            ),
            "admission-denied",
            False,
        ),
        (
            'Error creating: pods "p" is forbidden: maximum cpu usage per Container is 2, but limit is 4',
            "limit-range",
            False,
        ),
        (
            (
                'Internal error occurred: failed calling webhook "guard.example.com": failed to call webhook: '
                'Post "https://guard.gate.svc:443/v1?timeout=10s": context deadline exceeded'
            ),
            "webhook-unreachable",
            True,
        ),
        (
            (
                'Internal error occurred: failed calling webhook "guard.example.com": failed to call webhook: '
                'Post "https://guard.gate.svc:443/": no endpoints available for service "guard"'
            ),
            "webhook-unreachable",
            True,
        ),
        ('pods "p" is forbidden: status unknown for quota: team, resources: limits.cpu', "no-pod", True),
        ('pods "p" is forbidden: not yet ready to handle request', "no-pod", True),
        ('pods "p" is forbidden: Internal error occurred: resource quota evaluation timed out', "no-pod", True),
        ("Error creating: etcdserver: request timed out", "webhook-unreachable", True),
        ('Error creating: Pod "p" is invalid: spec.containers[0].image: Required value', "invalid", False),
        (
            "Pod \"p\" is invalid: : ValidatingAdmissionPolicy 'limits' with binding 'b' denied request: no",
            "admission-denied",
            False,
        ),
        ("Error creating: something that nobody has seen", "no-pod", True),
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


def test_a_quota_that_wants_limits_names_the_settings_that_give_them():
    said = 'pods "p" is forbidden: failed quota: team: must specify limits.cpu for: model; limits.memory for: model'
    found = diagnose(job(), [], [event("FailedCreate", said, kind="Job", name="train")])
    assert (
        found.hint == "Set FAIRING_CPU_LIMIT and FAIRING_MEMORY; see the quota: kubectl -n team-a describe quota team"
    )


@pytest.mark.parametrize(
    ("wanted", "hint"),
    [
        ("requests.nvidia.com/gpu for: gpu", "Set FAIRING_GPUS; see"),
        ("limits.cpu for: memory; requests.nvidia.com/gpu for: c", "Set FAIRING_CPU_LIMIT and FAIRING_GPUS; see"),
        (
            "limits.cpu,limits.ephemeral-storage",
            "Set FAIRING_CPU_LIMIT; limits.ephemeral-storage is not a setting: have",
        ),
        (
            "limits.ephemeral-storage for: c",
            "limits.ephemeral-storage is not a setting: have a LimitRange give a default",
        ),
    ],
)
def test_a_quota_that_wants_something_else_names_its_setting_or_that_there_is_none(wanted, hint):
    said = f'pods "p" is forbidden: failed quota: team: must specify {wanted}'
    found = diagnose(job(), [], [event("FailedCreate", said, kind="Job", name="train")])
    assert found.hint.startswith(hint)


def test_what_kept_the_last_pod_from_being_made_is_no_trouble_of_the_next_one():
    said = event("FailedCreate", "exceeded quota: team", kind="Job", name="train", lastTimestamp="2026-11-29T10:00:00Z")
    gone = pod("Failed", creationTimestamp="2026-11-29T10:00:05Z", deletionTimestamp="2026-11-29T10:01:00Z")
    assert diagnose(job(), [gone], [said]) is None
    assert diagnose(job(), [gone], [{**said, "lastTimestamp": "2026-11-29T10:01:02Z"}]).code == "quota"


def test_what_kept_the_last_pod_from_being_made_is_past_also_when_that_pod_has_gone():
    said = event("FailedCreate", "exceeded quota: team", kind="ReplicaSet", lastTimestamp="2026-11-29T10:00:00Z")
    assert diagnose(deployment(), [], [said]).code == "quota"
    assert diagnose(deployment(), [], [said], made="2026-11-29T10:00:05Z") is None
    assert diagnose(deployment(), [], [said], made="2026-11-29T09:59:00Z").code == "quota"


@pytest.mark.parametrize(
    ("reason", "said", "code", "rule"),
    [
        ("FailedAttachVolume", "Multi-Attach error for volume: already used by pod(s) x", "volume", "volume"),
        ("FailedMount", "failed to sync configmap cache: timed out waiting for the condition", "volume", "volume"),
        (
            "FailedMount",
            'MountVolume.SetUp failed for volume "k" : secret "keys" not found',
            "secret-missing",
            "object-missing",
        ),
        ("FailedMount", 'configmap "conf" not found', "configmap-missing", "object-missing"),
        ("FailedMount", 'object "team-a"/"conf" not registered', "volume", "volume"),
        ("FailedCreatePodSandBox", "plugin type azure-vnet failed (add)", "pod-sandbox", "container-passing"),
    ],
)
def test_what_keeps_a_pod_from_its_volumes_is_waited_for(reason, said, code, rule):
    found = diagnose(job(), [pod(spec={"nodeName": "n"})], [event(reason, said)])
    assert (found.code, found.condition, found.heals) == (code, rule, True)


@pytest.mark.parametrize("progress", ["SuccessfulAttachVolume", "Pulling", "Pulled", "Created", "Started"])
def test_a_failed_mount_has_passed_when_the_pod_goes_on(progress):
    failed = event("FailedMount", "timed out", lastTimestamp="2026-11-29T10:00:00Z")
    later = event(progress, "", lastTimestamp="2026-11-29T10:00:03Z")
    one = pod("Pending", waiting("ContainerCreating"), spec={"nodeName": "n"})
    assert diagnose(job(), [one], [failed, later]) is None
    assert diagnose(job(), [one], [later, failed]) is None
    again = {**failed, "lastTimestamp": "2026-11-29T10:00:09Z"}
    assert diagnose(job(), [one], [later, again]).code == "volume"


@pytest.mark.parametrize(
    "status",
    [
        {"name": "main", "state": {"running": {}}},
        {"name": "main", "state": {"terminated": {"exitCode": 0}}},
        waiting("CrashLoopBackOff", lastState={"terminated": {"exitCode": 1}}),
    ],
)
def test_a_failed_mount_has_passed_when_a_container_came_further(status):
    failed = event("FailedMount", "timed out")
    assert diagnose(job(), [pod("Pending", status, spec={"nodeName": "n"})], [failed]) is None


@pytest.mark.parametrize("turned", [False, True])
def test_progress_in_the_same_second_as_a_failed_mount_counts_in_either_order(turned):
    stamp = {"lastTimestamp": "2026-11-29T10:00:00Z"}
    events = [event("FailedMount", "timed out", **stamp), event("Pulling", "", **stamp)]
    one = pod("Pending", waiting("ContainerCreating"), spec={"nodeName": "n"})
    assert diagnose(job(), [one], events[::-1] if turned else events) is None


def test_another_pods_progress_does_not_count():
    failed, other = event("FailedMount", "timed out"), event("Pulling", "", name="other")
    assert diagnose(job(), [pod(spec={"nodeName": "n"})], [failed, other]).code == "volume"


@pytest.mark.parametrize(
    ("reason", "message", "said"),
    [
        ("TriggeredScaleUp", "pod triggered scale-up: [{gpu 0->1 (max: 2)}]", "adds a node: [{gpu 0->1 (max: 2)}]."),
        ("NotTriggerScaleUp", "pod didn't trigger scale-up: 2 max node group size reached", "adds no node: 2 max node"),
        ("NotTriggerScaleUp", "pod didn't trigger scale-up:", "The cluster autoscaler adds no node."),
        ("FailedScaleUp", "Node scale up in zones z failed: out of quota", "failed to add a node: Node scale up"),
        ("Nominated", "Pod should schedule on: nodeclaim/gpu-2hfk8", "provisions a node: nodeclaim/gpu-2hfk8."),
        (
            "FailedScheduling",
            "Failed to schedule pod, all available instance types exceed limits",
            "Karpenter reports: Fai",
        ),
    ],
)
def test_what_the_autoscaler_says_stands_beside_the_schedulers_words(reason, message, said):
    found = diagnose(job(), [unschedulable("0/2 nodes are available: 2 Insufficient cpu.")], [event(reason, message)])
    assert "2 Insufficient cpu." in found.message
    assert said in found.message
    assert found.code == "unschedulable-cpu"


def test_the_autoscalers_last_word_counts():
    first = event(
        "NotTriggerScaleUp", "pod didn't trigger scale-up: 1 in backoff", lastTimestamp="2026-11-29T10:00:00Z"
    )
    last = event("TriggeredScaleUp", "pod triggered scale-up: [{a 1->2}]", lastTimestamp="2026-11-29T10:00:30Z")
    of_another = event("NotTriggerScaleUp", "no", name="other", lastTimestamp="2026-11-29T10:01:00Z")
    found = diagnose(job(), [unschedulable("0/1 nodes")], [last, first, of_another])
    assert "adds a node" in found.message
    assert "adds no node" not in found.message


@pytest.mark.parametrize("times", [1, 2, 5])
def test_why_a_node_could_not_be_added_is_told_also_while_the_autoscaler_holds_back_after_it(times):
    failed = event("FailedScaleUp", "Node scale up failed: quota exceeded", lastTimestamp="2026-11-29T10:00:00Z")
    message = "pod didn't trigger scale-up: 1 in backoff after failed scale-up"
    held = [
        event("NotTriggerScaleUp", message, lastTimestamp=f"2026-11-29T10:00:0{each + 1}Z") for each in range(times)
    ]
    found = diagnose(job(), [unschedulable("0/1 nodes")], [failed, *held])
    assert found.message.count("quota exceeded") == found.message.count("in backoff") == 1
    grown = event("TriggeredScaleUp", "pod triggered scale-up: [{a 1->2}]", lastTimestamp="2026-11-29T10:00:30Z")
    assert "quota exceeded" not in diagnose(job(), [unschedulable("0/1 nodes")], [failed, *held, grown]).message


@pytest.mark.parametrize(
    ("said", "hint"),
    [
        ("1 node(s) had untolerated taint {sku: gpu}", "FAIRING_TOLERATIONS = 'sku=gpu'"),
        ("1 Insufficient cpu, 1 node(s) had untolerated taint {sku: gpu}", "FAIRING_TOLERATIONS = 'sku=gpu'"),
        ("1 node(s) had taint {dedicated: }, that the pod didn't tolerate", "FAIRING_TOLERATIONS = 'dedicated'"),
        ("1 node(s) had untolerated taint {kubernetes.azure.com/scalesetpriority: spot}", "FAIRING_SPOT = True"),
        ("1 node(s) had untolerated taint(s)", "FAIRING_TOLERATIONS = 'team=a:NoSchedule'"),
    ],
)
def test_a_taint_is_named_with_the_setting_that_tolerates_it(said, hint):
    taints = [("team", "a", "NoSchedule")]
    assert hint in diagnose(job(), [unschedulable(f"0/2 nodes are available: {said}.")], [], taints).message


def test_karpenter_names_a_taint_with_its_effect():
    said = 'Failed to schedule pod, incompatible with nodepool "gpu", did not tolerate taint (taint=sku=gpu:NoSchedule)'
    one = unschedulable("0/2 nodes are available: 2 node(s) had untolerated taint(s).")
    found = diagnose(job(), [one], [event("FailedScheduling", said)])
    assert "FAIRING_TOLERATIONS = 'sku=gpu:NoSchedule'" in found.message


@pytest.mark.parametrize("taint", ["node.kubernetes.io/not-ready", "CriticalAddonsOnly", "karpenter.sh/disrupted"])
def test_a_taint_of_kubernetes_own_is_not_to_be_tolerated(taint):
    said = f"0/2 nodes are available: 1 node(s) had untolerated taint {{{taint}: true}}."
    assert "FAIRING_TOLERATIONS" not in diagnose(job(), [unschedulable(said)]).message


def test_the_taints_of_nodes_that_a_pod_does_not_tolerate_are_found():
    taints = [
        {"key": "sku", "value": "gpu", "effect": "NoSchedule"},
        {"key": "team", "value": "a", "effect": "NoExecute"},
        {"key": "soft", "effect": "PreferNoSchedule"},
        {"key": "node.kubernetes.io/unreachable", "effect": "NoExecute"},
    ]
    node = {"spec": {"taints": taints}}
    assert untolerated(pod(), [node, node]) == (("sku", "gpu", "NoSchedule"), ("team", "a", "NoExecute"))
    tolerates = {"tolerations": [{"key": "sku", "operator": "Equal", "value": "gpu"}]}
    assert untolerated(pod(spec=tolerates), [node]) == (("team", "a", "NoExecute"),)
    assert untolerated(pod(spec={"tolerations": [{"operator": "Exists"}]}), [node]) == ()


def test_a_volume_claim_that_is_missing_is_not_waited_for_like_a_node():
    assert diagnose(job(), [unschedulable('persistentvolumeclaim "data" not found')]).condition == "claim-missing"
    assert (
        diagnose(job(), [unschedulable("pod has unbound immediate PersistentVolumeClaims")]).condition
        == "unschedulable"
    )


DISRUPTED = {"conditions": [{"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI"}]}


@pytest.mark.parametrize("owner", [job(), deployment()])
def test_a_pod_that_the_cluster_takes_away_is_its_controllers_affair(owner):
    assert diagnose(owner, [pod("Running", {"name": "main", "state": {"running": {}}}, status=DISRUPTED)]) is None


def test_a_job_that_ignores_disruptions_is_known_by_its_policy():
    rule = {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]}
    assert replaces_disrupted({"spec": {"podFailurePolicy": {"rules": [rule]}}})
    assert not replaces_disrupted({"spec": {"podFailurePolicy": {"rules": [{**rule, "action": "FailJob"}]}}})
    assert not replaces_disrupted(job())


def test_a_running_pod_that_is_not_ready_though_its_containers_are_has_lost_its_node():
    status = {"name": "main", "ready": True, "state": {"running": {}}}
    lost = pod("Running", status, spec={"nodeName": "n"}, status={"conditions": [{"type": "Ready", "status": "False"}]})
    found = stuck_on_node(lost, "team-a")
    assert (found.code, found.heals) == ("node-not-ready", True)
    assert found.rule.seconds(Waits()) == float("inf")
    assert "continues when the node is back" in found.message
    going = pod("Running", status, spec={"nodeName": "n"}, status=lost["status"], deletionTimestamp="2026-11-29")
    assert "continues" not in stuck_on_node(going, "team-a").message
    starting = pod("Running", {**status, "ready": False}, spec={"nodeName": "n"})
    assert stuck_on_node(starting, "team-a") is None


@pytest.mark.parametrize(
    ("reason", "state", "code"),
    [
        ("DeletionByTaintManager", {"running": {}}, "node-not-ready"),
        ("EvictionByEvictionAPI", {"running": {}}, None),
        ("DeletionByTaintManager", {"terminated": {"exitCode": 143}}, None),
    ],
)
def test_a_pod_that_is_never_ready_has_lost_its_node_when_it_is_ended_for_that(reason, state, code):
    status = {"conditions": [{"type": "DisruptionTarget", "status": "True", "reason": reason}]}
    main = {"name": "main", "ready": False, "state": state}
    going = pod("Running", main, spec={"nodeName": "n"}, status=status, deletionTimestamp="2026-11-29")
    assert getattr(stuck_on_node(going, "team-a"), "code", None) == code


def test_a_container_that_is_being_made_is_reported_only_after_a_while():
    found = stuck_on_node(pod("Pending", waiting("ContainerCreating"), spec={"nodeName": "n"}), "team-a")
    assert (found.code, found.rule.first) == ("not-started", 30.0)
    assert stuck_on_node(pod("Pending"), "team-a") is None


@pytest.mark.parametrize(
    ("reason", "said", "code", "heals"),
    [
        ("CreateContainerConfigError", "container has runAsNonRoot and image will run as root", "runs-as-root", False),
        ("RunContainerError", 'exec: "pyton": executable file not found in $PATH', "start-failed", False),
        (
            "CreateContainerConfigError",
            'container\'s runAsUser breaks non-root policy (pod: "p", container: main)',
            "runs-as-root",
            False,
        ),
        (
            "CreateContainerError",
            "failed to reserve container name: context deadline exceeded",
            "container-config",
            True,
        ),
    ],
)
def test_what_a_container_is_made_of_stays_and_the_runtimes_mood_passes(reason, said, code, heals):
    found = diagnose(deployment(), [pod("Pending", waiting(reason, said))])
    assert (found.code, found.heals) == (code, heals)


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
