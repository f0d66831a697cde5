"""Tokens of Microsoft Entra ID: got within a time, and rejected with errors of ours."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from fairing_az_jupyter.clients.azure.errors import Asked
from fairing_az_jupyter.clients.secret_values import SecretValue

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from azure.core.credentials import AccessToken, AccessTokenInfo, TokenCredential

__all__ = ["WHY", "AzureCredential", "ChosenCredential", "Source", "Token"]

Source = Literal["secret", "workload-identity", "environment", "azure-cli"]

WHY = "Without a token, nothing in Azure can be used."
# A token that is asked for in the midst of another call has to fail first, or that other service would be blamed.
_SHARE_OF_A_CALL = 0.8


@dataclass(frozen=True)
class Token:
    """An access token.

    Args:
        value: The token.
        expires_on: When it expires, in seconds since 1970.
        object_id: The identity's object id in the tenant, which role assignments name; None where the token is opaque.

    """

    value: SecretValue
    expires_on: int
    object_id: str | None


class AzureCredential:
    """A token credential for Azure's packages whose errors are ours.

    Args:
        make: Makes the package's credential; called once, when the first token is asked for.
        host: The host that is asked for tokens.
        names: What errors may name.
        timeout: Seconds for one attempt.
        deadline: Seconds for all attempts.
        clock: Tells by how many seconds this machine's clock is ahead of Microsoft Entra ID's; None if it can't.

    """

    def __init__(
        self,
        make: Callable[[], TokenCredential],
        *,
        host: str,
        names: Mapping[str, str],
        timeout: float,
        deadline: float,
        clock: Callable[[], float | None] = lambda: None,
    ) -> None:
        self.clock_difference = clock
        self._make = make
        self._made: Any = None
        self._asked = Asked("entra", f"get a token as {names['shown']}", host, why=WHY, names=names)
        self._timeout = timeout
        self._deadline = deadline

    def get_token(self, *scopes: str, **options: Any) -> AccessToken:  # noqa: ANN401 - azure.core's protocol
        """Get a token, as azure.core's `TokenCredential` does.

        Args:
            scopes: What it is for.
            options: As azure.core gives them.

        Returns:
            The token.

        Raises:
            ServiceError: There is none to be had.

        """
        token: AccessToken = self._ask(lambda made: made.get_token(*scopes, **options), _SHARE_OF_A_CALL)
        return token

    def get_token_info(self, *scopes: str, options: Any = None) -> AccessTokenInfo:  # noqa: ANN401 - as above
        """Get a token, as azure.core's `SupportsTokenInfo` does.

        Args:
            scopes: What it is for.
            options: As azure.core gives them.

        Returns:
            The token.

        Raises:
            ServiceError: There is none to be had.

        """
        info: AccessTokenInfo = self._ask(
            lambda made: made.get_token_info(*scopes, options=options or {}), _SHARE_OF_A_CALL
        )
        return info

    def token(self, scope: str) -> Token:
        """Get a token for ourselves.

        Args:
            scope: What it is for, such as `AzureCloud.arm_scope`.

        Returns:
            The token.

        Raises:
            ServiceError: There is none to be had.

        """
        got = self._ask(lambda made: made.get_token(scope), 1.0)
        return Token(SecretValue(got.token), int(got.expires_on), _object_id(got.token))

    def close(self) -> None:
        """Close the connections; afterwards there are no more tokens to be had."""
        close = getattr(self._made, "close", None)
        if close is not None:
            close()

    def _ask(self, call: Callable[[Any], Any], share: float) -> Any:  # noqa: ANN401 - as above
        from fairing_az_jupyter.clients.azure.calls import ask  # noqa: PLC0415 - heavy

        if self._made is None:
            self._made = self._make()
        return ask(
            lambda _seconds: call(self._made), self._asked, timeout=self._timeout, deadline=self._deadline * share
        )


@dataclass(frozen=True)
class ChosenCredential:
    """The credential that is used.

    Args:
        credential: To hand to Azure's packages and to our clients.
        source: Which one it is.
        reasons: Which others were looked at before it, and why they do not apply.
        subscription_id: The subscription that comes with it; None where none does.
        client_id: The identity's application, for texts; None where it is not known.
        tenant_id: The tenant; None where it is not known.

    """

    credential: AzureCredential
    source: Source
    reasons: tuple[tuple[str, str], ...] = ()
    subscription_id: str | None = None
    client_id: str | None = None
    tenant_id: str | None = None

    def token(self, scope: str) -> Token:
        """Get a token.

        Args:
            scope: What it is for, such as `AzureCloud.arm_scope`.

        Returns:
            The token.

        Raises:
            ServiceError: There is none to be had.

        """
        return self.credential.token(scope)

    def close(self) -> None:
        """Close the connections; afterwards there are no more tokens to be had."""
        self.credential.close()

    def clock_difference(self) -> float | None:
        """Return by how many seconds this machine's clock is ahead of Microsoft Entra ID's, by its last answer.

        Returns:
            The difference; None where nothing was answered yet, or not to this process.

        """
        return self.credential.clock_difference()


def _object_id(token: str) -> str | None:
    """Read whose token it is. Not to be relied upon for more than a look-up: tokens are not made for their bearers."""
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return str(claims["oid"])
    except (IndexError, KeyError, TypeError, ValueError, binascii.Error):
        return None
