"""Where the value of a parameter comes from, reported in errors so that it is found and can be written anew."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fairing_az_jupyter.settings import naming

if TYPE_CHECKING:
    from collections.abc import Mapping

DEEPEST = 50
"""Deeper than any sound value is nested, and less than Python's own limit."""

_LONGEST = 200


@dataclass(frozen=True)
class Origin:
    """Where a value comes from.

    Args:
        phrase: Told behind the parameter's name, such as `from params.yaml`; "" where who reads it has just typed it.
        prefix: What stands before the value where it is written, such as `FAIRING_PARAM_RATE=`.
        is_text: Whether it is written there as words of a shell; else as in JSON and YAML.

    """

    phrase: str
    prefix: str
    is_text: bool = True

    def written(self, value: object) -> str:
        """Return how a value is written there."""
        if not self.is_text:
            return self.prefix + json.dumps(value, ensure_ascii=False)
        if isinstance(value, (list, dict)):
            # With double quotes inside, so that a shell's single ones stand around it.
            return self.prefix + shlex.quote(json.dumps(value, ensure_ascii=False))
        return self.prefix + shlex.quote(str(value))


def on_command_line(name: str, phrase: str = "") -> Origin:
    """Return the origin of a value that `-p` gives, or could give instead of what the phrase names."""
    return Origin(phrase, f"-p {name} ")


def origin_of(name: str, origins: Mapping[str, Origin] | None) -> Origin:
    """Return where a parameter's value comes from; where that is unknown, it was typed."""
    return (origins or {}).get(name) or on_command_line(name)


def subject(name: str, origins: Mapping[str, Origin] | None) -> str:
    """Return the beginning of a sentence about a parameter: its name, and where its value comes from."""
    phrase = origin_of(name, origins).phrase
    return f"Parameter '{name}', {phrase}," if phrase else f"Parameter '{name}'"


def shown(value: object) -> str:
    """Return a value as Python, cut where it is long; the notebook's own may be a secret, which nobody is shown."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):
        # Python limits the digits of a number that it writes.
        return "too long to be shown"
    if naming.looks_secret(text):
        return "(hidden)"
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."
