"""The objects of a launch, judged by the real API server."""

from __future__ import annotations

import re
import subprocess
import sys
import threading

import pytest

from fairing_az_jupyter.fairing.cluster import manifests
from fairing_az_jupyter.fairing.cluster.manifests import Placement, Target, finished_pod

SPEC = {"containers": [{"name": "model", "image": "contoso.azurecr.io/fairing-job:1", "command": ["python", "x.py"]}]}
TARGET = Target("team-a", "default-editor", "acrcreds", "my notebook!")


def pod(spec=SPEC, **placement):
    return finished_pod(spec, TARGET, Placement(**placement), ends=True)


def made(kind):
    name = manifests.new_name("endpoint")
    return {
        "Job": ("batch/v1", "jobs", manifests.job(name, pod(spot=True, gpus=1), TARGET, deadline=60)),
        "Deployment": (
            "apps/v1",
            "deployments",
            manifests.deployment(name, finished_pod(SPEC, TARGET, Placement(), ends=False), TARGET),
        ),
        "Service": ("v1", "services", manifests.service(name, TARGET, public=True)),
    }[kind]


@pytest.fixture
def place(job_place):
    return job_place


@pytest.mark.parametrize("kind", ["Job", "Deployment", "Service"])
def test_the_api_server_takes_it_with_strict_validation(kubernetes, namespace, kind):
    kubernetes.control_plane.profile(namespace)
    version, resource, body = made(kind)
    body["metadata"]["namespace"] = namespace
    base = f"/api/{version}" if version == "v1" else f"/apis/{version}"
    path = f"{base}/namespaces/{namespace}/{resource}"

    answer = kubernetes.control_plane.admin.call("POST", path, body, query={"fieldValidation": "Strict"})

    assert answer.status_code == 201, answer.text


def test_pods_opt_out_of_istio_by_label_and_annotation():
    for body in (made("Job")[2], made("Deployment")[2]):
        metadata = body["spec"]["template"]["metadata"]
        assert metadata["labels"]["sidecar.istio.io/inject"] == "false"
        assert metadata["annotations"]["sidecar.istio.io/inject"] == "false"


def test_pods_run_as_the_notebooks_service_account_and_pull_with_its_secret():
    assert pod()["serviceAccountName"] == "default-editor"
    assert pod()["imagePullSecrets"] == [{"name": "acrcreds"}]


def test_what_a_mutator_has_set_stays():
    container = {**SPEC["containers"][0], "resources": {"requests": {"cpu": "4"}, "limits": {"memory": "8Gi"}}}
    spec = {"containers": [container], "serviceAccountName": "mine", "nodeSelector": {"pool": "big"}}
    spec["tolerations"] = [{"key": "mine", "operator": "Exists"}]

    found = pod(spec, spot=True, node_selector={"pool": "small", "disk": "ssd"})

    assert found["serviceAccountName"] == "mine"
    assert found["nodeSelector"] == {"kubernetes.io/os": "linux", "pool": "big", "disk": "ssd"}
    assert found["containers"][0]["resources"] == {
        "requests": {"cpu": "4", "memory": "2Gi"},
        "limits": {"memory": "8Gi"},
    }
    assert [each["key"] for each in found["tolerations"]] == ["mine", "kubernetes.azure.com/scalesetpriority"]
    assert spec["containers"][0]["resources"] == {"requests": {"cpu": "4"}, "limits": {"memory": "8Gi"}}


@pytest.mark.parametrize(
    ("own", "requests", "limits"),
    [
        ({"requests": {"memory": "8Gi"}}, {"cpu": "1", "memory": "8Gi"}, {"memory": "8Gi"}),
        ({"requests": {"memory": "512Mi"}}, {"cpu": "1", "memory": "512Mi"}, {"memory": "2Gi"}),
        ({"requests": {"memory": 3 << 30}}, {"cpu": "1", "memory": 3 << 30}, {"memory": str(3 << 30)}),
        ({"limits": {"memory": "1Gi"}}, {"cpu": "1", "memory": "1Gi"}, {"memory": "1Gi"}),
        ({"limits": {"cpu": "500m"}}, {"cpu": "500m", "memory": "2Gi"}, {"cpu": "500m", "memory": "2Gi"}),
    ],
)
def test_no_container_asks_for_more_than_its_limit_whatever_a_mutator_has_set(own, requests, limits):
    found = pod({"containers": [{**SPEC["containers"][0], "resources": own}]})

    assert found["containers"][0]["resources"] == {"requests": requests, "limits": limits}


