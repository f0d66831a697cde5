"""What dry runs send, judged by rules: pods as controllers make them, images as builders name them."""

from __future__ import annotations

import pytest

from fairing_az_jupyter.clients.oci.images import ImageReference
from tests.stand.web import json_answer

from .faults import admission
from .faults.registry import by_tasks
from .scene import Scene

_FINE = {"pass", "warn", "skipped"}
_OWNED = "has(object.metadata.ownerReferences) && object.metadata.ownerReferences.exists(o, o.controller)"
_HUB = "c.image.startsWith('docker.io/library/')"
_APPS = {"group": "apps", "plural": "deployments", "path": "/apis/apps/v1"}
_BATCH = {"group": "batch", "plural": "jobs", "path": "/apis/batch/v1"}


@pytest.fixture
def scene(stand, namespace):
    return Scene.of(stand, stand.correct_setup(namespace))


def told(results):
    return {name: (result.status, result.code) for name, result in results.items() if result.status not in _FINE}


def spec():
    return {**admission.pod()["spec"], "restartPolicy": "Never"}


def job():
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "judged"},
        "spec": {"template": {"spec": spec()}},
    }


def deployment():
    labels = {"app": "judged"}
    template = {"metadata": {"labels": labels}, "spec": admission.pod()["spec"]}
    body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "judged"}}
    return {**body, "spec": {"selector": {"matchLabels": labels}, "template": template}}


@pytest.mark.parametrize("endpoint_kind", ["deployment", "inference-service"])
def test_a_policy_against_pods_without_an_owner_takes_a_launch_since_controllers_make_its_pods(scene, endpoint_kind):
    scene.settings["FAIRING_ENDPOINT_KIND"] = endpoint_kind
    admission.policy("naked", _OWNED, "naked pods are not allowed")(scene)

    assert told(scene.check()) == {}


def test_the_owner_of_a_pod_is_the_kind_of_object_that_makes_it(scene):
    scene.settings["FAIRING_ENDPOINT_KIND"] = "inference-service"
    context = scene.context()

    pods = {kind: context.planned(kind, "team-a")[0] for kind in ("job", "build", "endpoint")}

    owners = {kind: pod["metadata"]["ownerReferences"] for kind, pod in pods.items()}
    assert {kind: owner["kind"] for kind, (owner,) in owners.items()} == {
        "job": "Job",
        "build": "Job",
        "endpoint": "ReplicaSet",
    }
    assert len({owner["uid"] for (owner,) in owners.values()}) == 3
    assert all(owner["controller"] and "blockOwnerDeletion" not in owner for (owner,) in owners.values())


@pytest.mark.parametrize("base", [None, "python:3.11", "index.docker.io/library/python:3.11-slim"])
@pytest.mark.parametrize("rule", [_HUB, "c.image.contains('@sha256:') || c.image.startsWith('ghcr.io/')"])
def test_a_policy_on_images_is_kept_to_with_the_names_that_builds_have(scene, base, rule):
    scene.settings["FAIRING_BASE_IMAGE"] = base
    first = f"!has(object.spec.initContainers) || object.spec.initContainers.all(c, {rule})"
    body = admission.pod()
    body["spec"]["initContainers"] = [{"name": "first", "image": "index.docker.io/library/python:3"}]
    admission.policy("images", first, "image is not from an allowed registry", body=body)(scene)

    assert told(scene.check()) == {}


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("python:3.11", "docker.io/library/python:3.11"),
        ("https.example.com/index.docker.io/x:1", "https.example.com/index.docker.io/x:1"),
        ("registry.hub.docker.com/contoso/x@sha256:" + "a" * 64, "docker.io/contoso/x@sha256:" + "a" * 64),
    ],
)
def test_docker_hub_has_the_name_in_pods_that_lists_of_allowed_registries_have(text, name):
    assert ImageReference.parse(text).in_pods == name


@pytest.mark.parametrize("hard", [{"services": "0"}, {"count_deployments_apps": "0"}, {"count_services": "0"}])
def test_a_quota_without_room_for_what_kserve_makes_fails_an_endpoint(scene, hard):
    scene.settings["FAIRING_ENDPOINT_KIND"] = "inference-service"
    admission.quota(**hard)(scene)

    assert told(scene.check()) == {"launch.endpoint": ("fail", "quota")}


