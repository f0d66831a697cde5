"""A run of a notebook while it runs, for people: what a launch has to show, and which cell it is at."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter.frontends.views.launch import LaunchView
from fairing_az_jupyter.frontends.views.runs import value
from fairing_az_jupyter.launch_events import Output, Phase, PodEvent

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["RunView"]

_LONGEST_CODE = 90


class RunView(LaunchView):
    """What is seen of one run; its events come from its record.

    Args:
        what: What is done, such as `Running train.ipynb`.
        backend: Where it runs.

    """

    def __init__(self, what: str, *, backend: str) -> None:
        super().__init__(what, backend=backend)
        self._cell, self._cells, self._code = 0, 0, ""
        self._reported: dict[str, Any] = {}

    def show(self, event: Mapping[str, Any]) -> None:
        """Take one event of the record.

        Args:
            event: The event, as `RunEvent.to_dict()` has it.

        """
        kind = event.get("kind")
        with self._lock:
            self.revision += 1
            if event.get("cells"):
                self._cells = int(event["cells"])
            if kind == "cell-started":
                self._cell, self._code = int(event.get("cell") or 0), str(event.get("text") or "")[:_LONGEST_CODE]
            elif kind == "metric":
                self._reported[str(event.get("name"))] = event.get("value")
        if kind == "output":
            text = str(event.get("text") or "")
            # What is displayed has no line end of its own.
            self.take(Output(f"{text}\n" if event.get("stream") == "display" and not text.endswith("\n") else text))
        elif kind in {"phase", "pod-event"}:
            name, state, message = (str(event.get(each) or "") for each in ("name", "value", "message"))
            # As the record has it: what a later version wrote may have phases that this one does not know.
            self.take(Phase(name, state, message) if kind == "phase" else PodEvent(name, state, message))  # type: ignore[arg-type]
        elif kind in {"cell-failed", "cell-retried"}:
            self.take(Output(f"\n{event.get('message') or ''}\n"))

    def _bars(self) -> Iterator[str]:
        if self._cells:
            done = self._cells if self.state == "succeeded" else max(self._cell - 1, 0)
            text = f"Cell {self._cell} of {self._cells}" if self.state != "succeeded" else f"{self._cells} cells"
            bar = f'<progress max="{self._cells}" value="{done}" aria-label="Cells"></progress>'
            code = f" <code>{escape(self._code)}</code>" if self.state == "running" else ""
            yield f"<div>{bar} {text}{code}</div>"
        if self._reported:
            text = ", ".join(f"{name} = {value(each)}" for name, each in self._reported.items())
            yield f"<div>Metrics: {escape(text)}</div>"
        yield from super()._bars()

    def plain(self) -> str:
        """Return it as plain text."""
        rows = [super().plain()]
        if self._cells:
            rows.append(f"Cell {self._cell} of {self._cells}")
        rows += [f"{name} = {value(each)}" for name, each in self._reported.items()]
        return "\n".join(rows)
