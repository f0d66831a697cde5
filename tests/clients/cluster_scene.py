"""The cluster client against an API server in this process: what their tests share."""

from __future__ import annotations

import base64
import json

from tests.marked import MARK
from tests.stand.api_server import TOKEN
from tests.stand.faults import page

DENIED = 'is forbidden: User "system:serviceaccount:team-a:default-editor" cannot {verb} resource "{resource}"'
OPAQUE, DOCKER = "Opaque", "kubernetes.io/dockerconfigjson"


def base64_of(text):
    return base64.b64encode(text.encode()).decode()


def node(name, **spec):
    allocatable = {"cpu": "3860m", "memory": "12Gi", "pods": "110", "nvidia.com/gpu": "1"}
    conditions = [{"type": "Ready", "status": "True"}]
    return {"metadata": {"name": name}, "spec": spec, "status": {"allocatable": allocatable, "conditions": conditions}}


def pod(on, *requests, phase="Running", init=(), overhead=None):
    def container(amounts):
        policy = {"restartPolicy": amounts.pop("restart")} if "restart" in amounts else {}
        return {"resources": {"requests": amounts}, **policy}

    spec = {
        "nodeName": on,
        "containers": [container(dict(one)) for one in requests],
        "initContainers": [container(dict(one)) for one in init],
        "overhead": overhead,
    }
    return {"spec": spec, "status": {"phase": phase}}


def sign_in(code=200, **headers):
    """Return an answer as proxies and login pages give it."""
    return page(code, tuple(headers.items()), b"<!DOCTYPE html><title>Sign in</title>")


def service_account_token(*, name="default-editor", namespace="team-a", expires=4102444800):
    """Return a token as the API server signs them, but for the signature."""
    parts = [
        {"alg": "RS256", "kid": "k"},
        {"sub": f"system:serviceaccount:{namespace}:{name}", "exp": expires, "iss": "https://kubernetes.default.svc"},
    ]
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts]
    return ".".join([*encoded, MARK])


def pod_folder(folder, authority, *, token=TOKEN, namespace="team-a"):
    """Write what Kubernetes puts into a pod."""
    folder.mkdir(exist_ok=True)
    (folder / "token").write_text(token)
    (folder / "ca.crt").write_bytes(authority.bundle.read_bytes())
    (folder / "namespace").write_text(namespace)
    return folder


def pod_environment(api):
    return {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(api.port)}
