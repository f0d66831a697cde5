"""How server and worker speak: a line of JSON, and behind it as many bytes as its `size` says."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import BinaryIO

CREDIT = 8
"""So many pieces of a stream may be on their way to a client that has not taken them yet."""


def frame(head: Mapping[str, Any], data: bytes = b"") -> bytes:
    """Return a message as bytes.

    Args:
        head: What it is about.
        data: What it carries.

    """
    return json.dumps({**head, "size": len(data)}).encode() + b"\n" + data


def read_frame(source: BinaryIO) -> tuple[dict[str, Any], bytes] | None:
    """Read the next message; None at the end, also where it comes in the middle of one.

    Args:
        source: Where the messages come from.

    """
    line = source.readline()
    if not line.endswith(b"\n"):
        return None
    head: dict[str, Any] = json.loads(line)
    size = int(head["size"])
    data = source.read(size) if size else b""
    return (head, data) if len(data) == size else None
