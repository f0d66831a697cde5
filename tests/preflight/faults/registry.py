"""What can be wrong with Secret `acrcreds`, the registry and the endpoint."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

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


def _wrong_type(scene: Scene) -> None:
    scene.api("DELETE", "secrets/acrcreds")
    body = {"metadata": {"name": "acrcreds"}, "stringData": {"config.json": json.dumps(scene.setup.dockerconfig)}}
    scene.api("POST", "secrets", body)


FAULTS = [
    fault(
        "registry.secret",
        "acrcreds is missing",
        "Secret `acrcreds` is not there",
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
        "endpoint.istio",
        "the endpoint would be public",
        "FAIRING_SERVICE_TYPE is LoadBalancer: a public address without authentication",
        "fairing-azure fill train.ipynb --service-type ClusterIP",
        having(FAIRING_SERVICE_TYPE="LoadBalancer"),
        status="warn",
    ),
]
