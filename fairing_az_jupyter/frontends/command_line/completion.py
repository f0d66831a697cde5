"""What can follow in a line, in a cell and in a shell: from the operations, and from what there is to name."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter.exceptions import FairingAzureError
from fairing_az_jupyter.frontends.command_line.setting_flags import declared, fields_of, setting_flags
from fairing_az_jupyter.operations.declaration import PROGRAM
from fairing_az_jupyter.operations.registry import find, in_group, operations
from fairing_az_jupyter.operations.words import Option

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from fairing_az_jupyter.operations.declaration import Operation, Place
    from fairing_az_jupyter.operations.words import Completes

__all__ = ["VARIABLE", "Completions", "Match", "answer_shell", "complete", "script"]

VARIABLE = "_FAIRING_AZURE_COMPLETE"
"""The environment variable by which a shell asks."""

_LINE = re.compile(r"^\s*(?:[\w.\[\]'\", ]+=\s*)?(%{1,2}fairing_azure)\s+(.*)$", re.DOTALL)
_MOST = 200
_RUNS = 20
_SUFFIXES = {"notebook": (".ipynb",), "data": (".csv", ".json"), "task": (".py", ".ipynb")}
_PATHS = frozenset({"file", "folder", *_SUFFIXES})


@dataclasses.dataclass(frozen=True)
class Match:
    """One thing that can follow.

    Args:
        text: What takes the fragment's place.
        kind: What it is: `command`, `option`, `value`, `class`, `path` or `name`.

    """

    text: str
    kind: str


@dataclasses.dataclass(frozen=True)
class Completions:
    """What can follow.

    Args:
        fragment: What is typed of it already.
        matches: What it can become.

    """

    fragment: str
    matches: tuple[Match, ...]


@dataclasses.dataclass(frozen=True)
class _Spot:
    """A place in a line where something can stand.

    Args:
        flags: The flags before it; none for an argument.
        words: How many words; 0 for a flag alone, -1 for any number.
        completes: What kind of value it is.
        choices: What it may be, where that is a short list.
        again: Whether its flag may be given again.

    """

    flags: tuple[str, ...]
    words: int
    completes: Completes = ""
    choices: tuple[str, ...] = ()
    again: bool = False


def complete(line: str, names: Mapping[str, Any], seen: Callable[[], Iterable[str]] = tuple) -> Completions | None:
    """Return what can follow in a cell's line up to the cursor.

    Args:
        line: The line up to the cursor.
        names: The notebook's variables.
        seen: Returns the names of launches that were shown in this notebook.

    Returns:
        What can follow; None where the line is not a magic's.

    """
    found = _LINE.match(line)
    if found is None:
        return None
    words, fragment = _split(found[2])
    matches: Iterable[Match] = ()
    # Completion is a help: whatever can't be looked at is left out.
    with contextlib.suppress(FairingAzureError, OSError, ValueError):
        matches = list(_Names(names, seen).matches(words, fragment, "magic"))
    wanted = (match for match in matches if match.text.startswith(fragment))
    return Completions(fragment, tuple(dict.fromkeys(wanted))[:_MOST])


def script(shell: str) -> str:
    """Return the script that lets a shell complete the command line.

    Args:
        shell: `bash`, `zsh` or `fish`.

    """
    return f"{_shell(shell).source()}\n"


def answer_shell(asked: str) -> None:
    """Print what can follow, as the script of a shell reads it.

    Args:
        asked: What its environment variable holds, such as `bash_complete`.

    """
    from click.shell_completion import CompletionItem  # noqa: PLC0415 - only for completion

    shell = _shell(asked.partition("_")[0])
    words, fragment = shell.get_completion_args()
    matches: Iterable[Match] = ()
    with contextlib.suppress(FairingAzureError, OSError, ValueError):
        matches = list(_Names({}, tuple).matches(words, fragment, "terminal"))
    texts = [each.text for each in dict.fromkeys(matches) if each.text.startswith(fragment)]
    items = [CompletionItem(text) for text in texts]
    if len(texts) == 1 and texts[0].endswith("/"):
        # The shell itself completes the next part, without a blank in between.
        items = [CompletionItem(fragment, type="dir")]
    sys.stdout.writelines(f"{shell.format_completion(item)}\n" for item in items)


def _shell(name: str) -> Any:  # noqa: ANN401 - click's own
    from click import Command  # noqa: PLC0415 - as above
    from click.shell_completion import get_completion_class  # noqa: PLC0415 - as above

    kind = get_completion_class(name)
    if kind is None:
        msg = f"no completion for {name}"
        raise ValueError(msg)
    return kind(Command(PROGRAM), {}, PROGRAM, VARIABLE)


def _split(text: str) -> tuple[list[str], str]:
    """Return the words that are finished, and the one that is being typed."""
    whole, _, last = text.rpartition(" ") if not text[-1:].isspace() else (text, "", "")
    try:
        return shlex.split(whole), last
    except ValueError:
        return whole.split(), last


def _spots(operation: Operation[Any]) -> list[_Spot]:
    """Return all places of a command's line."""
    found = []
    for field in operation.typed_fields:
        word = field.word
        many = field.kind == "many"
        if isinstance(word, Option):
            number = 0 if field.kind == "switch" else -1 if word.words == "several" else word.words
            found.append(_Spot(word.flags, number, word.completes, field.choices, again=many))
        else:
            found.append(_Spot((), -1 if many else 1, word.completes, field.choices))
    for name in fields_of(operation):
        flags = setting_flags(name)
        choices = tuple(map(str, declared()[name].get("enum") or ()))
        found.append(_Spot(flags, 1 if len(flags) == 1 else 0, choices=choices))
    return [*found, *(_Spot((flag,), 0) for flag in ("--json", "--debug", "--help"))]


