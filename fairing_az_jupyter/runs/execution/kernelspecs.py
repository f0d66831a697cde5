"""Which kernels are installed, found out without loading one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from jupyter_client.kernelspec import KernelSpec, KernelSpecManager, NoSuchKernel
from jupyter_client.provisioning.factory import KernelProvisionerFactory
from jupyter_core.paths import jupyter_path

from fairing_az_jupyter.exceptions import InputError

HINT = "Choose an installed one: --kernel NAME; or install the missing one."


class InstalledKernels(KernelSpecManager):
    """Jupyter's kernel specs, found in the same folders as always, but without IPython.

    Jupyter itself asks IPython for one of the folders, and ipykernel about `python3` even when that is installed as
    a folder. Either imports all of IPython, a second or more, before a kernel can start.

    Args:
        **traits: Jupyter's own settings of it.

    """

    def __init__(self, **traits: Any) -> None:  # noqa: ANN401 - as traitlets has it
        # IPython's own rule: https://ipython.readthedocs.io/en/stable/development/config.html (IPYTHONDIR).
        ipython = Path(os.environ.get("IPYTHONDIR") or "~/.ipython").expanduser()
        super().__init__(**{"kernel_dirs": [*jupyter_path("kernels"), str(ipython / "kernels")], **traits})

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        """Return the spec of an installed kernel.

        Raises:
            NoSuchKernel: It is not installed, or what starts it is not.

        """
        folder = self.find_kernel_specs().get(kernel_name)
        if folder is None or not Path(folder, "kernel.json").is_file():
            return super().get_kernel_spec(kernel_name)
        spec = self.kernel_spec_class.from_resource_dir(folder)
        if not KernelProvisionerFactory.instance(parent=self.parent).is_provisioner_available(spec):
            raise NoSuchKernel(kernel_name)
        return spec


def language_of(kernel_name: str, asked_by: str) -> str:
    """Return the language of an installed kernel.

    Args:
        kernel_name: The kernel's name.
        asked_by: Who wants this kernel, for the message: `asked for`, or that a notebook names it.

    Returns:
        The language, such as `python`; empty if the kernel does not tell.

    Raises:
        InputError: The kernel is not installed, or its kernel.json can't be read.

    """
    specs = InstalledKernels()
    try:
        return str(specs.get_kernel_spec(kernel_name).language)
    except NoSuchKernel:
        installed = ", ".join(f"'{known}'" for known in sorted(specs.find_kernel_specs())) or "none"
        raise InputError(
            f"The kernel '{kernel_name}' {asked_by} is not installed here, so the notebook can't run. "
            f"Installed: {installed}.",
            hint=HINT,
            code="kernel",
        ) from None
    except (OSError, ValueError, TypeError) as error:
        raise InputError(
            f"The kernel '{kernel_name}' is broken: its kernel.json can't be read ({error}).",
            hint="Install the kernel again, or choose another: --kernel NAME.",
            code="kernel",
        ) from error
