"""Who asks a registry: its challenge answered with a user's password, or with a token that its own service issues."""

from __future__ import annotations

import base64
import threading
import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from fairing_az_jupyter.clients.oci.auth.challenges import Challenge, claims, granted, parse_challenges, token_address
from fairing_az_jupyter.clients.oci.errors import (
    credential_missing,
    disbelieved,
    forbidden,
    not_a_registry,
    not_allowed,
    own_token_rejected,
    shut_out,
    unexpected,
)
from fairing_az_jupyter.clients.secret_values import SecretValue

if TYPE_CHECKING:
    from fairing_az_jupyter.clients.http import Answer
    from fairing_az_jupyter.clients.oci.http import Transport
    from fairing_az_jupyter.exceptions import FairingAzureError

# A token lives at least that long where its service does not say (token specification, `expires_in`).
_TOKEN_LIFE = 60.0
_LONGEST_TOKEN_LIFE = 3600.0
_TOKEN_MARGIN = 15.0
_NOT_HERE = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.GONE})


@dataclass(frozen=True)
class Permit:
    """What goes into a request's Authorization header.

    Args:
        header: The header's value; None for a request without one.
        token: The bearer token in it, if it is one.
        fresh: Whether it was made for this request, so that another one would fare no better.

    """

    header: SecretValue | None
    token: SecretValue | None
    fresh: bool

    def headers(self) -> dict[str, str]:
        """Return the header as it is sent."""
        return {} if self.header is None else {"Authorization": self.header.reveal()}

    def granted(self, repository: str) -> frozenset[str] | None:
        """Return what the token says that it allows on a repository; None where it does not say."""
        return None if self.token is None else granted(self.token, repository)


