"""The Secrets that a launch needs: made from values that go into the cluster and nowhere else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fairing_az_jupyter import services
from fairing_az_jupyter.exceptions import InputError
from fairing_az_jupyter.frontends.server.operations.calls import session_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from fairing_az_jupyter.frontends.server.inputs import ServicePrincipal
    from fairing_az_jupyter.frontends.server.operations.calls import Call
    from fairing_az_jupyter.models import Question

_MODULES = (
    "fairing_az_jupyter.fairing.upstream.installation",
    "fairing_az_jupyter.preflight.context",
    "fairing_az_jupyter.setup.secrets",
    "fairing_az_jupyter.setup.principal",
    "fairing_az_jupyter.setup.writes",
)
NEEDS = {"state": _MODULES, "create": _MODULES, "attach": _MODULES}


def state(call: Call) -> dict[str, Any]:
    """Tell what there is of the Secrets and the service account; never a value."""
    return {"states": [each.to_dict() for each in services.describe_secrets(session_of(call, call.body))]}


def create(call: Call) -> dict[str, Any]:
    """Make the Secrets, or renew them."""
    wanted = call.body
    changes = services.create_secrets(
        session_of(call, wanted.sources),
        azure=wanted.azure,
        acr=wanted.acr,
        only_secret=wanted.only_secret,
        ask=_answers(wanted.values),
        expires=wanted.values.expires,
        dry_run=wanted.dry_run,
        replace=wanted.replace,
    )
    return {"changes": [each.to_dict() for each in changes]}


def attach(call: Call) -> dict[str, Any]:
    """Name the registry's Secret in the service account."""
    changes = services.attach_pull_secret(session_of(call, call.body.sources), dry_run=call.body.dry_run)
    return {"changes": [each.to_dict() for each in changes]}


def _answers(values: ServicePrincipal) -> Callable[[Question], str]:
    """Return what answers the questions that a user would be asked; each is answered once."""
    asked: set[str] = set()

    def answer(question: Question) -> str:
        value = getattr(values, question.name, None)
        if question.name in asked:
            # What is asked again was rejected; the question begins with the reason.
            raise _rejection(question.name, question.text.partition(". ")[0])
        asked.add(question.name)
        if question.name == "expires":
            return ""
        text = value.get_secret_value() if value is not None else ""
        if not text.strip() and not question.optional:
            raise _rejection(question.name, f"{question.name} is missing")
        return text

    return answer


def _rejection(field: str, reason: str) -> InputError:
    error = InputError(
        f"The Secrets can't be created: {reason}. Nothing was changed.",
        hint="Enter the value: `az ad sp create-for-rbac` and `az account show` print it.",
        code="secret-values",
    )
    entry = {"field": f"values.{field}", "message": f"{reason}.", "hint": error.hint, "suggestion": ""}
    error.errors = (entry,)  # type: ignore[attr-defined] # as errors of settings have them
    return error
