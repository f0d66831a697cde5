"""Sending a build context to a real Azurite, against one plain PUT of the same bytes to the same Azurite.

Ours first looks whether the context is there, sends what is large in blocks, and each with its checksum.
1,000 small files have to be packed before they can be sent by one PUT: ours against Python's `tarfile` and one PUT,
and, as the sending of them takes a fiftieth of a second, how many seconds ours takes longer than that PUT alone.
"""

from __future__ import annotations

import logging
import os
import statistics
import tarfile
import tempfile
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from azure.storage.blob import BlobServiceClient
from table import Row

from fairing_az_jupyter.clients.azure.blob.contexts import ContextStore
from fairing_az_jupyter.clients.azure.blob.storage import CONTAINER
from fairing_az_jupyter.clients.secret_values import SecretValue
from fairing_az_jupyter.fairing.context.collecting import collect, write_archive
from tests.stand import close_shared, shared

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

SIZE = 200_000_000
FILES, FILE_SIZE = 1000, 2000
LARGE_ROUNDS, SMALL_ROUNDS = 5, 9
PROMISE = 1.2
LONGER = 0.2
_PART = 1_000_000


def rows() -> list[Row]:
    """Measure each by turns, after one of each that does not count.

    Returns:
        A row for one large archive, and two for many small files.

    """
    logging.disable(logging.WARNING)
    stand = shared()
    try:
        with stand.names.here(), tempfile.TemporaryDirectory(prefix="bench-upload-") as temporary:
            account = stand.blob.take()
            key = stand.blob.accounts[account]
            url = stand.blob.account_url(account)
            store = ContextStore(url, SecretValue(key))
            store.ensure_container(CONTAINER)
            with BlobServiceClient(url, credential=key, max_single_put_size=2 * SIZE) as service:
                found = _Turns(store, service, Path(temporary)).rows()
            store.close()
    finally:
        logging.disable(logging.NOTSET)
        close_shared()
    return found


class _Turns:
    """What is measured, by turns.

    Args:
        store: Ours.
        service: The package's own client, which sends everything by one PUT.
        folder: For what is sent.

    """

    def __init__(self, store: ContextStore, service: BlobServiceClient, folder: Path) -> None:
        self._store, self._service, self._folder = store, service, folder

    def rows(self) -> list[Row]:
        """Measure everything."""
        large = self._folder / "large.tar.gz"
        with large.open("wb") as file:
            for _ in range(SIZE // _PART):
                file.write(os.urandom(_PART))  # nothing compresses it
        ours, plain = _medians(LARGE_ROUNDS, [lambda: self._keep(large), lambda: self._put(large)])
        whole = Row(f"send a context of {SIZE // 1_000_000} MB", ours, plain, "one plain PUT", "s", PROMISE)
        app = self._folder / "app"
        app.mkdir()
        for number in range(FILES):
            (app / f"{number}.bin").write_bytes(os.urandom(FILE_SIZE))
        bytes_of_all = self._folder / "all.bin"
        bytes_of_all.write_bytes(b"".join(path.read_bytes() for path in sorted(app.iterdir())))
        ours, tarred, plain = _medians(
            SMALL_ROUNDS,
            [lambda: self._pack_and_keep(app), lambda: self._tar_and_put(app), lambda: self._put(bytes_of_all)],
        )
        name = f"pack and send {FILES:,} files of {FILE_SIZE // 1000} kB"
        return [
            whole,
            Row(name, ours, tarred, "tarfile and one plain PUT", "s", PROMISE),
            Row(name, ours, plain, "the PUT alone, unpacked", "s", LONGER, kind="difference"),
        ]

    def _keep(self, path: Path) -> None:
        if not self._store.keep(path, uuid.uuid4().hex * 2).sent:
            message = f"{path.name} was not sent"
            raise RuntimeError(message)

    def _put(self, path: Path) -> None:
        with path.open("rb") as file, self._service.get_blob_client(CONTAINER, f"plain/{uuid.uuid4().hex}") as blob:
            blob.upload_blob(file, length=path.stat().st_size)

    def _pack_and_keep(self, app: Path) -> None:
        packed = self._folder / "ours.tar.gz"
        write_archive(collect({"/app": app}, self._folder), packed)
        self._keep(packed)

    def _tar_and_put(self, app: Path) -> None:
        packed = self._folder / "theirs.tar.gz"
        with tarfile.open(packed, "w:gz") as tar:
            tar.add(app, "app")
        self._put(packed)


def _medians(rounds: int, works: Sequence[Callable[[], None]]) -> list[float]:
    times: list[list[float]] = [[] for _ in works]
    for turn in range(rounds + 1):
        for work, seconds in zip(works, times, strict=True):
            began = time.perf_counter()
            work()
            if turn:
                seconds.append(time.perf_counter() - began)
    return [statistics.median(seconds) for seconds in times]


if __name__ == "__main__":
    for row in rows():
        print(f"{row.name}: {row.ours:.3f} {row.unit}, {row.against}: {row.theirs:.3f} {row.unit}, {row.figure:.2f}")
