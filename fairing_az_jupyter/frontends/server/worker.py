"""The process that does the work: settings, records, checks, the cluster. It speaks to the server by its pipes only.

It ends as soon as the pipe from the server is closed, also when the server was killed.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import sys
import threading
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter.exceptions import FairingAzureError
from fairing_az_jupyter.frontends.server import dispatch, problems
from fairing_az_jupyter.frontends.server.frames import CREDIT, frame, read_frame
from fairing_az_jupyter.frontends.server.operations.calls import Call, FileAnswer, StreamedFile

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import BinaryIO

_MOST_THREADS = 400
_FILE_BLOCK = 1 << 18


def serve() -> None:
    """Carry out what the server asks for, up to the end of its requests."""

    def stay(_number: int, _frame: object) -> None:
        # Not SIG_IGN, which what is started here would inherit: kernels are interrupted by this signal.
        pass

    signal.signal(signal.SIGINT, stay)
    source, answers = _own_streams()
    # What libraries log goes to the log of the server, as far as it is a warning.
    logging.basicConfig(level=logging.WARNING, format="fairing-az-jupyter: %(name)s: %(message)s")
    _Worker(answers).read(source)
    # Not the usual end, which would wait for what threads do: who has asked for it is gone.
    os._exit(0)


class _Worker:
    """Carries out requests, each in a thread of its own.

    Args:
        answers: Where the answers go.

    """

    def __init__(self, answers: BinaryIO) -> None:
        self._answers = answers
        self._writing = threading.Lock()
        self._jobs: dict[int, _Job] = {}

    def read(self, source: BinaryIO) -> None:
        """Take requests up to their end."""
        threading.Thread(target=dispatch.warm_up, name="warm-up", daemon=True).start()
        while (message := read_frame(source)) is not None:
            head, body = message
            number = head["id"]
            job = self._jobs.get(number)
            if "cancel" in head:
                if job is not None:
                    job.cancel()
            elif "more" in head:
                if job is not None:
                    job.credit.release()
            elif len(self._jobs) >= _MOST_THREADS:
                busy = problems.problem("busy", "Too many requests are open at once.", "Close some browser tabs.")
                self.send({"id": number, "status": 503, "last": True}, _json(busy))
            else:
                job = self._jobs[number] = _Job(self, head, body)
                threading.Thread(target=self._work, args=(job,), name=head["operation"], daemon=True).start()

    def send(self, head: dict[str, Any], data: bytes = b"") -> None:
        """Send a piece of an answer."""
        with self._writing:
            try:
                self._answers.write(frame(head, data))
                self._answers.flush()
            except OSError:
                os._exit(0)

    def _work(self, job: _Job) -> None:
        try:
            job.carry_out()
        finally:
            self._jobs.pop(job.number, None)


class _Job:
    """One request.

    Args:
        worker: The worker.
        head: The request, as the server has sent it.
        body: Its body.

    """

    def __init__(self, worker: _Worker, head: dict[str, Any], body: bytes) -> None:
        self._worker, self._head, self._body = worker, head, body
        self.number: int = head["id"]
        self.credit = threading.Semaphore(CREDIT)
        self._cancelled = threading.Event()

    def cancel(self) -> None:
        """Stop: nobody waits for the answer any more."""
        self._cancelled.set()
        self.credit.release()

    def carry_out(self) -> None:
        """Do what was asked for, and send the answer."""
        try:
            route, call = dispatch.understood(self._head, self._body, self._cancelled)
            self._body = b""
            answer = dispatch.carried_out(route, call)
            if isinstance(answer, FileAnswer):
                self._send_file(answer)
            elif isinstance(answer, StreamedFile):
                self._send_streamed(answer)
            elif route.kind == "events":
                self._worker.send({"id": self.number, "status": 200})
                self._send_events(answer, call)
            else:
                data = _json(answer) if route.answer is not None else b""
                self._worker.send({"id": self.number, "status": route.status, "last": True}, data)
        except dispatch.RejectedError as rejected:
            self._send_problem(rejected.problem)
        except FairingAzureError as error:
            self._send_problem(problems.from_error(error))
        except Exception as error:  # noqa: BLE001 - the server and its other users are not concerned
            self._send_bug(error)

    def _send_problem(self, found: problems.Problem, **more: object) -> None:
        self._worker.send({"id": self.number, "status": found[0], "last": True, **more}, _json(found[1]))

    def _send_bug(self, error: Exception) -> None:
        found, logged = problems.from_bug(error)
        self._send_problem(found, log=f"{self._head['operation']}: {logged}")

    def _send_events(self, events: Iterable[tuple[int, str, object]], call: Call) -> None:
        """Send events as the client takes them; an error is an event too, for the status is sent already."""
        last = call.query.offset if call.query is not None else 0
        more: dict[str, object] = {}
        with contextlib.closing(events) if hasattr(events, "close") else contextlib.nullcontext():  # type: ignore[type-var]
            try:
                for last, name, data in events:
                    if not self._sent(last, name, data):
                        return
            except FairingAzureError as error:
                self._sent(last, "error", problems.from_error(error)[1])
            except Exception as error:  # noqa: BLE001 - as above
                found, logged = problems.from_bug(error)
                more = {"log": f"{self._head['operation']}: {logged}"}
                self._sent(last, "error", found[1])
        self._worker.send({"id": self.number, "last": True, **more})

    def _sent(self, offset: int, name: str, data: object) -> bool:
        self.credit.acquire()
        if self._cancelled.is_set():
            return False
        text = f"id: {offset}\nevent: {name}\ndata: ".encode() + _json(data) + b"\n\n"
        self._worker.send({"id": self.number}, text)
        return True

    def _send_file(self, answer: FileAnswer) -> None:
        with answer.path.open("rb") as file:
            # What is appended meanwhile would not fit the length that is sent first.
            left = os.fstat(file.fileno()).st_size
            self._worker.send({"id": self.number, "status": 200, "length": left, "name": answer.name})
            while left > 0 and not self._cancelled.is_set():
                data = file.read(min(_FILE_BLOCK, left))
                if not data:
                    break
                left -= len(data)
                self.credit.acquire()
                self._worker.send({"id": self.number}, data)
        self._worker.send({"id": self.number, "last": True})

    def _send_streamed(self, answer: StreamedFile) -> None:
        """Send a file from elsewhere; where it can't be read to its end, the client must not take it for whole."""
        with contextlib.closing(answer.pieces) as pieces:
            # What is wrong from the beginning is answered as any other error.
            piece = next(pieces, None)
            self._worker.send({"id": self.number, "status": 200, "length": answer.size, "name": answer.name})
            try:
                while piece is not None:
                    for start in range(0, len(piece), _FILE_BLOCK):
                        self.credit.acquire()
                        if self._cancelled.is_set():
                            return
                        self._worker.send({"id": self.number}, piece[start : start + _FILE_BLOCK])
                    piece = next(pieces, None)
            except FairingAzureError as error:
                logged = f"{self._head['operation']}: {error.message}"
                self._worker.send({"id": self.number, "last": True, "broken": True, "log": logged})
                return
        self._worker.send({"id": self.number, "last": True})


def _json(value: object) -> bytes:
    """Return a value as JSON on one line; half characters, which UTF-8 does not have, are escaped."""
    value = dispatch.plain(value)
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except UnicodeEncodeError:
        return json.dumps(value, allow_nan=False).encode()


def _own_streams() -> tuple[BinaryIO, BinaryIO]:
    """Take standard input and output for the server alone: nothing that is printed or started may get at them."""
    source = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nowhere, 0)
    os.close(nowhere)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return source, answers
