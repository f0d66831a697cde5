"""The finder that makes `import kubeflow.fairing` ours; all that an interpreter loads of us at its start."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    import types
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec


class FairingFinder:
    """Finds Fairing's modules and leaves every other module alone; see `importlib.abc.MetaPathFinder`."""

    @staticmethod
    def find_spec(
        fullname: str,
        path: Sequence[str] | None = None,
        target: types.ModuleType | None = None,
    ) -> ModuleSpec | None:
        """Return the spec of one of Fairing's modules, None for any other.

        Raises:
            FairingNotInstalledError: Fairing itself is asked for and is not installed.

        """
        if fullname not in {"kubeflow", "kubeflow.fairing"} and not fullname.startswith("kubeflow.fairing."):
            return None
        from fairing_az_jupyter.fairing.modules import find  # noqa: PLC0415 - most interpreters never need it

        return find(fullname, path, target)


def install() -> None:
    """Make `import kubeflow.fairing` work from now on; safe to call again."""
    if FairingFinder not in sys.meta_path:
        sys.meta_path.insert(0, FairingFinder)
