"""Makes the panel's widgets, and ends every one of them; the one module that knows ipywidgets.

Each widget is a comm, and so is each layout and style: those of a panel share them, and the style sheet does the rest.
ipywidgets keeps every widget till it is closed
(https://ipywidgets.readthedocs.io/en/stable/examples/Widget%20Low%20Level.html).
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import ipywidgets  # type: ignore[import-untyped]
import traitlets

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["Parts", "Shown"]

Shown = Any
"""A widget; ipywidgets has no types."""


def _nothing(_value: str, _widget: object) -> str:
    return ""


# What the browser sends never goes back: not as an echo, and not in any state of the widget. The browser is sent an
# empty field as soon as the kernel has its value.
class _WriteOnlyText(ipywidgets.Text):  # type: ignore[misc]
    value = traitlets.Unicode("").tag(sync=True, echo_update=False, to_json=_nothing)


class _WriteOnlyPassword(ipywidgets.Password):  # type: ignore[misc]
    value = traitlets.Unicode("").tag(sync=True, echo_update=False, to_json=_nothing)


class Parts:
    """The widgets of a panel, or of a part of it that comes and goes.

    Args:
        fail: Gets what a callback raises.
        whole: The parts that these belong to, and that end them when they end; None for a whole panel.

    """

    def __init__(self, fail: Callable[[Exception], object], whole: Parts | None = None) -> None:
        self._fail = fail
        self._made: list[Shown] = []
        self._within: list[Parts] = []
        self._endings: list[Callable[[], object]] = []
        self._quiet: set[Shown] = set()
        self._is_closed = False
        self._shared: dict[str, Shown] = {}
        self._leave: Callable[[Parts], object] | None = None
        if whole is not None:
            self._shared, self._leave = whole._shared, whole._within.remove  # noqa: SLF001 - one of the same
            whole._within.append(self)  # noqa: SLF001 - as above

    def part(self) -> Parts:
        """Return parts that can be ended without the others."""
        return Parts(self._fail, self)

    def at_end(self, call: Callable[[], object]) -> None:
        """Call something when these parts end."""
        self._endings.append(call)

    def close(self) -> None:
        """End all widgets, with their comms and callbacks; safe to repeat."""
        if self._is_closed:
            return
        self._is_closed = True
        for part in tuple(self._within):
            part.close()
        endings, self._endings = self._endings, []
        for call in endings:
            call()
        made, self._made = self._made, []
        for widget in reversed(made):
            self._end(widget)
        if self._leave is not None:
            self._leave(self)
            return
        for widget in self._shared.values():
            self._end(widget)
        self._shared.clear()

    def text(self, label: str, *, value: str = "", hint: str = "", tip: str = "", css: str = "") -> Shown:
        """Return a field for one line, which tells its value when it is left."""
        return self._make(
            "text",
            ipywidgets.Text,
            css,
            description=label,
            value=value,
            placeholder=hint,
            tooltip=tip or label,
            continuous_update=False,
        )

    def area(self, label: str, *, value: str = "", hint: str = "", rows: int = 3, css: str = "") -> Shown:
        """Return a field for several lines, which tells its value when it is left."""
        return self._make(
            "text",
            ipywidgets.Textarea,
            css,
            description=label,
            value=value,
            placeholder=hint,
            rows=rows,
            tooltip=label,
            continuous_update=False,
        )

    def write_only(self, label: str, *, masked: bool, tip: str = "") -> Shown:
        """Return a field whose value goes to the kernel and stands in no state: the browser forgets it at once.

        Args:
            label: What is typed.
            masked: Whether what is typed is masked.
            tip: What else there is to say.

        """
        kind = _WriteOnlyPassword if masked else _WriteOnlyText
        field = self._make(
            "text", kind, "", description=label, tooltip=tip or label, placeholder="", continuous_update=False
        )

        def taken(change: dict[str, Any]) -> None:
            field.placeholder = "received; not shown" if change["new"] else ""

        field.observe(taken, names="value")
        return field

    def choice(
        self, label: str, options: Sequence[tuple[str, str]], value: str, *, tip: str = "", css: str = ""
    ) -> Shown:
        """Return a field that offers choices: what is shown, and what it means."""
        return self._make(
            "choice",
            ipywidgets.Dropdown,
            css,
            description=label,
            options=list(options),
            value=value,
            tooltip=tip or label,
        )

    def tick(self, label: str, *, value: bool, tip: str = "", css: str = "") -> Shown:
        """Return a field that is ticked or not."""
        return self._make(
            "tick", ipywidgets.Checkbox, css, description=label, value=value, indent=False, tooltip=tip or label
        )

    def button(self, label: str, call: Callable[[], object], *, tip: str = "", kind: str = "", css: str = "") -> Shown:
        """Return a button.

        Args:
            label: What it says.
            call: What it does.
            tip: What else there is to say.
            kind: `primary`, `danger`, or empty.
            css: Classes of the style sheet.

        """
        made = self._make("button", ipywidgets.Button, css, description=label, tooltip=tip or label, button_style=kind)
        made.on_click(lambda _button: self._guarded(call))
        return made

    def html(self, value: str = "", *, css: str = "fairing-az-note") -> Shown:
        """Return a text, as HTML."""
        return self._make("html", ipywidgets.HTML, css, value=value)

    def row(self, *children: Shown, css: str = "") -> Shown:
        """Return widgets beside each other."""
        return self._make("", ipywidgets.HBox, f"fairing-az-row {css}", children=children)

    def column(self, *children: Shown, css: str = "") -> Shown:
        """Return widgets below each other."""
        return self._make("", ipywidgets.VBox, f"fairing-az-column {css}", children=children)

    def on_change(self, field: Shown, call: Callable[[Any], object]) -> None:
        """Call something with what the user has typed or chosen; not with what `put` puts there."""

        def changed(change: dict[str, Any]) -> None:
            if field not in self._quiet:
                self._guarded(lambda: call(change["new"]))

        field.observe(changed, names="value")

    def put(self, field: Shown, value: object, **others: object) -> None:
        """Put a value into a field, if it has another one, and set others of its traits likewise."""
        self._quiet.add(field)
        try:
            for name, wanted in {**others, "value": value}.items():
                if getattr(field, name) != wanted:
                    setattr(field, name, wanted)
        finally:
            self._quiet.discard(field)

    def _make(self, kind: str, make: Callable[..., Shown], css: str, **traits: object) -> Shown:
        shared = {
            name: self._shared[key] for name, key in (("layout", "layout"), ("style", kind)) if key in self._shared
        }
        made = make(_dom_classes=css.split(), **shared, **traits)
        self._made.append(made)
        self._shared.setdefault("layout", made.layout)
        if kind:
            self._shared.setdefault(kind, made.style)
        return made

    def _guarded(self, call: Callable[[], object]) -> None:
        try:
            call()
        except Exception as error:  # noqa: BLE001 - shown in the panel, and logged if unexpected
            self._fail(error)

    @staticmethod
    def _end(widget: Shown) -> None:
        widget.unobserve_all()
        # The front end may have closed its comm before.
        with contextlib.suppress(KeyError):
            widget.close()
        with contextlib.suppress(AttributeError):
            widget.comm = None
