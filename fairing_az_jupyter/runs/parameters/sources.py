"""The parameters of a run from all that gives some: arguments, a file, an earlier run, the environment, a profile.

Of a name that several sources give, the value of the highest counts; the names of all of them are checked, because a
value that nobody looks at is a mistake wherever it stands.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fairing_az_jupyter.exceptions import ParameterError
from fairing_az_jupyter.runs.parameters.secrets import reject_secrets
from fairing_az_jupyter.runs.parameters.types import check_types, expected_of, takes_text, value_of_file, value_of_text
from fairing_az_jupyter.runs.parameters.values import check_names, check_plain, parse_pairs
from fairing_az_jupyter.runs.places.origins import Origin, on_command_line
from fairing_az_jupyter.settings import InvalidSettingsError, check_values, from_notebook, to_notebook

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

ENVIRONMENT_PREFIX = "FAIRING_PARAM_"
"""What stands before a parameter's name in the name of the environment variable that gives it."""


@dataclass(frozen=True)
class Cell:
    """What a notebook says about its parameters.

    Args:
        names: The names that its parameters cell assigns.
        values: Its own values, where they are literals.
        types: The types that it declares, as written, by name; "" or nothing where it declares none.

    """

    names: tuple[str, ...]
    values: Mapping[str, object]
    types: Mapping[str, str]


@dataclass(frozen=True)
class Source:
    """What one source gives.

    Args:
        values: The values by name.
        origins: Where each stands, by name; nothing for those that were typed.
        phrase: All of it in one phrase, such as `from params.yaml`; "" for what was typed.
        fix: What to do where a name is not known, as a sentence and a blank.

    """

    values: Mapping[str, object]
    origins: Mapping[str, Origin]
    phrase: str = ""
    fix: str = ""


def from_arguments(settings: Mapping[str, object]) -> Source:
    """Return the source of settings that were given as arguments, by their names in a notebook."""
    return Source(settings, {})


def from_pairs(pairs: Iterable[tuple[str, str]], cell: Cell) -> Source:
    """Return the source of `-p NAME VALUE` options; see `parse_pairs`."""
    return Source(parse_pairs(pairs, cell.values, cell.types), {})


def from_file(path: str, values: Mapping[str, object], cell: Cell) -> Source:
    """Return the source of a parameters file.

    Args:
        path: The file.
        values: What `read_parameters_file` has read from it.
        cell: What the notebook says: texts are read as it declares them.

    """
    read = {name: value_of_file(name, value, cell.values, cell.types) for name, value in values.items()}
    quote = '"' if path.lower().endswith(".json") else ""
    phrase = f"from {path}"
    origins = {name: Origin(phrase, f"{quote}{name}{quote}: ", is_text=False) for name in read}
    return Source(read, origins, phrase)


def from_earlier_run(values: Mapping[str, object]) -> Source:
    """Return the source of the parameters that an earlier run was given."""
    phrase = "from the earlier run"
    origins = {name: on_command_line(name, phrase) for name in values}
    fix = "The notebook has changed since that run: give the values that still apply with -p instead. "
    return Source(dict(values), origins, phrase, fix)


def from_profile(profile: str, values: Mapping[str, object], cell: Cell) -> Source:
    """Return the source of a profile's settings, by their names in a notebook; a cell need not have them all."""
    phrase = f"from the profile '{profile}'"
    known = {name: value for name, value in values.items() if name in cell.names}
    return Source(known, {name: on_command_line(name, phrase) for name in known}, phrase)


def from_environment(
    environ: Mapping[str, str], cell: Cell, notebook: str, *, overruled: Collection[str] = ()
) -> Source:
    """Return the source of the environment variables `FAIRING_PARAM_<NAME>`, for CI systems.

    A variable gives the parameter of just its name, or else the only one whose name differs in upper and lower case
    alone: many CI systems write the names of variables in capitals.

    Args:
        environ: The environment.
        cell: What the notebook says.
        notebook: The notebook's name, for messages.
        overruled: Names that a higher source gives; what the environment says of them need not make sense.

    Raises:
        ParameterError: A variable's parameter is not known or could be several, several variables give the same one,
            an empty one gives what is not text, or a value looks like a secret.

    """
    texts = {
        variable.removeprefix(ENVIRONMENT_PREFIX): text
        for variable, text in environ.items()
        if variable.startswith(ENVIRONMENT_PREFIX)
    }
    # Before all else, so that no other message shows one.
    reject_secrets(
        {name: value_of_text(name, text, {}, {}) for name, text in texts.items()},
        {name: _variable(name) for name in texts},
    )
    chosen = _variables_by_parameter(texts, cell, notebook, overruled)
    values: dict[str, object] = {}
    for name, written in chosen.items():
        text = texts[written]
        if text == "" and name not in overruled and not takes_text(name, cell.values, cell.types):
            raise _empty(name, written, expected_of(name, cell.values, cell.types))
        values[name] = value_of_text(name, text, cell.values, cell.types)
    origins = {name: _variable(written) for name, written in chosen.items()}
    reject_secrets(values, origins)
    return Source(values, origins)


