"""Checks: begun by one request, followed by others, kept for a while after their end."""

from __future__ import annotations

import collections
import secrets
import threading
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter import services
from fairing_az_jupyter.exceptions import FairingAzureError, InputError
from fairing_az_jupyter.frontends.server.operations.calls import session_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fairing_az_jupyter.frontends.server.operations.calls import Call

NEEDS = {
    "start": (
        "fairing_az_jupyter.preflight.checklist",
        "fairing_az_jupyter.preflight.runner",
        "fairing_az_jupyter.fairing.upstream.installation",
    )
}

_KEPT = 50
_MOST_AT_ONCE = 10
_LOOK_SECONDS = 0.5
_WORST_FIRST = ("fail", "unknown", "warn")


class _Check:
    """One check that was begun.

    Args:
        session: What is checked.

    """

    def __init__(self, session: services.Session) -> None:
        self._session = session
        self._changed = threading.Condition()
        self.results: list[dict[str, object]] = []
        self.error: Exception | None = None
        self.over = False
        self.cancelled = False

    def work(self) -> None:
        """Check, up to the end or until it is cancelled."""
        try:
            for result in services.check(self._session):
                if self.cancelled:
                    break
                with self._changed:
                    self.results.append(result.to_dict())
                    self._changed.notify_all()
        except Exception as error:  # noqa: BLE001 - reported to whoever follows
            self.error = error
        finally:
            self.end()

    def cancel(self) -> None:
        """Stop; the checks that are running end with their own time-outs."""
        self.cancelled = True
        self.end()

    def end(self) -> None:
        """Tell those who follow that nothing more comes."""
        with self._changed:
            self.over = True
            self._changed.notify_all()

    def after(self, offset: int) -> tuple[list[dict[str, object]], bool]:
        """Wait a moment for results; return those behind the first ones, and whether these are all."""
        with self._changed:
            if len(self.results) <= offset and not self.over:
                self._changed.wait(_LOOK_SECONDS)
            return self.results[offset:], self.over

    @property
    def status(self) -> str:
        """The worst that was found."""
        if self.cancelled:
            return "unknown"
        found = {str(result["status"]) for result in self.results}
        return next((status for status in _WORST_FIRST if status in found), "pass")


_checks: collections.OrderedDict[str, _Check] = collections.OrderedDict()
_lock = threading.Lock()


def start(call: Call) -> dict[str, Any]:
    """Begin a check."""
    check = _Check(session_of(call, call.body))
    number = secrets.token_hex(8)
    with _lock:
        if sum(not each.over for each in _checks.values()) >= _MOST_AT_ONCE:
            message = f"{_MOST_AT_ONCE} checks are running already."
            raise InputError(message, hint="Wait a few seconds until one of them ends.", code="busy")
        _checks[number] = check
        while len(_checks) > _KEPT:
            _checks.popitem(last=False)[1].cancel()
    threading.Thread(target=check.work, name=f"check {number}", daemon=True).start()
    return {"id": number}


def events(call: Call) -> Iterator[tuple[int, str, object]]:
    """Follow a check."""
    return _watched(_found(call.names["check"]), call)


def cancel(call: Call) -> None:
    """Cancel a check, and forget it."""
    check = _found(call.names["check"])
    with _lock:
        _checks.pop(call.names["check"], None)
    check.cancel()


def _watched(check: _Check, call: Call) -> Iterator[tuple[int, str, object]]:
    offset = call.query.offset
    while not call.cancelled.is_set():
        results, over = check.after(offset)
        for offset, result in enumerate(results, offset + 1):  # noqa: B020 - it continues from there
            yield offset, "result", result
        if not over:
            continue
        if isinstance(check.error, FairingAzureError):
            raise check.error
        if check.error is not None:
            raise RuntimeError from check.error
        yield offset, "end", {"status": check.status, "count": len(check.results)}
        return


def _found(number: str) -> _Check:
    check = _checks.get(number)
    if check is None:
        raise InputError(
            f"Check '{number}' not found.",
            hint="Run the checks again: only the last few are kept, until Jupyter Server stops.",
            code="check-unknown",
        )
    return check
