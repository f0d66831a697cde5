"""Why a run or a launch has failed, as its record tells it."""

from __future__ import annotations

import traceback
from typing import Any

from fairing_az_jupyter.exceptions import FairingAzureError, JobFailedError, RunCancelledError, RunFailedError

_LONGEST_TRACEBACK = 20


def explained(error: BaseException) -> dict[str, Any]:
    """Return why a run or a launch failed, as its record tells it.

    Args:
        error: What has ended it.

    """
    if isinstance(error, KeyboardInterrupt):
        return {"code": RunCancelledError.code, "message": "The run was cancelled.", "hint": ""}
    if not isinstance(error, FairingAzureError):
        return {
            "code": "internal",
            "message": f"{type(error).__name__}: {error}",
            "hint": "",
            "traceback": traceback.format_exception(error)[-_LONGEST_TRACEBACK:],
        }
    found: dict[str, Any] = dict(error.to_dict())
    if isinstance(error, RunFailedError):
        found |= {"cell": error.cell, "source": error.source, "traceback": error.traceback or error.last_lines}
    elif isinstance(error, JobFailedError):
        found |= {"raised": error.raised, "traceback": error.traceback}
    return {key: value for key, value in found.items() if value not in (None, (), "") or key == "hint"}
