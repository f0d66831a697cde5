"""What can be determined without any network: is Fairing here, and does the base image have the notebook's Python?"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fairing_az_jupyter.preflight import fix_commands
from fairing_az_jupyter.preflight.runner import Check, Finding
from fairing_az_jupyter.settings.naming import python_image

if TYPE_CHECKING:
    from fairing_az_jupyter.preflight.context import CheckContext

# The rooms fairing/ and preflight/ do not know each other; a test compares it with the version that is installed.
FAIRING_VERSION = "1.0.2"
"""The only version of Kubeflow Fairing that the bridge supports."""

_FAIRING_AT = "package kubeflow-fairing in this notebook's Python"
# python3.11, python-3-11, python_3.11, python311 (Red Hat), py310 (Azure ML, NVIDIA), cp311 (wheels). Without a point
# between them, what follows the minor version must not look like the rest of another version: py3-8.5 is none.
_NAMED = re.compile(
    r"(?<![a-z0-9])(?:c?python|py|cp)[-_./]?v?([23])(?:\.(\d{1,2})(?!\d)|[-_]?(\d{1,2})(?!\d|\.\d))",
)
# The tags of images called `python`: 3.11, 3.11.4-slim, v3.11, and the Dev Containers' 1.2.0-3.11-bookworm.
_IN_TAG = re.compile(r"(?<![a-z0-9.])v?([23])\.(\d{1,2})(?!\d)")
_PYTHON_IMAGES = frozenset({"python", "python3"})
# What is outside is not Python that anybody runs, but the version of something else.
_MINORS = {2: range(6, 8), 3: range(5, 40)}


def checks(context: CheckContext) -> list[Check]:
    """Return the checks of this machine.

    Args:
        context: What is checked.

    """
    return [
        Check(
            "fairing",
            "Kubeflow Fairing",
            "A notebook's 'from kubeflow import fairing' needs it, and the bridge to it fits one version.",
            _FAIRING_AT,
            lambda _: _fairing(context),
        ),
        Check(
            "python",
            "Python version of the base image",
            "Pickled objects and wheels do not work across minor versions of Python.",
            _image(context),
            lambda _: _python(context),
        ),
    ]


def python_of_image(image: str) -> tuple[int, int] | None:
    """Tell from an image's name which Python is in it.

    Args:
        image: A reference, `[host[:port]/]repository[:tag][@digest]`.

    Returns:
        Major and minor version as the tag or else the repository names them; None where neither does, or where one
        names several.

    """
    name = image.lower().partition("@")[0]
    folder, slash, last = name.rpartition("/")
    last, _, tag = last.partition(":")
    host, _, rest = (folder + slash + last).partition("/")
    repository = rest if rest and ("." in host or ":" in host or host == "localhost") else folder + slash + last
    found = _versions(_NAMED, tag)
    if not found and last in _PYTHON_IMAGES:
        found = _versions(_IN_TAG, tag)
    found = found or _versions(_NAMED, repository)
    return found.pop() if len(found) == 1 else None


def _versions(pattern: re.Pattern[str], text: str) -> set[tuple[int, int]]:
    numbers = [[int(group) for group in match.groups() if group] for match in pattern.finditer(text)]
    return {(major, minor) for major, minor in numbers if minor in _MINORS[major]}


def _fairing(context: CheckContext) -> Finding:
    if context.fairing == FAIRING_VERSION:
        return Finding("pass", _FAIRING_AT, f"Kubeflow Fairing {FAIRING_VERSION} is installed.")
    fix = (fix_commands.ours("install-fairing"),)
    if context.fairing is None:
        return Finding("fail", _FAIRING_AT, "Kubeflow Fairing is not installed.", fix, code="fairing-not-installed")
    message = f"Kubeflow Fairing {context.fairing} is installed; {FAIRING_VERSION} is needed."
    return Finding("fail", _FAIRING_AT, message, fix, code="fairing-version")


def _python(context: CheckContext) -> Finding:
    looked_at = _image(context)
    if "base_image" in context.broken and (skipped := context.unusable("base_image", looks_at=looked_at)):
        return skipped
    here = _written(context.python)
    image = context.settings.base_image
    if image is None:
        return Finding(
            "pass", looked_at, f"No base image is set: Docker Hub's python with this notebook's {here} is used."
        )
    there = python_of_image(image)
    if there == context.python:
        return Finding("pass", looked_at, f"The base image '{image}' has Python {here}, as this notebook has.")
    better = python_image(here)
    fix = (
        fix_commands.ours("fill", context.notebook or "NOTEBOOK", "--base-image", better),
        fix_commands.ours("profile", "set", "NAME", "--base-image", better),
    )
    if there is None:
        sure = fix_commands.text(f"Check that it has Python {here}, or use one that names it: {better}")
        message = (
            f"The name of the base image '{image}' does not show its Python version; this notebook has Python {here}."
        )
        return Finding("warn", looked_at, message, (sure, *fix), code="python-untold")
    message = f"The base image '{image}' has Python {_written(there)}, this notebook has Python {here}."
    return Finding("fail", looked_at, message, fix, code="python-differs")


def _image(context: CheckContext) -> str:
    image = None if "base_image" in context.broken else context.settings.base_image
    return f"base image {image}" if image else "the base image"


def _written(version: tuple[int, int]) -> str:
    return ".".join(map(str, version))
