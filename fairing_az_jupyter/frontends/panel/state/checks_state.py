"""The checks: started, cancelled, their results as they come; and their fixes."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Literal

from fairing_az_jupyter import services
from fairing_az_jupyter.exceptions import FairingAzureError, InputError
from fairing_az_jupyter.frontends.panel.state.messages import Message, message_of
from fairing_az_jupyter.frontends.panel.state.observable import Observed
from fairing_az_jupyter.frontends.views.checks import check_report

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from fairing_az_jupyter.frontends.panel.state.background import Task, Tasks
    from fairing_az_jupyter.frontends.panel.state.fix import FixRequest
    from fairing_az_jupyter.models import CheckResult, Question

__all__ = ["ChecksState"]


class ChecksState(Observed):
    """The last check, and what is being fixed.

    Args:
        lock: Of the shared state.
        tasks: Of the shared state.
        session: Returns what the panel works with, as the form is now.

    """

    def __init__(self, lock: threading.RLock, tasks: Tasks, session: Callable[[], services.Session]) -> None:
        super().__init__(lock)
        self._tasks, self._session = tasks, session
        self._task: Task | None = None
        self._fixing: Task | None = None
        self.state: Literal["none", "running", "done", "cancelled", "broken"] = "none"
        self.results: list[CheckResult] = []
        """The results so far, in reading order."""
        self.message: Message | None = None
        """Why the check broke off."""
        self.fixed: tuple[Message, ...] = ()
        """What the last fix changed."""
        self.fix_error: Message | None = None
        """Why the last fix failed; None if it did not."""

    @property
    def is_fixing(self) -> bool:
        """Whether something is being fixed."""
        return self._fixing is not None

    @property
    def instead(self) -> str:
        """What to say in place of what all results mean, where they are not complete."""
        number = len(self.results)
        checks = f"{number} check{'' if number == 1 else 's'}"
        return {
            "running": f"Checking: {number} done so far.",
            "cancelled": f"Cancelled after {checks}.",
            "broken": f"Stopped by an error after {checks}.",
        }.get(self.state, "")

    def start(self, *, fixed: tuple[Message, ...] = ()) -> None:
        """Check everything that a launch needs; a check that is still running is stopped."""
        with self.lock:
            if self._task is not None:
                self._task.cancel()
            self.state, self.results, self.message = "running", [], None
            self.fixed, self.fix_error = fixed, None
            self._task = self._tasks.begin("check", self._check)
        self.changed()

    def cancel(self) -> None:
        """Stop the check; what was found stays."""
        with self.lock:
            if self.state != "running" or self._task is None:
                return
            self._task.cancel()
            self._task, self.state = None, "cancelled"
        self.changed()

    def fix(self, fix: FixRequest, values: dict[str, str]) -> None:
        """Fix what was found, and check again.

        Args:
            fix: What to do.
            values: What the user has typed; it is empty afterwards.

        """
        with self.lock:
            if self._fixing is not None:
                return
            self.fixed, self.fix_error = (), None

            def work(_task: Task) -> None:
                try:
                    self._carry_out(fix, _answers(values))
                finally:
                    values.clear()

            self._fixing = self._tasks.begin("fix", work)
        self.changed()

    def stop(self) -> None:
        """Stop everything."""
        tasks = [task for task in (self._task, self._fixing) if task is not None]
        self.cancel()
        for task in tasks:
            task.interrupt()

    def _check(self, task: Task) -> None:
        message = None
        try:
            with contextlib.closing(services.check(self._session())) as results:  # type: ignore[type-var]
                for result in results:
                    if task.cancelled.is_set():
                        return
                    with self.lock:
                        if self._task is not task:
                            return
                        self.results = check_report.in_order([*self.results, result])
                    self.changed()
        except Exception as error:  # noqa: BLE001 - shown in its place, and logged if unexpected
            message = message_of(error)
        with self.lock:
            if self._task is not task:
                return
            self._task, self.message = None, message
            self.state = "broken" if message else "done"
        self.changed()

    def _carry_out(self, fix: FixRequest, answer: Callable[[Question], str]) -> None:
        fixed: tuple[Message, ...] = ()
        fix_error = None
        try:
            changes = (
                services.attach_pull_secret(self._session())
                if fix.attach
                else services.create_secrets(
                    self._session(),
                    azure=fix.azure,
                    acr=fix.acr,
                    only_secret=fix.only_secret,
                    replace=fix.replace,
                    ask=answer,
                )
            )
            fixed = tuple(
                Message(f"{each.kind} {each.name}: {each.outcome}.", check_report.line(each.note), "done")
                for each in changes
            )
        except FairingAzureError as error:
            fix_error = message_of(error)
        except KeyboardInterrupt:
            fix_error = Message(
                "Stopped while the Secrets were being created.", "Run the checks again to see what exists."
            )
        except Exception as error:  # noqa: BLE001 - neither shown nor logged as it is: it may quote what was typed
            hint = "To see what exists, type: %fairing_azure secrets show"
            fix_error = Message(f"{type(error).__name__}: the Secrets could not be created.", hint)
        with self.lock:
            self._fixing = None
            self.fix_error = fix_error
        if fix_error is None:
            self.start(fixed=fixed)
        else:
            self.changed()


def _answers(values: dict[str, str]) -> Callable[[Question], str]:
    """Return what answers the questions that a user would be asked; each once, and then it is forgotten."""
    asked = set()

    def answer(question: Question) -> str:
        if question.name in asked:
            # A question that is repeated means that its answer was rejected; it begins with the reason.
            raise _values_error(question.text.partition(". ")[0])
        asked.add(question.name)
        value = values.pop(question.name, "").strip()
        if not value and not question.optional:
            raise _values_error(f"{question.name.replace('_', ' ').capitalize()} is missing")
        return value

    return answer


def _values_error(reason: str) -> InputError:
    return InputError(
        f"The Secrets can't be created: {reason}. Nothing was changed.",
        hint="Enter the value: `az ad sp create-for-rbac` and `az account show` print it.",
        code="secret-values",
    )
