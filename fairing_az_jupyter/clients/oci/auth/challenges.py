"""What a registry says about authentication, read: its challenges, and the claims of the tokens that it issues.

Sources: RFC 9110, section 11 (challenges); https://distribution.github.io/distribution/spec/auth/token/ (tokens) and
https://distribution.github.io/distribution/spec/auth/jwt/ (their claims).
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urljoin, urlsplit

from fairing_az_jupyter.clients.http import json_object
from fairing_az_jupyter.exceptions import UnreachableError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fairing_az_jupyter.clients.secret_values import SecretValue

_TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"  # noqa: S105 - RFC 9110's name for a word
_SCHEME = re.compile(rf"[\s,]*({_TOKEN})(?:\s+|(?=,|$))")
_PARAMETER = re.compile(rf'[\s,]*({_TOKEN})\s*=\s*(?:"((?:[^"\\]|\\.)*)"|({_TOKEN}))(?=[\s,]|$)')
_TOKEN68 = re.compile(r"[A-Za-z0-9\-._~+/]+=*\s*(?=,|$)")

# The actions of the token specification; nothing else that a token names is repeated to anyone.
_ACTIONS = frozenset({"pull", "push", "delete"})

# Registries whose token service is known to have another host name.
_TOKEN_HOSTS = {
    "index.docker.io": "auth.docker.io",
    "registry-1.docker.io": "auth.docker.io",
    "registry.gitlab.com": "gitlab.com",
}


@dataclass(frozen=True)
class Challenge:
    """One way to authenticate that a server offers.

    Args:
        scheme: Its name in lower case, such as `bearer` or `basic`.
        parameters: Its parameters; names in lower case.

    """

    scheme: str
    parameters: Mapping[str, str]


def parse_challenges(header: str) -> tuple[Challenge, ...]:
    """Read a WWW-Authenticate header.

    Args:
        header: Its value; several fields joined by commas.

    Returns:
        The challenges in their order; what follows a syntax error is left out.

    """
    challenges = []
    position = 0
    while scheme := _SCHEME.match(header, position):
        position = scheme.end()
        parameters: dict[str, str] = {}
        while parameter := _PARAMETER.match(header, position):
            name, quoted, plain = parameter.groups()
            value = plain if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
            parameters.setdefault(name.lower(), value)
            position = parameter.end()
        # A token68 is distinguished from the next challenge's scheme by what follows it: a comma or the end.
        if not parameters and position > scheme.end(1):
            token68 = _TOKEN68.match(header, position)
            position = token68.end() if token68 else position
        challenges.append(Challenge(scheme[1].lower(), parameters))
    return tuple(challenges)


def token_address(challenge: Challenge, base: str) -> str:
    """Return where the token service of a registry is, if credentials may be sent there.

    A registry names its token service itself; one that names a foreign host would be handed the credential.

    Args:
        challenge: A bearer challenge.
        base: The registry's own address, such as `https://contosoml.azurecr.io`.

    Returns:
        The address of the token service.

    Raises:
        UnreachableError: The challenge names no address, one on another host, or one without TLS.

    """
    home = urlsplit(base)
    address, problem = "", "which is not an address"
    try:
        address = urljoin(f"{base}/", challenge.parameters.get("realm", ""))
        realm = urlsplit(address)
        _ = realm.port  # read, for that is when it is checked
    except ValueError:
        pass
    else:
        problem = _distrusted(home, realm) if challenge.parameters.get("realm") else problem
    if problem:
        raise UnreachableError(
            f"Registry '{home.netloc}' names a token service {problem}. The credential was not sent there.",
            hint="Check DOCKER_REGISTRY, and that there is no proxy in between.",
            code="token-service",
            service="registry",
            status=401,
        )
    return address


def _distrusted(home: SplitResult, realm: SplitResult) -> str:
    """Return why a credential may not be sent to a token service, nothing if it may."""
    host = home.hostname or ""
    if realm.scheme not in {"http", "https"} or not realm.hostname:
        return "which is not an address"
    if realm.hostname not in {host, _TOKEN_HOSTS.get(host)}:
        return "on another host"
    if home.scheme == "https" and realm.scheme != "https":
        return "without TLS"
    return "with a user name in it" if realm.username is not None else ""


def claims(token: SecretValue) -> dict[str, Any]:
    """Return the claims of a JSON web token without checking its signature: they are reported, not relied on.

    Args:
        token: A token of any kind.

    Returns:
        Its claims; nothing where it is not a readable JSON web token.

    """
    parts = token.reveal().split(".")
    if len(parts) != 3:  # noqa: PLR2004 - header, claims and signature (RFC 7519)
        return {}
    try:
        return json_object(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))) or {}
    except ValueError:
        return {}


def granted(token: SecretValue, repository: str) -> frozenset[str] | None:
    """Return what a registry's token allows on a repository, by the token's own words.

    Args:
        token: The token.
        repository: The repository's name.

    Returns:
        Such as `{'pull', 'push'}`; empty where the token grants nothing there; None where it does not say.

    """
    access = claims(token).get("access")
    if not isinstance(access, list):
        return None
    actions: set[str] = set()
    for entry in access:
        if isinstance(entry, dict) and (entry.get("type"), entry.get("name")) == ("repository", repository):
            listed = entry.get("actions")
            actions.update(map(str, listed) if isinstance(listed, list) else ())
    return frozenset(_ACTIONS if "*" in actions else _ACTIONS & actions)
