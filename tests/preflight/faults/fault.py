"""One fault of a set-up: how it comes about, which check tells it, and what mends it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fairing_az_jupyter.models import CheckStatus
    from tests.preflight.scene import Scene

Make = Callable[["Scene"], Any]


@dataclasses.dataclass(frozen=True)
class Fault:
    """One fault.

    Args:
        name: What it is called in the tests.
        cause: What is wrong, for the README.
        check: The check that tells it.
        status: What this check finds.
        fix: What one of its fixes contains; `{...}` are the user's own values: namespace, client, registry, host,
            group, account, subscription, tenant.
        make: Brings it about.
        code: The finding's code; None where any will do.
        also: Checks that tell it, too, with a cure of their own.
        unseen: Checks that can't find out anything either, for the same reason.
        options: Further arguments of `correct_setup`.

    """

    name: str
    cause: str
    check: str
    status: CheckStatus
    fix: str
    make: Make
    code: str | None = None
    also: tuple[str, ...] = ()
    unseen: tuple[str, ...] = ()
    options: dict[str, Any] = dataclasses.field(default_factory=dict)


def fault(check: str, name: str, cause: str, fix: str, make: Make, **more: Any) -> Fault:
    options = {key: more.pop(key) for key in ("abac", "data_role", "role") if key in more}
    return Fault(name, cause, check, more.pop("status", "fail"), fix, make, options=options, **more)


def having(**values: Any) -> Make:
    return lambda scene: scene.settings.update(values)
