"""Pods that keep to the Pod Security Standard `restricted`: no root, no added rights, writable only where needed.

Sources: https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted for the rules, and
https://learn.microsoft.com/azure/aks/deployment-safeguards for the root file system that can't be written.
"""

from __future__ import annotations

from typing import Any

from fairing_az_jupyter.fairing.cluster.pod_resources import containers_of

__all__ = ["HOME", "USER_ID", "restrict"]

USER_ID = 1000
"""The user and the group of pods under `restricted`: the first user's number in Kubeflow's and Jupyter's images."""

HOME = "/home/fairing"
"""The home folder of that user in the pod, empty at the start."""

_USER = "fairing"
_COPY = "/fairing-app"
_APP_VOLUME, _HOME_VOLUME, _TMP_VOLUME = "fairing-app", "fairing-home", "fairing-tmp"
# The folder itself is the volume's, whose mode only root can change, as `shutil.copytree` would for it. A kubelet runs
# init containers again where it has to make the pod's sandbox anew, and the volume then has the first copy, whole or
# not: https://kubernetes.io/docs/concepts/workloads/pods/init-containers/#pod-restart-reasons
_COPY_FILES = """\
import os, shutil, sys
source, target = sys.argv[1:]
for folder, names, files in os.walk(target):
    if folder != target:
        os.chmod(folder, 0o700)
for entry in list(os.scandir(target)):
    if entry.is_dir(follow_symlinks=False):
        shutil.rmtree(entry.path)
    else:
        os.remove(entry.path)
for entry in os.scandir(source) if os.path.isdir(source) else ():
    copy = os.path.join(target, entry.name)
    if entry.is_dir(follow_symlinks=False):
        shutil.copytree(entry.path, copy, symlinks=True)
    else:
        shutil.copy2(entry.path, copy, follow_symlinks=False)
"""


def restrict(pod: dict[str, Any]) -> None:
    """Change a pod's specification so that a namespace that enforces `restricted` accepts it.

    The program gets a copy of its application folder that it can write to, an empty home folder and an empty `/tmp`;
    nothing else of its file system can be written. What the specification says itself about these things stays, but
    for root as the user, which Kubeflow Fairing writes into every specification.

    Args:
        pod: The specification, with resources; it is changed.

    """
    context = pod.setdefault("securityContext", {})
    context.setdefault("runAsNonRoot", True)
    for field in ("runAsUser", "runAsGroup", "fsGroup"):
        context.setdefault(field, USER_ID)
    # A large volume of the user's is not walked through at each start.
    context.setdefault("fsGroupChangePolicy", "OnRootMismatch")
    context.setdefault("seccompProfile", {"type": "RuntimeDefault"})
    _give_writable_places(pod)
    for container in containers_of(pod):
        own = container.setdefault("securityContext", {})
        if own.get("runAsUser") == 0:
            del own["runAsUser"]
        own.setdefault("allowPrivilegeEscalation", False)
        own.setdefault("capabilities", {}).setdefault("drop", ["ALL"])
        own.setdefault("readOnlyRootFilesystem", True)


def _give_writable_places(pod: dict[str, Any]) -> None:
    program = pod["containers"][0]
    volumes: dict[str, None] = {}
    for container in containers_of(pod):
        mounted = {str(mount["mountPath"]).rstrip("/") for mount in container.get("volumeMounts", ())}
        for name, path in ((_TMP_VOLUME, "/tmp"), (_HOME_VOLUME, HOME)):  # noqa: S108 - the pod's
            if path not in mounted:
                container.setdefault("volumeMounts", []).append({"name": name, "mountPath": path})
                volumes[name] = None
        # The image knows no user of that number, and programs ask for its name and its home.
        _set_variables(container, {"HOME": HOME, "USER": _USER, "LOGNAME": _USER})
    folder = str(program.get("workingDir") or "").rstrip("/")
    mounted = {str(mount["mountPath"]).rstrip("/") for mount in program["volumeMounts"]}
    if folder and folder not in mounted:
        pod.setdefault("initContainers", []).insert(0, _copying(program, folder))
        program["volumeMounts"].insert(0, {"name": _APP_VOLUME, "mountPath": folder})
        volumes[_APP_VOLUME] = None
    there = {volume.get("name") for volume in pod.get("volumes", ())}
    wanted = [{"name": name, "emptyDir": {}} for name in volumes if name not in there]
    if wanted:
        pod.setdefault("volumes", []).extend(wanted)


def _copying(program: dict[str, Any], folder: str) -> dict[str, Any]:
    """Return the container that copies the application folder of the image to where it can be written."""
    copying = {
        "name": "application-files",
        "image": program["image"],
        "command": ["python", "-I", "-c", _COPY_FILES, folder, _COPY],
        "volumeMounts": [{"name": _APP_VOLUME, "mountPath": _COPY}],
    }
    resources = {
        part: {name: amount for name, amount in amounts.items() if name in {"cpu", "memory"}}
        for part, amounts in program.get("resources", {}).items()
        if part in {"requests", "limits"}
    }
    return {**copying, "resources": resources} if resources else copying


def _set_variables(container: dict[str, Any], values: dict[str, str]) -> None:
    variables = container.setdefault("env", [])
    there = {variable.get("name") for variable in variables}
    variables += [{"name": name, "value": value} for name, value in values.items() if name not in there]
