"""What can follow in a line of `%fairing_azure`, from the grammar itself and from what there is to name."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import functools
import os
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter.exceptions import FairingAzureError
from fairing_az_jupyter.frontends.grammar import parser as grammar
from fairing_az_jupyter.frontends.grammar.parts import FILES, FOLDERS, Commands

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

__all__ = ["Completions", "Match", "complete"]

_LINE = re.compile(r"^\s*(?:[\w.\[\]'\", ]+=\s*)?(%{1,2}fairing_azure)\s+(.*)$", re.DOTALL)
_PROGRAM = "%fairing_azure"
_MOST = 200
_RUNS = 20
_SUFFIXES = {"notebook": (".ipynb",), "data": (".csv", ".json"), "task": (".py", ".ipynb")}


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


def complete(line: str, names: Mapping[str, Any]) -> Completions | None:
    """Return what can follow in a line up to the cursor.

    Args:
        line: The line up to the cursor.
        names: The notebook's variables.

    Returns:
        What can follow; None where the line is no magic's.

    """
    found = _LINE.match(line)
    if found is None:
        return None
    words, fragment = _split(found[2])
    matches: Iterable[Match] = ()
    # Completion is a help: whatever can't be looked at is left out.
    with contextlib.suppress(FairingAzureError, OSError, ValueError):
        matches = list(_matches(words, fragment, names))
    wanted = (match for match in matches if match.text.startswith(fragment))
    return Completions(fragment, tuple(dict.fromkeys(wanted))[:_MOST])


@functools.cache
def _grammar() -> argparse.ArgumentParser:
    return grammar.parser(_PROGRAM, discreet=True)


def _split(text: str) -> tuple[list[str], str]:
    """Return the words that are finished, and the one that is being typed."""
    whole, _, last = text.rpartition(" ") if not text[-1:].isspace() else (text, "", "")
    try:
        return shlex.split(whole), last
    except ValueError:
        return whole.split(), last


def _matches(words: Sequence[str], fragment: str, names: Mapping[str, Any]) -> Iterator[Match]:
    if words[:1] == ["help"]:
        words = words[1:]
    parser, rest = _grammar(), list(words)
    while (choosing := _commands_of(parser)) is not None:
        if not rest or rest[0] not in choosing.choices:
            yield from (Match(name, "command") for name in choosing.choices if not rest)
            return
        parser = choosing.choices[rest.pop(0)]
    waiting = _waiting_option(parser, rest)
    if waiting is not None and not fragment.startswith("-"):
        yield from _values(waiting, fragment, names, words)
        if waiting.nargs not in {"+", "*"} or rest[-1].startswith("-"):
            return
    elif fragment.startswith("-"):
        yield from _options(parser, rest)
        return
    place = _next_argument(parser, rest)
    if place is not None:
        yield from _values(place, fragment, names, words)


def _options(parser: argparse.ArgumentParser, words: Sequence[str]) -> Iterator[Match]:
    """Yield the options that are not given yet, or that may be given again."""
    given = {word.partition("=")[0] for word in words}
    for action in parser._actions:  # noqa: SLF001 - argparse has no public way to its options
        long = [option for option in action.option_strings if option.startswith("--")]
        repeated = isinstance(action, (argparse._AppendAction, argparse._ExtendAction))  # noqa: SLF001 - as above
        if long and (repeated or given.isdisjoint(action.option_strings)):
            yield from (Match(option, "option") for option in (long if action.nargs == 0 else long[:1]))


def _commands_of(parser: argparse.ArgumentParser) -> Commands[argparse.ArgumentParser] | None:
    return next((action for action in parser._actions if isinstance(action, Commands)), None)  # noqa: SLF001 - as above


def _waiting_option(parser: argparse.ArgumentParser, words: Sequence[str]) -> argparse.Action | None:
    """Return the option whose value comes next, or may come next."""
    options = {name: action for action in parser._actions for name in action.option_strings}  # noqa: SLF001 - as above
    for distance, word in enumerate(reversed(words)):
        if not word.startswith("-"):
            continue
        action = options.get(word)
        if action is None or action.nargs == 0:
            return None
        if action.nargs in {"+", "*"}:
            return action
        return action if distance < (action.nargs if isinstance(action.nargs, int) else 1) else None
    return None


def _next_argument(parser: argparse.ArgumentParser, words: Sequence[str]) -> argparse.Action | None:
    """Return the argument whose place comes next; the last one where it takes any number of words."""
    options = {name: action for action in parser._actions for name in action.option_strings}  # noqa: SLF001 - as above
    taken, skip, greedy = 0, 0, False
    for word in words:
        if word.startswith("-"):
            action = options.get(word)
            greedy = action is not None and action.nargs in {"+", "*"}
            needed = 0 if action is None or greedy else action.nargs
            skip = needed if isinstance(needed, int) else 1
        elif skip:
            skip -= 1
        elif not greedy:
            taken += 1
    places = [action for action in parser._actions if not action.option_strings]  # noqa: SLF001 - as above
    if taken < len(places):
        return places[taken]
    return places[-1] if places and places[-1].nargs in {"+", "*"} else None


def _values(action: argparse.Action, fragment: str, names: Mapping[str, Any], words: Sequence[str]) -> Iterator[Match]:
    if action.choices:
        yield from (Match(str(choice), "value") for choice in action.choices)
        return
    of = _NAMED.get(_named_by(action, words))
    if of is not None:
        yield from of(names, words)
    how = getattr(action, "complete", None)
    if how in (FILES, FOLDERS):
        suffixes = _SUFFIXES.get(action.dest, ())
        yield from _paths(fragment, suffixes, folders_only=how == FOLDERS)


def _named_by(action: argparse.Action, words: Sequence[str]) -> str:
    """Return what an argument names, as `_NAMED` knows it."""
    if action.dest in {"task", "profile", "parameters"}:
        return f"{action.dest} {words[0]}" if action.dest == "task" else action.dest
    if action.dest in {"name", "names"} and words:
        kinds = {"runs": "run", "profile": "profile", "predict": "launch"}
        return kinds.get(words[0], "launch")
    return "run" if action.dest == "from_run" else ""


def _tasks(method: str) -> Callable[[Mapping[str, Any], Sequence[str]], Iterator[Match]]:
    def found(names: Mapping[str, Any], _words: Sequence[str]) -> Iterator[Match]:
        from fairing_az_jupyter import services  # noqa: PLC0415 - what completes commands needs none

        for task in reversed(services.launchable(names)):
            if task.can_train if method == "train" else task.can_deploy:
                yield Match(task.name, "class" if task.kind == "class" else "function")

    return found


def _profiles(_names: Mapping[str, Any], _words: Sequence[str]) -> Iterator[Match]:
    from fairing_az_jupyter.settings.profiles import ProfileStore  # noqa: PLC0415 - as above

    yield from (Match(name, "name") for name in ProfileStore().list())


def _launches(_names: Mapping[str, Any], _words: Sequence[str]) -> Iterator[Match]:
    from fairing_az_jupyter import services  # noqa: PLC0415 - as above
    from fairing_az_jupyter.frontends.magics.commands import launches_seen  # noqa: PLC0415 - as above

    # Nobody waits for a cluster at a key: of it only those are named that were shown here before.
    yield from (Match(info.name, "name") for info in services.local_launches(services.Session()))
    yield from (Match(name, "name") for name in launches_seen())


def _runs(_names: Mapping[str, Any], _words: Sequence[str]) -> Iterator[Match]:
    from fairing_az_jupyter.records import RunStore  # noqa: PLC0415 - as above

    yield Match("last", "name")
    yield from (Match(info.id, "name") for info in RunStore.open(None).list(limit=_RUNS))


def _parameters(_names: Mapping[str, Any], words: Sequence[str]) -> Iterator[Match]:
    from fairing_az_jupyter import services  # noqa: PLC0415 - as above

    notebook = next((word for word in words[1:] if word.endswith(".ipynb")), None)
    if notebook is not None and words[-1].startswith("-"):
        yield from (Match(each.name, "name") for each in services.describe_parameters(services.Session(), notebook))


_NAMED: Mapping[str, Callable[[Mapping[str, Any], Sequence[str]], Iterator[Match]]] = {
    "task train": _tasks("train"),
    "task deploy": _tasks("deploy"),
    "profile": _profiles,
    "launch": _launches,
    "run": _runs,
    "parameters": _parameters,
}


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
