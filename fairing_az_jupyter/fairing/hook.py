"""The finder that makes `import kubeflow.fairing` ours; all that an interpreter with the start-up file loads of us."""

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
        """Return the spec of one of Fairing's modules, None for any other."""
        if fullname != "kubeflow.fairing" and not fullname.startswith("kubeflow.fairing."):
            return None
        from fairing_az_jupyter.fairing.import_shim import find  # noqa: PLC0415 - most interpreters never need it

        return find(fullname, path, target)


class MissingFairing:
    """The last finder to be asked: says what to do where Fairing is imported and nobody has found it."""

    @classmethod
    def find_spec(
        cls,
        fullname: str,
        path: Sequence[str] | None = None,
        target: types.ModuleType | None = None,
    ) -> None:
        """Find nothing.

        Raises:
            FairingNotInstalledError: Fairing, or the namespace that it lies in, is being imported. Whoever only looks
                whether it is there (`importlib.util.find_spec`) gets Python's own answer.

        """
        if fullname not in {"kubeflow", "kubeflow.fairing"} or not _is_being_imported():
            return
        later = sys.meta_path[sys.meta_path.index(cls) + 1 :]
        if any(finder.find_spec(fullname, path, target) for finder in later if hasattr(finder, "find_spec")):
            return
        from fairing_az_jupyter.fairing.import_shim import not_installed  # noqa: PLC0415 - as above

        raise not_installed(fullname)


def _is_being_imported() -> bool:
    """Return whether the import system is loading a module, and not just looking for it."""
    frame = sys._getframe(1)  # noqa: SLF001 - there is no other way to tell, and where it fails nothing is lost
    while frame.f_back is not None:
        if frame.f_code.co_name == "_find_spec":
            return frame.f_back.f_code.co_name == "_find_and_load_unlocked"
        frame = frame.f_back
    return False


def install() -> None:
    """Make `import kubeflow.fairing` work from now on; safe to call again."""
    if FairingFinder not in sys.meta_path:
        sys.meta_path.insert(0, FairingFinder)
    if MissingFairing not in sys.meta_path:
        sys.meta_path.append(MissingFairing)
