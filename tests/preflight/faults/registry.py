"""What can be wrong with Secret `acrcreds`, the registry and the endpoint."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.stand.web import json_answer

from .fault import Make, fault, having

if TYPE_CHECKING:
    from tests.preflight.scene import Scene


def _roles(*swaps: tuple[str, str | None]) -> Make:
    """Take roles from the service principal, and give it others for the registry."""

    def make(scene: Scene) -> None:
        for lost, gained in swaps:
            scene.stand.arm.revoke(scene.setup.oid, lost)
            if gained:
                scene.stand.arm.assign(scene.setup.oid, gained, scene.setup.registry)

    return make


def by_tasks(scene: Scene) -> None:
    """Let Azure build, with all that it takes."""
    scene.settings["FAIRING_BUILDER"] = "acr-tasks"
    scene.stand.arm.assign(scene.setup.oid, "Container Registry Tasks Contributor", scene.setup.registry)


def _tasks(role: str, *more: str, lost: tuple[str, ...] = (), private: bool = False) -> Make:
    """Let Azure build, with other roles than the right ones."""

    def make(scene: Scene) -> None:
        by_tasks(scene)
        arm, oid = scene.stand.arm, scene.setup.oid
        for each in ("Container Registry Tasks Contributor", *lost):
            arm.revoke(oid, each)
        for each in (role, *more):
            arm.assign(oid, each, scene.setup.registry)
        if private:
            arm.resources[scene.setup.registry.lower()]["properties"]["publicNetworkAccess"] = "Disabled"

    return make


def _without_kserve(scene: Scene) -> None:
    scene.settings["FAIRING_ENDPOINT_KIND"] = "inference-service"
    nothing = json_answer(200, {"kind": "APIGroupList", "groups": []})
    scene.stand.kubernetes_front.answer(nothing, path="/apis$")


def _wrong_type(scene: Scene) -> None:
    scene.api("DELETE", "secrets/acrcreds")
    body = {"metadata": {"name": "acrcreds"}, "stringData": {"config.json": json.dumps(scene.setup.dockerconfig)}}
    scene.api("POST", "secrets", body)


FAULTS = [
    fault(
        "registry.secret",
        "acrcreds is missing",
        "Secret `acrcreds` does not exist",
        "fairing-azure secrets create --acr",
        lambda scene: scene.api("DELETE", "secrets/acrcreds"),
    ),
    fault(
        "registry.secret",
        "acrcreds may not be read",
        "who asks may not read Secret `acrcreds`; it may well be there",
        "kubectl -n {namespace} create rolebinding default-editor-edit --clusterrole=kubeflow-edit",
        lambda scene: scene.stand.kubernetes_front.refuse(403, path="/secrets/acrcreds$"),
        status="unknown",
    ),
    fault(
        "registry.secret",
        "acrcreds has a wrong type",
        "Secret `acrcreds` is not of type kubernetes.io/dockerconfigjson",
        "fairing-azure secrets create --acr --replace",
        _wrong_type,
    ),
    fault(
        "registry.secret-login",
        "acrcreds is for another registry",
        "`acrcreds` has no login for DOCKER_REGISTRY's host",
        "fairing-azure secrets create --acr",
        lambda scene: scene.login(scene.setup.secret, host="otherregistry.azurecr.io"),
    ),
    fault(
        "registry.secret-login",
        "acrcreds has no password",
        "the login in `acrcreds` has no password",
        "fairing-azure secrets create --acr",
        lambda scene: scene.acrcreds({"auths": {scene.setup.login_server: {"username": scene.setup.client}}}),
    ),
    fault(
        "registry.pull",
        "the registry's password is wrong",
        "the registry does not accept the login in `acrcreds`",
        "fairing-azure secrets create --acr",
        lambda scene: scene.login("last-years"),
    ),
    fault(
        "registry.pull",
        "no role for the registry",
        "the service principal has no role for the registry",
        "az role assignment create --assignee {client} --role AcrPush",
        _roles(("AcrPush", None)),
    ),
    fault(
        "registry.pull",
        "the registry has repository roles",
        "the registry is in ABAC mode and ignores AcrPush",
        "az role assignment create --assignee {client} --role 'Container Registry Repository Writer'",
        _roles(("Container Registry Repository Writer", "AcrPush")),
        abac=True,
    ),
    fault(
        "registry.pull",
        "the registry does not exist",
        "there is no such registry: DOCKER_REGISTRY is misspelt, or it was deleted",
        "Check DOCKER_REGISTRY: az acr list",
        lambda scene: scene.stand.names.remove(scene.setup.login_server),
    ),
    fault(
        "registry.pull",
        "the registry's certificate is untrusted",
        "a proxy opens TLS to the registry, and its authority is not trusted here",
        "point REQUESTS_CA_BUNDLE to its CA certificate",
        lambda scene: scene.stand.registry_front.certificate("untrusted"),
    ),
    fault(
        "registry.pull",
        "a proxy answers for the registry",
        "a proxy's page comes in place of the registry's answer",
        "Add the registry to NO_PROXY",
        lambda scene: scene.stand.registry_front.proxy_page(),
    ),
    fault(
        "registry.pull",
        "the registry throttles",
        "the registry gets too many requests",
        "Try again",
        lambda scene: scene.stand.registry_front.throttle(1),
        status="unknown",
    ),
    fault(
        "registry.push",
        "the credential may only pull",
        "the service principal may pull from the registry, and not push",
        "az role assignment create --assignee {client} --role AcrPush",
        _roles(("AcrPush", "AcrPull")),
    ),
    fault(
        "registry.tasks",
        "the identity has no role to build",
        "FAIRING_BUILDER is acr-tasks, and the service principal has no role that lets it build",
        'az role assignment create --assignee {client} --role "Container Registry Tasks Contributor"',
        _tasks("Reader"),
        code="no-tasks-role",
    ),
    fault(
        "registry.tasks",
        "the identity does not see the registry",
        "FAIRING_BUILDER is acr-tasks, and the service principal does not see the registry",
        "az role assignment create --assignee {client} --role 'Container Registry Tasks Contributor' "
        '--scope "$(az acr show --name {registry} --query id --output tsv)"',
        _tasks("AcrPush"),
    ),
    fault(
        "registry.tasks",
        "the registry is private",
        "FAIRING_BUILDER is acr-tasks, and the registry has private endpoints only",
        "fairing-azure fill train.ipynb --builder layered",
        _tasks("Contributor", private=True),
        code="tasks-blocked",
    ),
    fault(
        "registry.tasks",
        "a run could not push",
        "FAIRING_BUILDER is acr-tasks, and the service principal may not write to a registry in ABAC mode",
        'az role assignment create --assignee {client} --role "Container Registry Repository Writer"',
        _tasks(
            "Container Registry Tasks Contributor",
            "Container Registry Repository Reader",
            lost=("Container Registry Repository Writer",),
        ),
        abac=True,
    ),
    fault(
        "endpoint.kserve",
        "KServe is not installed",
        "FAIRING_ENDPOINT_KIND is inference-service, and the cluster has no KServe",
        "fairing-azure fill train.ipynb --endpoint-kind deployment",
        _without_kserve,
        code="no-kserve",
    ),
    fault(
        "endpoint.kserve",
        "an InferenceService shall be public",
        "FAIRING_ENDPOINT_KIND is inference-service and FAIRING_SERVICE_TYPE is LoadBalancer",
        "fairing-azure fill train.ipynb --service-type ClusterIP",
        having(FAIRING_ENDPOINT_KIND="inference-service", FAIRING_SERVICE_TYPE="LoadBalancer"),
    ),
    fault(
        "endpoint.istio",
        "the endpoint would be public",
        "FAIRING_SERVICE_TYPE is LoadBalancer: a public address without authentication",
        "fairing-azure fill train.ipynb --service-type ClusterIP",
        having(FAIRING_SERVICE_TYPE="LoadBalancer"),
        status="warn",
    ),
]
