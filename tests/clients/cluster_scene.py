"""The cluster client against a small API server: what their tests share."""

from __future__ import annotations

import base64

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
