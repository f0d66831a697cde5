"""What the services return, as tables for people: titles, rows and notes, the same in a terminal and in a notebook."""

from __future__ import annotations

import dataclasses
import json
from html import escape
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter.frontends.views.checks.check_report import line
from fairing_az_jupyter.frontends.views.launch import badge

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from fairing_az_jupyter.models import LaunchInfo, Prediction, SecretState

__all__ = [
    "Table",
    "of_everyones_launches",
    "of_explained",
    "of_facts",
    "of_launch",
    "of_launches",
    "of_prediction",
    "of_secrets",
    "of_values",
    "owner_of",
    "shown",
]

_CELL = "text-align:left;vertical-align:top;padding:0.3em 1.2em 0.3em 0;white-space:normal;word-break:break-word"
_STATE_TITLES = frozenset({"STATE", "State"})
_STATES = {
    "succeeded": "succeeded",
    "ready": "ready",
    "failed": "failed",
    "broken": "failed",
    "lost": "failed",
    "cancelled": "cancelled",
    "running": "running",
    "waiting": "running",
    "pending": "running",
}


@dataclasses.dataclass(frozen=True)
class Table:
    """Rows under titles, and what there is to say about them.

    Args:
        titles: The titles, in capitals; none where each row begins with its own.
        rows: The rows; every row has as many cells as every other.
        notes: Sentences below.
        empty: What to say where there is no row.

    """

    titles: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()
    empty: str = ""

    def lines(self) -> list[str]:
        """Return it as lines of plain text."""
        if not self.rows:
            return [text for text in (self.empty, *self.notes) if text]
        rows = [[line(cell) for cell in row] for row in self.rows]
        shown = [list(self.titles), *rows] if self.titles else [[f"{name}:", *cells] for name, *cells in rows]
        widths = [max(len(row[column]) for row in shown) for column in range(len(shown[0]))]
        gap = "  " if self.titles else " "
        lines = [gap.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in shown]
        return [*lines, *(["", *self.notes] if self.notes else [])]

    def plain(self) -> str:
        """Return it as plain text."""
        return "\n".join(self.lines())

    def html(self) -> str:
        """Return it as HTML for a notebook; it has the theme's own colours."""
        notes = "".join(f"<div>{escape(note)}</div>" for note in self.notes)
        if not self.rows:
            empty = f"<div>{escape(self.empty)}</div>" if self.empty else ""
            return f'<div class="fairing-az-table">{empty}{notes}</div>'
        heads = "".join(f'<th scope="col" style="{_CELL};font-weight:bold">{escape(head)}</th>' for head in self.titles)
        head = f"<thead><tr>{heads}</tr></thead>" if heads else ""
        body = "".join(f"<tr>{''.join(self._cells(row))}</tr>" for row in self.rows)
        table = f'<table style="border-collapse:collapse;margin-left:0">{head}<tbody>{body}</tbody></table>'
        return f'<div class="fairing-az-table">{table}{notes}</div>'

    def _cells(self, row: Sequence[str]) -> Iterable[str]:
        for column, cell in enumerate(row):
            title = self.titles[column] if self.titles else row[0] if column else ""
            text = badge(cell, _STATES.get(cell, "")) if title in _STATE_TITLES else escape(line(cell))
            if column == 0:
                yield f'<th scope="row" style="{_CELL};font-weight:{"inherit" if self.titles else "bold"}">{text}</th>'
            else:
                yield f'<td style="{_CELL}">{text}</td>'


def of_facts(facts: Mapping[str, str]) -> Table:
    """Return facts by their names; those that say nothing are left out."""
    return Table((), [(name, value) for name, value in facts.items() if value])