def gather(sources: Iterable[Source], cell: Cell, notebook: str) -> dict[str, object]:
    """Check what all sources give and return what counts.

    Args:
        sources: The sources, the highest first.
        cell: What the notebook says.
        notebook: The notebook's name, for messages.

    Returns:
        The values by name; those of settings as the settings' rules write them.

    Raises:
        InputError: A parameter is unknown, secret, of the wrong type, or breaks the rule of its setting.

    """
    given: dict[str, object] = {}
    origins: dict[str, Origin] = {}
    for source in sources:
        reject_secrets(source.values, source.origins)
        check_names(source.values, cell.names, notebook, origin=source.phrase, fix=source.fix)
        for name, value in source.values.items():
            if name not in given:
                given[name] = value
                if name in source.origins:
                    origins[name] = source.origins[name]
    check_plain(given, origins)
    check_types(given, cell.values, cell.types, origins)
    try:
        return {**given, **to_notebook(check_values(from_notebook(given)))}
    except InvalidSettingsError as invalid:
        raise InvalidSettingsError(_reported(error, origins) for error in invalid.errors) from None


def _variables_by_parameter(
    texts: Mapping[str, str], cell: Cell, notebook: str, overruled: Collection[str]
) -> dict[str, str]:
    """Return for each parameter that the environment gives the name in its variable."""
    exact = {written: written for written in texts if written in cell.names}
    loose: dict[str, list[str]] = {}
    unknown: dict[str, object] = {}
    for written in sorted(texts.keys() - exact.keys()):
        matches = [name for name in cell.names if name.casefold() == written.casefold()]
        if len(matches) > 1:
            raise ParameterError(
                f"The environment variable {ENVIRONMENT_PREFIX}{written} could give several parameters of "
                f"'{notebook}': {', '.join(matches)}.",
                hint=f"Use the notebook's spelling: {ENVIRONMENT_PREFIX}{matches[0]}",
                code="parameter-ambiguous",
            )
        if matches:
            loose.setdefault(matches[0], []).append(written)
        else:
            unknown[written] = texts[written]
    variables = ", ".join(ENVIRONMENT_PREFIX + name for name in unknown)
    several = "s" if len(unknown) > 1 else ""
    check_names(unknown, cell.names, notebook, origin=f"from the environment variable{several} {variables}")
    for name, written_as in loose.items():
        if name not in {*exact, *overruled} and len({texts[written] for written in written_as}) > 1:
            both = " and ".join(ENVIRONMENT_PREFIX + written for written in written_as)
            raise ParameterError(
                f"The environment variables {both} give parameter '{name}' of '{notebook}' different values.",
                hint=f"Keep one of them, or set {ENVIRONMENT_PREFIX}{name}, which takes precedence over both.",
                code="parameter-ambiguous",
            )
    # In the cell's order, whatever order the environment has.
    return {name: exact.get(name) or loose[name][0] for name in cell.names if name in exact or name in loose}


def _variable(written: str) -> Origin:
    variable = ENVIRONMENT_PREFIX + written
    return Origin(f"from the environment variable {variable}", f"{variable}=")


def _empty(name: str, written: str, expected: str) -> ParameterError:
    variable = ENVIRONMENT_PREFIX + written
    wanted = f"where {expected} is expected" if expected else "and the cell does not say that it is a text"
    instead = f"set it to {expected}" if expected else f"declare it in the cell if it may be empty: {name}: str = None"
    return ParameterError(
        f"Parameter '{name}', from the environment variable {variable}, is empty, {wanted}.",
        hint=f"Unset {variable} to keep the notebook's own value, or {instead}",
        code="parameter-type",
    )


def _reported(error: Mapping[str, str], origins: Mapping[str, Origin]) -> dict[str, str]:
    """Add to what is wrong with a setting where its value comes from."""
    origin = origins.get(error["name"])
    if origin is None or not origin.phrase:
        return dict(error)
    return {**error, "message": f"{error['message']} The value comes {origin.phrase}."}