def test_a_policy_on_the_deployment_that_kserve_makes_fails_an_endpoint(scene):
    scene.settings["FAIRING_ENDPOINT_KIND"] = "inference-service"
    admission.policy("none", "false", "no deployments here", body=deployment(), **_APPS)(scene)

    assert told(scene.check()) == {"launch.endpoint": ("fail", "policy")}


def test_who_may_not_make_what_kserve_makes_is_told_that_rules_stay_untried(scene):
    scene.settings["FAIRING_ENDPOINT_KIND"] = "inference-service"
    scene.role(but=("apps", "deployments", "create"))

    results = scene.check()

    assert told(results) == {"launch.endpoint": ("unknown", "pods-untried")}
    assert "The rules for deployments can't be tested" in results["launch.endpoint"].message


def test_pods_that_wait_for_room_hide_no_policy_on_jobs(scene):
    admin, pods = scene.stand.control_plane.admin, f"/api/v1/namespaces/{scene.setup.namespace}/pods"
    admin.post(pods, admission.pod())
    admission.quota(pods="1")(scene)
    admission.policy("queue", "false", "jobs must name a queue", body=job(), **_BATCH)(scene)

    results = scene.check()

    assert told(results) == {"launch.job": ("fail", "policy")}
    assert "jobs must name a queue" in results["launch.job"].message


def test_a_webhook_that_is_silent_about_pods_hides_no_quota_on_services(scene, policies):
    admission.quota(services="0")(scene)
    policies.silent_webhook(scene.setup.namespace)

    results = scene.check()

    assert told(results) == {"launch.endpoint": ("fail", "quota")}
    assert (results["launch.job"].status, results["launch.job"].code) == ("warn", "webhook-silent")


def test_a_quota_that_lacks_room_for_pods_and_services_is_told_of_both(scene):
    admin, pods = scene.stand.control_plane.admin, f"/api/v1/namespaces/{scene.setup.namespace}/pods"
    admin.post(pods, admission.pod())
    admission.quota(pods="1", services="0")(scene)

    results = scene.check()

    assert results["cluster.quota"].status == "warn"
    assert told(results) == {"launch.endpoint": ("fail", "quota")}
    assert "services=1" in results["launch.endpoint"].message


@pytest.mark.parametrize(
    ("resource", "kinds"), [("pods", ["job", "endpoint"]), ("jobs", ["job"]), ("deployments", ["endpoint"])]
)
def test_a_webhook_without_dry_runs_is_named_and_leaves_open_what_it_would_say(scene, resource, kinds):
    by_tasks(scene)
    says(scene, resource, 400, 'admission webhook "effects.contoso.example" does not support dry run')

    results = scene.check()

    assert told(results) == {f"launch.{kind}": ("unknown", "dry-run-unsupported") for kind in kinds}
    assert "The webhook effects.contoso.example does not support dry runs" in results[f"launch.{kinds[0]}"].message


@pytest.mark.parametrize(
    ("one", "other", "status"),
    [
        ("[labels] you must provide labels", "[internal] Service must be internal", "fail"),
        ("[labels] Job lacks labels", "[labels] Service lacks labels", "skipped"),
        ("[labels] a\n[internal] b", "[labels] a", "fail"),
    ],
)
def test_rules_of_one_webhook_are_told_apart_by_their_own_names(scene, one, other, status):
    by_tasks(scene)
    for resource, words in (("jobs", one), ("services", other)):
        says(scene, resource, 403, f'admission webhook "validation.gatekeeper.sh" denied the request: {words}')

    results = scene.check()

    assert (results["launch.job"].status, results["launch.endpoint"].status) == ("fail", status)


def says(scene, resource, status, message):
    """Have the API server say this of what is to be made, as webhooks let it that this stand does not have."""
    body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": status, "message": message}
    body["reason"] = {400: "BadRequest", 403: "Forbidden"}[status]
    scene.stand.kubernetes_front.answer(json_answer(status, body), path=rf"/{resource}\?", method="POST")
