"""What one command works with: the settings in force, the records, and the cluster; made once, and handed on."""

from __future__ import annotations

import contextlib
from functools import cached_property
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter import parameters
from fairing_az_jupyter.exceptions import InputError
from fairing_az_jupyter.records import RunStore
from fairing_az_jupyter.settings import InvalidSettingsError, field_for, of_process, sources
from fairing_az_jupyter.settings.profiles import ProfileStore

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from fairing_az_jupyter.fairing.cluster.connections import Launcher
    from fairing_az_jupyter.models import RunRequest
    from fairing_az_jupyter.runs.places.addresses import Places
    from fairing_az_jupyter.settings import Settings
    from fairing_az_jupyter.settings.sources import Resolved

    Notebook = str | Mapping[str, Any] | None
    """The path of a notebook whose parameters cell counts, or that cell's variables."""

# What a command needs that only looks at a cluster; the rest may be wrong, as a placeholder for a registry.
_LOOKED_AT = frozenset({"backend", "namespace"})


class Session:
    """The settings in force with their sources, the run store, and the cluster, each opened when it is first used.

    Nothing is read before it is asked for, and each source once.

    Args:
        given: Settings given as arguments, by field.
        notebook: A notebook whose parameters cell counts, or that cell's variables.
        profile: The profile to use; None for the active one.
        runs_folder: Where records are; None for the usual place.

    """

    def __init__(
        self,
        given: Mapping[str, Any] | None = None,
        *,
        notebook: Notebook = None,
        profile: str | None = None,
        runs_folder: str | None = None,
    ) -> None:
        self.given = dict(given or {})
        self.notebook = notebook
        self.profile = profile
        self._runs_folder = runs_folder

    @classmethod
    def of_launch(cls, request: RunRequest, *, runs_folder: str | None = None) -> Session:
        """Return the session in which a recorded launch of a task runs.

        Args:
            request: The launch.
            runs_folder: Where records are; None for the usual place.

        """
        notebook = request.notebook if request.notebook.lower().endswith(".ipynb") else None
        return cls(request.settings, notebook=notebook, profile=request.profile, runs_folder=runs_folder)

    def with_cell(self, notebook: Notebook) -> Session:
        """Return this session with another parameters cell.

        Args:
            notebook: As for the session itself.

        """
        return Session(self.given, notebook=notebook, profile=self.profile, runs_folder=self._runs_folder)

    def with_given(self, given: Mapping[str, Any]) -> Session:
        """Return this session with other arguments.

        Args:
            given: As for the session itself.

        """
        return Session(given, notebook=self.notebook, profile=self.profile, runs_folder=self._runs_folder)

    def of_its_kernel(self, cell: Mapping[str, Any]) -> Session:
        """Return the session as a notebook's own kernel will have it: with its cell, and without any argument.

        Args:
            cell: The variables of its parameters cell.

        """
        return Session(notebook=cell, runs_folder=self._runs_folder)

    @cached_property
    def resolved(self) -> Resolved:
        """The settings in force and where each comes from.

        Raises:
            FairingAzureError: A source can't be read, or a value in force breaks its rule.

        """
        return sources.resolve(**self._sources)

    @property
    def settings(self) -> Settings:
        """The settings in force; raises as `resolved`."""
        return self.resolved.settings

    @cached_property
    def usable(self) -> tuple[Resolved, Sequence[Mapping[str, str]]]:
        """The settings in force that can be used, and what is wrong with the others.

        Raises:
            FairingAzureError: A source can't be read.

        """
        return sources.resolve_usable(**self._sources)

    @cached_property
    def store(self) -> RunStore:
        """The records.

        Raises:
            InputError: No place exists for them.

        """
        return RunStore.open(self._runs_folder)

    @property
    def is_local(self) -> bool:
        """Whether LocalBackend was chosen; where nothing was, the cluster is intended: only there is anything to see.

        Raises:
            FairingAzureError: A source can't be read, or a value breaks its rule without which nothing can be seen.

        """
        resolved = self._looked_at
        return bool(resolved.given.get("backend")) and resolved.settings.backend == "LocalBackend"

    @contextlib.contextmanager
    def cluster(self) -> Iterator[Launcher]:
        """Open the cluster to look at it; the registry and the storage account need not be set for that.

        Yields:
            The cluster, its registry and its storage account; all connections are closed at the end of the context.

        Raises:
            FairingAzureError: As `is_local`, or the cluster can't be reached.

        """
        from fairing_az_jupyter.fairing.cluster.connections import Launcher  # noqa: PLC0415 - most commands need none

        with Launcher(self._looked_at.settings, launches=False) as launcher:
            yield launcher

    def places(self) -> Places:
        """Return how notebooks and files that are not on this machine are reached; to be closed by who asks for it."""
        from fairing_az_jupyter.runs.places.addresses import Places  # noqa: PLC0415 - loads the clients

        return Places(lambda: self.settings)

    @cached_property
    def profile_values(self) -> tuple[str, dict[str, Any]]:
        """The profile's name and values; the active one's unless one was named, empty if there is none.

        Raises:
            InputError: It can't be read.

        """
        return of_process.profile_values(self.profile)

    @cached_property
    def _sources(self) -> dict[str, Any]:
        """What every source says, as `sources.resolve` takes it."""
        cell = self.notebook
        read = parameters.read_parameters(cell).values if isinstance(cell, str) else cell
        return of_process.source_values(self.given, read, self.profile_values)

    @property
    def _looked_at(self) -> Resolved:
        resolved, errors = self.usable
        needed = [error for error in errors if error["field"] in _LOOKED_AT or error.get("source") == "argument"]
        if needed:
            raise InvalidSettingsError(needed)
        return resolved


def save_profile(name: str, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Make a profile, or change some settings of one; return its values.

    Args:
        name: The profile.
        changes: Values by field.

    Raises:
        InputError: There is nothing to change, a value breaks its rule, or the profile can't be written.

    """
    if not changes:
        raise InputError(
            f"Nothing to set in profile '{name[:64]}': no setting was given.",
            hint="Give a setting, such as --docker-registry myregistry.azurecr.io",
            code="nothing-to-set",
        )
    store = ProfileStore()
    changes = {field_for(field): value for field, value in changes.items()}
    if name in store.list():
        store.set_values(name, changes)
    else:
        store.save(name, changes)
    return store.read(name)
