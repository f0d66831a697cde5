"""Where pods may run and how long a launch waits for that, as text: node selectors, tolerations, durations.

Sources: https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set for labels,
https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/ for taints and tolerations.
"""

from __future__ import annotations

import re

from fairing_az_jupyter.settings.naming import BrokenRuleError, tidy

LABELS = "https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set"
TAINTS = "https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/"
# As kubectl takes them (`--timeout 30m`), without parts of a second.
DURATIONS = "https://pkg.go.dev/time#ParseDuration"

_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?"
_PREFIX = r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?/"
_KEY = re.compile(rf"(?:{_PREFIX})?{_NAME}")
_VALUE = re.compile(rf"(?:{_NAME})?")
_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_DURATION = re.compile(r"(?:([0-9]{1,4})h)?(?:([0-9]{1,5})m)?(?:([0-9]{1,7})s?)?")
_LONGEST_SECONDS = 7 * 24 * 3600


def labels_in(text: str) -> dict[str, str]:
    """Return the labels that a text names.

    Args:
        text: `KEY=VALUE` pairs with commas between them, as `kubectl --selector` takes them.

    Raises:
        BrokenRuleError: It is not made of such pairs, or names a key twice.

    """
    found: dict[str, str] = {}
    for part in _parts(text):
        key, equals, value = part.partition("=")
        if not equals:
            raise BrokenRuleError("is not made of KEY=VALUE pairs with commas between them")
        if not _KEY.fullmatch(key) or not _VALUE.fullmatch(value):
            raise BrokenRuleError("has a key or a value that is not a Kubernetes label")
        if found.setdefault(key, value) != value:
            raise BrokenRuleError("has two values for one key")
    return found


def tolerations_in(text: str) -> tuple[dict[str, str], ...]:
    """Return the tolerations that a text names, as Kubernetes writes them.

    Args:
        text: Taints as `kubectl taint` takes them, `KEY[=VALUE][:EFFECT]`, with commas between them. Without a value
            any value is tolerated, without an effect any effect.

    Raises:
        BrokenRuleError: It is not made of taints.

    """
    found = []
    for part in _parts(text):
        taint, colon, effect = part.partition(":")
        key, equals, value = taint.partition("=")
        if not _KEY.fullmatch(key) or not _VALUE.fullmatch(value):
            raise BrokenRuleError("is not made of taints, KEY[=VALUE][:EFFECT], with commas between them")
        if colon and effect not in _EFFECTS:
            meant = next((each for each in _EFFECTS if each.lower() == effect.lower()), "")
            corrected = f"{taint}:{meant}" if meant and "," not in text else ""
            raise BrokenRuleError(f"has an effect that is not one of {', '.join(_EFFECTS)}", corrected=corrected)
        matched = {"operator": "Equal", "value": value} if equals else {"operator": "Exists"}
        found.append({"key": key, **matched, **({"effect": effect} if colon else {})})
    return tuple(found)


def seconds_in(text: str) -> int:
    """Return the seconds that a text stands for.

    Args:
        text: Such as `30m`, `1h30m`, `90s` or `0`; a number without a unit is seconds.

    Raises:
        BrokenRuleError: It is not a duration, or longer than a week.

    """
    found = _DURATION.fullmatch(text)
    if not text or found is None:
        bare = tidy(text).lower().replace(" ", "")
        bare = re.sub(r"(?<=[0-9])(hours?|hrs?)", "h", bare)
        bare = re.sub(r"(?<=[0-9])(minutes?|mins?)", "m", bare)
        bare = re.sub(r"(?<=[0-9])(seconds?|secs?)", "s", bare)
        corrected = bare if bare and bare != text and _DURATION.fullmatch(bare) else ""
        raise BrokenRuleError("is not a duration", corrected=corrected)
    hours, minutes, seconds = (int(part or 0) for part in found.groups())
    total = 3600 * hours + 60 * minutes + seconds
    if total > _LONGEST_SECONDS:
        raise BrokenRuleError("is longer than a week")
    return total


def node_selector(text: str) -> str:
    """Accept a node selector; see `labels_in`, which it raises as."""
    labels_in(text)
    return text


def tolerations(text: str) -> str:
    """Accept tolerations; see `tolerations_in`, which it raises as."""
    tolerations_in(text)
    return text


def duration(text: str) -> str:
    """Accept a duration; see `seconds_in`, which it raises as."""
    seconds_in(text)
    return text


def _parts(text: str) -> list[str]:
    parts = [part.strip() for part in text.split(",")]
    if not all(parts):
        raise BrokenRuleError("has nothing before, between or after its commas")
    return parts