class _Names:
    """What there is to name.

    Args:
        names: The notebook's variables.
        seen: Returns the names of launches that were shown before.

    """

    def __init__(self, names: Mapping[str, Any], seen: Callable[[], Iterable[str]]) -> None:
        self._names, self._seen = names, seen

    def matches(self, words: Sequence[str], fragment: str, place: Place) -> Iterator[Match]:
        """Yield what can follow, also what does not begin with the fragment.

        Args:
            words: The words that are finished.
            fragment: The word that is being typed.
            place: Where it is typed.

        """
        words = list(words[1:] if words[:1] == ["help"] else words)
        known = operations(place)
        if not words:
            yield from (Match(name, "command") for name in dict.fromkeys(each.first_word for each in known))
            return
        operation, rest = find(words[0]), words[1:]
        if operation is None:
            inside = in_group(words[0])
            if not rest:
                yield from (Match(each.action, "command") for each in inside if place in each.places)
                return
            operation, rest = find(" ".join(words[:2])), words[2:]
        if operation is not None:
            yield from self._of_operation(operation, rest, fragment)

    def _of_operation(self, operation: Operation[Any], words: list[str], fragment: str) -> Iterator[Match]:
        spots = _spots(operation)
        waiting = _waiting(spots, words)
        if waiting is not None and not fragment.startswith("-"):
            yield from self._values(waiting, fragment, operation, words)
            if waiting.words != -1 or words[-1].startswith("-"):
                return
        elif fragment.startswith("-"):
            yield from _options(spots, words)
            return
        place = _next_argument(spots, words)
        if place is not None:
            yield from self._values(place, fragment, operation, words)

    def _values(self, spot: _Spot, fragment: str, operation: Operation[Any], words: Sequence[str]) -> Iterator[Match]:
        if spot.choices:
            yield from (Match(choice, "value") for choice in spot.choices)
            return
        if spot.completes == "task":
            yield from self._tasks(operation)
        elif spot.completes == "profile":
            yield from _profiles()
        elif spot.completes == "launch":
            yield from self._launches()
        elif spot.completes == "run":
            yield from _runs()
        elif spot.completes == "parameter":
            yield from _parameters(words)
        elif spot.completes == "output":
            yield from _outputs(words)
        if spot.completes in _PATHS:
            suffixes = _SUFFIXES.get(spot.completes, ())
            yield from _paths(fragment, suffixes, folders_only=spot.completes == "folder")

    def _tasks(self, operation: Operation[Any]) -> Iterator[Match]:
        from fairing_az_jupyter import services  # noqa: PLC0415 - what completes commands needs none

        for task in reversed(services.launchable(self._names)):
            if task.can_train if operation.name == "train" else task.can_deploy:
                yield Match(task.name, "class" if task.kind == "class" else "function")

    def _launches(self) -> Iterator[Match]:
        from fairing_az_jupyter import services  # noqa: PLC0415 - as above

        # Tab must not wait for a cluster: only launches that were shown in this notebook are offered.
        yield from (Match(info.name, "name") for info in services.local_launches(services.Session()))
        yield from (Match(name, "name") for name in self._seen())


