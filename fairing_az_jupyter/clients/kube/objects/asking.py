"""What is asked of the API server, by whom, and what comes of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from fairing_az_jupyter.clients.retries import Retry
    from fairing_az_jupyter.clients.secret_values import SecretValue
    from fairing_az_jupyter.exceptions import ServiceError

SERVICE = "kubernetes"


@dataclass(frozen=True)
class Asked:
    """What was asked of the API server, for messages.

    Args:
        verb: The Kubernetes verb, such as `get`.
        what: The object or the fact, such as `Secret 'azcreds'`.
        resource: The resource in the plural, such as `secrets`; empty where it is none.
        namespace: The namespace, or empty.
        hidden: Whether the request's body holds secret values, which the server may quote in its answer.

    """

    verb: str
    what: str
    resource: str = ""
    namespace: str = ""
    hidden: bool = False

    def __str__(self) -> str:
        where = f" in namespace '{self.namespace}'" if self.namespace else ""
        return f"{self.verb} {self.what}{where}"


@dataclass(frozen=True)
class Asker:
    """Who asks and whom, for messages.

    Args:
        address: Host and port of the API server.
        proxy: Host and port of the proxy in between, or empty.
        user: The user name, as far as it is known.
        token_expires: When the token ends, as far as it is known.
        secret: The credential that was sent, to be taken out of what the server says.

    """

    address: str
    proxy: str = ""
    user: str = ""
    token_expires: datetime | None = None
    secret: SecretValue | None = None


class CallFailed(Exception):  # noqa: N818 - it is on its way to become `error`, and never leaves this folder
    """A call that has failed.

    Args:
        error: What the user gets to see.
        retry: Whether the same request is worth another try.
        arrived: Whether the server may have done what was asked nevertheless.

    """

    def __init__(self, error: ServiceError, *, retry: Retry | None = None, arrived: bool = True) -> None:
        super().__init__(error.message)
        self.error = error
        self.retry = retry
        self.arrived = arrived
