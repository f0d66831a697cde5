"""Objects as the API has them, with what the tests of diagnoses need of them."""

from __future__ import annotations

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


def event(reason, message, *, kind="Pod", name="p", **more):
    return {"reason": reason, "message": message, "involvedObject": {"kind": kind, "name": name}, **more}


def unschedulable(said):
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": said}
    return pod(status={"conditions": [condition]})
