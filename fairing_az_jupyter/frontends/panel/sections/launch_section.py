"""The section 'Launch': classes and functions of the notebook, and the launches as they run."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from fairing_az_jupyter.frontends.panel.sections.section import Section
from fairing_az_jupyter.frontends.panel.state import messages

if TYPE_CHECKING:
    from fairing_az_jupyter.frontends.panel.parts import Parts, Shown
    from fairing_az_jupyter.frontends.panel.state.launches_state import Launch
    from fairing_az_jupyter.frontends.panel.state.shared_state import SharedState
    from fairing_az_jupyter.models import TaskInfo

__all__ = ["LaunchSection"]

_NONE = (
    "This notebook has nothing to launch. Define a class with a train() or predict() method, or a function, and run "
    "its cell."
)


class LaunchSection:
    """The section.

    Args:
        parts: Of the panel.
        state: What all panels share.

    """

    def __init__(self, parts: Parts, state: SharedState) -> None:
        self.parts, self._state, self._settings = parts, state.launches, state.settings
        self._choice = parts.choice("Class or function", [("", "")], "")
        parts.on_change(self._choice, self._state.choose)
        self._reason = parts.html(css="fairing-az-below fairing-az-note")
        self._files = parts.area("Input files", hint="one per line, relative to the working directory", rows=2)
        parts.on_change(self._files, self._state.type_files)
        self._place = parts.html()
        self._train = parts.button("Train", lambda: self._state.start("train"), kind="primary")
        self._deploy = parts.button("Deploy", lambda: self._state.start("deploy"), kind="primary")
        self._message = parts.html()
        self._form = parts.column()
        self._list = parts.column()
        self._none = parts.html(messages.quiet(_NONE))
        self._fields = (
            self._choice,
            self._reason,
            self._files,
            self._place,
            parts.row(self._train, self._deploy, css="fairing-az-buttons"),
        )
        self._items: dict[int, _LaunchItem] = {}
        self.section = Section(parts, "Launch", (self._form, self._message, self._list), is_open=True)
        for part in (self._state, self._settings):
            parts.at_end(part.subscribe(self.update))
        self.update()

    def update(self) -> None:
        """Show what is so now."""
        state, put = self._state, self.parts.put
        form = self._fields if state.tasks else (self._none,)
        if self._form.children != form:
            self._form.children = form
        options = tuple((_called(task), task.name) for task in state.tasks if task.can_train or task.can_deploy)
        options = options or (("(none)", ""),)
        chosen = state.chosen if state.chosen in [name for _, name in options] else options[0][1]
        if tuple(self._choice.options) != options:
            put(self._choice, options[0][1], options=options)
        put(self._choice, chosen)
        task = state.task_of(chosen)
        put(self._reason, f'<span class="fairing-az-help">{escape(task.reason)}</span>' if task and task.reason else "")
        put(self._files, state.input_files)
        self._train.disabled = task is None or not task.can_train
        self._deploy.disabled = task is None or not task.can_deploy
        self._train.tooltip = f"Train {chosen} as a job"
        self._deploy.tooltip = f"Deploy {chosen} as an endpoint"
        put(self._place, self._where())
        put(self._message, messages.html(state.message))
        self._draw_list(state.launches)
        running = sum(each.is_running for each in state.launches)
        self.section.note(f"{running} running" if running else "")

    def _where(self) -> str:
        resolved = self._settings.resolved
        if resolved is None:
            return ""
        settings = resolved.settings
        place = f"namespace {settings.namespace}" if settings.namespace else "in the namespace of this notebook server"
        place = "Runs on this machine." if settings.backend == "LocalBackend" else f"Runs in the cluster, {place}."
        problems = [each["message"] for each in self._settings.errors.values()]
        if self._settings.missing:
            names = ", ".join(self._settings.name_of(field) for field in sorted(self._settings.missing))
            problems.append(f"Missing: {names}.")
        warning = ""
        if problems:
            message = f"Settings are incomplete: {messages.in_cell(' '.join(problems))}"
            warning = messages.html(messages.Message(message, "Set them under Settings.", "warning"))
        return f"{messages.quiet(place)}{warning}"

    def _draw_list(self, launches: tuple[Launch, ...]) -> None:
        numbers = [each.number for each in launches]
        shown: list[Shown] = []
        for launch in launches:
            item = self._items.get(launch.number)
            if item is None:
                item = self._items[launch.number] = _LaunchItem(self.parts.part(), launch, self)
            item.update()
            shown.append(item.shown)
        if self._list.children != tuple(shown):
            self._list.children = shown
        for number in [number for number in self._items if number not in numbers]:
            self._items.pop(number).parts.close()

    def cancel(self, launch: Launch) -> None:
        """Stop a launch; the button that was pressed will go."""
        self._train.focus()
        self._state.cancel(launch)


class _LaunchItem:
    """One launch while it runs."""

    def __init__(self, parts: Parts, launch: Launch, section: LaunchSection) -> None:
        self.parts, self._launch = parts, launch
        self._view = parts.html()
        self._cancel = parts.button(
            "Cancel", lambda: section.cancel(launch), tip=f"Cancel: {launch.action} {launch.name}"
        )
        self._buttons = parts.row()
        self.shown = parts.column(self._view, self._buttons, css="fairing-az-item")
        self._is_last = False

    def update(self) -> None:
        if self._is_last:
            return
        # Looked at first: what is drawn below then is the last.
        self._is_last = not self._launch.is_running
        self.parts.put(self._view, self._launch.view.html())
        buttons = () if self._is_last else (self._cancel,)
        if self._buttons.children != buttons:
            self._buttons.children = buttons


def _called(task: TaskInfo) -> str:
    return f"{task.name} (function)" if task.kind == "function" else task.name
