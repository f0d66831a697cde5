"""Runs checks at the same time, each as soon as those that it builds on have passed, and within one deadline."""

from __future__ import annotations

import dataclasses
import queue
import threading
import time
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter.exceptions import (
    FairingAzureError,
    NotAllowedError,
    ServiceError,
    ThrottledError,
    UnreachableError,
)
from fairing_az_jupyter.models import CheckResult, CheckStatus, Fix

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

DEADLINE_SECONDS = 12.0
"""How long all checks together may take; what has not answered by then is unknown."""

_SERVER_ERROR = 500
# No answer in time tells nothing; a refused connection, a wrong certificate or a proxy's page stays until it is fixed.
_NO_ANSWER_YET = frozenset({"timeout", "unreachable-timeout", "name-lookup", "dns", "not-ready"})


_OUTCOMES = {"fail": "failed", "unknown": "is unknown", "skipped": "was skipped"}
WORST_FIRST: tuple[CheckStatus, ...] = ("fail", "unknown", "warn", "skipped", "pass")
"""What a finding may be, from the worst on."""


@dataclasses.dataclass(frozen=True)
class Finding:
    """What a check's function returns.

    Args:
        status: See `CheckResult`.
        looked_at: See `CheckResult`.
        message: See `CheckResult`.
        fixes: See `CheckResult`.
        fixable: See `CheckResult`.
        code: See `CheckResult`.
        value: What the check has fetched, for those that build on it; never shown, and closed when all checks have
            ended, if it can be.
        unseen: Whether it is unknown because whoever asks may not look.

    """

    status: CheckStatus
    looked_at: str
    message: str
    fixes: tuple[Fix, ...] = ()
    fixable: bool = False
    code: str = ""
    value: Any = dataclasses.field(default=None, repr=False)
    unseen: bool = False


@dataclasses.dataclass(frozen=True)
class Check:
    """One check.

    Args:
        id: Its identifier, such as `registry.push`.
        title: What it checks, in a few words.
        why: Why it matters, in one sentence.
        looks_at: What it looks at; used where it can't even begin.
        run: Finds out; gets the findings of the checks in `needs` and `after`, by their identifiers. An error of ours
            that it raises becomes a failure, or unknown where it says nothing about what is there (`from_error`).
        needs: The checks that it builds on: it is skipped unless all of them pass or warn.
        even_unseen: Those of `needs` that may also be unknown because nobody was allowed to look.
        after: Checks that it waits for, whatever comes of them.

    """

    id: str
    title: str
    why: str
    looks_at: str
    run: Callable[[Mapping[str, Finding]], Finding]
    needs: tuple[str, ...] = ()
    even_unseen: tuple[str, ...] = ()
    after: tuple[str, ...] = ()

    @property
    def awaits(self) -> tuple[str, ...]:
        """All checks that have to be done before this one starts."""
        return (*self.needs, *self.after)


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
    course = _Course(checks, deadline)
    try:
        while course.waiting or course.running:
            yield from course.begin()
            if not course.running:
                if course.ready():
                    continue
                return
            try:
                yield course.next_result()
            except queue.Empty:
                yield from course.give_up()
                return
    finally:
        course.close()


