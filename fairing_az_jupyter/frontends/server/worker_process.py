"""The worker as the server sees it: one child process, begun when it is needed, and begun again if it has died."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import sys
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter.frontends.server.frames import frame

if TYPE_CHECKING:
    import logging
    from collections.abc import Mapping, Sequence

# The empty entry of the path is the folder that the server was started in: no module of the user's may shadow ours.
_START = "import sys; sys.path[:] = filter(None, sys.path); from fairing_az_jupyter.frontends.server import worker; "
COMMAND = (sys.executable, "-c", f"{_START}worker.serve()")
_END_SECONDS = 3.0
_LONGEST_HEAD = 1 << 22

Piece = tuple[dict[str, Any], bytes]


class WorkerGoneError(Exception):
    """The worker has ended before it has answered; the text says how."""


class Call:
    """One request to the worker, and the pieces of its answer as they come.

    Args:
        worker: The worker.
        number: The request's number.

    """

    def __init__(self, worker: WorkerProcess, number: int) -> None:
        self._worker, self._number = worker, number
        self._pieces: asyncio.Queue[Piece | WorkerGoneError] = asyncio.Queue()

    async def next(self) -> Piece:
        """Wait for the next piece.

        Raises:
            WorkerGoneError: There will be none.

        """
        piece = await self._pieces.get()
        if isinstance(piece, WorkerGoneError):
            self._pieces.put_nowait(piece)
            raise piece
        return piece

    def take(self, piece: Piece | WorkerGoneError) -> None:
        """Add a piece; the worker's reader calls it."""
        self._pieces.put_nowait(piece)

    def more(self) -> None:
        """Allow the worker to send one piece more: the client has taken one."""
        self._worker.tell({"id": self._number, "more": 1})

    def end(self) -> None:
        """Need nothing more: what the worker still does for it is cancelled."""
        if self._worker.forget(self._number):
            self._worker.tell({"id": self._number, "cancel": True})


class WorkerProcess:
    """The worker.

    Args:
        log: Jupyter Server's log.
        command: What starts it.

    """

    def __init__(self, log: logging.Logger, command: Sequence[str] = COMMAND) -> None:
        self._log, self._command = log, command
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._calls: dict[int, Call] = {}
        self._numbers = itertools.count(1)
        self._starting = asyncio.Lock()
        self._closed = False

    @property
    def pid(self) -> int | None:
        """The process's number; None if there is none."""
        return self._process.pid if self._process is not None else None

    async def call(self, head: Mapping[str, Any], body: bytes = b"") -> Call:
        """Send a request.

        Args:
            head: The route, and what stands in path and query.
            body: The request's body.

        Raises:
            WorkerGoneError: It can't be started.

        """
        process = await self._started()
        number = next(self._numbers)
        call = self._calls[number] = Call(self, number)
        if process.stdin is not None:
            # One that dies meanwhile shows by the end of its answers.
            with contextlib.suppress(ConnectionError, RuntimeError):
                process.stdin.write(frame({**head, "id": number}, body))
        return call

    def tell(self, head: Mapping[str, Any]) -> None:
        """Send a word about a request, if there is anyone to hear it."""
        process = self._process
        if process is not None and process.stdin is not None and not process.stdin.is_closing():
            with contextlib.suppress(ConnectionError, RuntimeError):
                process.stdin.write(frame(head))

    def forget(self, number: int) -> bool:
        """Take no pieces for a request any more; return whether there might have been some."""
        return self._calls.pop(number, None) is not None

    async def close(self) -> None:
        """Let it end, for good."""
        self._closed = True
        process, reader = self._process, self._reader
        if process is None or reader is None:
            return
        if process.stdin is not None:
            process.stdin.close()
        try:
            await asyncio.wait_for(asyncio.shield(reader), _END_SECONDS)
        except asyncio.TimeoutError:
            process.kill()
            await reader

    async def _started(self) -> asyncio.subprocess.Process:
        async with self._starting:
            if self._closed:
                raise WorkerGoneError("Jupyter Server is shutting down")
            if self._process is not None and self._process.returncode is None and self._reader is not None:
                return self._process
            try:
                # In a session of its own: Ctrl-C in the server's terminal asks the server, and not the worker.
                self._process = await asyncio.create_subprocess_exec(
                    *self._command,
                    stdin=asyncio.subprocess.PIPE,
                    stdout=asyncio.subprocess.PIPE,
                    limit=_LONGEST_HEAD,
                    start_new_session=True,
                )
            except OSError as error:
                raise WorkerGoneError(f"it can't be started: {error.strerror}") from error
            self._reader = asyncio.create_task(self._read(self._process))
            return self._process

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        try:
            while process.stdout is not None:
                line = await process.stdout.readline()
                if not line.endswith(b"\n"):
                    break
                head = json.loads(line)
                data = await process.stdout.readexactly(head["size"]) if head["size"] else b""
                self._deliver(head, data)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        except ValueError:
            self._log.error("The worker of fairing-az-jupyter sent unreadable data and is restarted.")
            process.kill()
        finally:
            # Whoever asks from now on gets a new process; whoever has asked this one gets no answer.
            if self._process is process:
                self._process = None
            gone, self._calls = self._calls, {}
            if process.stdin is not None:
                process.stdin.close()
            status = await process.wait()
            how = f"it was killed by signal {-status}" if status < 0 else f"it ended with status {status}"
            if not self._closed:
                self._log.warning("The worker of fairing-az-jupyter ended: %s. The next request starts a new one.", how)
            for call in gone.values():
                call.take(WorkerGoneError(how))

    def _deliver(self, head: dict[str, Any], data: bytes) -> None:
        if "log" in head:
            self._log.error("fairing-az-jupyter, %s", head["log"])
        call = self._calls.get(head.get("id", 0))
        if call is None:
            return
        if head.get("last"):
            self.forget(head["id"])
        call.take((head, data))
