"""What others can know of a launch: `launch.json` beside the files that it writes, also once its Job was deleted.

It holds no setting, no parameter and no secret. Whoever can write to the container can write one: it is only shown.
"""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any

__all__ = ["NOTE", "LaunchNote"]

NOTE = "launch.json"
_FORMAT = 1
_LONGEST = 500


@dataclasses.dataclass(frozen=True)
class LaunchNote:
    """A launch, as whoever follows it has noted it.

    Args:
        job: Its Job's name.
        state: `running`, `succeeded`, `failed` or `cancelled`.
        task: The class or function, or the notebook's name.
        name: What the user calls it; empty for nothing.
        kind: `train`, or `notebook` for the run of a whole one.
        notebook: The file name of the notebook, or of the Python file.
        owner: The notebook server that has launched it, or the user.
        namespace: Its namespace.
        server: The cluster's address.
        run: The identifier of its record, wherever that is.
        sweep: The sweep that it belongs to; empty if to none.
        image: The image that it runs.
        image_digest: The digest of that image's manifest; empty where that is not known.
        created: When it was launched, in seconds since 1970-01-01 UTC.
        ended: When it ended; None before.
        raised: The type and the message of what it has raised; empty for nothing.

    """

    job: str
    state: str = "running"
    task: str = ""
    name: str = ""
    kind: str = "train"
    notebook: str = ""
    owner: str = ""
    namespace: str = ""
    server: str = ""
    run: str = ""
    sweep: str = ""
    image: str = ""
    image_digest: str = ""
    created: float = 0.0
    ended: float | None = None
    raised: str = ""

    @classmethod
    def parse(cls, data: bytes) -> LaunchNote | None:
        """Return what a note says; None where it is none. What is of another type is left out, and long texts are cut.

        Args:
            data: The bytes of `launch.json`.

        """
        try:
            document = json.loads(data)
        except (ValueError, RecursionError):
            return None
        if not isinstance(document, dict) or not isinstance(document.get("job"), str):
            return None
        found: dict[str, Any] = {}
        for field in dataclasses.fields(cls):
            value = document.get(field.name)
            if field.name in {"created", "ended"}:
                if isinstance(value, (int, float)) and not isinstance(value, bool) and _is_time(value):
                    found[field.name] = float(value)
            elif isinstance(value, str):
                found[field.name] = _cut(value)
        return cls(**found)

    def dump(self) -> bytes:
        """Return the bytes of `launch.json`."""
        said = {name: value for name, value in dataclasses.asdict(self).items() if value not in ("", None)}
        said = {name: _cut(value) if isinstance(value, str) else value for name, value in said.items()}
        return (json.dumps({"format": _FORMAT, **said}, indent=1) + "\n").encode()


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def _is_time(seconds: float) -> bool:
    try:
        return math.isfinite(float(seconds))
    except OverflowError:
        return False
