"""The flags of the settings: `--docker-registry`, and of one that is true or false two, `--spot` and `--no-spot`."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from fairing_az_jupyter.operations.declaration import Operation

__all__ = ["declared", "fields_of", "setting_flag", "setting_flags", "switch_values", "without_switch_values"]

_SWITCH_WORDS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
"""The values that may follow the flag of a setting that is true or false; any other word is somebody else's."""


@functools.cache
def declared() -> Mapping[str, Mapping[str, Any]]:
    """Return what is declared of each setting, by field."""
    found: Mapping[str, Mapping[str, Any]] = Settings.model_json_schema()["properties"]
    return found


def fields_of(operation: Operation[Any]) -> tuple[str, ...]:
    """Return the settings that an operation reads, in the order of their declaration.

    Args:
        operation: The operation.

    """
    wanted = operation.sources.settings
    return tuple(field for field in Settings.model_fields if "*" in wanted or field in wanted)


def setting_flag(field: str) -> str:
    """Return the flag of a setting, such as `--docker-registry`."""
    return f"--{field.replace('_', '-')}"


def setting_flags(field: str) -> tuple[str, ...]:
    """Return all flags of a setting: of one that is true or false two, such as `--spot` and `--no-spot`."""
    flag = setting_flag(field)
    return (flag, f"--no-{flag.removeprefix('--')}") if declared()[field].get("type") == "boolean" else (flag,)


def without_switch_values(words: Sequence[str], fields: Iterable[str]) -> list[str]:
    """Write the flags of settings that are true or false in one way: without a value.

    `--spot` alone is how people write it, `--spot true` and `--spot=false` is how programs do that have a value for
    every setting. An option with an optional value would take the notebook behind it for its value.

    Args:
        words: The words of a command line.
        fields: The settings that count.

    Returns:
        The words, with `--spot` for `--spot=true` and `--spot true`, and `--no-spot` for `--spot=false`.

    """
    switches = {setting_flag(field) for field in fields if len(setting_flags(field)) > 1}
    found: list[str] = []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word == "--":
            return [*found, word, *rest]
        flag, equals, value = word.partition("=")
        if flag not in switches:
            found.append(word)
            continue
        if not equals and rest and rest[0].lower() in _SWITCH_WORDS:
            value, equals = rest.pop(0), " "
        is_on = _SWITCH_WORDS.get(value.lower()) if equals else True
        found.append(word if is_on is None else flag if is_on else f"--no-{flag.removeprefix('--')}")
    return found


def switch_values(words: Sequence[str], fields: Iterable[str]) -> str:
    """Return the flag of a setting that is true or false and was given something else; empty if there is none.

    Args:
        words: The words, after `without_switch_values`.
        fields: The settings that count.

    """
    flags = {flag for field in fields if len(setting_flags(field)) > 1 for flag in setting_flags(field)}
    for word in words:
        if word == "--":
            return ""
        flag, equals, _ = word.partition("=")
        if equals and flag in flags:
            return flag
    return ""
