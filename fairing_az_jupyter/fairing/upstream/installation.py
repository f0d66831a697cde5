"""Installs Kubeflow Fairing beside today's Jupyter: the package from PyPI, unmodified, without its own pins."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import importlib.util
import shutil
import subprocess
import sys

from fairing_az_jupyter.exceptions import InstallationError

DISTRIBUTION = "kubeflow-fairing"
VERSION = "1.0.2"
REQUIREMENT = f"{DISTRIBUTION}=={VERSION}"
WHY = (
    f"{REQUIREMENT} pins libraries of 2020 (urllib3 1.24, kubernetes 10, azure-storage-blob 2) that can't be installed "
    "beside today's Jupyter. It is installed without them: fairing-az-jupyter brings what it needs, and supplies what "
    "no longer exists when it is imported."
)
_SHOWN_LINES = 15


@dataclasses.dataclass(frozen=True)
class InstallationPlan:
    """What installing Fairing will do.

    Args:
        installed: The version that is there; None if there is none.
        command: What will be run; empty if there is nothing to do.
        environment: The Python environment that it is run for.

    """

    installed: str | None
    command: tuple[str, ...]
    environment: str

    @property
    def needed(self) -> bool:
        """Whether there is anything to do."""
        return bool(self.command)


def plan_installation() -> InstallationPlan:
    """Return what has to be run so that Fairing is there.

    Raises:
        InstallationError: This environment has neither pip nor uv.

    """
    installed = installed_version()
    command: tuple[str, ...] = ()
    if installed != VERSION:
        command = (*_installer(), "--no-deps", REQUIREMENT)
    return InstallationPlan(installed, command, sys.prefix)


def installed_version() -> str | None:
    """Return the version of Fairing that is installed here; None if there is none."""
    try:
        return importlib.metadata.version(DISTRIBUTION)
    except importlib.metadata.PackageNotFoundError:
        return None


def _installer() -> tuple[str, ...]:
    if importlib.util.find_spec("pip") is not None:
        return (sys.executable, "-m", "pip", "install", "--disable-pip-version-check")
    uv = shutil.which("uv")
    if uv:
        return (uv, "pip", "install", "--python", sys.executable)
    raise InstallationError(
        f"The environment {sys.prefix} has neither pip nor uv, so {REQUIREMENT} can't be installed.",
        hint=f"Add pip first: {sys.executable} -m ensurepip",
    )


def install(plan: InstallationPlan) -> None:
    """Run what the plan says.

    Raises:
        InstallationError: It failed; the message has the installer's last lines.

    """
    if not plan.needed:
        return
    done = subprocess.run(plan.command, check=False, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        lines = "\n".join(f"  | {line}" for line in done.stdout.splitlines()[-_SHOWN_LINES:])
        raise InstallationError(
            f"{REQUIREMENT} can't be installed into {plan.environment}:\n{lines}\n",
            hint=f"By hand: pip install --no-deps {REQUIREMENT}",
        )
