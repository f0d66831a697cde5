"""The Dockerfiles of images that are built in the cluster or by Azure.

Source: https://docs.docker.com/reference/dockerfile/
"""

from __future__ import annotations

import json
import re

from fairing_az_jupyter.exceptions import ContextError

__all__ = ["BESIDE", "FILE_NAME", "LABEL", "dependency_image", "labelled", "whole_image"]

FILE_NAME = "fairing.Dockerfile"
"""Its name in a build context, where a task may have a Dockerfile of its own."""

BESIDE = "fairing.beside.tar"
"""The name of the archive, in a build context, of what goes to other places than the application's folder."""

LABEL = "io.github.fairing-az-jupyter.requirements"
"""The label that tells what was asked for."""

# Debian's own Python rejects pip without the first; a build runs as root, and pip would warn of it. Isolated (-I), or a
# json.py of the user's would take the place of Python's own.
_PIP = (
    "RUN PIP_BREAK_SYSTEM_PACKAGES=1 PIP_ROOT_USER_ACTION=ignore "
    "python -I -m pip install --no-input --no-cache-dir --disable-pip-version-check --progress-bar off "
    "-r requirements.txt"
)
# What a Dockerfile reads as a variable, a pattern, or the end of something.
_READ_OTHERWISE = re.compile(r"[$*?\[\]\\\"'`\x00-\x1f\x7f]|^\s|\s$")
_HERE_DOCUMENT = re.compile(r"<{2,}")


def dependency_image(
    base: str, prefix: str, requirements: str, *, all_first: bool = False, beside: bool = False
) -> str:
    """Return the Dockerfile of an image that has what a requirements file asks for, and nothing else of the task.

    Args:
        base: The image to start from.
        prefix: The application's folder in the image.
        requirements: What is asked for, in one line, for the history.
        all_first: Whether the requirements name other files of the task, which have to be there before.
        beside: Whether the context has the archive `BESIDE`, too; only with `all_first`.

    Raises:
        ContextError: No Dockerfile can name the application's folder.

    """
    copied = _everything(prefix, beside=beside) if all_first else [_requirements(prefix)]
    return _text([*_head(base, prefix), *copied, *_installed(requirements)])


def whole_image(
    base: str, prefix: str, requirements: str | None, *, all_first: bool = False, beside: bool = False
) -> str:
    """Return the Dockerfile of a task's whole image: first what changes seldom.

    Args:
        base: The image to start from.
        prefix: The application's folder in the image.
        requirements: What is asked for, in one line; None where nothing is.
        all_first: Whether the requirements name other files of the task, which have to be there before.
        beside: Whether the context has the archive `BESIDE`, too.

    Raises:
        ContextError: No Dockerfile can name the application's folder.

    """
    lines = [*_head(base, prefix), "ENV FAIRING_RUNTIME=1"]
    files = _everything(prefix, beside=beside)
    if requirements is None:
        return _text([*lines, *files])
    installed = _installed(requirements)
    return _text([*lines, *files, *installed] if all_first else [*lines, _requirements(prefix), *installed, *files])


def labelled(dockerfile: str, requirements: str) -> str:
    """Return a Dockerfile whose image has the label that tells what was asked for, too; not for Kaniko.

    Kaniko reads a label's quotes and variables twice, Docker once: no text means the same to both.

    Args:
        dockerfile: The text of the Dockerfile.
        requirements: What is asked for, in one line.

    """
    # A variable would be put in the place of $NAME.
    quoted = re.sub(r'([\\"$])', r"\\\1", requirements)
    return f'{dockerfile}LABEL {LABEL}="{quoted}"\n'


def _head(base: str, prefix: str) -> list[str]:
    # Pods run as root, as Fairing has them; packages that another user installs would not be found.
    return [f"FROM {base}", "USER root", f"WORKDIR {_folder(prefix)}"]


def _folder(prefix: str) -> str:
    folder = f"/{prefix.strip('/')}"
    if _READ_OTHERWISE.search(folder):
        raise ContextError(
            f"The application's folder in the image, {folder!r}, contains characters with a special meaning in a "
            "Dockerfile, so no image can be built with it.",
            hint="Give the preprocessor another path_prefix, such as '/app/'.",
            code="path-prefix",
        )
    return folder


def _requirements(prefix: str) -> str:
    return _copy(f"{_folder(prefix).rstrip('/')}/requirements.txt")


def _everything(prefix: str, *, beside: bool) -> list[str]:
    # An archive is unpacked into what is there: COPY would give /tmp another mode, and put a folder in place of a link.
    folder = _folder(prefix)
    return [*([] if folder == "/" else [_copy(folder)]), *([f"ADD {BESIDE} /"] if beside else [])]


def _copy(path: str) -> str:
    """Return the form of COPY whose paths may hold blanks."""
    return f"COPY {json.dumps([path.lstrip('/'), path], ensure_ascii=False)}"


def _installed(requirements: str) -> list[str]:
    """Return the lines that install what is asked for, and tell it: to the history, as the shell's comment."""
    # A comment of the shell's, but the builder looks for its continuation and for here-documents before.
    reported = _HERE_DOCUMENT.sub("<", requirements).replace("\\", "/")
    return [f"{_PIP} # {reported}" if reported else _PIP]


def _text(lines: list[str]) -> str:
    return "\n".join([*lines, ""])
