"""`secrets`: the Secrets that a launch needs; none of the options takes a secret value."""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING, Annotated

from pydantic import field_validator

from fairing_az_jupyter.operations.declaration import Example, Operation, Request, Sources
from fairing_az_jupyter.operations.words import flag, option

if TYPE_CHECKING:
    from fairing_az_jupyter.models import SecretChange, SecretState
    from fairing_az_jupyter.operations.calls import Call

__all__ = ["ATTACH", "CREATE", "ROTATE", "SHOW"]

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_SOURCES = Sources(
    settings=(
        "backend",
        "docker_registry",
        "azure_region",
        "azure_resource_group",
        "azure_storage_account",
        "azure_cloud",
        "credential",
        "namespace",
        "service_account",
        "azure_secret_name",
        "registry_secret_name",
    ),
    notebook="argument",
)
_DRY_RUN = flag("-n", "--dry-run", about="let the cluster check everything, and change nothing")


class _Values(Request):
    """Where the values of a service principal come from."""

    from_env: Annotated[
        bool,
        flag(
            "--from-env",
            about="take the values from AZ_CLIENT_ID, AZ_CLIENT_SECRET, AZ_TENANT_ID and AZ_SUBSCRIPTION_ID",
        ),
    ] = False
    from_file: Annotated[
        str | None,
        option(
            "--from-file", metavar="FILE", about="take the values from this file; - is standard input", completes="file"
        ),
    ] = None
    expires: Annotated[
        str | None,
        option(
            "--expires",
            metavar="YYYY-MM-DD",
            about="the day on which the client secret expires",
            takes="a day, YYYY-MM-DD",
        ),
    ] = None
    dry_run: Annotated[bool, _DRY_RUN] = False
    unverified: Annotated[
        bool,
        flag(
            "--unverified",
            about="write a client secret also if Microsoft Entra ID can't be asked whether it is good",
        ),
    ] = False

    @field_validator("expires")
    @classmethod
    def _is_day(cls, value: str | None) -> str | None:
        if value is not None and not (_DAY.fullmatch(value) and dt.date.fromisoformat(value)):
            msg = "it is not a day"
            raise ValueError(msg)
        return value


class Create(_Values):
    """Which Secrets, and from what."""

    azure: Annotated[bool, flag("--azure", about="the Secret with the service principal")] = False
    acr: Annotated[bool, flag("--acr", about="the Secret with the registry's login")] = False
    replace: Annotated[
        bool, flag("--replace", about="delete a Secret of the wrong type, or one that is immutable, and make it anew")
    ] = False


class Rotate(_Values):
    """The new client secret."""


class Attach(Request):
    """Whether it is only tried."""

    dry_run: Annotated[bool, _DRY_RUN] = False


class Show(Request):
    """Nothing but the sources of settings."""


def _create(call: Call[Create]) -> tuple[SecretChange, ...]:
    wanted = call.request
    both = wanted.azure == wanted.acr
    return _written(call, azure=both or wanted.azure, acr=both or wanted.acr, replace=wanted.replace)


def _rotate(call: Call[Rotate]) -> tuple[SecretChange, ...]:
    return _written(call, azure=True, acr=True, only_secret=True)


def _written(
    call: Call[Create] | Call[Rotate], *, azure: bool, acr: bool, only_secret: bool = False, replace: bool = False
) -> tuple[SecretChange, ...]:
    from fairing_az_jupyter import services  # noqa: PLC0415 - each command imports what it needs: help stays quick

    wanted, caller = call.request, call.caller
    asking = not wanted.from_env and (wanted.from_file is None or (caller.present and wanted.from_file != "-"))
    return services.create_secrets(
        call.session,
        azure=azure,
        acr=acr,
        only_secret=only_secret,
        from_env=wanted.from_env,
        from_file=wanted.from_file,
        ask=caller.ask if asking else None,
        expires=wanted.expires,
        dry_run=wanted.dry_run,
        verify=not wanted.unverified,
        replace=replace,
    )


def _attach(call: Call[Attach]) -> tuple[SecretChange, ...]:
    from fairing_az_jupyter import services  # noqa: PLC0415 - as above

    return services.attach_pull_secret(call.session, dry_run=call.request.dry_run)


def _show(call: Call[Show]) -> tuple[SecretState, ...]:
    from fairing_az_jupyter import services  # noqa: PLC0415 - as above

    return services.describe_secrets(call.session)


CREATE = Operation(
    "secrets create",
    "Make the Secrets and name the registry's in the service account; neither --azure nor --acr means both.",
    Create,
    _create,
    section="Set up",
    sources=_SOURCES,
    excluding=("from_env", "from_file"),
    examples=(Example("secrets create"), Example("secrets create --acr --from-env")),
)
ROTATE = Operation(
    "secrets rotate",
    "Put a new client secret into the Secrets that are there.",
    Rotate,
    _rotate,
    section="Set up",
    sources=_SOURCES,
    excluding=("from_env", "from_file"),
    examples=(Example("secrets rotate --expires 2027-11-30"),),
)
ATTACH = Operation(
    "secrets attach",
    "Name the registry's Secret in the service account; what else it names stays.",
    Attach,
    _attach,
    section="Set up",
    sources=_SOURCES,
    examples=(Example("secrets attach --dry-run"),),
)
SHOW = Operation(
    "secrets show",
    "Show what there is, without any value.",
    Show,
    _show,
    section="Set up",
    sources=_SOURCES,
    examples=(Example("secrets show"),),
)
