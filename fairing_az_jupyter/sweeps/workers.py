"""The processes that execute a sweep's runs, as seen by the one that shares out the work."""

from __future__ import annotations

import contextlib
import json
import subprocess
import tempfile
import threading
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter.sweeps.worker import CANCEL

if TYPE_CHECKING:
    import queue
    from collections.abc import Mapping, Sequence

    from fairing_az_jupyter.sweeps.steps import Step

_LAST_BYTES = 8192
_LAST_LINES = 3


class WorkerProcess:
    """One worker process.

    Args:
        command: What starts it.
        inbox: Where its answers go, each with the worker; None in place of an answer when it has ended.

    Raises:
        OSError: It can't be started.

    """

    def __init__(
        self, command: Sequence[str], inbox: queue.SimpleQueue[tuple[WorkerProcess, dict[str, Any] | None]]
    ) -> None:
        self.step: Step | None = None
        """What it is doing; None if it is idle."""
        self.ready = False
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        # In this process's group: what ends a whole group ends the workers too.
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log, encoding="utf-8"
        )
        threading.Thread(target=self._listen, args=(inbox,), name="sweep-worker", daemon=True).start()

    def give(self, step: Step, task: Mapping[str, object]) -> None:
        """Let it execute a run.

        Args:
            step: The run's point.
            task: The run, as the worker reads it.

        """
        self.step = step
        self._write(task)

    def cancel(self) -> None:
        """Let it stop what it executes; a second time at once."""
        self._write({CANCEL: True})

    def dismiss(self) -> None:
        """Let it end after what it executes."""
        with contextlib.suppress(OSError):
            if self._process.stdin is not None:
                self._process.stdin.close()

    def end(self, seconds: float) -> None:
        """See to it that it has ended.

        Args:
            seconds: The time that it has to end by itself.

        """
        self.dismiss()
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()

    def death(self) -> str:
        """Return how it ended, for people."""
        status = self._process.wait()
        with contextlib.suppress(ValueError):
            self._log.seek(0, 2)
            self._log.seek(max(0, self._log.tell() - _LAST_BYTES))
            lines = [line.strip() for line in self._log.read().decode("utf-8", "replace").splitlines() if line.strip()]
            reported = f": {' | '.join(lines[-_LAST_LINES:])}" if lines and status > 0 else ""
            return f"{_status(status)}{reported}"
        return _status(status)

    def _write(self, line: Mapping[str, object]) -> None:
        # The end of its answers shows that one has died.
        with contextlib.suppress(OSError, ValueError):
            if self._process.stdin is not None:
                self._process.stdin.write(json.dumps(line) + "\n")
                self._process.stdin.flush()

    def _listen(self, inbox: queue.SimpleQueue[tuple[WorkerProcess, dict[str, Any] | None]]) -> None:
        if self._process.stdout is not None:
            with self._process.stdout as answers, contextlib.suppress(OSError, ValueError):
                for line in answers:
                    inbox.put((self, json.loads(line)))
        self._process.wait()
        inbox.put((self, None))


def _status(status: int) -> str:
    if status < 0:
        return f"it was killed by signal {-status}{' (most often the memory ran out)' if status == -9 else ''}"  # noqa: PLR2004 - SIGKILL
    return f"it ended with status {status}"
