"""Errors as HTTP answers: each has a status, a code, a message and a hint, and none shows what it was given.

400  what was asked for can't be done as it stands      403  who asks may not, here, in the cluster or in Azure
404  it does not exist                                  409  something else has to happen first
413  the body is too large                              415  the body is not JSON
422  a field breaks its rule; `errors` names it         429  Azure or the cluster asks to wait
500  a bug; the log says where                          502, 503, 504  no answer, or not in time
"""

from __future__ import annotations

import re
import traceback
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter.exceptions import (
    ConflictError,
    CredentialError,
    ExecutionError,
    FairingAzureError,
    InstallationError,
    NotAllowedError,
    NotFoundError,
    ParameterError,
    ServiceError,
    SettingsError,
    ThrottledError,
    UnreachableError,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from pydantic import ValidationError

Problem = tuple[int, dict[str, Any]]
"""An HTTP status and the body of its answer."""

_BY_CODE = {
    **dict.fromkeys(
        ("run-unknown", "check-unknown", "profile-missing", "file-missing", "run-no-log", "local-backend"), 404
    ),
    **dict.fromkeys(("run-ended", "run-active", "run-notebook-gone", "run-no-notebook", "run-not-yours"), 409),
    **dict.fromkeys(("launch-unknown", "output-unknown"), 404),
    **dict.fromkeys(("output-exists", "outputs-format", "outputs-manifest", "outputs-unreadable"), 409),
    # Nobody was asked: what says how to reach the cluster is missing or broken.
    **dict.fromkeys(("no-cluster", "kubeconfig"), 409),
    **dict.fromkeys(("secret-values", "secret-values-missing", "secret-expires", "request", "profile-name"), 422),
    "busy": 503,
}
# From the finest class to the widest.
_BY_CLASS: tuple[tuple[type[FairingAzureError], int], ...] = (
    (SettingsError, 422),
    (ParameterError, 422),
    # Not 401: the browser would take it for a lost login to Jupyter.
    (CredentialError, 403),
    (NotAllowedError, 403),
    (NotFoundError, 404),
    (ConflictError, 409),
    (ThrottledError, 429),
    (UnreachableError, 502),
    (InstallationError, 409),
    (ExecutionError, 409),
)
_SERVER_ERROR = 500
_SHOWN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")


def problem(code: str, message: str, hint: str = "") -> dict[str, Any]:
    """Return the body of an error."""
    return {"code": code, "message": message, "hint": hint}


def from_error(error: FairingAzureError) -> Problem:
    """Return the answer to an error that the user can fix.

    Args:
        error: The error.

    Returns:
        The status and the body; with `errors` where settings are at fault.

    """
    body: dict[str, Any] = dict(error.to_dict())
    entries = getattr(error, "errors", None)
    if entries:
        body["errors"] = [field_problem(entry) for entry in entries]
    return _status(error), body


def field_problem(entry: Mapping[str, str]) -> dict[str, str]:
    """Return what is wrong with one setting, as a form shows it."""
    field = entry.get("field") or entry.get("name") or ""
    return {"field": field, **{key: entry.get(key, "") for key in ("message", "hint", "suggestion")}}


def from_validation(error: ValidationError, known: Collection[str], *, secret: bool = False) -> Problem:
    """Return the answer to a request that does not fit its model; its values are not shown.

    Args:
        error: What pydantic says.
        known: The names that the model has, at any depth.
        secret: Whether other names are not shown either.

    Returns:
        The status and the body, with an entry for each field.

    """
    entries = []
    for each in error.errors(include_url=False, include_context=False, include_input=False):
        field = _field(each["loc"], known, secret=secret)
        message = "Unknown field." if each["type"] == "extra_forbidden" else f"{each['msg']}."
        entries.append({"field": field, "message": message, "hint": "", "suggestion": ""})
    fields = ", ".join(dict.fromkeys(entry["field"] or "the body" for entry in entries))
    body = problem(
        "request",
        f"The request is invalid: {fields}.",
        "Correct the fields listed in `errors`. openapi.json describes them.",
    )
    return 422, {**body, "errors": entries}


def from_bug(error: BaseException) -> tuple[Problem, str]:
    """Return the answer to an unexpected error, and what to log.

    Args:
        error: The error; its own text may hold anything, and is shown nowhere.

    Returns:
        The answer; and the lines of code that led there, with the error's type.

    """
    frames: Sequence[traceback.FrameSummary] = traceback.extract_tb(error.__traceback__)
    where = "".join(f'\n  File "{each.filename}", line {each.lineno}, in {each.name}' for each in frames)
    body = problem(
        "internal",
        f"Unexpected server error ({type(error).__name__}).",
        "Report it as a bug, with the lines about it in Jupyter Server's log.",
    )
    return (500, body), f"{type(error).__name__} (text not shown: it may contain a secret){where}"


def _status(error: FairingAzureError) -> int:
    if error.code in _BY_CODE:
        return _BY_CODE[error.code]
    if isinstance(error, UnreachableError) and "timeout" in error.code:
        return 504
    for kind, status in _BY_CLASS:
        if isinstance(error, kind):
            return status
    if isinstance(error, ServiceError) and (error.status is None or error.status >= _SERVER_ERROR):
        return 502
    return 400


def _field(where: tuple[int | str, ...], known: Collection[str], *, secret: bool) -> str:
    parts = []
    for part in where:
        if isinstance(part, int) or part in known:
            parts.append(str(part))
        else:
            # The name of what is too much may be a secret that has slipped into the wrong place.
            parts.append("(another name)" if secret or not _SHOWN_NAME.fullmatch(part) else part)
    return ".".join(parts)
