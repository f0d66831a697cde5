"""What a job has written, out of its container and home again, against one plain PUT and GET of the same bytes.

Ours runs the program that a job's container runs, with a real Azurite: it finds the files, hashes them, and sends them
in blocks with a list of them; then they are fetched, checked, and written one by one. The package's own client sends
one blob of the same bytes by one PUT, and downloads it into one file. Both write to memory where the system has a
folder for that: how long a disk takes for 10,000 new files says nothing about either.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from azure.storage.blob import BlobServiceClient
from table import Row

from fairing_az_jupyter.clients.azure.blob.storage import CONTAINER, BlobStore
from fairing_az_jupyter.clients.azure.blob.transfers import FileStore
from fairing_az_jupyter.clients.azure.blob.urls import SCHEME, BlobUrl
from fairing_az_jupyter.clients.secret_values import SecretValue
from fairing_az_jupyter.fairing import job_program
from fairing_az_jupyter.fairing.job_program.job import CONTAINER_FILES
from fairing_az_jupyter.outputs.blobs import BlobOutputs
from fairing_az_jupyter.outputs.fetching import fetch
from tests.stand import close_shared, shared

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.stand import Stand

SIZE = 1_000_000_000
FILES, FILE_SIZE = 10_000, 10_000
ROUNDS, STARTS = 3, 9
ROOM = 5  # What is sent, what is put together of it, and both come home.
ONE_FILE, MANY_FILES, MEMORY, LONGER = 1.2, 2.0, 64.0, 0.2
AGAINST = "one plain PUT and GET"
_PART = 1_000_000
_LOOK_SECONDS = 0.02


def rows() -> list[Row]:
    """Measure each by turns, after one of each that does not count.

    Returns:
        Two rows of seconds each for one large file and many small ones, one of memory, and one of a job without files.

    """
    logging.disable(logging.WARNING)
    stand = shared()
    try:
        with stand.names.here(), tempfile.TemporaryDirectory(prefix="bench-outputs-", dir=_fast()) as temporary:
            place = _Place(stand, Path(temporary))
            with contextlib.closing(place):
                return [*_one_file(place), *_many_files(place), _nothing(place)]
    finally:
        logging.disable(logging.NOTSET)
        close_shared()


def _one_file(place: _Place) -> list[Row]:
    source = place.folder / "source" / "one"
    source.mkdir(parents=True)
    _fill(source / "model.bin", SIZE)
    ours, theirs = _medians(ROUNDS, [lambda: place.out_and_home(source), lambda: place.put_and_get(source)])
    name = f"{SIZE // 1_000_000} MB in one file, out of a job and home"
    return [
        Row(name, ours, theirs, AGAINST, "s", ONE_FILE),
        # No job of a megabyte would take less than Python itself.
        Row("memory of what sends them", place.peak, 0.0, "nothing", "MB", MEMORY, kind="difference"),
    ]


def _many_files(place: _Place) -> list[Row]:
    source = place.folder / "source" / "many"
    for number in range(FILES):
        path = source / f"{number % 100:02}" / f"{number}.bin"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(FILE_SIZE))
    ours, theirs = _medians(ROUNDS, [lambda: place.out_and_home(source), lambda: place.put_and_get(source)])
    name = f"{FILES:,} files of {FILE_SIZE // 1000} kB, out of a job and home"
    return [Row(name, ours, theirs, AGAINST, "s", MANY_FILES)]


def _nothing(place: _Place) -> Row:
    ours, theirs = _medians(STARTS, [place.run_nothing, place.run_alone])
    return Row("a job that writes no files", ours, theirs, "the same without sending", "s", LONGER, kind="difference")


class _Place:
    """A storage account, and what is done with it.

    Args:
        stand: The test stand.
        folder: For everything that is written.

    """

    def __init__(self, stand: Stand, folder: Path) -> None:
        self.folder, self.peak = folder, 0.0
        account = stand.blob.take()
        key, url = stand.blob.accounts[account], stand.blob.account_url(account)
        self._store = BlobStore(url, SecretValue(key))
        self._store.ensure_container(CONTAINER)
        self._files = FileStore(url, SecretValue(key), {})
        self._service = BlobServiceClient(url, credential=key, max_single_put_size=2 * SIZE)
        self._url = url.partition("://")[2]
        self._environ = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        self._environ["SSL_CERT_FILE"] = str(stand.authority.bundle)

    def close(self) -> None:
        """Close the connections."""
        self._store.close()
        self._files.close()
        self._service.close()

    def out_and_home(self, source: Path) -> float:
        """Send what a job writes and fetch it; return the seconds without those that the job itself takes."""
        with tempfile.TemporaryDirectory(dir=self.folder) as folder:
            app, launch = Path(folder) / "app", uuid.uuid4().hex
            links = self._prepared(app, launch)
            # The job's own work is a rename.
            taken = Path(folder) / "taken"
            shutil.copytree(source, taken, copy_function=os.link)
            code = f"import os; os.rename({str(taken)!r}, 'written')"
            began = time.perf_counter()
            self._run(app, ["--links", str(links)], code)
            home = Path(folder) / "home"
            outputs = BlobOutputs(_Files(self._files), f"{SCHEME}{self._url}/{CONTAINER}/outputs/{launch}/")
            fetch(outputs, to=home)
            seconds = time.perf_counter() - began
            if _digest(home / "written") != _digest(source):
                message = "what came home is not what was sent"
                raise RuntimeError(message)
        return seconds

    def put_and_get(self, source: Path) -> float:
        """Send all bytes as one blob and download them; return the seconds."""
        with tempfile.TemporaryDirectory(dir=self.folder) as folder:
            whole = Path(folder) / "whole"
            with whole.open("wb") as file:
                for path in sorted(source.rglob("*.bin")):
                    with path.open("rb") as part:
                        shutil.copyfileobj(part, file, _PART)
            began = time.perf_counter()
            with self._service.get_blob_client(CONTAINER, f"plain/{uuid.uuid4().hex}") as blob:
                with whole.open("rb") as file:
                    blob.upload_blob(file, length=whole.stat().st_size)
                with (Path(folder) / "home").open("wb") as file:
                    blob.download_blob().readinto(file)
            return time.perf_counter() - began

    def run_nothing(self) -> float:
        """Run a job that writes nothing, with links; return the seconds."""
        with tempfile.TemporaryDirectory(dir=self.folder) as folder:
            app = Path(folder) / "app"
            links = self._prepared(app, uuid.uuid4().hex)
            began = time.perf_counter()
            self._run(app, ["--links", str(links)], "pass")
            return time.perf_counter() - began

    def run_alone(self) -> float:
        """Run the same job without anything around it; return the seconds."""
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", "pass"], env=self._environ, check=True, timeout=60)
        return time.perf_counter() - began

    def _prepared(self, app: Path, launch: str) -> Path:
        app.mkdir()
        for source, name in CONTAINER_FILES.items():
            shutil.copy(Path(job_program.__file__).parent / source, app / name)
        links = app.parent / "links"
        links.mkdir()
        for name in ("files.tar", "manifest.json"):
            link = self._store.write_sas(CONTAINER, f"outputs/{launch}/{name}")
            (links / name).write_text(link.reveal())
        (links / "key").write_text(uuid.uuid4().hex)
        return links

    def _run(self, app: Path, options: Sequence[str], code: str) -> None:
        command = [sys.executable, str(app / "fairing_az_job.py"), *options, "--", sys.executable, "-c", code]
        with subprocess.Popen(command, cwd=app, env=self._environ, stdout=subprocess.DEVNULL) as process:
            while process.poll() is None:
                self.peak = max(self.peak, _peak(process.pid))
                time.sleep(_LOOK_SECONDS)
        if process.returncode:
            message = f"the job ended with {process.returncode}"
            raise RuntimeError(message)


class _Files:
    """Blobs by their URLs, without the choice of a credential."""

    def __init__(self, store: FileStore) -> None:
        self._store = store

    def read(self, url: str) -> bytes:
        return self._store.read(BlobUrl.parse(url))

    def read_range(self, url: str, start: int, length: int, *, etag: str) -> bytes:
        return self._store.read_range(BlobUrl.parse(url), start, length, etag)


def _fast() -> str | None:
    memory = Path("/dev/shm")  # noqa: S108 - the folder made in it is private
    return str(memory) if memory.is_dir() and shutil.disk_usage(memory).free > ROOM * SIZE else None


def _fill(path: Path, size: int) -> None:
    with path.open("wb") as file:
        for _ in range(size // _PART):
            file.write(os.urandom(_PART))  # nothing compresses it


def _digest(folder: Path) -> str:
    found = hashlib.sha256()
    for path in sorted(folder.rglob("*.bin")):
        found.update(str(path.relative_to(folder)).encode())
        with path.open("rb") as file:
            while part := file.read(_PART):
                found.update(part)
    return found.hexdigest()


def _peak(pid: int) -> float:
    """Return the most memory that a process had until now, in MB; zero where the system does not tell."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    return 0.0


def _medians(rounds: int, works: Sequence[Callable[[], float]]) -> list[float]:
    times: list[list[float]] = [[] for _ in works]
    for turn in range(rounds + 1):
        for work, seconds in zip(works, times, strict=True):
            taken = work()
            if turn:
                seconds.append(taken)
    return [statistics.median(seconds) for seconds in times]


if __name__ == "__main__":
    for row in rows():
        print(f"{row.name}: {row.ours:.3f} {row.unit}, {row.against}: {row.theirs:.3f} {row.unit}, {row.figure:.2f}")
