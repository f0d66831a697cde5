"""What every front end calls: settings, fill, check, secrets, run. The rules stand here and below, once."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter import parameters
from fairing_az_jupyter.exceptions import FairingAzureError, InputError
from fairing_az_jupyter.models import RunRequest
from fairing_az_jupyter.settings import (
    cell_fields,
    check_launch,
    check_values,
    declarations,
    field_for,
    from_notebook,
    notebook_names,
    sources,
    to_notebook,
)
from fairing_az_jupyter.settings.profiles import ProfileStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from fairing_az_jupyter.models import CheckResult, Question, RunEvent, RunResult, SecretChange, SecretState
    from fairing_az_jupyter.preflight.subject import Subject
    from fairing_az_jupyter.settings.sources import Resolved

    Notebook = str | Mapping[str, Any] | None

EXECUTED_SUFFIX = ".executed.ipynb"


def settings_in_force(
    explicit: Mapping[str, Any] | None = None,
    *,
    notebook: Notebook = None,
    profile: str | None = None,
) -> Resolved:
    """Return the settings in force and where each comes from.

    Args:
        explicit: Settings given as arguments, by field.
        notebook: A notebook whose parameters cell counts, or that cell's variables.
        profile: The profile to use; None for the active one.

    Raises:
        FairingAzureError: A source can't be read, or a value in force breaks its rule.

    """
    name, values = _profile(profile)
    return sources.resolve(
        explicit=explicit,
        cell=_variables(notebook),
        environ=sources.environment_values(os.environ),
        profile=values,
        cluster=sources.cluster_values(),
        profile_name=name or "",
    )


def plan_fill(
    notebook: str,
    explicit: Mapping[str, Any] | None = None,
    *,
    profile: str | None = None,
) -> parameters.FillPlan:
    """Return what filling a notebook's parameters cell would change.

    What is filled in comes from the arguments, the profile that was named, the environment, and the active profile, in
    this order. Settings that not every notebook has are filled in only where the cell has them, or where they were
    given as arguments.

    Args:
        notebook: Path of the notebook.
        explicit: Settings given as arguments, by field.
        profile: The profile to use; None for the active one.

    Raises:
        InputError: There is nothing to fill in, a value breaks its rule, or the notebook can't be filled.

    """
    given = dict(explicit or {})
    name, values = _profile(profile)
    present = parameters.read_parameters(notebook).names
    resolved = sources.resolve(
        explicit={**values, **given} if profile is not None else given,
        environ=sources.environment_values(os.environ),
        profile=values,
        profile_name=name or "",
    )
    fields = {each.field for each in resolved.explain() if each.source != "default"}
    names = notebook_names()
    wanted = {field for field in fields if field in cell_fields() or field in given or names[field] in present}
    if not wanted:
        raise InputError(
            f"There is nothing to fill into '{notebook}': no setting was given, and no profile is active.",
            hint="Give one, such as --docker-registry myregistry.azurecr.io, or --profile NAME.",
            code="nothing-to-fill",
        )
    chosen = resolved.settings.model_dump(mode="json", include=wanted)
    return parameters.plan_fill(notebook, to_notebook({field: chosen[field] for field in names if field in wanted}))


def plan_run(
    notebook: str,
    *,
    pairs: Iterable[tuple[str, str]] = (),
    parameters_file: str | None = None,
    explicit: Mapping[str, Any] | None = None,
    profile: str | None = None,
    output: str | None = None,
    **options: Any,  # noqa: ANN401 - handed on to RunRequest
) -> RunRequest:
    """Return the notebook run that was asked for, with every parameter checked.

    Args:
        notebook: Path of the notebook.
        pairs: Parameters as texts; they win over the file's.
        parameters_file: A YAML or JSON file with parameters.
        explicit: Settings given as arguments, by field; they win over both.
        profile: A profile whose settings are parameters too; the lowest of all. None for none.
        output: Path of the executed notebook; None for one beside the notebook.
        options: Further arguments of `RunRequest`.

    Raises:
        InputError: A parameter is unknown, of the wrong type, secret, breaks the rule of its setting, or is set
            again by a later cell; or what the backend needs is missing.

    """
    from fairing_az_jupyter.runs import injection, values  # noqa: PLC0415 - most commands need neither
    from fairing_az_jupyter.runs import parameters_file as files  # noqa: PLC0415 - likewise, and it loads YAML

    cell = parameters.read_parameters(notebook)
    _, profiled = _profile(profile) if profile is not None else (None, {})
    given = values.merge(
        {name: value for name, value in to_notebook(profiled).items() if name in cell.names},
        files.read_parameters_file(parameters_file) if parameters_file is not None else {},
        values.parse_pairs(pairs, cell.values),
        to_notebook(explicit or {}),
    )
    values.refuse_secrets(given)
    values.check_names(given, cell.names, notebook)
    values.check_plain(given)
    values.check_types(given, cell.values)
    given = {**given, **to_notebook(check_values(from_notebook(given)))}
    injection.check_effect(notebook, given)
    _check_backend(cell.values, given)
    return RunRequest(
        notebook=notebook,
        output=output or default_output(notebook),
        parameters=given,
        **options,
    )


def default_output(notebook: str) -> str:
    """Return where the executed notebook goes if nothing else is said: beside the notebook."""
    path = Path(notebook)
    return str(path.with_name(path.name.removesuffix(".ipynb") + EXECUTED_SUFFIX))


def run(request: RunRequest, on_event: Callable[[RunEvent], None]) -> RunResult:
    """Run a notebook and report what happens.

    Args:
        request: The run, from `plan_run`.
        on_event: Is called with every event as it happens.

    Raises:
        InputError: The run can't be started as it was asked for.
        ExecutionError: A cell raised, the kernel died, or the run was cancelled.

    """
    from fairing_az_jupyter.runs.execution import execute  # noqa: PLC0415 - loads papermill

    return execute(request, on_event)


def _check_backend(cell: Mapping[str, object], given: Mapping[str, object]) -> None:
    """Refuse a run that the cluster's backend could not launch; on this machine the Azure settings are not used."""
    name = notebook_names()["backend"]
    if given.get(name, cell.get(name)) != "KubeflowAzureBackend":
        return
    check_launch(sources.resolve(explicit=from_notebook(given), cell=cell).settings)