def test_of_gpus_a_mutators_number_counts_in_requests_and_limits():
    for part in ("requests", "limits"):
        container = {**SPEC["containers"][0], "resources": {part: {"nvidia.com/gpu": "3"}}}

        resources = pod({"containers": [container]}, gpus=1)["containers"][0]["resources"]

        assert (resources["requests"]["nvidia.com/gpu"], resources["limits"]["nvidia.com/gpu"]) == ("3", "3")


SPOT_LABEL = "kubernetes.azure.com/scalesetpriority"
GPU_TAINTS = {("sku", "gpu", "NoSchedule"), ("nvidia.com/gpu", None, "NoSchedule")}


def taints(found):
    return {(each["key"], each.get("value"), each.get("effect")) for each in found.get("tolerations", [])}


def with_first(**more):
    first = {"name": "first", "image": "contoso.azurecr.io/fairing-job:1"}
    return {"initContainers": [first], "containers": [dict(SPEC["containers"][0])], **more}


@pytest.mark.parametrize("ends", [True, False])
def test_pods_that_ask_for_gpus_tolerate_the_taints_of_gpu_nodes_and_their_init_containers_ask_for_none(ends):
    found = finished_pod(with_first(), TARGET, Placement(gpus=2), ends=ends)

    assert taints(found) == GPU_TAINTS
    assert found["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == "2"
    [first] = found["initContainers"]
    assert "nvidia.com/gpu" not in str(first["resources"])
    assert first["resources"]["limits"] == {"memory": "2Gi"}
    assert "tolerations" not in finished_pod(with_first(), TARGET, Placement(), ends=ends)


@pytest.mark.parametrize(
    ("resource", "key"),
    [
        ("nvidia.com/gpu", "nvidia.com/gpu"),
        ("amd.com/gpu", "amd.com/gpu"),
        ("nvidia.com/mig-1g.5gb", "nvidia.com/gpu"),
    ],
)
def test_gpus_that_a_mutator_asks_for_are_tolerated_too_and_reach_no_init_container(resource, key):
    spec = with_first()
    spec["containers"][0]["resources"] = {"limits": {resource: 1}}

    found = pod(spec)

    assert taints(found) == {("sku", "gpu", "NoSchedule"), (key, None, "NoSchedule")}
    assert resource not in str(found["initContainers"])
    spec["containers"][0]["resources"] = {"limits": {resource: 0}}
    assert "tolerations" not in pod(spec)


@pytest.mark.parametrize("mutate", [{"resources": {"limits": {"nvidia.com/gpu": 1}}}, {}])
def test_a_sidecars_gpus_are_tolerated_as_the_programs_are(mutate):
    spec = {"containers": [dict(SPEC["containers"][0]), {"name": "more", "image": "x:1", **mutate}]}

    assert taints(pod(spec)) == (GPU_TAINTS if mutate else set())


@pytest.mark.parametrize("ends", [True, False])
def test_programs_with_gpus_share_memory_up_to_their_limit_unless_they_have_something_there(ends):
    found = finished_pod(SPEC, TARGET, Placement(gpus=1), ends=ends)

    [mount], [volume] = found["containers"][0]["volumeMounts"], found["volumes"]
    assert mount == {"name": volume["name"], "mountPath": "/dev/shm"}  # noqa: S108 - the pod's
    assert volume["emptyDir"] == {"medium": "Memory"}
    assert "volumes" not in finished_pod(SPEC, TARGET, Placement(), ends=ends)
    own = {"volumeMounts": [{"name": "mine", "mountPath": "/dev/shm/"}]}  # noqa: S108 - the pod's
    spec = {"containers": [{**SPEC["containers"][0], **own}], "volumes": [{"name": "mine"}]}
    assert finished_pod(spec, TARGET, Placement(gpus=1), ends=ends)["volumes"] == [{"name": "mine"}]


def test_a_taint_is_tolerated_once_however_often_it_is_named():
    sku = {"key": "sku", "operator": "Equal", "value": "gpu", "effect": "NoSchedule"}

    found = pod({**SPEC, "tolerations": [sku]}, gpus=1, tolerations=[sku])

    assert found["tolerations"].count(sku) == 1


def test_jobs_under_spot_rather_take_spot_nodes_and_endpoints_never_do():
    found = pod(spot=True)
    served = finished_pod(SPEC, TARGET, Placement(spot=True), ends=False)

    [preferred] = found["affinity"]["nodeAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"]
    assert preferred["preference"]["matchExpressions"] == [{"key": SPOT_LABEL, "operator": "In", "values": ["spot"]}]
    assert taints(found) == {(SPOT_LABEL, "spot", "NoSchedule")}
    assert "affinity" not in served
    assert "tolerations" not in served


def test_spot_is_preferred_beside_what_the_user_prefers():
    own = {"weight": 1, "preference": {"matchExpressions": [{"key": "disk", "operator": "Exists"}]}}
    preferred = {"preferredDuringSchedulingIgnoredDuringExecution": [own]}
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": []}}

    found = pod({**SPEC, "affinity": {"nodeAffinity": {**preferred, **required}, "podAffinity": {}}}, spot=True)

    by_node = found["affinity"]["nodeAffinity"]
    first, second = by_node.pop("preferredDuringSchedulingIgnoredDuringExecution")
    assert first == own
    assert second["preference"]["matchExpressions"][0]["key"] == SPOT_LABEL
    assert by_node == required
    assert found["affinity"]["podAffinity"] == {}
    again = pod({**SPEC, "affinity": pod(spot=True)["affinity"]}, spot=True)
    assert again["affinity"] == pod(spot=True)["affinity"]


def test_every_pod_selects_linux_unless_its_user_says_otherwise():
    assert pod()["nodeSelector"] == {"kubernetes.io/os": "linux"}
    assert pod(node_selector={"kubernetes.io/os": "windows"})["nodeSelector"] == {"kubernetes.io/os": "windows"}
    assert pod({**SPEC, "nodeSelector": {"kubernetes.io/os": "x"}})["nodeSelector"] == {"kubernetes.io/os": "x"}


def test_a_processor_limit_is_every_containers_and_never_less_than_what_it_asks_for():
    spec = with_first()
    spec["containers"] += [{"name": "more", "image": "x:1", "resources": {"requests": {"cpu": "6"}}}]

    found = pod(spec, cpu="2", cpu_limit="4")

    limits = [each["resources"]["limits"]["cpu"] for each in [*found["initContainers"], *found["containers"]]]
    assert limits == ["4", "4", "6"]
    memory = [each["resources"]["limits"]["memory"] for each in [*found["initContainers"], *found["containers"]]]
    assert memory == ["2Gi"] * 3
    assert "cpu" not in pod()["containers"][0]["resources"]["limits"]


def test_pods_get_no_token_but_for_jobs_that_ask_for_it():
    assert pod()["automountServiceAccountToken"] is False
    assert pod(pod_token=True)["automountServiceAccountToken"] is True
    assert finished_pod(SPEC, TARGET, Placement(pod_token=True), ends=False)["automountServiceAccountToken"] is False
    assert pod({**SPEC, "automountServiceAccountToken": True})["automountServiceAccountToken"] is True


def test_a_job_replaces_pods_that_the_cluster_takes_away_and_stays_where_it_is():
    spec = manifests.job("one", pod(), TARGET, retries=2)["spec"]

    assert spec["backoffLimit"] == 2
    [rule] = spec["podFailurePolicy"]["rules"]
    assert rule == {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}
    stays = {"cluster-autoscaler.kubernetes.io/safe-to-evict": "false", "karpenter.sh/do-not-disrupt": "true"}
    assert stays.items() <= spec["template"]["metadata"]["annotations"].items()
    served = manifests.deployment("one", finished_pod(SPEC, TARGET, Placement(), ends=False), TARGET)
    assert not stays.keys() & served["spec"]["template"]["metadata"]["annotations"].keys()


@pytest.mark.parametrize(
    ("cpu", "cpu_limit", "expected"), [("3", "", "3"), ("500m", "", "1"), ("3", "4", "4"), ("100m", "200m", "200m")]
)
def test_an_inference_service_has_limits_so_that_kserve_sets_none_below_its_requests(cpu, cpu_limit, expected):
    served = finished_pod(SPEC, TARGET, Placement(cpu=cpu, memory="5Gi", cpu_limit=cpu_limit), ends=False)

    [container] = manifests.inference_service("one", served, TARGET)["spec"]["predictor"]["containers"]

    assert container["resources"]["limits"] == {"cpu": expected, "memory": "5Gi"}
    assert "cpu" not in served["containers"][0]["resources"]["limits"] or cpu_limit


@pytest.mark.parametrize("cpu_limit", ["", "4"])
def test_what_restricted_adds_and_what_a_mutator_adds_has_limits_where_the_program_has_them(cpu_limit):
    more = {"name": "more", "image": "x:1", "resources": {"requests": {"cpu": "2", "memory": "3Gi"}}}
    spec = {"containers": [{**SPEC["containers"][0], "workingDir": "/app/"}, more]}
    placement = Placement(pod_security="restricted", cpu="500m", cpu_limit=cpu_limit)
    served = finished_pod(spec, TARGET, placement, ends=False)

    predictor = manifests.inference_service("one", served, TARGET)["spec"]["predictor"]

    copying, program, sidecar = (
        each["resources"]["limits"] for each in [*predictor["initContainers"], *predictor["containers"]]
    )
    assert copying == program == {"cpu": cpu_limit or "1", "memory": "2Gi"}
    assert sidecar == {"cpu": cpu_limit or "2", "memory": "3Gi"}


def test_every_container_of_a_pod_that_ends_has_probes_that_never_act_unless_it_has_its_own():
    own = {"httpGet": {"path": "/", "port": 80}}
    spec = with_first()
    spec["containers"] += [{"name": "more", "image": "x:1", "livenessProbe": own}]

    found = pod(spec)

    [first], [program, more] = found["initContainers"], found["containers"]
    assert not [name for name in first if name.endswith("Probe")]
    for probe in (program["readinessProbe"], program["livenessProbe"], more["readinessProbe"]):
        assert probe["initialDelaySeconds"] > 300_000_000
        # The API's field is an int32, and a kubelet's clock has to get along with it.
        assert probe["initialDelaySeconds"] < 2**31
    assert more["livenessProbe"] == own
    assert "livenessProbe" not in finished_pod(SPEC, TARGET, Placement(), ends=False)["containers"][0]


def test_a_job_with_idle_probes_is_never_ready_and_runs_to_its_end_as_any_other(place, caplog):
    seen, over = [], threading.Event()

    def look():
        while not over.wait(0.2):
            for each in place.admin.get(f"/api/v1/namespaces/{place.namespace}/pods")["items"]:
                seen.extend(each["status"].get("containerStatuses", []))

    watcher = threading.Thread(target=look)
    watcher.start()
    job = place.run("import time\nfor number in range(4):\n    time.sleep(1)\n    print(number, flush=True)")
    over.set()
    watcher.join()

    assert job.lines == ("0", "1", "2", "3")
    running = [state for state in seen if "running" in state["state"]]
    assert running
    assert not any(state["ready"] or state["restartCount"] for state in running)
    assert "does not answer" not in caplog.text
    assert place.nothing_left()


def test_restricted_pods_have_no_root_no_rights_and_write_in_three_places_only():
    container = {**SPEC["containers"][0], "workingDir": "/app/", "securityContext": {"runAsUser": 0}}
    found = pod({"containers": [container]}, pod_security="restricted", gpus=1)

    assert found["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 1000,
        "runAsGroup": 1000,
        "fsGroup": 1000,
        "fsGroupChangePolicy": "OnRootMismatch",
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    for each in [*found["initContainers"], *found["containers"]]:
        assert each["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        }
    [served], [first] = found["containers"], found["initContainers"]
    written = {mount["mountPath"] for mount in served["volumeMounts"]}
    assert written == {"/app", "/tmp", "/home/fairing", "/dev/shm"}  # noqa: S108 - the pod's
    assert first["image"] == served["image"]
    assert "nvidia.com/gpu" not in str(first["resources"])


def test_the_application_folder_is_copied_as_often_as_the_kubelet_asks_for_it(tmp_path):
    container = {**SPEC["containers"][0], "workingDir": "/app/"}
    [first] = pod({"containers": [container]}, pod_security="restricted")["initContainers"]
    source, target = tmp_path / "app", tmp_path / "copy"
    (source / "data" / "deep").mkdir(parents=True)
    (source / "data" / "deep" / "rows.csv").write_text("1")
    (source / "main.py").write_text("pass")
    (source / "to-file").symlink_to("main.py")
    (source / "to-folder").symlink_to("data")
    (source / "to-nothing").symlink_to("absent")
    (source / "data" / "deep").chmod(0o555)
    target.mkdir()
    # What a copy that was broken off has left.
    (target / "main.py").write_text("pa")
    (target / "data").symlink_to("elsewhere")

    for _ in range(3):
        program = [sys.executable, *first["command"][1:-2], str(source), str(target)]
        done = subprocess.run(program, capture_output=True, text=True, check=False)

        assert (done.returncode, done.stderr) == (0, "")
        names = sorted(str(each.relative_to(target)) for each in target.rglob("*") if not each.is_symlink())
        assert names == ["data", "data/deep", "data/deep/rows.csv", "main.py"]
        links = {each.name: str(each.readlink()) for each in target.iterdir() if each.is_symlink()}
        assert links == {"to-file": "main.py", "to-folder": "data", "to-nothing": "absent"}
        assert (target / "main.py").read_text() == "pass"
        assert (source / "data" / "deep" / "rows.csv").read_text() == "1"


def test_restricted_leaves_what_a_mutator_has_set():
    mounts = [{"name": "mine", "mountPath": "/app"}, {"name": "scratch", "mountPath": "/tmp/"}]  # noqa: S108
    own = {"runAsUser": 2000, "readOnlyRootFilesystem": False}
    container = {**SPEC["containers"][0], "workingDir": "/app/", "volumeMounts": mounts, "securityContext": own}
    container["env"] = [{"name": "HOME", "value": "/mine"}]
    spec = {"containers": [container], "securityContext": {"fsGroup": 100}, "volumes": [{"name": "mine"}]}

    found = pod(spec, pod_security="restricted")

    assert found["securityContext"]["fsGroup"] == 100
    context = found["containers"][0]["securityContext"]
    assert (context["runAsUser"], context["readOnlyRootFilesystem"]) == (2000, False)
    assert "initContainers" not in found
    assert [volume["name"] for volume in found["volumes"]] == ["mine", "fairing-home"]
    assert {"name": "HOME", "value": "/mine"} in found["containers"][0]["env"]


def test_the_service_finds_the_pods_of_its_deployment_and_no_others():
    one = manifests.deployment("one", pod(), TARGET)
    labels = one["spec"]["template"]["metadata"]["labels"]

    assert manifests.service("one", TARGET)["spec"]["selector"].items() <= labels.items()
    assert not manifests.service("two", TARGET)["spec"]["selector"].items() <= labels.items()


def test_a_service_is_not_public_unless_it_was_asked_for():
    assert manifests.service("one", TARGET)["spec"]["type"] == "ClusterIP"


@pytest.mark.parametrize(
    ("owner", "label"), [("my notebook!", "my-notebook"), ("", None), ("***", None), ("x" * 80, "x" * 63)]
)
def test_the_owners_label_is_one_that_kubernetes_takes(owner, label):
    assert manifests.labels_of("job", "fairing-job-1", owner).get("fairing-az-jupyter/owner") == label


def test_where_a_launch_comes_from_is_told_in_labels_as_kubernetes_takes_them():
    notebook = f"_Preise für 2026 ({'x' * 70}).ipynb"

    labels = manifests.origin_labels(notebook, "20261130-143500.000-prices-7f3a", "")

    assert labels["fairing-az-jupyter/run"] == "20261130-143500.000-prices-7f3a"
    assert set(labels) == {"fairing-az-jupyter/run", "fairing-az-jupyter/notebook"}
    value = labels["fairing-az-jupyter/notebook"]
    assert value.startswith("Preise-f-r-2026-x")
    assert re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?", value)