class Credential:
    """A user's password or a Microsoft Entra token, turned into what one registry asks for.

    Args:
        host: The registry.
        base: Its address.
        transport: What sends the requests.
        username: The user's name; None for nobody.
        password: The user's password.
        aad_token: A Microsoft Entra access token; where there is one, user and password are not used.

    """

    def __init__(
        self,
        host: str,
        base: str,
        transport: Transport,
        *,
        username: str | None,
        password: SecretValue | None,
        aad_token: SecretValue | None,
    ) -> None:
        self._host = host
        self._base = base
        self._transport = transport
        self._username = username if aad_token is None else None
        self._password = password
        self._aad_token = aad_token
        self._lock = threading.Lock()
        self._challenges: tuple[Challenge, ...] | None = None
        self._tokens: dict[str, tuple[SecretValue, float]] = {}

    def scheme(self) -> str:
        """Return how the registry authenticates, once it has been asked: `bearer`, `basic` or `none`."""
        schemes = [one.scheme for one in self._challenges or ()]
        return next((scheme for scheme in ("bearer", "basic") if scheme in schemes), "none")

    def permit(self, scope: str, end: float) -> Permit:
        """Return what a request needs to be let in.

        Args:
            scope: What the request is for, such as `repository:team/model:pull`.
            end: When to give up, on `time.monotonic`'s clock.

        Returns:
            The permit; a token is kept and used again for as long as it lives.

        Raises:
            CredentialError: The registry's token service does not believe the credential, or there is none.
            NotAllowedError: The registry lets nobody in from here.
            ServiceError: The host is not a registry, can't be reached, or failed.

        """
        challenges = {one.scheme: one for one in reversed(self._offered(end))}
        if "bearer" in challenges:
            with self._lock:
                token, until = self._tokens.get(scope, (None, 0.0))
            fresh = token is None or time.monotonic() >= until
            if token is None or fresh:
                token = self._token(challenges["bearer"], scope, end)
            return Permit(SecretValue(f"Bearer {token.reveal()}"), token, fresh=fresh)
        if "basic" in challenges and self._aad_token is not None:
            raise credential_missing(self._host, "takes only a user name and a password")
        return Permit(self._basic() if "basic" in challenges else None, None, fresh=True)

    def issue(self, scope: str, end: float) -> tuple[SecretValue, float] | None:
        """Have the registry's token service make a new token, for somebody else to use.

        Args:
            scope: What it is to allow: one or more scopes, with blanks between them.
            end: When to give up, on `time.monotonic`'s clock.

        Returns:
            The token, and the seconds that it lives; None where the registry has no token service.

        Raises:
            FairingAzureError: As `permit`.

        """
        challenge = next((one for one in self._offered(end) if one.scheme == "bearer"), None)
        if challenge is None:
            return None
        answer = self._answered(challenge, scope, end)
        token = self._issued(answer, "access_token", "token")
        return token, _life(token, answer)

    @property
    def anonymous(self) -> bool:
        """Whether nobody in particular asks."""
        return self._username is None and self._aad_token is None

    def login(self) -> tuple[str, SecretValue] | None:
        """Return the user and the password; None where nobody logs in by a password."""
        if self._username is None or not self._password:
            return None
        return self._username, self._password

    def forget(self) -> None:
        """Throw away the tokens that are kept: one of them was rejected."""
        with self._lock:
            self._tokens.clear()

    def rejection(self, answer: Answer, permit: Permit, repository: str, action: str) -> FairingAzureError:
        """Return the error for an answer of 401 or 403.

        Args:
            answer: The answer.
            permit: What the request was sent with.
            repository: The repository's name.
            action: `pull` or `push`.

        Returns:
            A CredentialError where the credential is not believed, otherwise a NotAllowedError.

        """
        if answer.status == HTTPStatus.FORBIDDEN:
            general = forbidden(self._host, answer)
            if general is not None:
                return general
        elif permit.token is None:
            if permit.header is None:
                return credential_missing(self._host, "no user name")
            return disbelieved(self._host, answer, self._username)
        elif any(one.parameters.get("error") == "invalid_token" for one in _challenges_of(answer)):
            return own_token_rejected(self._host)
        return not_allowed(
            self._host,
            answer,
            repository=repository,
            username=self._username,
            action=action,
            has=permit.granted(repository),
        )

    def _offered(self, end: float) -> tuple[Challenge, ...]:
        """Return how the registry authenticates; nothing where it does not. Also proves that it is a registry."""
        with self._lock:
            if self._challenges is not None:
                return self._challenges
        answer = self._transport.ask("GET", f"{self._base}/v2/", end=end)
        challenges: tuple[Challenge, ...] = ()
        if answer.status == HTTPStatus.UNAUTHORIZED:
            challenges = _challenges_of(answer)
            if not any(one.scheme in {"bearer", "basic"} for one in challenges):
                raise not_a_registry(self._host, answer)
        elif answer.status == HTTPStatus.FORBIDDEN:
            raise forbidden(self._host, answer) or shut_out(self._host, answer)
        elif answer.status not in {HTTPStatus.OK, *_NOT_HERE}:
            raise unexpected(self._host, answer, "say how to log in")
        elif answer.status != HTTPStatus.OK or answer.is_html or not _like_a_registry(answer):
            raise not_a_registry(self._host, answer)
        with self._lock:
            self._challenges = challenges
        return challenges

    def _basic(self) -> SecretValue | None:
        if self._username is None:
            return None
        if not self._password:
            raise credential_missing(self._host, f"the password of user '{self._username}' is empty")
        # 'replace', for the codec's exception would hold the password.
        pair = f"{self._username}:{self._password.reveal()}".encode("utf-8", "replace")
        return SecretValue(f"Basic {base64.b64encode(pair).decode('ascii')}")  # RFC 7617

    def _token(self, challenge: Challenge, scope: str, end: float) -> SecretValue:
        """Get an access token from the registry's token service."""
        answer = self._answered(challenge, scope, end)
        token = self._issued(answer, "access_token", "token")
        life = answer.json().get("expires_in")
        seconds = float(min(life, _LONGEST_TOKEN_LIFE)) if isinstance(life, (int, float)) and life > 0 else _TOKEN_LIFE
        with self._lock:
            self._tokens[scope] = (token, time.monotonic() + seconds - _TOKEN_MARGIN)
        return token

    def _answered(self, challenge: Challenge, scope: str, end: float) -> Answer:
        address = token_address(challenge, self._base)
        service = challenge.parameters.get("service", self._host)
        if self._aad_token is None:
            return self._by_password(address, service, scope, end)
        return self._by_exchange(address, service, scope, end)

    def _by_password(self, address: str, service: str, scope: str, end: float) -> Answer:
        from requests import Request  # noqa: PLC0415 - heavy: as late as possible

        url = Request("GET", address, params={"service": service, "scope": scope.split()}).prepare().url or address
        permit = Permit(self._basic(), None, fresh=True)
        return self._transport.ask("GET", url, headers=permit.headers(), end=end)

    def _by_exchange(self, address: str, service: str, scope: str, end: float) -> Answer:
        aad_token = self._aad_token or SecretValue("")
        form: dict[str, str | list[str]] = {
            "grant_type": "access_token",
            "service": service,
            "access_token": aad_token.reveal(),
        }
        tenant = claims(aad_token).get("tid")
        if isinstance(tenant, str):
            form["tenant"] = tenant
        answer = self._transport.ask("POST", urljoin(address, "/oauth2/exchange"), form=form, end=end)
        if answer.status in _NOT_HERE and not answer.is_html:
            raise credential_missing(self._host, "takes only a user name and a password")
        refresh = self._issued(answer, "refresh_token").reveal()
        # Each scope has a field of its own: https://learn.microsoft.com/rest/api/containerregistry/access-tokens/get
        asked: dict[str, str | list[str]] = {
            "grant_type": "refresh_token",
            "service": service,
            "scope": scope.split(),
            "refresh_token": refresh,
        }
        return self._transport.ask("POST", address, form=asked, end=end)

    def _issued(self, answer: Answer, *names: str) -> SecretValue:
        """Return the token in a token service's answer."""
        if answer.status == HTTPStatus.FORBIDDEN:
            raise forbidden(self._host, answer) or shut_out(self._host, answer)
        # 400 is OAuth's answer to a refresh token that has expired (RFC 6749, section 5.2).
        if answer.status in {HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED} and not answer.is_html:
            if self._username is None and self._aad_token is None:
                raise credential_missing(self._host, "no user name")
            raise disbelieved(self._host, answer, self._username)
        issued = answer.json()
        token = next((issued[name] for name in names if isinstance(issued.get(name), str) and issued[name]), "")
        if answer.status != HTTPStatus.OK or not token.isascii() or not token.isprintable() or not token:
            raise unexpected(self._host, answer, "issue a token")
        return SecretValue(token)


def _life(token: SecretValue, answer: Answer) -> float:
    """Return the seconds that a new token lives: by its service's words, or by its own, which ACR's alone have."""
    said = answer.json().get("expires_in")
    if isinstance(said, (int, float)) and said > 0:
        return float(said)
    found = claims(token)
    begin, end = found.get("iat", found.get("nbf")), found.get("exp")
    if isinstance(begin, (int, float)) and isinstance(end, (int, float)) and end > begin:
        return float(end - begin)
    return _TOKEN_LIFE


def _like_a_registry(answer: Answer) -> bool:
    return "Docker-Distribution-Api-Version" in answer.headers or answer.body.strip()[:1] in {b"", b"{"}


def _challenges_of(answer: Answer) -> tuple[Challenge, ...]:
    return parse_challenges(answer.headers.get("WWW-Authenticate", ""))
