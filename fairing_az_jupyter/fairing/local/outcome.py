"""What a task on this machine has returned or raised: noted by the same program as in a job's pod."""

from __future__ import annotations

import contextlib
import json
import secrets
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter.clients.secret_values import SecretValue
from fairing_az_jupyter.fairing.job_program.collecting import OWN_FOLDER
from fairing_az_jupyter.fairing.job_program.job import KEY_VARIABLE, OUTCOME_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["LocalOutcome"]


class LocalOutcome:
    """The end of one task, noted below its working folder where no output is looked for.

    Args:
        application: The working folder.
        folder: The job's own folder, which gets the key that signs pickles for as long as the task runs.

    """

    def __init__(self, application: Path, folder: Path) -> None:
        self._application = application
        self._own = application / OWN_FOLDER
        self._own.mkdir(mode=0o700, exist_ok=True)
        self._key_file = folder / "result-key"
        self.key = SecretValue(secrets.token_hex(32))
        self._key_file.touch(mode=0o600)
        self._key_file.write_text(self.key.reveal())
        self._noted: Mapping[str, Any] | None = None

    @property
    def variables(self) -> dict[str, str]:
        """What the program that notes it has to find in its environment."""
        return {OUTCOME_VARIABLE: str(self._own), KEY_VARIABLE: str(self._key_file)}

    @property
    def result(self) -> Mapping[str, Any] | None:
        """The result, as a list of files has it; None where nothing was returned, or that could not be kept."""
        found: Mapping[str, Any] | None = self._read().get("result")
        return found

    @property
    def error(self) -> Mapping[str, Any] | None:
        """The exception, as a list of files has it; None where none is known."""
        found: Mapping[str, Any] | None = self._read().get("error")
        return found

    def _read(self) -> Mapping[str, Any]:
        """Read it once, when the task has ended; the key is not needed there any more."""
        if self._noted is None:
            self._key_file.unlink(missing_ok=True)
            self._noted = {}
            with contextlib.suppress(OSError, ValueError):
                found = json.loads((self._own / "outcome.json").read_bytes())
                self._noted = found if isinstance(found, dict) else {}
        return self._noted
