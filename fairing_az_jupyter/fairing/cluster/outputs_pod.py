"""What a job's pod needs to send the files that it writes, as plain data: its command, a volume, a Secret.

The Secret has the two links that write `files.tar` and `manifest.json`, and the key that signs results; where a folder
of checkpoints is wanted, also the link that reads and writes `checkpoints.tar`, and the Job's uid. It is mounted as a
whole, so that the kubelet renews what is in it while the pod runs:
https://kubernetes.io/docs/concepts/configuration/secret/#mounted-secrets-are-updated-automatically
"""

from __future__ import annotations

import copy
import dataclasses
import posixpath
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter.fairing.job_program.checkpoints import CHECKPOINTS, UID
from fairing_az_jupyter.fairing.job_program.commands import noting_outcome
from fairing_az_jupyter.fairing.job_program.job import CONTAINER_FILES, GRACE_SECONDS, KEY
from fairing_az_jupyter.fairing.job_program.sending import LIMIT_BYTES, MANIFEST, TAR

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Object = Mapping[str, Any]

__all__ = ["JOB", "LINKS", "WantedOutputs", "has_outputs", "outputs_secret", "secret_name", "with_outputs"]

JOB = CONTAINER_FILES["job.py"]
"""The name of `job.py` beside the user's files; the modules that it needs are named in the same way."""

LINKS = (TAR, MANIFEST)
"""The blobs that a job writes, which are also the keys of the links to them."""

_VOLUME = "fairing-az-outputs"
_FOLDER = "/var/run/fairing-az-jupyter/outputs"


@dataclasses.dataclass(frozen=True)
class WantedOutputs:
    """Which of the files that a job writes are kept.

    Args:
        patterns: Globs, relative to its working folder; None for all files, empty for none.
        limit: The bytes that all of them may have.
        checkpoints: The folder that is there again when a pod is started in the place of another one, from
            `checkpoint_folder`; empty for none.

    """

    patterns: tuple[str, ...] | None = None
    limit: int = LIMIT_BYTES
    checkpoints: str = ""

    def arguments(self) -> list[str]:
        """Return the arguments of the program that keeps them."""
        limit = ["--limit", str(self.limit)]
        if self.checkpoints:
            limit.append(f"--checkpoints={self.checkpoints.replace('$', '$$')}")
        if self.patterns is None:
            return limit
        # Kubernetes would put a variable's value in the place of $(NAME).
        return (
            [*limit, "--outputs", *(each.replace("$", "$$") for each in self.patterns)]
            if self.patterns
            else [
                *limit,
                "--no-outputs",
            ]
        )


def secret_name(job: str) -> str:
    """Return the name of a job's Secret.

    Args:
        job: The Job's name.

    """
    return f"{job}-outputs"


def with_outputs(pod: Object, job: str, program: str, wanted: WantedOutputs) -> dict[str, Any]:
    """Return a pod's specification whose program's files are sent.

    Args:
        pod: The specification, from `finished_pod`; its first container has a command. It is not changed.
        job: The Job's name.
        program: The path of `job.py` in the image, under its name there.
        wanted: Which files are kept.

    """
    found = copy.deepcopy(dict(pod))
    container = found["containers"][0]
    command = noting_outcome(container["command"], posixpath.dirname(program))
    options: Sequence[str] = ["--links", _FOLDER, *wanted.arguments()]
    grace = found.get("terminationGracePeriodSeconds")
    if grace is not None and grace != GRACE_SECONDS:
        options = [*options, "--grace", str(grace)]
    container["command"] = ["python", program, *options, "--", *command]
    container.setdefault("volumeMounts", []).append({"name": _VOLUME, "mountPath": _FOLDER, "readOnly": True})
    found.setdefault("volumes", []).append({"name": _VOLUME, "secret": {"secretName": secret_name(job)}})
    return found


def has_outputs(job: Object) -> bool:
    """Tell whether a Job's files are sent.

    Args:
        job: The Job.

    """
    volumes = job["spec"]["template"]["spec"].get("volumes") or ()
    return any(volume.get("name") == _VOLUME for volume in volumes)


def outputs_secret(job: Object, links: Mapping[str, str], key: str) -> dict[str, Any]:
    """Return the Secret of a job, which goes with its Job.

    Args:
        job: The Job, as the cluster has it.
        links: The links to its blobs, by their names.
        key: What signs its result; empty to leave the key that is there.

    """
    metadata = job["metadata"]
    owner = {"apiVersion": "batch/v1", "kind": "Job", "name": metadata["name"], "uid": metadata["uid"]}
    marks = {
        "name": secret_name(metadata["name"]),
        "namespace": metadata["namespace"],
        "ownerReferences": [owner],
        "labels": dict(metadata.get("labels") or {}),
    }
    values = {**links, **({KEY: key} if key else {})}
    if CHECKPOINTS in links:
        values[UID] = metadata["uid"]
    return {"apiVersion": "v1", "kind": "Secret", "type": "Opaque", "metadata": marks, "stringData": values}