def _options(spots: Iterable[_Spot], words: Sequence[str]) -> Iterator[Match]:
    """Yield the options that are not given yet, or that may be given again."""
    given = {word.partition("=")[0] for word in words}
    for spot in spots:
        long = [flag for flag in spot.flags if flag.startswith("--")]
        if long and (spot.again or given.isdisjoint(spot.flags)):
            yield from (Match(flag, "option") for flag in (long if spot.words == 0 else long[:1]))


def _waiting(spots: Iterable[_Spot], words: Sequence[str]) -> _Spot | None:
    """Return the option whose value comes next, or may come next."""
    by_flag = {flag: spot for spot in spots for flag in spot.flags}
    for distance, word in enumerate(reversed(words)):
        if not word.startswith("-"):
            continue
        spot = by_flag.get(word)
        if spot is None or spot.words == 0:
            return None
        return spot if spot.words == -1 or distance < spot.words else None
    return None


def _next_argument(spots: Iterable[_Spot], words: Sequence[str]) -> _Spot | None:
    """Return the argument whose place comes next; the last one where it takes any number of words."""
    by_flag = {flag: spot for spot in spots for flag in spot.flags}
    taken, skip, greedy = 0, 0, False
    for word in words:
        if word.startswith("-"):
            spot = by_flag.get(word)
            greedy = spot is not None and spot.words == -1
            skip = 0 if spot is None or greedy else spot.words
        elif skip:
            skip -= 1
        elif not greedy:
            taken += 1
    places = [spot for spot in spots if not spot.flags]
    if taken < len(places):
        return places[taken]
    return places[-1] if places and places[-1].words == -1 else None


def _profiles() -> Iterator[Match]:
    from fairing_az_jupyter.settings.profiles import ProfileStore  # noqa: PLC0415 - what completes commands needs none

    yield from (Match(name, "name") for name in ProfileStore().list())


def _runs() -> Iterator[Match]:
    from fairing_az_jupyter.services import Session  # noqa: PLC0415 - as above

    yield Match("last", "name")
    yield from (Match(info.id, "name") for info in Session().store.list(limit=_RUNS))


def _outputs(words: Sequence[str]) -> Iterator[Match]:
    from fairing_az_jupyter.services import Session  # noqa: PLC0415 - as above
    from fairing_az_jupyter.services.outputs.lookup import names_here  # noqa: PLC0415 - as above

    launch = next((word for word in words if not word.startswith("-")), "")
    for name in names_here(Session(), launch):
        yield Match(shlex.quote(name) if " " in name else name, "path")


def _parameters(words: Sequence[str]) -> Iterator[Match]:
    from fairing_az_jupyter import services  # noqa: PLC0415 - as above

    notebook = next((word for word in words if word.endswith(".ipynb")), None)
    if notebook is not None and words[-1].startswith("-"):
        yield from (Match(each.name, "name") for each in services.describe_parameters(services.Session(), notebook))


def _paths(fragment: str, suffixes: Sequence[str], *, folders_only: bool) -> Iterator[Match]:
    """Yield files and folders that a path can become; those with other endings only where none is asked for."""
    head, _, tail = fragment.rpartition("/")
    base = Path(head or ("/" if fragment.startswith("/") else ".")).expanduser()
    with os.scandir(base) as scan:
        entries = sorted(scan, key=lambda entry: entry.name)
    for entry in entries:
        if not entry.name.startswith(tail) or (entry.name.startswith(".") and not tail.startswith(".")):
            continue
        is_folder = entry.is_dir()
        if not is_folder and (folders_only or (suffixes and not entry.name.lower().endswith(tuple(suffixes)))):
            continue
        path = f"{head}/{entry.name}" if head or fragment.startswith("/") else entry.name
        text = f"{path}/" if is_folder else path
        yield Match(shlex.quote(text) if " " in text else text, "path")