def _profile(name: str | None) -> tuple[str | None, dict[str, Any]]:
    store = ProfileStore()
    if name is not None:
        return name, store.read(name)
    return store.active(), store.active_values()


def save_profile(name: str, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Make a profile, or change some settings of one; return its values.

    Args:
        name: The profile.
        changes: Values by field.

    Raises:
        InputError: There is nothing to change, a value breaks its rule, or the profile can't be written.

    """
    store = ProfileStore()
    changes = {field_for(field): value for field, value in changes.items()}
    if name in store.list():
        store.set_values(name, changes)
    else:
        store.save(name, changes)
    return store.read(name)


def check(
    explicit: Mapping[str, Any] | None = None,
    *,
    notebook: Notebook = None,
    profile: str | None = None,
) -> Iterator[CheckResult]:
    """Check everything that a launch needs, and yield each result as it is found.

    What is checked is what `KubeflowAzureBackend` needs, unless `LocalBackend` was chosen somewhere, or nothing was
    set at all outside a cluster.

    Args:
        explicit: Settings given as arguments, by field.
        notebook: A notebook whose parameters cell counts, or that cell's variables.
        profile: The profile to use; None for the active one.

    Returns:
        One result for each check, in the order of time.

    Raises:
        InputError: A source of settings can't be read. A value that breaks its rule is a result.

    """
    from fairing_az_jupyter.preflight.checklist import all_checks  # noqa: PLC0415 - most commands need none
    from fairing_az_jupyter.preflight.runner import run_checks  # noqa: PLC0415 - likewise

    return run_checks(all_checks(_subject(explicit, notebook, profile)))


def create_secrets(  # noqa: PLR0913 - each is a word that a user may say
    explicit: Mapping[str, Any] | None = None,
    *,
    notebook: Notebook = None,
    profile: str | None = None,
    azure: bool = True,
    acr: bool = True,
    only_secret: bool = False,
    from_env: bool = False,
    from_file: str | None = None,
    ask: Callable[[Question], str] | None = None,
    expires: str | None = None,
    dry_run: bool = False,
    verify: bool = True,
    replace: bool = False,
) -> tuple[SecretChange, ...]:
    """Make the Secrets that a launch needs, or renew them; safe to repeat.

    Args:
        explicit: Settings given as arguments, by field.
        notebook: A notebook whose parameters cell counts, or that cell's variables.
        profile: The profile to use; None for the active one.
        azure: Make the Secret with the service principal.
        acr: Make the Secret with the registry's login, and name it in the service account.
        only_secret: Renew the client secret in the Secrets that are there, and nothing else.
        from_env: Take the values from environment variables.
        from_file: Take the values from this file, and what it lacks from the environment; `-` is standard input.
        ask: Asks the user for what is missing; None where there is nobody to ask.
        expires: The day on which the client secret expires, as YYYY-MM-DD.
        dry_run: Let the server check everything, and change nothing.
        verify: Refuse a client secret that Microsoft Entra ID does not accept.
        replace: Delete a Secret that can't be changed, and make it anew.

    Returns:
        What became of each object, or would become of it.

    Raises:
        InputError: A value is missing or has not its form; nothing was written.
        ServiceError: The cluster or Microsoft Entra ID refused; the message tells what was written, if anything.
        KeyboardInterrupt: The user has stopped it; likewise.

    """
    from fairing_az_jupyter.mending import secrets, values, writes  # noqa: PLC0415 - most commands need neither

    try:
        return secrets.create_secrets(
            _subject(explicit, notebook, profile),
            azure=azure,
            acr=acr,
            only_secret=only_secret,
            read=lambda needed, keepable: values.gather(
                environ=os.environ if from_env or from_file is not None else None,
                file=from_file,
                ask=ask,
                needed=needed,
                keepable=keepable,
                expires=expires,
            ),
            dry_run=dry_run,
            verify=verify,
            replace=replace,
        )
    except FairingAzureError as error:
        told = writes.retold(error, error.message, error.hint)
    # Without the frames of the calls: they hold what was to be written, and some tools print every local variable.
    raise told


def attach_pull_secret(
    explicit: Mapping[str, Any] | None = None,
    *,
    notebook: Notebook = None,
    profile: str | None = None,
    dry_run: bool = False,
) -> tuple[SecretChange, ...]:
    """Name the registry's Secret in the service account, beside those that it names already.

    Args:
        explicit: Settings given as arguments, by field.
        notebook: A notebook whose parameters cell counts, or that cell's variables.
        profile: The profile to use; None for the active one.
        dry_run: Let the server check it, and change nothing.

    Returns:
        What became of the service account, or would become of it.

    Raises:
        ServiceError: The cluster refused.

    """
    from fairing_az_jupyter.mending import secrets  # noqa: PLC0415 - most commands need none

    return secrets.attach_pull_secret(_subject(explicit, notebook, profile), dry_run=dry_run)


def describe_secrets(
    explicit: Mapping[str, Any] | None = None,
    *,
    notebook: Notebook = None,
    profile: str | None = None,
) -> tuple[SecretState, ...]:
    """Tell what there is of the Secrets and the service account; never a value.

    Args:
        explicit: Settings given as arguments, by field.
        notebook: A notebook whose parameters cell counts, or that cell's variables.
        profile: The profile to use; None for the active one.

    Returns:
        One state for each object.

    Raises:
        ServiceError: The cluster can't be asked.

    """
    from fairing_az_jupyter.mending import secrets  # noqa: PLC0415 - most commands need none

    return secrets.describe_secrets(_subject(explicit, notebook, profile))


def subject_of(
    resolved: Resolved, errors: Iterable[Mapping[str, str]], environ: Mapping[str, str], notebook: str | None = None
) -> Subject:
    """Return what is to be checked.

    Args:
        resolved: The settings in force.
        errors: What is wrong with those that can't be used, as `resolve_usable` tells it.
        environ: The environment.
        notebook: Path of the notebook whose parameters cell counts.

    Returns:
        The subject. Its backend is `KubeflowAzureBackend` where none was chosen, and there is a cluster around or
        anything was said about Azure.

    """
    from fairing_az_jupyter.fairing import installation  # noqa: PLC0415 - most commands need none
    from fairing_az_jupyter.preflight.subject import Subject  # noqa: PLC0415 - likewise

    entries = {error["field"] or error["name"]: error for error in errors}
    settings = resolved.settings
    chosen = resolved.given.get("backend") or "backend" in entries
    azure = any(
        declared["group"] == "Azure" and resolved.given.get(field) for field, declared in declarations().items()
    )
    if not chosen and (azure or entries or "KUBERNETES_SERVICE_HOST" in environ):
        settings = settings.model_copy(update={"backend": "KubeflowAzureBackend"})
    return Subject(
        settings,
        broken={field: entry["message"] for field, entry in entries.items()},
        hints={field: entry["hint"] for field, entry in entries.items()},
        suggestions={field: entry["suggestion"] for field, entry in entries.items() if entry["suggestion"]},
        notebook=notebook,
        environ=environ,
        fairing=installation.installed_version(),
    )


def _subject(explicit: Mapping[str, Any] | None, notebook: Notebook, profile: str | None) -> Subject:
    name, values = _profile(profile)
    resolved, errors = sources.resolve_usable(
        explicit=explicit,
        cell=_variables(notebook),
        environ=sources.environment_values(os.environ),
        profile=values,
        cluster=sources.cluster_values(),
        profile_name=name or "",
    )
    return subject_of(resolved, errors, os.environ, notebook if isinstance(notebook, str) else None)


def _variables(notebook: Notebook) -> Mapping[str, Any] | None:
    return parameters.read_parameters(notebook).values if isinstance(notebook, str) else notebook
