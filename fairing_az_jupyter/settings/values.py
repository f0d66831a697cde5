"""Values of settings: under their names in the notebook, checked by themselves, and all that a launch needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fairing_az_jupyter.settings import quantities
from fairing_az_jupyter.settings.declaration import Settings, declarations
from fairing_az_jupyter.settings.errors import InvalidSettingsError, below, needed, unknown

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "cell_fields",
    "check_launch",
    "check_values",
    "field_for",
    "from_notebook",
    "missing_for_launch",
    "notebook_names",
    "to_notebook",
]


def notebook_names(model: type[Settings] = Settings) -> dict[str, str]:
    """Return the name of each setting in the notebook and in the environment.

    Args:
        model: The settings' model.

    Returns:
        The name by field, such as `docker_registry` -> `DOCKER_REGISTRY`.

    """
    return {field: declared["notebook_name"] for field, declared in declarations(model).items()}


def cell_fields(model: type[Settings] = Settings) -> tuple[str, ...]:
    """Return the settings that every parameters cell has; the others stand only where the cell names them.

    Args:
        model: The settings' model.

    Returns:
        Their fields.

    """
    return tuple(field for field, declared in declarations(model).items() if declared["cell"] == "always")


def field_for(name: str, model: type[Settings] = Settings) -> str:
    """Return the field that a name stands for.

    Args:
        name: A field, or its name in the notebook.
        model: The settings' model.

    Returns:
        The field.

    Raises:
        InvalidSettingsError: The setting does not exist.

    """
    fields = {notebook: field for field, notebook in notebook_names(model).items()}
    if name in fields or name in model.model_fields:
        return fields.get(name, name)
    raise InvalidSettingsError([unknown(name, declarations(model))])


def to_notebook(values: Settings | Mapping[str, Any], model: type[Settings] = Settings) -> dict[str, Any]:
    """Return values under their names in the notebook.

    Args:
        values: Settings, or some of their values by field.
        model: The settings' model.

    Returns:
        The values by notebook name: of settings all of them, of a mapping those that it has.

    Raises:
        InvalidSettingsError: The mapping has a name that is not a field.

    """
    if isinstance(values, Settings):
        model, values = type(values), values.model_dump()
    return {notebook_names(model)[field_for(field, model)]: value for field, value in values.items()}


def from_notebook(values: Mapping[str, Any], model: type[Settings] = Settings) -> dict[str, Any]:
    """Return those of a notebook's variables that are settings, by field, as they are.

    Args:
        values: The variables by name; what is not a setting's name is left out.
        model: The settings' model.

    Returns:
        The values by field.

    """
    return {field: values[name] for field, name in notebook_names(model).items() if name in values}


def check_values(values: Mapping[str, Any], model: type[Settings] = Settings) -> dict[str, Any]:
    """Check some settings by themselves, as a form or a profile has them.

    Args:
        values: Values by field.
        model: The settings' model.

    Returns:
        The values to use, of the same fields.

    Raises:
        InvalidSettingsError: Values break their rules; it names all of them.

    """
    return model.model_validate(dict(values)).model_dump(exclude_unset=True)


def missing_for_launch(settings: Settings) -> tuple[str, ...]:
    """Return the settings without which nothing can be launched on the chosen backend.

    Args:
        settings: The settings to launch with.

    Returns:
        The fields that are empty and needed; none on LocalBackend.

    """
    declared = declarations(type(settings))
    return tuple(
        field
        for field in declared
        if settings.backend in declared[field]["needed_on"] and getattr(settings, field) in (None, "")
    )


def check_launch(settings: Settings) -> None:
    """Reject settings with which nothing can be launched.

    Args:
        settings: The settings to launch with.

    Raises:
        InvalidSettingsError: Settings that the backend needs are empty; it names all of them; or a limit is below
            what is asked for.

    """
    declared = declarations(type(settings))
    missing = missing_for_launch(settings)
    if missing:
        raise InvalidSettingsError(needed(field, declared[field], settings.backend) for field in missing)
    if settings.cpu_limit and quantities.amount(settings.cpu_limit) < quantities.amount(settings.cpu):
        raise InvalidSettingsError([below("cpu_limit", settings.cpu_limit, "cpu", settings.cpu, declared)])
