"""One endpoint: how it is, where it predicts, a call to try it, its log, and its end."""

from __future__ import annotations

import json
from html import escape
from typing import TYPE_CHECKING, Literal

from fairing_az_jupyter.frontends.panel.state import messages
from fairing_az_jupyter.frontends.views.checks.check_report import line
from fairing_az_jupyter.frontends.views.launch import badge

if TYPE_CHECKING:
    from collections.abc import Callable

    from fairing_az_jupyter.frontends.panel.parts import Parts, Shown
    from fairing_az_jupyter.frontends.panel.state.endpoints_state import EndpointsState, Trial
    from fairing_az_jupyter.models import EndpointInfo

__all__ = ["EndpointItem", "described"]

_SHOWN_VALUES = 200
_PUBLIC = messages.html(messages.Message("Public: anyone who has this address can use it.", kind="warning"))


class EndpointItem:
    """One endpoint. What is typed and what it answers is in all panels; which part is open is not.

    Args:
        parts: Parts of its own.
        endpoint: The endpoint.
        state: The endpoints.
        on_delete: Is called when it is about to go.

    """

    def __init__(
        self, parts: Parts, endpoint: EndpointInfo, state: EndpointsState, on_delete: Callable[[], object]
    ) -> None:
        self.parts, self._state, self._on_delete = parts, state, on_delete
        self._name = name = endpoint.name
        self._opened: Literal["", "trial", "log", "delete"] = ""
        self._text = parts.html()
        self._rows = parts.area("Sample rows", hint="CSV with a header line, or JSON such as [[1, 2.5]]", rows=4)
        parts.on_change(self._rows, lambda text: state.type(name, text))
        self._predict = parts.button("Predict", lambda: state.ask(name), kind="primary")
        self._answer = parts.html()
        self._log = parts.html()
        self._trial = parts.column(self._rows, parts.row(self._predict), self._answer, css="fairing-az-form")
        self._sure = parts.column(
            parts.html(f"The endpoint {escape(name)} will stop. This can't be undone."),
            parts.row(
                parts.button("Delete", self._delete, kind="danger", tip=f"Delete the endpoint {name}"),
                parts.button("Keep it", lambda: self._open("delete")),
            ),
            css="fairing-az-form",
        )
        self._message = parts.html()
        self._place = parts.column()
        buttons = parts.row(
            parts.button("Test call", lambda: self._open("trial"), tip=f"Send sample rows to {name}"),
            parts.button("Log", lambda: self._open("log"), tip=f"The last lines of {name}"),
            parts.button("Delete …", lambda: self._open("delete"), tip=f"Delete {name}"),
            css="fairing-az-buttons",
        )
        self.shown = parts.column(self._text, buttons, self._message, self._place, css="fairing-az-item")

    def update(self, endpoint: EndpointInfo) -> None:
        """Show how it is now."""
        put, trial = self.parts.put, self._state.trials[self._name]
        put(self._text, described(endpoint))
        put(self._rows, trial.rows)
        put(self._message, messages.quiet(trial.busy) or messages.html(trial.message))
        put(self._answer, _answered(trial))
        log = escape(trial.log or "No log lines available.")
        put(self._log, f'<pre tabindex="0" role="region" aria-label="Log of {escape(self._name)}">{log}</pre>')
        self._predict.disabled = bool(trial.busy)
        self._draw(trial)

    def _draw(self, trial: Trial) -> None:
        shown: dict[str, tuple[Shown, ...]] = {
            "trial": (self._trial,),
            "delete": (self._sure,),
            "log": (self._log,) if trial.log is not None else (),
        }
        children = shown.get(self._opened, ())
        if self._place.children != children:
            self._place.children = children

    def _open(self, part: Literal["trial", "log", "delete"]) -> None:
        self._opened = "" if self._opened == part else part
        if self._opened == "log":
            self._state.read_log(self._name)
        self._draw(self._state.trials[self._name])

    def _delete(self) -> None:
        self._opened = ""
        self._on_delete()
        self._state.delete(self._name)


def described(endpoint: EndpointInfo) -> str:
    """Return an endpoint as HTML, in a few lines.

    Args:
        endpoint: The endpoint.

    """
    place = "on this machine" if endpoint.place == "here" else f"in the cluster, namespace {endpoint.namespace}"
    state = {"ready": "ready", "failed": "failed", "broken": "failed"}.get(endpoint.state, "")
    facts = " · ".join(filter(None, (place, endpoint.owner, endpoint.created)))
    url = f"<div><code>{escape(endpoint.url)}</code></div>" if endpoint.url else ""
    detail = f"<div>{escape(line(endpoint.detail))}</div>" if endpoint.detail else ""
    return (
        f"<div><strong>{escape(endpoint.name)}</strong> {badge(endpoint.state, state)}</div>"
        f'<div class="fairing-az-quiet">{escape(facts)}</div>{url}{detail}{_PUBLIC if endpoint.public else ""}'
    )


def _answered(trial: Trial) -> str:
    answer = trial.answer
    if answer is None:
        return ""
    values = "".join(f"<li><code>{escape(_value(each))}</code></li>" for each in answer.values[:_SHOWN_VALUES])
    more = len(answer.values) - _SHOWN_VALUES
    rest = f"<div>and {more} more</div>" if more > 0 else ""
    return (
        f'<div role="status">Answered in {answer.latency:.3f} s.</div><ol aria-label="Predictions">{values}</ol>{rest}'
    )


def _value(value: object) -> str:
    try:
        return json.dumps(value)
    except (TypeError, ValueError):
        return str(value)
