"""What has made the build of an image fail, told by its last lines, with what to do about it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fairing_az_jupyter.exceptions import BuildFailedError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fairing_az_jupyter.exceptions import ExecutionError

__all__ = ["build_failed", "cure_for"]

# Patterns of pip's and Kaniko's own words, with a code and what to do; the first that matches counts.
_KNOWN = (
    # pip says that it finds no version also where it can't ask.
    (
        (
            r"Temporary failure in name resolution|NewConnectionError|Network is unreachable|ReadTimeoutError|"
            r"ConnectTimeoutError|no such host"
        ),
        "no-network",
        (
            "The build pod can't reach what it needs: is there a network policy or a proxy? A private package index is "
            "named in requirements.txt by --index-url."
        ),
    ),
    (
        r"CERTIFICATE_VERIFY_FAILED|certificate signed by unknown authority|x509:",
        "certificate",
        "The build pod does not trust the certificate of what it asks: the base image needs your organisation's CA.",
    ),
    (
        r"No matching distribution found for ([^\s(]+)",
        "requirement",
        "Correct '{0}' in requirements.txt: the package index has no such version for the base image's Python.",
    ),
    (
        r"Could not find a version that satisfies the requirement ([^\s(]+)",
        "requirement",
        "Correct '{0}' in requirements.txt: the package index has no such version for the base image's Python.",
    ),
    (
        r"ResolutionImpossible|conflicting dependencies",
        "requirements-conflict",
        "Loosen the versions in requirements.txt that exclude each other: the lines above name them.",
    ),
    (
        r"Invalid requirement: '?([^\n']+)",
        "requirement",
        "Correct the line '{0}' of requirements.txt: pip can't read it.",
    ),
    (
        (
            r"error: command '?(?:[\w.-]*gcc|cc|[\w.-]*g\+\+|c\+\+)'? failed|No such file or directory: 'gcc'|"
            r"Unable to find (?:a )?compiler|unable to execute '?[\w.-]*gcc"
        ),
        "no-compiler",
        (
            "A package has to be compiled and the base image has no compiler: set base_image to one that has, such as "
            "docker.io/library/python:3.11 in place of its -slim."
        ),
    ),
    (
        r"No module named pip|externally-managed-environment",
        "no-pip",
        "Set base_image to an image whose python has pip.",
    ),
    (
        r"checking push permissions?.*|UNAUTHORIZED.*push|denied: .*",
        "push-refused",
        "See what the registry says: fairing-azure check",
    ),
    (
        r"MANIFEST_UNKNOWN|manifest unknown",
        "base-image",
        "Correct base_image: its registry has no such image.",
    ),
    (
        r"[Nn]o space left on device",
        "disk-full",
        "The node has no room for the build: take a smaller base image or fewer requirements, or a larger node disk.",
    ),
    (
        r"HTTP Error 403|AuthenticationFailed|AuthorizationFailure",
        "context-refused",
        "The build pod may not read the context: does the Storage account's firewall let the cluster in?",
    ),
)
_OUT_OF_MEMORY = 137


def build_failed(image: str, error: ExecutionError, lines: Sequence[str], where: str) -> BuildFailedError:
    """Return the error for an image whose build has failed.

    Args:
        image: The image's name.
        error: What is known of the build.
        lines: The last lines that it printed, oldest first.
        where: What built it, such as the Job and its namespace, in words.

    """
    told = tuple(lines) or error.last_lines
    shown = "".join(f"\n  | {line}" for line in told)
    code, cure = cure_for(told, error.returncode)
    message = f"The image '{image}' could not be built ({where})"
    if code or not told:
        what = error.message.partition(" Its last lines:")[0]
        message = f"{message}: {what}" if not code else f"{message}."
    else:
        message = f"{message}."
    if told:
        message = f"{message} The build's last lines:{shown}\n"
    return BuildFailedError(
        message,
        hint=cure or error.hint or "See the lines above.",
        code=code or (error.code if error.code not in {"container-failed", "job-failed"} else None),
        returncode=error.returncode,
        last_lines=told,
    )


def cure_for(lines: Sequence[str], returncode: int | None = None) -> tuple[str, str]:
    """Return what a build's last lines say has gone wrong.

    Args:
        lines: The lines, oldest first.
        returncode: The build's exit code.

    Returns:
        An identifier and what to do; both empty where the lines say nothing that is known.

    """
    if returncode == _OUT_OF_MEMORY:
        return "oom-killed", "The build needs more memory than it gets: raise the setting build_memory."
    text = "\n".join(lines)
    for pattern, code, cure in _KNOWN:
        found = re.search(pattern, text)
        if found:
            return code, cure.format(*(group or "" for group in found.groups()))
    return "", ""
