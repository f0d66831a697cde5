"""What a panel shows as plain tables: for who opens the notebook without its kernel."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from fairing_az_jupyter.frontends.panel.sections.setting_field import source_word, text_of
from fairing_az_jupyter.frontends.panel.style_sheet import static
from fairing_az_jupyter.frontends.views.checks import check_report, check_report_html
from fairing_az_jupyter.settings import cell_fields

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fairing_az_jupyter.frontends.panel.state.shared_state import SharedState

__all__ = ["html", "plain"]

# In the elements: who has not run the notebook gets no style sheet of it.
_CELL = "text-align:left;vertical-align:top;padding:0.1em 1.2em 0.1em 0;white-space:normal;overflow-wrap:anywhere"
_LIVE = "The panel as it was last shown. Run its cell again for the live panel."


def html(state: SharedState, name: str) -> str:
    """Return the tables as HTML.

    Args:
        state: What all panels share.
        name: The class by which the live panel hides them.

    """
    chosen, others = _settings(state)
    titles = ("Setting", "Value", "From")
    parts = [
        _head("Settings"),
        _table(titles, chosen),
        f"<details><summary>{_defaults(others)}</summary>{_table(titles, others)}</details>",
        _head("Checks"),
        check_report_html.html(state.checks.results, instead=state.checks.instead)
        if state.checks.state != "none"
        else "<div>Not checked.</div>",
    ]
    if state.launches.launches:
        parts += [_head("Launches"), *(f"<div>{each.view.html()}</div>" for each in state.launches.launches)]
    if state.endpoints.endpoints:
        parts += [_head("Endpoints"), _table(("Endpoint", "State", "Where", "Address"), _endpoints(state))]
    head = f"<strong>Fairing on Azure</strong><div>{_LIVE}</div>"
    return f'{static()}<div class="fairing-az-static {name}">{head}{"".join(parts)}</div>'


def plain(state: SharedState) -> str:
    """Return the tables as plain text.

    Args:
        state: What all panels share.

    """
    chosen, others = _settings(state)
    parts = [f"Fairing on Azure. {_LIVE}", "", "Settings", *_lines(chosen)]
    parts += [f"  {_defaults(others)}.", "", "Checks"]
    parts.append(
        check_report.plain(state.checks.results, instead=state.checks.instead)
        if state.checks.state != "none"
        else "  Not checked."
    )
    if state.launches.launches:
        parts += ["", "Launches", *(each.view.plain() for each in state.launches.launches)]
    if state.endpoints.endpoints:
        parts += ["", "Endpoints", *_lines(_endpoints(state))]
    return "\n".join(parts)


def _settings(state: SharedState) -> tuple[list[tuple[str, ...]], list[tuple[str, ...]]]:
    """Return those that every notebook has or somebody has chosen, and those that have their defaults."""
    settings, always = state.settings, cell_fields()
    chosen: list[tuple[str, ...]] = []
    others: list[tuple[str, ...]] = []
    for each in settings.explained.values():
        row = (each.notebook_name, text_of(each.value) or "-", source_word(each.source, settings.in_force))
        (chosen if each.field in always or each.source != "default" else others).append(row)
    return chosen, others


def _defaults(others: Sequence[object]) -> str:
    return f"{len(others)} other settings have their defaults"


def _endpoints(state: SharedState) -> list[tuple[str, ...]]:
    return [
        (each.name, each.state, "this machine" if each.place == "here" else f"namespace {each.namespace}", each.url)
        for each in state.endpoints.endpoints or ()
    ]


def _table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    heads = "".join(f'<th scope="col" style="{_CELL}">{title}</th>' for title in titles)
    cells = [[f'<td style="{_CELL}">{escape(check_report.line(cell))}</td>' for cell in row] for row in rows]
    body = "".join(f"<tr>{''.join(row)}</tr>" for row in cells)
    style = "border-collapse:collapse;margin-left:0"
    return f'<table style="{style}"><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>'


def _head(title: str) -> str:
    return f'<div style="margin:0.8em 0 0.2em"><strong>{title}</strong></div>'


def _lines(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = (
        [max(len(check_report.line(row[column])) for row in rows) for column in range(len(rows[0]))] if rows else []
    )
    return [
        "  " + "  ".join(check_report.line(cell).ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
