"""Where settings come from, which source wins, and how a user can see it."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from fairing_az_jupyter.settings import naming
from fairing_az_jupyter.settings.declaration import Settings, declarations, may_be_empty
from fairing_az_jupyter.settings.errors import InvalidSettingsError
from fairing_az_jupyter.settings.values import check_values, field_for, from_notebook, notebook_names

if TYPE_CHECKING:
    from collections.abc import Mapping

Source = Literal["argument", "parameters cell", "environment", "profile", "cluster", "default"]

# Kubernetes mounts it into every pod: https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/
NAMESPACE_FILE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
_HIDDEN = "(not shown: it looks like a secret)"


@dataclasses.dataclass(frozen=True)
class Explained:
    """Where one setting's value comes from.

    Args:
        field: The setting.
        notebook_name: Its name in the notebook and in the environment.
        value: The value in force, as JSON has it.
        source: The source that it comes from.
        overridden: What sources of lower precedence say, the nearest first; without the default.

    """

    field: str
    notebook_name: str
    value: Any
    source: Source
    overridden: list[tuple[Source, Any]]

    def to_dict(self) -> dict[str, Any]:
        """Return the form that REST answers and `--json` print."""
        return dataclasses.asdict(self)


@dataclasses.dataclass(frozen=True)
class Resolved:
    """The settings in force, and what each source says.

    Args:
        settings: The settings in force.
        given: The sources' values of each field, the highest precedence first.

    """

    settings: Settings
    # Not in the repr: what is overridden is not checked, and may hold a secret.
    given: Mapping[str, tuple[tuple[Source, Any], ...]] = dataclasses.field(repr=False)

    def explain(self) -> list[Explained]:
        """Tell of every setting where its value comes from, in the order of their declaration."""
        values = self.settings.model_dump(mode="json")
        explained = []
        for field, name in notebook_names(type(self.settings)).items():
            given = self.given.get(field, ())
            source: Source = given[0][0] if given else "default"
            overridden = [(each, _plain(value)) for each, value in given[1:]]
            explained.append(Explained(field, name, values[field], source, overridden))
        return explained


def resolve(
    explicit: Mapping[str, Any] | None = None,
    cell: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
    profile: Mapping[str, Any] | None = None,
    cluster: Mapping[str, Any] | None = None,
    *,
    profile_name: str = "",
    model: type[Settings] = Settings,
) -> Resolved:
    """Find the settings in force: of each, the value of the highest source that has one.

    None is a value where a setting may be empty (AZURE_REGION = None in the cell wins over the profile's region);
    elsewhere None, "" and "None" say that the source has no value. Only values in force are checked.

    Args:
        explicit: Arguments of a call or command, by field or notebook name.
        cell: The variables of the notebook's parameters cell, by name; what is not a setting's is passed over.
        environ: Environment variables, by name; what is not a setting's is passed over.
        profile: The active profile's values, by field or notebook name.
        cluster: What the cluster tells, by field or notebook name.
        profile_name: The active profile's name, for messages.
        model: The settings' model.

    Returns:
        The settings and where they come from.

    Raises:
        InvalidSettingsError: Values in force break their rules, or a name is not a setting; each entry names its
            source.

    """
    sources: dict[Source, Mapping[str, Any]] = {
        "argument": _by_field(explicit or {}, "argument", profile_name, model),
        "parameters cell": from_notebook(cell or {}, model),
        "environment": from_notebook(environ or {}, model),
        "profile": _by_field(profile or {}, "profile", profile_name, model),
        "cluster": _by_field(cluster or {}, "cluster", profile_name, model),
    }
    given: dict[str, tuple[tuple[Source, Any], ...]] = {}
    for field in declarations(model):
        having = [(source, values[field]) for source, values in sources.items() if field in values]
        given[field] = tuple((source, value) for source, value in having if _is_given(field, value, model))
    try:
        settings = model.model_validate({field: having[0][1] for field, having in given.items() if having})
    except InvalidSettingsError as invalid:
        errors = [
            _with_source(error, given[error["field"]][0][0], profile_name) if given.get(error["field"]) else error
            for error in invalid.errors
        ]
    else:
        return Resolved(settings, given)
    raise InvalidSettingsError(errors)


def resolve_usable(
    explicit: Mapping[str, Any] | None = None,
    cell: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
    profile: Mapping[str, Any] | None = None,
    cluster: Mapping[str, Any] | None = None,
    *,
    profile_name: str = "",
) -> tuple[Resolved, tuple[Mapping[str, str], ...]]:
    """Find the settings in force as `resolve` does, and leave out those that can't be used.

    Args:
        explicit: As for `resolve`.
        cell: As for `resolve`.
        environ: As for `resolve`.
        profile: As for `resolve`.
        cluster: As for `resolve`.
        profile_name: As for `resolve`.

    Returns:
        The settings, where those that can't be used have their defaults; and what is wrong with each of these, as
        entries of `InvalidSettingsError`.

    """
    sources: dict[str, Mapping[str, Any] | None] = {
        "explicit": explicit,
        "cell": cell,
        "environ": environ,
        "profile": profile,
        "cluster": cluster,
    }
    errors: list[Mapping[str, str]] = []
    while True:
        try:
            return resolve(**sources, profile_name=profile_name), tuple(errors)  # type: ignore[arg-type]
        except InvalidSettingsError as invalid:
            found = invalid.errors
        errors += found
        unusable = {entry[key] for entry in found for key in ("field", "name")}
        left: dict[str, Mapping[str, Any] | None] = {
            source: {name: value for name, value in (values or {}).items() if name not in unusable}
            for source, values in sources.items()
        }
        if left == {source: dict(values or {}) for source, values in sources.items()}:
            # What is wrong is in none of the sources: nothing can be left out.
            raise InvalidSettingsError(errors)
        sources = left


def environment_values(environ: Mapping[str, str] = os.environ, model: type[Settings] = Settings) -> dict[str, str]:
    """Return the environment variables that are settings, as `resolve` takes them.

    Args:
        environ: Environment variables.
        model: The settings' model.

    Returns:
        Their values by notebook name.

    """
    return {name: environ[name] for name in notebook_names(model).values() if name in environ}


def cluster_values(namespace_file: Path = NAMESPACE_FILE) -> dict[str, str]:
    """Return what the cluster tells a pod about itself: its namespace.

    Args:
        namespace_file: Where Kubernetes writes it.

    Returns:
        The namespace by field; nothing outside a cluster.

    """
    try:
        namespace = namespace_file.read_text(encoding="utf-8").strip()
        return check_values({"namespace": namespace}) if namespace else {}
    except (OSError, UnicodeDecodeError, InvalidSettingsError):
        return {}


def _by_field(values: Mapping[str, Any], source: Source, profile_name: str, model: type[Settings]) -> dict[str, Any]:
    """Return values by field; both spellings of a name are good, but not both at once with different values."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        try:
            field = field_for(name, model)
        except InvalidSettingsError as invalid:
            errors = [_with_source(error, source, profile_name) for error in invalid.errors]
        else:
            if field not in found or found[field] == value:
                found[field] = value
                continue
            both = f"{notebook_names(model)[field]} and {field}"
            entry = {"field": field, "name": notebook_names(model)[field], "hint": "Give only one of them."}
            entry |= {"message": f"{both} are the same setting but have different values.", "suggestion": ""}
            errors = [_with_source(entry, source, profile_name)]
        raise InvalidSettingsError(errors)
    return found


def _is_given(field: str, value: object, model: type[Settings]) -> bool:
    if may_be_empty(field, model):
        return True
    return value is not None and not (isinstance(value, str) and value.strip() in ("", "None"))


def _with_source(error: Mapping[str, str], source: Source, profile_name: str) -> dict[str, str]:
    origin = {
        "argument": "",
        "parameters cell": "from the notebook's parameters cell",
        "environment": f"from the environment variable {error['name']}",
        "profile": f"from the profile {profile_name!r}" if profile_name else "from the profile",
        "cluster": "from the cluster",
        "default": "the default",
    }[source]
    message = f"{error['message'].removesuffix('.')} ({origin})." if origin else error["message"]
    return {**error, "message": message, "source": source}


def _plain(value: object) -> object:
    """Return a rejected or unused value for JSON; secrets and what may hold them only by their kind."""
    if isinstance(value, str):
        shown = value.encode("utf-8", "backslashreplace").decode("utf-8")
        return _HIDDEN if len(value) > naming.LONGEST_TEXT or naming.looks_secret(value) else shown
    return value if value is None or isinstance(value, bool | int) else f"<{type(value).__name__}>"
