"""The example notebook with its data, copied to where the user works."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Literal

from fairing_az_jupyter.exceptions import InputError, InstallationError
from fairing_az_jupyter.files import replace_file

__all__ = ["EXAMPLE_NOTEBOOK", "Copied", "copy_example"]

EXAMPLE_NOTEBOOK = "xgboost-high-level-apis.ipynb"
_FILES = (EXAMPLE_NOTEBOOK, "requirements.txt", "ames_dataset/train.csv", "ames_dataset/README.md")
_PACKAGE = Path(__file__).resolve().parents[1]
# A wheel has them inside the package; a checkout has them beside it.
_SOURCES = (_PACKAGE / "example", _PACKAGE.parent / "notebooks")


@dataclasses.dataclass(frozen=True)
class Copied:
    """What has become of one file of the example.

    Args:
        path: Where it is.
        outcome: `copied`; `unchanged` if it was there already; `kept` if another file of that name was, which stays.

    """

    path: str
    outcome: Literal["copied", "unchanged", "kept"]

    def to_dict(self) -> dict[str, object]:
        """Return it as values that any JSON parser reads."""
        return dataclasses.asdict(self)


def copy_example(folder: str = ".") -> tuple[Copied, ...]:
    """Copy the example into a folder, and leave every file that is there as it is.

    Args:
        folder: The folder; it is made if it is not there.

    Returns:
        What has become of each file, the notebook first.

    Raises:
        InputError: The folder can't be made, or nothing can be written there.
        InstallationError: This installation lacks the example.

    """
    source = next((each for each in _SOURCES if (each / EXAMPLE_NOTEBOOK).is_file()), None)
    if source is None:
        raise InstallationError(
            "The example is missing from this installation.",
            hint="Install it again: pip install --force-reinstall --no-deps fairing-az-jupyter",
            code="example",
        )
    base = Path(folder).expanduser()
    try:
        return tuple(_copied(source / name, base / name) for name in _FILES)
    except OSError as error:
        raise InputError(
            f"The example can't be copied to '{folder}': {error.strerror or error}"
            f"{f' ({error.filename})' if error.filename else ''}.",
            hint="Choose a writable folder: %fairing_azure example FOLDER",
            code="example",
        ) from error


def _copied(source: Path, target: Path) -> Copied:
    data = source.read_bytes()
    if target.is_symlink() or target.exists():
        same = target.is_file() and target.read_bytes() == data
        return Copied(str(target), "unchanged" if same else "kept")
    target.parent.mkdir(parents=True, exist_ok=True)
    replace_file(target, data, mode=0o644, durable=False)
    return Copied(str(target), "copied")