class _Course:
    """How far a run of checks has come."""

    def __init__(self, checks: Sequence[Check], deadline: float) -> None:
        self.waiting = {check.id: check for check in checks}
        self._positions = {check.id: position for position, check in enumerate(checks)}
        self.running: dict[str, tuple[Check, float]] = {}
        self._deadline = deadline
        self._end = time.monotonic() + deadline
        self._found: dict[str, Finding] = {}
        self._done: dict[str, CheckResult] = {}
        # Of a check that was skipped: the one that all began with, for that is what the user has to look at.
        self._roots: dict[str, CheckResult] = {}
        self._finished: queue.Queue[tuple[Check, Finding]] = queue.Queue()

    def ready(self) -> list[Check]:
        """Return the checks whose turn it is."""
        return [check for check in self.waiting.values() if all(name in self._done for name in check.awaits)]

    def begin(self) -> Iterator[CheckResult]:
        """Start the checks whose turn it is; yield those that are skipped."""
        for check in self.ready():
            del self.waiting[check.id]
            cause = next((name for name in check.needs if self._blocks(name, check)), None)
            if cause is not None:
                self._roots[check.id] = root = self._roots.get(cause, self._done[cause])
                yield self._result(check, _skipped(check, root), 0.0)
                continue
            self.running[check.id] = (check, time.monotonic())
            given = {name: self._found[name] for name in check.awaits}
            threading.Thread(
                target=_work, args=(check, given, self._finished), name=f"check {check.id}", daemon=True
            ).start()

    def next_result(self) -> CheckResult:
        """Wait for the next check to end.

        Raises:
            queue.Empty: None has ended before the deadline.

        """
        check, finding = self._finished.get(timeout=max(self._end - time.monotonic(), 0.0))
        _, began = self.running.pop(check.id)
        return self._result(check, finding, time.monotonic() - began)

    def give_up(self) -> Iterator[CheckResult]:
        """Yield what is known of the checks that are not done: nothing."""
        for check, began in self.running.values():
            yield self._result(check, _late(check, self._deadline), time.monotonic() - began)
        for check in self.waiting.values():
            yield self._result(check, _late(check, self._deadline), 0.0)

    def close(self) -> None:
        """Close the connections that checks have handed to each other."""
        for finding in self._found.values():
            close = getattr(finding.value, "close", None)
            if callable(close):
                close()

    def _blocks(self, name: str, check: Check) -> bool:
        found = self._found[name]
        return found.status not in {"pass", "warn"} and not (found.unseen and name in check.even_unseen)

    def _result(self, check: Check, finding: Finding, seconds: float) -> CheckResult:
        before = max((self._done[name].duration for name in check.awaits if name in self._done), default=0.0)
        result = CheckResult(
            check=check.id,
            title=check.title,
            status=finding.status,
            looked_at=finding.looked_at,
            # An error's text ends with why it matters, for those who meet it elsewhere.
            message=finding.message.removesuffix(check.why).rstrip(),
            why=check.why,
            fixes=finding.fixes,
            fixable=finding.fixable,
            code=finding.code,
            duration=before + seconds,
            position=self._positions[check.id],
        )
        self._found[check.id], self._done[check.id] = finding, result
        return result


def _work(check: Check, given: Mapping[str, Finding], finished: queue.Queue[tuple[Check, Finding]]) -> None:
    try:
        finding = check.run(given)
    except FairingAzureError as error:
        finding = from_error(error, check.looks_at)
    except Exception as error:  # noqa: BLE001 - a bug in one check must not hide what the others find
        message = f"Internal error in this check ({type(error).__name__}); please report it."
        finding = Finding("unknown", check.looks_at, message, code="bug")
    finished.put((check, finding))


def from_error(
    error: FairingAzureError, looks_at: str, fixes: tuple[Fix, ...] = (), *, fixable: bool = False
) -> Finding:
    """Return what an error means for a check: a failure, unless it says nothing about what was asked for.

    Args:
        error: The error.
        looks_at: What the check looks at.
        fixes: What to type; the error's own hint comes after them.
        fixable: Whether this package can fix it itself.

    Returns:
        The finding.

    """
    hint = (Fix("text", error.hint),) if error.hint else ()
    status: CheckStatus = "unknown" if _says_nothing(error) else "fail"
    return Finding(
        status,
        looks_at,
        error.message,
        (*fixes, *hint),
        fixable=fixable,
        code=error.code,
        unseen=isinstance(error, NotAllowedError),
    )


def _says_nothing(error: FairingAzureError) -> bool:
    if isinstance(error, UnreachableError):
        return error.code in _NO_ANSWER_YET
    if isinstance(error, NotAllowedError | ThrottledError):
        return True
    return isinstance(error, ServiceError) and error.status is not None and error.status >= _SERVER_ERROR


def _skipped(check: Check, cause: CheckResult) -> Finding:
    return Finding("skipped", check.looks_at, f"Skipped: needs '{cause.title}', which {_OUTCOMES[cause.status]}.")


def _late(check: Check, deadline: float) -> Finding:
    fix = Fix("text", "Check again. If it fails again, check the network to that service.")
    return Finding("unknown", check.looks_at, f"No answer within {deadline:.0f} s.", (fix,), code="timeout")
