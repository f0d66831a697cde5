"""Train and serve a model from a notebook on Kubeflow on Azure."""

from __future__ import annotations

TYPE_CHECKING = False  # not typing's: every interpreter of this environment loads this module at its start
if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__version__ = "0.1.0"


def load_ipython_extension(ipython: InteractiveShell) -> None:
    """Do what `%load_ext fairing_az_jupyter` asks for: make Fairing's own names importable.

    Args:
        ipython: The shell that loads the extension.

    """
    from fairing_az_jupyter.frontends.magics import load  # noqa: PLC0415 - a hook: the package itself stays light

    load(ipython)
