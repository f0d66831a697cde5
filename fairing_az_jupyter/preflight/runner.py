"""Runs checks at the same time, each as soon as those that it builds on have passed, and never longer than told."""

from __future__ import annotations

import dataclasses
import queue
import threading
import time
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter.exceptions import (
    CredentialError,
    FairingAzureError,
    NotAllowedError,
    ThrottledError,
    UnreachableError,
)
from fairing_az_jupyter.models import CheckResult, CheckStatus, Cure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

DEADLINE_SECONDS = 14.0
"""How long all checks together may take; what has not answered by then is unknown."""


@dataclasses.dataclass(frozen=True)
class Finding:
    """What a check's function returns.

    Args:
        status: See `CheckResult`.
        looked_at: See `CheckResult`.
        message: See `CheckResult`.
        cures: See `CheckResult`.
        mendable: See `CheckResult`.
        value: What the check has fetched, for those that build on it; never shown.

    """

    status: CheckStatus
    looked_at: str
    message: str
    cures: tuple[Cure, ...] = ()
    mendable: bool = False
    value: Any = dataclasses.field(default=None, repr=False)


@dataclasses.dataclass(frozen=True)
class Check:
    """One check.

    Args:
        id: Its identifier, such as `registry.push`.
        title: What it checks, in a few words.
        why: Why it matters, in one sentence.
        looks_at: What it looks at; used where it can't even begin.
        run: Finds out; gets the values of the checks that it needs, by their identifiers. An error of ours that it
            raises becomes a failure, or unknown where it says nothing about what is there.
        needs: The checks that it builds on: it is skipped unless all of them pass or warn.

    """

    id: str
    title: str
    why: str
    looks_at: str
    run: Callable[[Mapping[str, Any]], Finding]
    needs: tuple[str, ...] = ()


def run_checks(checks: Sequence[Check], *, deadline: float = DEADLINE_SECONDS) -> Iterator[CheckResult]:
    """Run checks at the same time and yield each result as it is found.

    A check that hangs is given up at the deadline: its thread is left behind as a daemon, and ends with its own
    time-outs or with the process.

    Args:
        checks: The checks; what they need has to be among them.
        deadline: Seconds that all of them together may take.

    Yields:
        One result for each check; the order is that of time.

    """
    end = time.monotonic() + deadline
    waiting = {check.id: check for check in checks}
    running: dict[str, tuple[Check, float]] = {}
    done: dict[str, CheckResult] = {}
    values: dict[str, Any] = {}
    finished: queue.Queue[tuple[Check, Finding]] = queue.Queue()

    def start(check: Check) -> None:
        running[check.id] = (check, time.monotonic())
        given = {name: values.get(name) for name in check.needs}
        threading.Thread(target=_work, args=(check, given, finished), daemon=True).start()

    while waiting or running:
        for check in [check for check in waiting.values() if all(name in done for name in check.needs)]:
            del waiting[check.id]
            blocked = next((name for name in check.needs if done[name].status not in {"pass", "warn"}), None)
            if blocked is None:
                start(check)
            else:
                done[check.id] = _skipped(check, done[blocked])
                yield done[check.id]
        if not running:
            if any(all(name in done for name in check.needs) for check in waiting.values()):
                continue
            return
        try:
            check, finding = finished.get(timeout=max(end - time.monotonic(), 0.0))
        except queue.Empty:
            for late, _began in running.values():
                yield _late(late, deadline)
            for check in waiting.values():
                yield _late(check, deadline)
            return
        _, began = running.pop(check.id)
        values[check.id] = finding.value
        done[check.id] = _result(check, finding, time.monotonic() - began)
        yield done[check.id]


def _work(check: Check, given: Mapping[str, Any], finished: queue.Queue[tuple[Check, Finding]]) -> None:
    try:
        finding = check.run(given)
    except FairingAzureError as error:
        finding = from_error(error, check.looks_at)
    except Exception as error:  # noqa: BLE001 - a bug in one check must not hide what the others find
        message = f"This check itself has failed ({type(error).__name__}); please report it."
        finding = Finding("unknown", check.looks_at, message)
    finished.put((check, finding))


def from_error(error: FairingAzureError, looks_at: str) -> Finding:
    """Return what an error means for a check: a failure, unless it says nothing about what was asked for."""
    says_nothing = isinstance(error, NotAllowedError | UnreachableError | ThrottledError)
    status: CheckStatus = "unknown" if says_nothing and not isinstance(error, CredentialError) else "fail"
    cures = (Cure("text", error.hint),) if error.hint else ()
    return Finding(status, looks_at, error.message, cures)


def _result(check: Check, finding: Finding, duration: float) -> CheckResult:
    return CheckResult(
        check=check.id,
        title=check.title,
        status=finding.status,
        looked_at=finding.looked_at,
        message=finding.message,
        why=check.why,
        cures=finding.cures,
        mendable=finding.mendable,
        duration=duration,
    )


def _skipped(check: Check, cause: CheckResult) -> CheckResult:
    finding = Finding("skipped", check.looks_at, f"Not checked, for it builds on '{cause.title}' ({cause.status}).")
    return _result(check, finding, 0.0)


def _late(check: Check, deadline: float) -> CheckResult:
    cure = Cure("text", "Check again; if it stays so, look at the network between here and that service.")
    finding = Finding("unknown", check.looks_at, f"No answer within {deadline:.0f} s.", (cure,))
    return _result(check, finding, deadline)
