"""A process that executes one run of a sweep after the other: it imports papermill once.

It reads tasks as JSON lines from standard input, and answers each in a line on standard output. At the end of its
input, as when the process that has started it was killed, it ends with the run that it executes.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter.exceptions import ConflictError, FairingAzureError
from fairing_az_jupyter.models import RunRequest
from fairing_az_jupyter.records import RunStore
from fairing_az_jupyter.runs import papermill_import

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import TextIO

    from fairing_az_jupyter.runs.places.addresses import Places

CANCEL = "cancel"


def serve(folder: str, notebook: str, open_places: Callable[[Mapping[str, Any]], Places]) -> None:
    """Execute what standard input asks for, up to its end.

    Args:
        folder: The folder of all records.
        notebook: The file with the notebook's bytes.
        open_places: Returns how other places than this machine's files are reached, for a run's parameters.

    """
    tasks: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
    cancel = threading.Event()

    def stop(_number: int, _frame: object) -> None:
        # Between two runs; while one is running, it takes the signals itself.
        cancel.set()
        tasks.put(None)

    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, stop)
    source, answers = _own_streams()
    threading.Thread(target=_read_tasks, args=(source, tasks, cancel), name="sweep-tasks", daemon=True).start()
    papermill_import.in_own_process()
    papermill_import.import_papermill()
    from fairing_az_jupyter.runs.execution import engine  # noqa: F401, PLC0415 - all runs need it, and so it is loaded once

    worker = _Worker(RunStore(Path(folder)), Path(notebook).read_bytes(), cancel, open_places)
    with worker.closing():
        _report(answers, {"ready": os.getpid()})
        while (task := tasks.get()) is not None:
            _report(answers, worker.carry_out(task))


class _Worker:
    """Executes tasks.

    Args:
        store: The records.
        notebook: The notebook's bytes.
        cancel: Set when the sweep is to stop.
        open_places: See `serve`.

    """

    def __init__(
        self,
        store: RunStore,
        notebook: bytes,
        cancel: threading.Event,
        open_places: Callable[[Mapping[str, Any]], Places],
    ) -> None:
        self._store = store
        self._notebook = notebook
        self._cancel = cancel
        self._open_places = open_places
        self._places: Places | None = None

    @contextlib.contextmanager
    def closing(self) -> Iterator[None]:
        """Close what is open at the end."""
        try:
            yield
        finally:
            if self._places is not None:
                self._places.close()

    def carry_out(self, task: Mapping[str, Any]) -> dict[str, object]:
        """Execute one run, and return how it has ended.

        Args:
            task: `run`, `again` (whether there is a record of it already), `request`, `facts`.

        Returns:
            `run`, and one of: `info` of the run, `taken` if another process executes it, `cancelled` if it was not
            begun any more, or the `error` for which no run can be recorded.

        """
        from fairing_az_jupyter.runs.recorded import begin, run_recorded  # noqa: PLC0415 - already loaded

        name = str(task["run"])
        if self._cancel.is_set():
            return {"run": name, "cancelled": True}
        request = RunRequest.from_dict(task["request"])
        try:
            if not task["again"]:
                begin(self._store, request, self._notebook, run=name, **task["facts"])
            if self._places is None:
                self._places = self._open_places(request.parameters)
            with contextlib.suppress(ConflictError):
                run_recorded(
                    self._store,
                    self._store.folder(name),
                    lambda _event: None,
                    places=self._places,
                    cancels=(self._cancel,),
                )
        except FileExistsError:
            return {"run": name, "taken": True}
        except Exception as error:  # noqa: BLE001 - it stands in the record, or the caller learns that there is none
            return self._ended(name, error)
        return self._ended(name, None)

    def _ended(self, name: str, error: Exception | None) -> dict[str, object]:
        try:
            info = self._store.find(name)
        except FairingAzureError as missing:
            error = error or missing
        else:
            if info.has_ended:
                return {"run": name, "info": info.to_dict()}
        if error is None:
            return {"run": name, "taken": True}
        known = isinstance(error, FairingAzureError)
        reported = error.to_dict() if isinstance(error, FairingAzureError) else {"message": f"{error!r}"}
        return {"run": name, "error": {"code": "internal", "hint": "", **reported} if not known else reported}


def _own_streams() -> tuple[TextIO, TextIO]:
    """Take standard input and output for the tasks alone: nothing that a run prints or starts may get at them."""
    source = os.fdopen(os.dup(0), encoding="utf-8")
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    nowhere = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nowhere, 0)
    os.close(nowhere)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return source, answers


def _read_tasks(source: TextIO, tasks: queue.SimpleQueue[dict[str, Any] | None], cancel: threading.Event) -> None:
    with contextlib.suppress(OSError, ValueError):
        for line in source:
            task = json.loads(line)
            if CANCEL not in task:
                tasks.put(task)
            elif not cancel.is_set():
                cancel.set()
            else:
                # A second wish: the run takes two signals as a demand to end at once.
                os.kill(os.getpid(), signal.SIGTERM)
                os.kill(os.getpid(), signal.SIGTERM)
    tasks.put(None)


def _report(answers: TextIO, answer: Mapping[str, object]) -> None:
    # Who has asked may be gone; the records tell it all.
    with contextlib.suppress(OSError):
        answers.write(json.dumps(answer) + "\n")
        answers.flush()
