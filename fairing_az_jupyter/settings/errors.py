"""What is wrong with settings, reported so that it can be fixed: one entry for each, all of them at once."""

from __future__ import annotations

import difflib
import reprlib
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter.exceptions import SettingsError
from fairing_az_jupyter.settings import mlflow_rules, naming

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_SECRETS_HINT = (
    "Remove it there, and renew it if anyone else could see it. Secrets belong in Kubernetes Secrets, such as azcreds."
)
_REPR = reprlib.Repr()
_REPR.maxstring = 120
_NO_MAPPING = ("model_type", "model_attributes_type", "dict_type")
_NO_TEXT = ("string_type", "string_unicode")


class InvalidSettingsError(SettingsError):
    """One or more settings have values that break their rules.

    Args:
        errors: One dict for each setting: `field`, `name` (in the notebook), `message`, `hint`, `suggestion` (the value
            that was probably intended) and `source` (where the value comes from); "" for what is not known.

    """

    def __init__(self, errors: Iterable[Mapping[str, str]]) -> None:
        self.errors: tuple[dict[str, str], ...] = tuple(dict(error) for error in errors)
        messages = [error["message"] for error in self.errors]
        count = f"{len(messages)} settings can't be used: " if len(messages) > 1 else ""
        hints = dict.fromkeys(error["hint"] for error in self.errors if error["hint"])
        super().__init__(count + " ".join(messages), hint=" ".join(hints))

    def __reduce__(self) -> tuple[type[InvalidSettingsError], tuple[tuple[dict[str, str], ...]]]:
        """Survive the way back from a worker process."""
        return type(self), (self.errors,)


def explain(details: Iterable[Mapping[str, Any]], declared: Mapping[str, Mapping[str, Any]]) -> list[dict[str, str]]:
    """Turn pydantic's errors into one entry for each setting.

    Args:
        details: What `ValidationError.errors()` gives.
        declared: What is declared of each setting, by field.

    Returns:
        Entries as `InvalidSettingsError` takes them.

    """
    entries: dict[str, dict[str, str]] = {}
    for detail in details:
        field = str(detail["loc"][0]) if detail["loc"] else ""
        if field in declared:
            entry = _broken(field, declared[field], detail)
        elif field:
            entry = unknown(field, declared)
        elif detail["type"] in _NO_MAPPING:
            entry = _entry(
                "", "", "Settings have to be a mapping of names to values.", f"Settings: {', '.join(declared)}."
            )
        else:
            entry = _entry("", "", f"The settings do not go together: {detail['msg']}.", "")
        entries.setdefault(field, entry)
    return list(entries.values())


def unknown(name: str, declared: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Tell that there is no setting of a name, and which was probably intended.

    Args:
        name: The name that was used.
        declared: What is declared of each setting, by field.

    Returns:
        An entry as `InvalidSettingsError` takes it.

    """
    if len(name) > naming.LONGEST_TEXT or naming.looks_secret(name):
        return _entry("", "", "A name that is very long or looks like a secret is not a setting.", _SECRETS_HINT)
    shown = _REPR.repr(name)
    for field, each in declared.items():
        if name == each["notebook_name"]:
            return _entry(name, name, f"{shown} is the setting's name in the notebook.", f"Use {field!r} here.")
    # `azure_secret_nam` is a slip; `azure_client_secret` is somebody about to store one.
    cutoff = 0.9 if naming.names_secret(name) else 0.6
    near = difflib.get_close_matches(name.lower().replace("-", "_"), declared, n=1, cutoff=cutoff)
    if near:
        return _entry(name, "", f"{shown} is not a setting.", f"Did you mean {near[0]!r}?")
    if naming.names_secret(name):
        return _entry(name, "", f"{shown} is not a setting: secret values are never settings.", _SECRETS_HINT)
    return _entry(name, "", f"{shown} is not a setting.", f"Settings: {', '.join(declared)}.")


def needed(field: str, declared: Mapping[str, Any], backend: str) -> dict[str, str]:
    """Tell that a setting is empty without which a backend can launch nothing.

    Args:
        field: The setting.
        declared: What is declared of it.
        backend: The backend's name.

    Returns:
        An entry as `InvalidSettingsError` takes it.

    """
    name = declared["notebook_name"]
    message = f"{name} ({field}) is empty. {backend} can't launch anything without it."
    return _entry(field, name, message, _like(declared))


def below(field: str, value: str, other: str, least: str, declared: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Tell that a limit is below what is asked for, which Kubernetes rejects.

    Args:
        field: The limit's setting.
        value: Its value.
        other: The setting that says what is asked for.
        least: Its value.
        declared: What is declared of each setting, by field.

    Returns:
        An entry as `InvalidSettingsError` takes it.

    """
    name, asked = declared[field]["notebook_name"], declared[other]["notebook_name"]
    message = (
        f"{name} ({field}) = {value!r} is less than {asked} ({other}) = {least!r}: no pod can ask for more than its "
        "limit."
    )
    return _entry(field, name, message, f"Raise {name} to {least!r} or more, or leave it empty.", least)


def _broken(field: str, declared: Mapping[str, Any], detail: Mapping[str, Any]) -> dict[str, str]:
    name, value = declared["notebook_name"], detail["input"]
    rule = detail.get("ctx", {}).get("error")
    if isinstance(value, str) and naming.looks_secret(value[: naming.LONGEST_TEXT]):
        message = f"{name} ({field}) holds what looks like a secret (not shown); a setting never does."
        return _entry(field, name, message, mlflow_rules.LOGIN if field == "mlflow_tracking_uri" else _SECRETS_HINT)
    corrected = ""
    if isinstance(rule, naming.BrokenRuleError):
        problem = rule.problem
        corrected = "" if naming.looks_placeholder(rule.corrected) else rule.corrected
    elif "enum" in declared:
        choices = {str(choice).lower(): str(choice) for choice in declared["enum"]}
        problem = f"is not one of {', '.join(choices.values())}"
        near = difflib.get_close_matches(str(value)[:80].strip().lower(), choices, n=1, cutoff=0.85)
        corrected = choices[near[0]] if near else ""
    else:
        problem = "is not text" if detail["type"] in _NO_TEXT else f"is rejected: {detail['msg']}"
    hint = f"Write {name} = {corrected!r}." if corrected else _like(declared)
    return _entry(field, name, f"{name} ({field}) = {_shown(value)} {problem}.", hint, corrected)


def _like(declared: Mapping[str, Any]) -> str:
    example = next(iter(declared.get("examples", [])), declared.get("default"))
    return f"Write it like this: {declared['notebook_name']} = {example!r}."


def _entry(field: str, name: str, message: str, hint: str, suggestion: str = "") -> dict[str, str]:
    entry = {"field": field, "name": name, "message": message, "hint": hint}
    return entry | {"suggestion": suggestion, "source": ""}


def _shown(value: object) -> str:
    """Return a value for a message; of anything that could hold a secret further down, only its type."""
    if isinstance(value, str) and len(value) > naming.LONGEST_TEXT:
        return f"<text of {len(value)} characters>"
    plain = value is None or isinstance(value, str | bool | int | float)
    return _REPR.repr(value) if plain else f"<{type(value).__name__}>"
