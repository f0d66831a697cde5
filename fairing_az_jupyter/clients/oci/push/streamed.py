"""A layer that is made while it is sent: its bytes come from somewhere else, and never all lie on this machine.

The tar is sent as it is: its size is known before, its bytes are the same whatever compresses elsewhere, and its digest
is its DiffID, too. Source: https://github.com/opencontainers/image-spec/blob/main/layer.md (`layer.v1.tar`).
"""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from fairing_az_jupyter.exceptions import ConflictError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from fairing_az_jupyter.clients.oci.exchange import Body
    from fairing_az_jupyter.exceptions import FairingAzureError

__all__ = ["StoredLayer", "StreamedBlob"]


@dataclass(frozen=True)
class StoredLayer:
    """A layer that a registry has already, as an uncompressed tar.

    Args:
        digest: Its digest, which is its DiffID, too.
        size: Its bytes.

    """

    digest: str
    size: int
    blob: ClassVar[None] = None
    compressed: ClassVar[bool] = False

    @property
    def diff_id(self) -> str:
        """The digest of the tar."""
        return self.digest


class StreamedBlob:
    """A blob whose bytes are made while it is sent, and whose digest is known when the last of them was made.

    What was made last is kept until the registry has it, so that it can be sent again; where more of it was lost,
    all is made anew.

    Args:
        size: Its bytes.
        pieces: Makes its bytes from the first on, always the same ones.

    """

    def __init__(self, size: int, pieces: Callable[[], Generator[bytes, None, None]]) -> None:
        self.size = size
        self.key = uuid.uuid4().hex
        self._make = pieces
        self._pieces: Generator[bytes, None, None] | None = None
        self._rest = b""
        self._next = 0
        self._start, self._held = 0, b""
        self._hash, self._hashed = hashlib.sha256(), 0

    @property
    def digest(self) -> str:
        """Its SHA-256 digest; empty as long as not all of it was made."""
        return f"sha256:{self._hash.hexdigest()}" if self._hashed == self.size else ""

    def part(self, offset: int, length: int, moved: Callable[[int], None]) -> bytes | Body:
        """Return some of it; see `Blob`."""
        end = self._start + len(self._held)
        if not self._start <= offset <= offset + length <= end:
            # Some of it may have arrived: the rest is still here.
            kept = self._held[offset - self._start :] if self._start <= offset <= end == self._next else b""
            self._start, self._held = offset, b""
            self._held = kept + self._load(offset + len(kept), length - len(kept))
        moved(offset)
        first = offset - self._start
        return self._held if not first and len(self._held) == length else self._held[first : first + length]

    def blame(self) -> FairingAzureError | None:
        """Return None: whoever makes the bytes checks them."""
        return None

    def close(self) -> None:
        """Let go of where the bytes come from; safe to repeat."""
        if self._pieces is not None:
            self._pieces.close()
        self._pieces, self._rest, self._held = None, b"", b""

    def _load(self, offset: int, length: int) -> bytes:
        if self._next > offset:
            self.close()
            self._next = 0
        while self._next < offset:
            self._piece()
            self._pass(min(len(self._rest), offset - self._next))
        got: list[bytes] = []
        left = length
        while left:
            self._piece()
            got.append(self._pass(min(len(self._rest), left)))
            left -= len(got[-1])
        return b"".join(got)

    def _piece(self) -> None:
        """Have a piece that is not empty."""
        while not self._rest:
            self._pieces = self._pieces or self._make()
            piece = next(self._pieces, None)
            if piece is None:
                raise ConflictError(
                    f"The layer has {self._next} bytes and should have {self.size}. The image was not built.",
                    hint="Try again.",
                    code="layer-short",
                )
            self._rest = piece

    def _pass(self, length: int) -> bytes:
        used, self._rest = self._rest[:length], self._rest[length:]
        at, self._next = self._next, self._next + length
        if at <= self._hashed < self._next:
            self._hash.update(used[self._hashed - at :])
            self._hashed = self._next
        return used
