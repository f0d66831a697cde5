"""What a launch has written: listed, fetched, opened."""

from __future__ import annotations

import contextlib
import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter.exceptions import FairingAzureError
from fairing_az_jupyter.outputs import fetching
from fairing_az_jupyter.outputs.listing import left_out_note
from fairing_az_jupyter.outputs.manifest import MANIFEST
from fairing_az_jupyter.outputs.paths import chosen
from fairing_az_jupyter.outputs.stored import LocalOutputs, found_file
from fairing_az_jupyter.records import layout
from fairing_az_jupyter.records.status import read_status
from fairing_az_jupyter.services.outputs.lookup import opened_outputs

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from fairing_az_jupyter.models import RunInfo
    from fairing_az_jupyter.outputs.fetching import Fetched
    from fairing_az_jupyter.outputs.manifest import LeftOut, OutputFile
    from fairing_az_jupyter.services.session import Session

__all__ = [
    "KeptFiles",
    "LaunchOutputs",
    "OpenedOutput",
    "fetch_outputs",
    "kept_files",
    "list_outputs",
    "open_output",
]


@dataclasses.dataclass(frozen=True)
class LaunchOutputs:
    """What a launch has written.

    Args:
        launch: The run's identifier, or the job's name where there is no record of it.
        where: Where the files are.
        files: The files.
        left_out: What was not kept.
        complete: Whether the job had ended when they were kept.

    """

    launch: str
    where: str
    files: tuple[OutputFile, ...]
    left_out: tuple[LeftOut, ...] = ()
    complete: bool = True

    @property
    def size(self) -> int:
        """The bytes of all files."""
        return sum(file.size for file in self.files)

    def to_dict(self) -> dict[str, Any]:
        """Return it as values that any JSON parser reads."""
        names = ("size", "sha256", "modified")
        return {
            "launch": self.launch,
            "where": self.where,
            "complete": self.complete,
            "files": [{"name": file.name, **{name: getattr(file, name) for name in names}} for file in self.files],
            "left_out": [vars(each) for each in self.left_out],
        }


@dataclasses.dataclass(frozen=True)
class OpenedOutput:
    """One file that is being read.

    Args:
        file: The file.
        pieces: Its bytes; to be closed by who asks for them.

    """

    file: OutputFile
    pieces: Generator[bytes, None, None]


@dataclasses.dataclass(frozen=True)
class KeptFiles:
    """What a run's record says about the files that were kept of it; nothing else is asked.

    Args:
        files: How many; None where the pod was gone before it could say.
        size: Their bytes.
        note: What was not kept, in a sentence; empty where nothing is missing.

    """

    files: int | None
    size: int
    note: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return it as values that any JSON parser reads."""
        return dataclasses.asdict(self)


def kept_files(info: RunInfo) -> KeptFiles | None:
    """Return what a run's record says about the files that were kept of it; None where it says nothing.

    Args:
        info: The run.

    """
    folder = Path(info.folder)
    status = read_status(folder)
    kept = status.get("kept")
    if isinstance(kept, dict):
        files, size, note = (kept.get(name) for name in ("files", "size", "note"))
        return KeptFiles(int(files or 0), int(size or 0), str(note or ""))
    if info.kind == "notebook" and info.has_ended and info.started and status.get("outputs"):
        return KeptFiles(None, 0, "The pod was gone before it could send all that was written.")
    if not (folder / layout.OUTPUTS / MANIFEST).is_file():
        return None
    with contextlib.suppress(FairingAzureError):
        manifest = LocalOutputs(folder / layout.OUTPUTS).manifest
        written = manifest.written
        return KeptFiles(len(written), sum(file.size for file in written), left_out_note(manifest.left_out))
    return None


def list_outputs(session: Session, launch: str, names: Sequence[str] = ()) -> LaunchOutputs:
    """Return what a launch has written.

    Args:
        session: The settings in force, the records and the cluster.
        launch: A run's identifier, a part of one that no other has, `last`, or a job's name.
        names: Which files: paths, patterns or folders; none for all.

    Raises:
        InputError: The launch (code `launch-unknown`) or a file (code `output-unknown`) does not exist.
        NotFoundError: Nothing was kept of it (code `nothing-kept`); the message says why.
        FairingAzureError: It can't be read.

    """
    with opened_outputs(session, launch) as (name, outputs):
        manifest = outputs.manifest
        paths = chosen(names, [file.path for file in manifest.written])
        files = tuple(manifest.by_path[path] for path in paths)
        return LaunchOutputs(name, outputs.where, files, manifest.left_out, manifest.complete)


def fetch_outputs(
    session: Session,
    launch: str,
    names: Sequence[str] = (),
    to: Path = Path(),
    *,
    overwrite: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Fetched:
    """Copy files that a launch has written into a folder; raises as `list_outputs`, and as `fetching.fetch`.

    Args:
        session: The settings in force, the records and the cluster.
        launch: As for `list_outputs`.
        names: Which files; none for all.
        to: The folder.
        overwrite: Whether files are replaced that exist and differ.
        progress: Is called with the bytes that are there now, and all of them.

    Returns:
        What became of each file.

    """
    with opened_outputs(session, launch) as (_, outputs):
        return fetching.fetch(outputs, names, to, overwrite=overwrite, progress=progress)


def open_output(session: Session, launch: str, name: str) -> OpenedOutput:
    """Begin to read one file that a launch has written; raises as `list_outputs`.

    Args:
        session: The settings in force, the records and the cluster.
        launch: As for `list_outputs`.
        name: The file's name.

    Raises:
        InputError: The file does not exist (code `output-unknown`).

    """
    closing = contextlib.ExitStack()
    with contextlib.ExitStack() as opening:
        _, outputs = opening.enter_context(opened_outputs(session, launch))
        file = found_file(outputs.manifest, name)
        closing = opening.pop_all()

    def pieces() -> Generator[bytes, None, None]:
        with closing:
            yield from outputs.read(file.path)

    return OpenedOutput(file, pieces())
