"""Who asks the cluster: a token in a file, or a header that stays, and what a token says about itself."""

from __future__ import annotations

import base64
import contextlib
import json
import threading
import time
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Protocol

from fairing_az_jupyter.clients.secret_values import SecretValue
from fairing_az_jupyter.exceptions import CredentialError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# As client-go does: the kubelet replaces the file well before the token in it expires.
_READ_AGAIN_SECONDS = 60.0
_SERVICE_ACCOUNT = "system:serviceaccount:"
_JWT_PARTS = 3


class Credential(Protocol):
    """What proves to the API server who asks."""

    def authorization(self) -> SecretValue | None:
        """Return the value of the Authorization header; None where a client certificate does the work."""

    def renew(self) -> bool:
        """Look for something newer after the server has rejected; tell whether there is."""


@dataclass(frozen=True)
class TokenClaims:
    """What a service account's token says about itself.

    Args:
        subject: The user name that the API server knows it by.
        namespace: The service account's namespace, or empty.
        service_account: The service account's name, or empty.
        expires: When it ends, or None.

    """

    subject: str = ""
    namespace: str = ""
    service_account: str = ""
    expires: datetime | None = None


class FixedCredential:
    """A header that stays as it is, or none.

    Args:
        value: The header's value.

    """

    def __init__(self, value: SecretValue | None = None) -> None:
        self._value = value

    def authorization(self) -> SecretValue | None:
        """Return the header's value."""
        return self._value

    def renew(self) -> bool:
        """Return False: there is nothing newer."""
        return False


class TokenFile:
    """A bearer token in a file that somebody else replaces: read again every minute, and when it was rejected.

    Args:
        path: The file.
        clock: Tells a time in seconds that never goes back.

    Raises:
        CredentialError: The file can't be read, or holds no token.

    """

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._clock = clock
        self._lock = threading.Lock()
        self._token = self._read()
        self._read_at = clock()

    def authorization(self) -> SecretValue:
        """Return the header with the token that is in the file now, at most a minute old."""
        with self._lock:
            if self._clock() - self._read_at >= _READ_AGAIN_SECONDS:
                self._read_again()
            return SecretValue(f"Bearer {self._token.reveal()}")

    def renew(self) -> bool:
        """Read the file; tell whether the token has changed."""
        with self._lock:
            before = self._token
            self._read_again()
            return before != self._token

    def _read_again(self) -> None:
        # A token that was good a minute ago beats an error about a file that is just being replaced.
        with contextlib.suppress(CredentialError):
            self._token = self._read()
        self._read_at = self._clock()

    def _read(self) -> SecretValue:
        try:
            content = self._path.read_bytes()
        except OSError as error:
            raise CredentialError(
                f"The token of the cluster's service account can't be read: {self._path}: {error.strerror}. Without "
                "it the cluster can't authenticate you.",
                hint=f"Check its permissions: ls -lL {self._path}",
                code="credential-unreadable",
                service="kubernetes",
            ) from None
        return checked_token(content, str(self._path))


def checked_token(content: bytes, origin: str) -> SecretValue:
    """Take a bearer token from the bytes that a file or a command holds.

    Args:
        content: The bytes; white space around the token is not part of it.
        origin: Where they come from, for the message.

    Returns:
        The token.

    Raises:
        CredentialError: There is none, or it has characters that can't be sent in a header.

    """
    token = content.strip()
    # HTTP libraries print the whole header when they reject one of its characters.
    if not token or any(not 0x21 <= byte <= 0x7E for byte in token):  # noqa: PLR2004 - the visible ASCII characters
        what = "is empty" if not token else "has spaces, line breaks or characters that tokens can't contain"
        raise CredentialError(
            f"The token of the cluster's credential ({origin}) {what}. Without it the cluster can't authenticate you.",
            hint="Restart the notebook server, or renew the kubeconfig: az aks get-credentials -g GROUP -n CLUSTER",
            code="credential-malformed",
            service="kubernetes",
        )
    return SecretValue(token.decode("ascii"))


def token_claims(authorization: SecretValue | None) -> TokenClaims:
    """Read what a service account's token says about itself, without asking anyone.

    Nothing here is trusted: it names things in messages and chooses defaults, the API server alone decides.

    Args:
        authorization: The value of the Authorization header.

    Returns:
        The claims; empty ones where the token is of another kind.

    """
    parts = authorization.reveal().partition(" ")[2].split(".") if authorization else []
    if len(parts) != _JWT_PARTS:
        return TokenClaims()
    try:
        payload = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        subject = str(payload.get("sub") or "")
        end = payload.get("exp")
        expires = datetime.fromtimestamp(float(end), tz=timezone.utc) if end is not None else None
    except (ValueError, TypeError, AttributeError, OverflowError, OSError, RecursionError):
        return TokenClaims()
    namespace, account = split_service_account(subject)
    return TokenClaims(subject, namespace, account, expires)


def split_service_account(user: str) -> tuple[str, str]:
    """Split a user name such as `system:serviceaccount:team-a:default-editor`.

    Args:
        user: The user name.

    Returns:
        The namespace and the service account's name; empty texts where the user is none.

    """
    namespace, _, account = user.removeprefix(_SERVICE_ACCOUNT).partition(":")
    return (namespace, account) if user.startswith(_SERVICE_ACCOUNT) and account else ("", "")
