"""What `%load_ext fairing_az_jupyter` does in IPython."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from fairing_az_jupyter.fairing import hook, modules

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell


def load(_ipython: InteractiveShell) -> None:
    """Make Fairing's names importable, and say so if Fairing is missing.

    Args:
        _ipython: The shell that loads the extension.

    """
    hook.install()
    if modules.find_fairing() is None:
        sys.stderr.write("Kubeflow Fairing is not installed here. Install it: fairing-azure install-fairing\n")