def of_launches(launches: Iterable[LaunchInfo], note: str = "") -> Table:
    """Return launches.

    Args:
        launches: The launches.
        note: What else there is to say.

    """
    found = list(launches)
    rows = [(info.name, info.kind, info.state, owner_of(info), info.created or "-", _url(info)) for info in found]
    details = [f"{info.name}: {line(info.detail)}" for info in found if info.detail]
    titles = ("NAME", "KIND", "STATE", "OWNER", "CREATED", "URL")
    return Table(titles, rows, [*details, *([note] if note else [])], "No launches found.")


def of_everyones_launches(launches: Iterable[LaunchInfo], note: str = "") -> Table:
    """Return launches of several namespaces, with who has launched them and from where.

    Args:
        launches: The launches.
        note: What else there is to say.

    """
    names = ("namespace", "owner", "name", "kind", "state", "created", "notebook", "run", "sweep")
    rows = [
        [owner_of(info) if name == "owner" else str(getattr(info, name)) or "-" for name in names] for info in launches
    ]
    return Table([name.upper() for name in names], rows, [note] if note else [], "No launches found.")


def of_launch(info: LaunchInfo) -> Table:
    """Return all that is known of one launch."""
    return of_facts(
        {
            "Name": info.name,
            "Kind": info.kind,
            "State": info.state,
            "Detail": info.detail,
            "Namespace": info.namespace,
            "Owner": owner_of(info),
            "Created": info.created,
            "Notebook": info.notebook,
            "Run": info.run,
            "Sweep": info.sweep,
            "Image": info.image,
            "URL": f"{info.url}{' (public: anyone who has the address can use it)' if info.public else ''}"
            if info.url
            else "",
            "Launched by": "Kubeflow Fairing" if info.origin == "kubeflow-fairing" else info.origin,
        }
    )


def of_prediction(found: Prediction) -> Table:
    """Return predictions, a row for each."""
    number = f"{len(found.values)} prediction{'' if len(found.values) == 1 else 's'}"
    rows = [(str(row), json.dumps(value)) for row, value in enumerate(found.values, start=1)]
    return Table(
        ("ROW", "PREDICTION"), rows, [f"{number} in {found.latency:.3f} s from {found.url}"], "No predictions."
    )


def of_explained(explained: Sequence[Mapping[str, Any]], *, sources: bool) -> Table:
    """Return the settings in force.

    Args:
        explained: What `settings_in_force(...).explain()` says of each, as a dictionary.
        sources: Whether to say also where each comes from, and what it overrides.

    """
    if not sources:
        return Table(("NAME", "VALUE"), [(each["notebook_name"], shown(each["value"])) for each in explained])
    rows = [(each["notebook_name"], shown(each["value"]), each["source"], _overrides(each)) for each in explained]
    return Table(("NAME", "VALUE", "SOURCE", "OVERRIDES"), rows)


def of_values(values: Mapping[str, Any]) -> Table:
    """Return settings of a profile."""
    return Table(("SETTING", "VALUE"), [(field, shown(value)) for field, value in values.items()], (), "No settings.")


def of_secrets(states: Iterable[SecretState]) -> Table:
    """Return what there is of the Secrets, and never a value."""
    rows = [
        (
            state.kind,
            state.name,
            state.namespace,
            state.state.replace("-", " "),
            state.type or "-",
            ", ".join(state.keys) or "-",
            state.created or "-",
            state.expires or "-",
        )
        for state in states
    ]
    return Table(("KIND", "NAME", "NAMESPACE", "STATE", "TYPE", "KEYS", "CREATED", "EXPIRES"), rows)


def owner_of(info: LaunchInfo) -> str:
    """Return who has launched something, for people."""
    return info.owner or ("(Kubeflow Fairing)" if info.origin == "kubeflow-fairing" else "-")


def shown(value: object) -> str:
    """Return a setting's value, for people."""
    return "-" if value is None else str(value)


def _url(info: LaunchInfo) -> str:
    return f"{info.url}{' (public)' if info.public else ''}" if info.url else "-"


def _overrides(explained: Mapping[str, Any]) -> str:
    return ", ".join(f"{source}: {shown(value)}" for source, value in explained["overridden"])
