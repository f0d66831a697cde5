"""The line to the process that speaks to MLflow: one task at a time, each with a deadline."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter.exceptions import (
    CredentialError,
    NotAllowedError,
    NotFoundError,
    ServiceError,
    UnreachableError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import IO

    from fairing_az_jupyter.tracking.place import TrackingPlace

__all__ = ["Channel"]

START_SECONDS = 60.0
"""How long MLflow may take to be imported: on a busy machine it is many seconds."""
ANSWER_SECONDS = 30.0
"""How long a task may take without a sign that it gets on."""
_BYTES_PER_SECOND = 1_000_000
"""So slowly may a file be sent before that counts as no answer."""
_MODULE = "fairing_az_jupyter.tracking.mlflow_process"
# The user's own values win: https://mlflow.org/docs/latest/api_reference/python_api/mlflow.environment_variables.html
_DEFAULTS = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}
_OURS = {"MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false", "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true"}
# The run and experiment of the user's own code are not those of this launch.
_NOT_OURS = ("MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_ID", "MLFLOW_EXPERIMENT_NAME", "MLFLOW_REGISTRY_URI")
_LOGIN = (
    "Set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN, in the environment of this "
    "process, or check that their user may write there."
)
_UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND = 401, 403, 404


class Channel:
    """A process that speaks to one MLflow server; it is started when it is first needed, and again when it has ended.

    Args:
        place: The server.

    """

    def __init__(self, place: TrackingPlace) -> None:
        self.place = place
        self.heard = time.monotonic()
        """When the process last gave a sign that it gets on."""
        self.allowance = 0.0
        """How many seconds more than usual its next sign may take, for the file that it sends."""
        self._process: subprocess.Popen[bytes] | None = None
        self._lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._number = 0
        self._lock = threading.Lock()

    def ask(self, do: str, *, given_up: Callable[[], bool] | None = None, **details: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
        """Have a task carried out.

        Args:
            do: The task, one of those of `mlflow_process`.
            given_up: Says whether nobody waits for it any more; the process is then ended.
            **details: What the task takes.

        Returns:
            What it has come to.

        Raises:
            UnreachableError: The server does not answer.
            CredentialError: It does not know the user.
            NotAllowedError: It does not let the user.
            NotFoundError: What is asked for does not exist there.
            ServiceError: It has failed otherwise.

        """
        with self._lock:
            for again in (True, False):
                process, is_new = self._running()
                self._number += 1
                task = {"id": self._number, "do": do, "with": details}
                try:
                    stdin: IO[bytes] = process.stdin  # type: ignore[assignment] # it is a pipe
                    stdin.write(json.dumps(task, default=str).encode() + b"\n")
                    stdin.flush()
                    return self._answer(given_up or (lambda: False))
                except (OSError, _EndedError):
                    # It had nothing to do for a while, and has just ended.
                    self._end()
                    if is_new or not again:
                        break
            raise UnreachableError(
                f"The process that speaks to MLflow at {self.place.uri} has ended too early.",
                hint=f"Check that MLflow works: {Path(sys.executable).name} -c 'import mlflow'",
                service="mlflow",
            )

    def _running(self) -> tuple[subprocess.Popen[bytes], bool]:
        process = self._process
        if process is not None and process.poll() is None:
            return process, False
        self._end()
        environment = {name: value for name, value in os.environ.items() if name not in _NOT_OURS}
        package = Path(__file__).resolve().parents[2]
        # The working folder may have modules of any name.
        code = (
            "import sys; sys.path[:] = [path for path in sys.path if path]; "
            f"sys.path.append({str(package)!r}); from {_MODULE} import main; main()"
        )
        process = subprocess.Popen(
            [sys.executable, "-c", code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**_DEFAULTS, **environment, **_OURS, "MLFLOW_TRACKING_URI": self.place.uri},
            # Ctrl-C is for the launch, and its end is still to be reported.
            start_new_session=True,
        )
        self._process, self._lines = process, queue.SimpleQueue()
        # That MLflow takes long to be imported says nothing of the server.
        self.heard, self.allowance = time.monotonic(), START_SECONDS
        threading.Thread(target=_read, args=(process, self._lines), name="mlflow", daemon=True).start()
        return process, True

    def _answer(self, given_up: Callable[[], bool]) -> dict[str, Any]:
        """Wait for the answer to the last task."""
        began, allowed = time.monotonic(), START_SECONDS
        while True:
            try:
                line = self._lines.get(timeout=0.2)
            except queue.Empty:
                if given_up() or time.monotonic() - began > allowed:
                    self._end()
                    raise UnreachableError(
                        f"MLflow at {self.place.uri} does not answer.",
                        hint="Check the address, and that the server can be reached from here.",
                        service="mlflow",
                    ) from None
                continue
            if not line:
                raise _EndedError
            said = json.loads(line)
            began = self.heard = time.monotonic()
            self.allowance = said.get("progress", 0) / _BYTES_PER_SECOND
            allowed = ANSWER_SECONDS + self.allowance
            if "failed" in said:
                raise self.error(said["failed"])
            if "done" in said and said.get("id") == self._number:
                return dict(said["done"])

    def error(self, failed: Mapping[str, Any]) -> ServiceError:
        """Return the error for what MLflow has said.

        Args:
            failed: Its code, HTTP status and message.

        """
        status, message = int(failed.get("status") or 0), str(failed.get("message") or failed.get("code"))
        text = f"{message} {failed.get('code')}"
        for number in (_UNAUTHORIZED, _FORBIDDEN):
            # Of an answer that is not its own kind of JSON MLflow tells the status in words only.
            if f"code {number}" in text or f"error {number}" in text:
                status = number
        where = f"MLflow at {self.place.uri}"
        if status == _UNAUTHORIZED or "UNAUTHENTICATED" in text:
            return CredentialError(f"{where} rejects the login (401).", hint=_LOGIN, service="mlflow", status=401)
        if status == _FORBIDDEN or "PERMISSION_DENIED" in text:
            return NotAllowedError(f"{where} does not permit it (403).", hint=_LOGIN, service="mlflow", status=403)
        short = message if len(message) <= 300 else f"{message[:300]} ..."  # noqa: PLR2004 - a line or two
        if status == _NOT_FOUND or "RESOURCE_DOES_NOT_EXIST" in text:
            return NotFoundError(f"{where}: {short}", hint="Look it up there.", service="mlflow", status=404)
        kind = UnreachableError if "API request to" in message or status >= 500 else ServiceError  # noqa: PLR2004
        return kind(f"{where} has failed: {short}", hint="Check the server.", service="mlflow", status=status or None)

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(OSError):
            process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()


class _EndedError(Exception):
    """The process has ended without an answer."""


def _read(process: subprocess.Popen[bytes], lines: queue.SimpleQueue[bytes]) -> None:
    with contextlib.suppress(OSError, ValueError):
        for line in process.stdout or ():
            lines.put(line)
    lines.put(b"")
