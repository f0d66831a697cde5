"""What records name outside of this machine: folders in Blob Storage, images in a registry.

What a record names is not deleted there. Of a record that is deleted the store keeps these names, in `deleted.jsonl`:
they tell that the blobs and images that are left were this home's own, and nobody else's.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter.exceptions import InputError
from fairing_az_jupyter.records import layout, rescue
from fairing_az_jupyter.records.events_file import append_event, read_events
from fairing_az_jupyter.records.liveness import is_lost

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from fairing_az_jupyter.models import RunInfo
    from fairing_az_jupyter.records.store import RunStore

__all__ = ["Named", "Names", "named_by_deleted", "named_by_records", "note_deleted"]

_CLUSTER = "KubeflowAzureBackend"
_PLACES = ("record", "outputs")


@dataclasses.dataclass(frozen=True)
class Names:
    """What one record names.

    Args:
        folders: Folders below `runs/` and `outputs/`: the run's, and its Job's.
        image: The image by its tag; empty where it has none.
        image_digest: The digest of that image's manifest.
        used: When it was last of use, in seconds since 1970-01-01 UTC.
        begins: Whether its launch has not got so far that all of this is known.

    """

    folders: frozenset[str] = frozenset()
    image: str = ""
    image_digest: str = ""
    used: float = 0.0
    begins: bool = False


@dataclasses.dataclass(frozen=True)
class Named:
    """What many records name, each with the time at which it was last of use.

    Args:
        folders: Folders below `runs/` and `outputs/`.
        images: Images by their tags.
        digests: Digests of images' manifests.
        beginning: Runs whose launch has not got so far that all of it is known.

    """

    folders: Mapping[str, float] = dataclasses.field(default_factory=dict)
    images: Mapping[str, float] = dataclasses.field(default_factory=dict)
    digests: Mapping[str, float] = dataclasses.field(default_factory=dict)
    beginning: tuple[str, ...] = ()


def named_by_records(store: RunStore) -> Named:
    """Return what the records name that there are.

    Args:
        store: The records.

    Raises:
        InputError: A record can't be read, so that nobody knows what it names; or the folder can't be.

    """
    kept = rescue.kept(store.path)
    names = sorted({*store.names(), *kept})
    found = {name: _of_record(name, store.folder(name), kept.get(name)) for name in names}
    return _together(found.values(), tuple(name for name, each in found.items() if each.begins))


def named_by_deleted(store: RunStore) -> Named:
    """Return what records named that were deleted.

    Args:
        store: The records.

    """
    return _together(filter(None, (_of_line(line) for _, line in read_events(store.path / layout.DELETED))))


def note_deleted(store: RunStore, info: RunInfo) -> None:
    """Keep what a record names, before it is deleted; nothing of one that names nothing.

    Args:
        store: The records.
        info: The run.

    Raises:
        OSError: It can't be kept.
        InputError: The record can't be read.

    """
    names = _of_record(info.id, store.folder(info.id), Path(info.folder))
    if not (info.place == "cluster" or names.folders - {info.id} or names.image):
        return
    said = {**dataclasses.asdict(names), "run": info.id, "folders": sorted(names.folders)}
    del said["begins"]
    said["used"] = names.used or info.ended or info.created
    append_event(store.path / layout.DELETED, said)


def _of_record(name: str, folder: Path, other: Path | None) -> Names:
    """Return what one record names.

    Args:
        name: The run's identifier.
        folder: Its record.
        other: Where its end is noted, if not there.

    """
    places = [place for place in dict.fromkeys((folder, other)) if place is not None]
    status = _merged(name, places, layout.STATUS)
    made = _merged(name, places, layout.PROVENANCE)
    jobs = {str(said.get("job") or "") for said in (status, made)}
    urls = {str(status.get(field) or "").rstrip("/").rpartition("/")[2] for field in _PLACES}
    image = _first("image", status, made)
    waits = status.get("state") in {"waiting", "running"} and not is_lost(folder, status)
    remote = made.get("backend") == _CLUSTER or status.get("place") == "cluster"
    return Names(
        folders=frozenset({name, *jobs, *urls} - {""}),
        image=image,
        image_digest=_first("image_digest", status, made),
        used=_number(status.get("ended")) or _number(status.get("started")),
        begins=bool(waits and remote and not image and not status.get("launched")),
    )


def _of_line(line: Mapping[str, Any]) -> Names | None:
    folders = line.get("folders")
    if not isinstance(folders, list):
        return None
    image, digest = (str(line.get(field) or "") for field in ("image", "image_digest"))
    return Names(frozenset(map(str, folders)), image, digest, _number(line.get("used")))


def _together(found: Iterable[Names], beginning: tuple[str, ...] = ()) -> Named:
    folders: dict[str, float] = {}
    images: dict[str, float] = {}
    digests: dict[str, float] = {}
    for each in found:
        for known, names in (
            (folders, each.folders),
            (images, (each.image,)),
            (digests, (each.image_digest,)),
        ):
            for name in filter(None, names):
                known[name] = max(each.used, known.get(name, 0.0))
    return Named(folders, images, digests, beginning)


def _merged(name: str, places: Iterable[Path], file: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for place in places:
        found |= _read(name, place / file)
    return found


def _read(name: str, path: Path) -> dict[str, Any]:
    """Return what a file of a record says; nothing where there is no such file.

    Raises:
        InputError: It can't be read.

    """
    try:
        found = json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "it is not JSON"
        raise InputError(
            f"The record of the run '{name}' can't be read ('{path}': {why}), so what it needs is unknown.",
            hint=f"Repair it, or delete the record: rm -r '{path.parent}'",
            code="run-broken",
        ) from None
    return found if isinstance(found, dict) else {}


def _first(field: str, *said: Mapping[str, Any]) -> str:
    return next((str(each[field]) for each in said if each.get(field)), "")


def _number(value: object) -> float:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else 0.0
