"""What has made the build of an image fail, reported by its last lines, with what to do about it."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING

from fairing_az_jupyter.clients.kube.diagnosis.waits import duration
from fairing_az_jupyter.clients.oci.references import ImageReference
from fairing_az_jupyter.exceptions import BuildFailedError, InputError
from fairing_az_jupyter.fairing.images.build_pods import LONGEST_SECONDS
from fairing_az_jupyter.settings import notebook_names

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fairing_az_jupyter.exceptions import ExecutionError

__all__ = ["build_failed", "fix_for"]

# Patterns of pip's, Kaniko's and the build pod's own words, with a code and what to do; the first that matches counts.
_KNOWN = (
    (
        r"The build context '(?P<it>[^']+)' in Blob storage was changed",
        "context-changed",
        (
            "Nothing was built from it. Check who may write to the storage account, delete the blob, and launch "
            "again: az storage blob delete --auth-mode login --account-name ACCOUNT --container-name "
            "fairing-az-jupyter --name '{it}'"
        ),
    ),
    (
        r"The build context can't be read: HTTP Error 40[0-9]",
        "context-refused",
        (
            "The build pod may not read the context. Check that the storage account's firewall allows the cluster, "
            "then launch again."
        ),
    ),
    (
        r"The build context can't be read",
        "context-unreachable",
        (
            "Check that the cluster can reach the storage account (network policy, proxy, private endpoint), then "
            "launch again."
        ),
    ),
    (
        r"checking push permission.*(?:x509|certificate)",
        "certificate",
        "Kaniko does not trust the registry's certificate: set builder_image to one that has your organisation's CA.",
    ),
    (
        r"checking push permission.*(?:no such host|dial tcp|i/o timeout|connection refused)",
        "no-network",
        (
            "The build pod can't reach the registry. Check network policies, the proxy, and the registry's private "
            "endpoint."
        ),
    ),
    (
        r"checking push permission.*(?:status code 5\d\d|UNKNOWN|TOOMANYREQUESTS|EOF|connection reset)",
        "registry-unavailable",
        "The registry had an outage, which may be over: launch again. If it fails again: fairing-azure check",
    ),
    (
        r"checking push permission|UNAUTHORIZED.*push|(?<!ermission )denied: |access to the resource is denied",
        "push-refused",
        "Check the registry's answer: fairing-azure check",
    ),
    (
        r"TOOMANYREQUESTS|pull rate limit",
        "rate-limit",
        (
            "Docker Hub limits the number of pulls an hour. Copy the base image to your own registry, and set "
            "base_image to the copy: az acr import --name ACR --source docker.io/library/python:3.11-slim"
        ),
    ),
    # pip says that it finds no version also where it can't ask.
    (
        (
            r"Temporary failure in name resolution|NewConnectionError|Network is unreachable|ReadTimeoutError|"
            r"ConnectTimeoutError|no such host"
        ),
        "no-network",
        (
            "The build pod can't reach what it needs. Check network policies and the proxy. A private package index "
            "is named in requirements.txt by --index-url."
        ),
    ),
    (
        r"CERTIFICATE_VERIFY_FAILED|certificate signed by unknown authority|x509:",
        "certificate",
        (
            "The build pod does not trust the certificate of a server it connects to: the base image needs your "
            "organisation's CA."
        ),
    ),
    (
        r"HTTP error 40[13] while getting|40[13] Error, Credentials not correct|40[13] Client Error",
        "index-refused",
        "The package index requires a credential that the build does not have. Add it to the base image, as pip.conf.",
    ),
    (
        (
            r"Could not open requirements file: .*'(?P<it>[^']+)'|"
            r"looks like a path\. File '(?P<file>[^']+)' does not exist"
        ),
        "requirement-file",
        "Add '{it}', which requirements.txt names, to the task's input_files, by its path from requirements.txt on.",
    ),
    (
        r"No such file or directory: '(?P<it>/[^']+\.(?:whl|zip|tar\.gz|txt))'",
        "requirement-file",
        "Add '{it}', which requirements.txt names, to the task's input_files, by its path from requirements.txt on.",
    ),
    (
        r"DO NOT MATCH THE HASHES",
        "requirement-hash",
        (
            "A package does not match its hash in requirements.txt. Lock the file again if you know why the package "
            "changed."
        ),
    ),
    (
        r"Cannot find command '(?P<it>git|hg|svn|bzr)'",
        "no-git",
        (
            "requirements.txt names a repository, and the base image has no '{it}': set base_image to one that has "
            "it, such as docker.io/library/python:3.11 in place of its -slim."
        ),
    ),
    (
        r"Package '(?P<it>[^']+)' requires a different Python",
        "requirement",
        "Set base_image to an image with the Python that '{it}' asks for, or ask for another version of it.",
    ),
    (
        r"No matching distribution found for (?P<it>[^\s(]+)",
        "requirement",
        "Correct '{it}' in requirements.txt: the package index has no such version for the base image's Python.",
    ),
    (
        r"Could not find a version that satisfies the requirement (?P<it>[^\s(]+)",
        "requirement",
        "Correct '{it}' in requirements.txt: the package index has no such version for the base image's Python.",
    ),
    (
        r"ResolutionImpossible|conflicting dependencies",
        "requirements-conflict",
        "Loosen the versions in requirements.txt that exclude each other: the lines above name them.",
    ),
    (
        r"Invalid requirement: (?P<mark>['\"]?)(?P<it>.+?)(?P=mark)(?::|\n|$)",
        "requirement",
        "Correct the line '{it}' of requirements.txt: pip can't read it.",
    ),
    (
        (
            r"error: command '?(?:[\w./-]*gcc|cc|[\w./-]*g\+\+|c\+\+)'? failed|"
            r"No such file or directory: '\w*(?:gcc|cc)'|"
            r"Unable to find (?:a )?compiler|unable to execute '?[\w.-]*gcc|Unknown compiler"
        ),
        "no-compiler",
        (
            "A package has to be compiled and the base image has no compiler: set base_image to one that has it, "
            "such as docker.io/library/python:3.11 in place of its -slim."
        ),
    ),
    (
        r"No module named pip|externally-managed-environment",
        "no-pip",
        "Set base_image to an image whose python has pip.",
    ),
    (
        r"exec: \"python\": executable file not found|\bpython: (?:command )?not found",
        "no-python",
        (
            "Set base_image to an image that has Python by the name 'python', such as "
            "docker.io/library/python:3.11-slim; 'python3' alone is not enough."
        ),
    ),
    (
        r"MANIFEST_UNKNOWN|manifest unknown",
        "base-image",
        "Correct base_image: its registry has no such image.",
    ),
    (
        r"[Nn]o space left on device",
        "disk-full",
        (
            "The node has too little disk space for the build: use a smaller base image or fewer requirements, or a "
            "larger node disk."
        ),
    ),
)
_OUT_OF_MEMORY = 137
_NO_PYTHON = "the base image has no program 'python', which is needed to install packages and start jobs"
_LONG_WAIT_SECONDS = 60.0
_NO_SUCH_IMAGE = frozenset({"image-not-found", "image-name", "image-platform"})
_ENDED_BY_ITSELF = frozenset({"container-failed", "init-failed", "job-failed"})


def build_failed(
    image: str,
    error: ExecutionError,
    lines: Sequence[str],
    where: str,
    images: Mapping[str, str] = MappingProxyType({}),
    waited: float = 0.0,
) -> BuildFailedError:
    """Return the error for an image whose build has failed.

    Args:
        image: The image's name.
        error: What is known of the build.
        lines: The last lines that it printed, oldest first.
        where: What built it, such as the Job and its namespace, in words.
        images: The images of the build's own pod, by the setting that names each.
        waited: How many seconds it has waited for a node.

    """
    reported = tuple(lines) or error.last_lines
    what = error.message.partition(" Its last lines:")[0].rstrip(". ")
    code, fix = fix_for(reported, error.returncode)
    if not reported and fix_for((what,))[0] == "no-python":
        # What a container runtime says of it is long, and nobody's but its own.
        (code, fix), what = fix_for((what,)), _NO_PYTHON
    message = f"The image '{image}' could not be built ({where})"
    # Lines say it all where the build has ended by itself; where it was ended, they know nothing of it.
    known = bool(reported) and (bool(code) or error.code in _ENDED_BY_ITSELF)
    message = f"{message}." if known else f"{message}: {what}."
    if reported:
        shown = "".join(f"\n  | {line}" for line in reported)
        message = f"{message} The build's last lines:{shown}\n"
    setting = next((name for name, own in images.items() if own and own == error.image), None)
    if setting is not None:
        fix = _image_fix(setting, error.image, image, error.code)
    elif error.code == "deadline" and not code:
        fix = _deadline_fix(waited)
    return BuildFailedError(
        message,
        hint=fix or error.hint or "See the lines above.",
        code=code or (None if error.code in _ENDED_BY_ITSELF else error.code),
        returncode=error.returncode,
        last_lines=reported,
        image=error.image,
    )


def _deadline_fix(waited: float) -> str:
    """Return what to do about a build whose time was up: of that, it may have waited for a node.

    Args:
        waited: How many seconds it has waited for one.

    """
    names = notebook_names()
    spent = (
        f"It waited {duration(waited)} for a node: free capacity, or allow a longer wait with {names['node_wait']}. "
    )
    return (
        f"{spent if waited >= _LONG_WAIT_SECONDS else ''}A build may take up to {duration(LONGEST_SECONDS)}. Request "
        f"more CPU with {names['build_cpu']}, or have Azure build it: set {names['builder']} = 'acr-tasks'."
    )


def _image_fix(setting: str, pulled: str, target: str, code: str) -> str:
    """Return what to do about an image of the build's own pod that can't be pulled.

    Args:
        setting: The setting that names it.
        pulled: Its name.
        target: The image that is built: its registry is the user's own.
        code: Why it can't be pulled.

    """
    named, registry = f"FAIRING_{setting.upper()} ({setting})", target.partition("/")[0]
    try:
        image = ImageReference.parse(pulled)
    except InputError:
        return f"Correct the setting {named}: '{pulled}' is not an image that can be pulled."
    if image.host == registry:
        return (
            f"'{pulled}' is the setting {named}. Check that it exists and that the cluster may pull it: fairing-azure "
            "check"
        )
    if code in _NO_SUCH_IMAGE:
        return f"Correct the setting {named}: '{pulled}' is not an image that can be pulled."
    words, copy = image.import_into(registry)
    return (
        f"The cluster can't pull '{pulled}', which is the setting {named}. Copy it to your own registry: "
        f"az {' '.join(words)}. Then set FAIRING_{setting.upper()} = '{copy}'."
    )


def fix_for(lines: Sequence[str], returncode: int | None = None) -> tuple[str, str]:
    """Return what a build's last lines say has gone wrong.

    Args:
        lines: The lines, oldest first.
        returncode: The build's exit code.

    Returns:
        An identifier and what to do; both empty where the lines say nothing that is known.

    """
    if returncode == _OUT_OF_MEMORY:
        return "oom-killed", "The build needs more memory: increase the setting build_memory."
    text = "\n".join(lines)
    for pattern, code, fix in _KNOWN:
        found = re.search(pattern, text)
        if found:
            named = found.groupdict()
            return code, fix.format(it=named.get("it") or named.get("file") or "")
    return "", ""
