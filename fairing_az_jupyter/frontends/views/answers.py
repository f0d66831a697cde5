"""What a command has found: as JSON, as lines for a terminal, and as an object that a notebook shows."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

from fairing_az_jupyter.frontends.views import tables
from fairing_az_jupyter.frontends.views.results import Results, Values

__all__ = ["Answer", "of_anything"]


@dataclasses.dataclass(frozen=True)
class Answer:
    """What a command has found: for programs, for Python, and for people.

    Args:
        document: The answer as `--json` prints it.
        result: What a magic returns, and shows.
        lines: What a terminal shows; None for the result's own table.
        exit_code: The exit code of the command line.

    """

    document: object
    result: Results[Any] | Values
    lines: Sequence[str] | None = None
    exit_code: int = 0

    def text(self) -> list[str]:
        """Return the lines for a terminal."""
        return self.result.table.lines() if self.lines is None else list(self.lines)


def of_anything(found: object) -> Answer:
    """Return an answer of which nothing is known but its type.

    Args:
        found: A mapping, a record with `to_dict` or fields, a list of such, or text.

    """
    if isinstance(found, Sequence) and not isinstance(found, str):
        documents = [_plain(each) for each in found]
        rows = [[_shown(value) for value in _facts(each).values()] for each in documents]
        titles = [name.upper().replace("_", " ") for name in _facts(documents[0])] if documents else ()
        return Answer(documents, Results(found, tables.Table(titles, rows, (), "Nothing was found.")))
    document = _plain(found)
    facts = _facts(document)
    lines = [str(found)] if isinstance(found, str) else None
    table = tables.of_facts({name: _shown(value) for name, value in facts.items()})
    return Answer(document, Values(facts, table), lines)


def _plain(found: object) -> Any:  # noqa: ANN401 - what JSON has
    if hasattr(found, "to_dict"):
        return found.to_dict()
    if hasattr(found, "model_dump"):
        return found.model_dump(mode="json")
    if dataclasses.is_dataclass(found) and not isinstance(found, type):
        return dataclasses.asdict(found)
    return dict(found) if isinstance(found, Mapping) else found


def _facts(document: object) -> Mapping[str, Any]:
    return document if isinstance(document, Mapping) else {"result": document}


def _shown(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)
