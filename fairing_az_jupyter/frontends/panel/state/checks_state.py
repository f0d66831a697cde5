"""The checks: begun, cancelled, their results as they are found; and what was found mended."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Literal

from fairing_az_jupyter import services
from fairing_az_jupyter.exceptions import FairingAzureError, InputError
from fairing_az_jupyter.frontends.panel.state.message import Told, told_of
from fairing_az_jupyter.frontends.panel.state.observable import Observed
from fairing_az_jupyter.frontends.views import check_report

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from fairing_az_jupyter.frontends.panel.state.background import Task, Tasks
    from fairing_az_jupyter.frontends.panel.state.fix import FixRequest
    from fairing_az_jupyter.models import CheckResult, Question

__all__ = ["ChecksState"]


class ChecksState(Observed):
    """The last check, and what is being mended.

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
        """What was found by now, in the order in which it is read."""
        self.told: Told | None = None
        """Why the check broke off."""
        self.corrected: tuple[Told, ...] = ()
        """What the last mending has changed."""
        self.refused: Told | None = None
        """Why the last mending was refused."""

    @property
    def is_fixing(self) -> bool:
        """Whether something is being mended."""
        return self._fixing is not None

    @property
    def instead(self) -> str:
        """What to say in place of what all results mean, where they are not complete."""
        number = len(self.results)
        return {
            "running": f"Checking: {number} done so far.",
            "cancelled": f"Cancelled: {number} {'was' if number == 1 else 'were'} done.",
            "broken": f"Broken off: {number} {'was' if number == 1 else 'were'} done.",
        }.get(self.state, "")

    def start(self, *, corrected: tuple[Told, ...] = ()) -> None:
        """Check everything that a launch needs; a check that goes on is stopped."""
        with self.lock:
            if self._task is not None:
                self._task.cancel()
            self.state, self.results, self.told = "running", [], None
            self.corrected, self.refused = corrected, None
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
        """Mend what was found, and check again.

        Args:
            fix: What to do.
            values: What the user has typed; it is empty afterwards.

        """
        with self.lock:
            if self._fixing is not None:
                return
            self.corrected, self.refused = (), None

            def work(_task: Task) -> None:
                try:
                    self._fix(fix, _answers(values))
                finally:
                    values.clear()

            self._fixing = self._tasks.begin("mend", work)
        self.changed()

    def stop(self) -> None:
        """Stop everything."""
        tasks = [task for task in (self._task, self._fixing) if task is not None]
        self.cancel()
        for task in tasks:
            task.interrupt()

    def _check(self, task: Task) -> None:
        told = None
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
        except Exception as error:  # noqa: BLE001 - shown in its place, and logged unless the user can mend it
            told = told_of(error)
        with self.lock:
            if self._task is not task:
                return
            self._task, self.told = None, told
            self.state = "broken" if told else "done"
        self.changed()

    def _fix(self, fix: FixRequest, answer: Callable[[Question], str]) -> None:
        corrected: tuple[Told, ...] = ()
        refused = None
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
            corrected = tuple(
                Told(f"{each.kind} {each.name}: {each.outcome}.", check_report.line(each.note), "done")
                for each in changes
            )
        except FairingAzureError as error:
            refused = told_of(error)
        except KeyboardInterrupt:
            refused = Told("Stopped while the Secrets were made.", "Check again to see what there is.")
        except Exception as error:  # noqa: BLE001 - neither shown nor logged as it is: it may quote what was typed
            hint = "See what there is: %fairing_azure secrets show"
            refused = Told(f"{type(error).__name__}: the Secrets could not be made.", hint)
        with self.lock:
            self._fixing = None
            self.refused = refused
        if refused is None:
            self.start(corrected=corrected)
        else:
            self.changed()


def _answers(values: dict[str, str]) -> Callable[[Question], str]:
    """Return what answers the questions that a user would be asked; each once, and then it is forgotten."""
    asked = set()

    def answer(question: Question) -> str:
        if question.name in asked:
            # What is asked again was refused; the question begins with the reason.
            raise _refusal(question.text.partition(". ")[0])
        asked.add(question.name)
        value = values.pop(question.name, "").strip()
        if not value and not question.optional:
            raise _refusal(f"{question.name.replace('_', ' ').capitalize()} is missing")
        return value

    return answer


def _refusal(reason: str) -> InputError:
    return InputError(
        f"The Secrets can't be made: {reason}. Nothing was changed.",
        hint="Fill it in; `az ad sp create-for-rbac` and `az account show` print these values.",
        code="secret-values",
    )
