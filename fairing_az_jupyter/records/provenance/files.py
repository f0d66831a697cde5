"""The files of a record that tell what its run was made of."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter.files import replace_file
from fairing_az_jupyter.models import Provenance
from fairing_az_jupyter.records import layout
from fairing_az_jupyter.records.status import read_status

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def write_provenance(folder: Path, found: Provenance) -> None:
    """Write what a run was made of.

    Args:
        folder: The record.
        found: What it was made of.

    Raises:
        OSError: It can't be written.

    """
    _write(folder / layout.PROVENANCE, found.to_dict())


def write_packages(folder: Path, packages: Mapping[str, str]) -> str:
    """Write the versions of packages, and return the SHA-256 of the file.

    Args:
        folder: The record.
        packages: The versions by name.

    Raises:
        OSError: It can't be written.

    """
    return _write(folder / layout.PACKAGES, dict(packages))


def read_provenance(folder: Path) -> Provenance:
    """Return what a run was made of; of a record from before this was kept, or a broken one, nothing.

    A notebook in the cluster does not know its own image: that was noted by who has launched it.

    Args:
        folder: The record.

    """
    found = Provenance.from_dict(_read(folder / layout.PROVENANCE))
    if found.image or not (folder / layout.STATUS).exists():
        return found
    status = read_status(folder)
    image, digest = status.get("image"), status.get("image_digest")
    if not isinstance(image, str) or not isinstance(digest, str):
        return found
    return dataclasses.replace(found, image=image, image_digest=digest)


def read_packages(folder: Path) -> dict[str, str]:
    """Return the versions of packages by name; none where the record does not tell.

    Args:
        folder: The record.

    """
    found = _read(folder / layout.PACKAGES)
    return {name: version for name, version in found.items() if isinstance(version, str)}


def _write(path: Path, content: Mapping[str, object]) -> str:
    text = json.dumps(content, indent=1, ensure_ascii=False, default=str) + "\n"
    data = text.encode("utf-8", "backslashreplace")
    replace_file(path, data, mode=0o600, durable=False)
    return hashlib.sha256(data).hexdigest()


def _read(path: Path) -> dict[str, Any]:
    with contextlib.suppress(OSError, ValueError):
        found = json.loads(path.read_bytes())
        return found if isinstance(found, dict) else {}
    return {}
