"""Secrets of type `kubernetes.io/dockerconfigjson`: who logs in to which registry, read and made.

The form is Docker's own `config.json`; where its readers differ, Kubernetes' rules are taken, since its nodes pull
the images: https://kubernetes.io/docs/tasks/configure-pod-container/pull-image-private-registry/ and
https://github.com/kubernetes/kubernetes/blob/master/pkg/credentialprovider/config.go.
"""

from __future__ import annotations

import base64
import binascii
import difflib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter.clients.secret_values import SecretValue
from fairing_az_jupyter.exceptions import CredentialError, InputError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Mapping

ACR_TOKEN_USER = "00000000-0000-0000-0000-000000000000"  # noqa: S105 - a name, not a password
"""The user name that tells an Azure Container Registry that the password is a refresh token (see `registry`)."""

SECRET_TYPE = "kubernetes.io/dockerconfigjson"  # noqa: S105 - a type
"""The type of a Secret that nodes pull images with."""

SECRET_KEY = ".dockerconfigjson"  # noqa: S105 - a key's name
"""Under which key such a Secret holds the docker config."""

_DOCKER_HUB = "index.docker.io"
# Source: https://pkg.go.dev/github.com/google/go-containerregistry/pkg/authn#pkg-constants (DefaultAuthKey)
_DOCKER_HUB_KEY = "https://index.docker.io/v1/"
_DOCKER_HUB_NAMES = frozenset({"docker.io", _DOCKER_HUB, "registry-1.docker.io", "registry.hub.docker.com"})
_REMAKE = "Create the Secret again: %fairing_azure secrets create --acr"


@dataclass(frozen=True)
class Login:
    """Who logs in to one registry.

    Args:
        host: The registry's host, with its port where it has one.
        username: The user's name; for a service principal its client id.
        password: The password; for an identity token that token, with `ACR_TOKEN_USER` as the user.
        key: How the document spells the registry; may hold a password, and is not to be shown.
        identity_token: Whether the password is an identity token.

    """

    host: str
    username: str
    password: SecretValue
    key: str = field(default="", repr=False)
    identity_token: bool = False

    def unread_by_nodes(self, repository: str) -> str:
        """Say why the cluster's nodes would not pull an image with this login, though Docker's own readers take it.

        Source: BasicDockerKeyring.Add and URLsMatch in
        https://github.com/kubernetes/kubernetes/blob/master/pkg/credentialprovider/keyring.go; identity tokens are no
        part of DockerConfigEntry in config.go beside it.

        Args:
            repository: The image's repository, without its host.

        Returns:
            What is wrong with the entry; empty where nodes do.

        """
        host, path = _as_nodes_read(self.key or self.host)
        if self.identity_token:
            return "holds an identity token, which nodes ignore: they need a user name and a password"
        if self.host not in {host, _DOCKER_HUB}:
            how = "with capital letters" if host.lower() == self.host else "in a form that nodes do not support"
            return f"has its host written {how}, so nodes take it for another registry's"
        if path and not f"/{repository}".startswith(path):
            return f"is only for images below '{path}', and the image is '{self.host}/{repository}'"
        return ""


@dataclass(frozen=True)
class DockerConfig:
    """All logins of one secret.

    Args:
        logins: In the order of the document; a host may occur more than once, with different paths.

    """

    logins: tuple[Login, ...]

    def find(self, host: str) -> Login:
        """Return the login to a registry.

        Args:
            host: The registry, such as `contosoml.azurecr.io`; a scheme or a path is ignored.

        Returns:
            The login to that host; where there are several, the one whose host is written plainly goes first, as in
            Docker's own readers.

        Raises:
            NotFoundError: None is for that host; the hint names the host that was probably intended.

        """
        wanted = registry_host(host)
        found = [login for login in self.logins if login.host == wanted]
        if found:
            return next((login for login in found if login.key == wanted), found[0])
        present = sorted({login.host for login in self.logins})
        alike = difflib.get_close_matches(wanted, present, n=1, cutoff=0.6)
        meant = f"Did you mean '{alike[0]}'? Then set DOCKER_REGISTRY to it. " if alike else ""
        raise NotFoundError(
            f"The docker config has no login for '{wanted}', only for {', '.join(map(repr, present)) or 'no host'}. "
            f"Without it no image can be pushed to or pulled from '{wanted}'.",
            hint=f"{meant}{_REMAKE}",
            code="docker-config-host",
            service="registry",
        )


def registry_host(text: str) -> str:
    """Return the host of a registry as users and docker configs write it.

    Args:
        text: Such as `contosoml.azurecr.io/team` or `https://index.docker.io/v1/`.

    Returns:
        The host in lower case, with its port; one spelling for all names of Docker Hub.

    """
    rest = text.strip()
    for scheme in ("https://", "http://"):
        if rest.lower().startswith(scheme):
            rest = rest[len(scheme) :]
    host = rest.partition("/")[0].rpartition("@")[2].lower()  # a password before '@' is never shown
    return _DOCKER_HUB if host in _DOCKER_HUB_NAMES else host


def parse_docker_config(text: SecretValue | str | bytes, *, host: str | None = None) -> DockerConfig:
    """Read the value of `.dockerconfigjson`.

    Args:
        text: The JSON text, as it is after Kubernetes' base64.
        host: The one registry that matters: entries of others may then be without a login, as Docker leaves them where
            a credential helper has it; Kubernetes reads past these, too. None where all have to be complete.

    Returns:
        Every login in it; passwords stay hidden.

    Raises:
        CredentialError: It is not a valid document, or an entry has no complete login. The message names the place and
            shows no value of it.

    """
    entries = _entries(text)
    logins = []
    for key, entry in entries.items():
        if host is not None and registry_host(key) != registry_host(host) and _has_no_login(entry):
            continue
        login = _login(key, entry)
        if isinstance(login, str):
            raise _broken(f"the entry for '{registry_host(key)}' {login}")
        logins.append(login)
    if not entries:
        raise _broken("'auths' is empty")
    return DockerConfig(tuple(logins))


def make_docker_config(host: str, username: str, password: SecretValue) -> SecretValue:
    """Make the value of `.dockerconfigjson` for one registry, in the form that kubectl makes.

    Args:
        host: The registry; a scheme or a path is left out.
        username: The user's name; for a service principal its client id.
        password: The password or client secret.

    Returns:
        The JSON text.

    Raises:
        InputError: A part is empty or can't be sent to a registry; the message shows no value.

    """
    server = registry_host(host)
    secret = password.reveal()
    wrong = ""
    if not server or any(character.isspace() for character in server):
        wrong = "the registry's host is empty or has a blank in it"
    elif not username or ":" in username or not username.isprintable():
        wrong = "the user name is empty, or has a colon or a control character in it"
    elif not secret:
        wrong = "the password is empty"
    elif (problem := _unusual(secret)) is not None:
        wrong = f"the password {problem}"
    if wrong:
        raise InputError(
            f"No docker config can be created for '{server}': {wrong}.",
            hint="Give the registry's login server, the client id and the client secret, without quotes around them.",
            code="docker-config",
        )
    auth = base64.b64encode(f"{username}:{secret}".encode()).decode("ascii")
    entry = {"username": username, "password": secret, "auth": auth}
    return SecretValue(json.dumps({"auths": {server: entry}}, separators=(",", ":")))


def docker_config_of(entries: Mapping[str, SecretValue]) -> SecretValue:
    """Make a docker config of entries that are made already.

    Args:
        entries: The JSON text of each entry, by its registry's host.

    Returns:
        The JSON text.

    """
    named = {_DOCKER_HUB_KEY if host == _DOCKER_HUB else host: entry for host, entry in entries.items()}
    made = {key: json.loads(entry.reveal()) for key, entry in named.items()}
    return SecretValue(json.dumps({"auths": made}, separators=(",", ":")))


def with_login(
    existing: SecretValue | str | bytes | None, host: str, username: str, password: SecretValue
) -> SecretValue:
    """Add a login to the value of `.dockerconfigjson`, or replace the one that is there for the same registry.

    Args:
        existing: The value so far, as it is after Kubernetes' base64; None where there is none. What is not valid JSON
            object says nothing that any reader could use, and is left out.
        host: The registry; a scheme or a path is left out.
        username: The user's name; for a service principal its client id.
        password: The password or client secret.

    Returns:
        The JSON text. The new login stands for every former entry of that registry, however its host was spelt and
        whatever path it had; other registries' entries and all other keys keep their values and their order. With the
        same login once more it is the same text.

    Raises:
        InputError: As for `make_docker_config`.

    """
    made = make_docker_config(host, username, password)
    raw = existing.reveal() if isinstance(existing, SecretValue) else existing
    before = raw.decode("utf-8", "surrogateescape") if isinstance(raw, bytes) else raw
    document = _json_object(before or "")
    if before is None or document is None:
        return made
    ((server, entry),) = json.loads(made.reveal())["auths"].items()
    former = document.get("auths")
    entries: dict[str, Any] = {}
    for key, value in former.items() if isinstance(former, dict) else ():
        entries.update({server: entry} if registry_host(key) == server else {key: value})
    entries[server] = entry
    # Compared with their order, which == of dictionaries leaves out.
    if isinstance(former, dict) and json.dumps(entries) == json.dumps(former):
        return SecretValue(before)
    return SecretValue(json.dumps({**document, "auths": entries}, separators=(",", ":")))


def _as_nodes_read(key: str) -> tuple[str, str]:
    """Return the host and the path that Kubernetes takes an entry to be for; no path where it is for all of them."""
    rest = key
    for scheme in ("https://", "http://"):
        if key.startswith(scheme):
            rest = key[len(scheme) :]
            break
    host, slash, path = rest.partition("/")
    path = slash + path
    if path.startswith(("/v1/", "/v2/")):
        path = path[len("/v1") :]
    return host.rpartition("@")[2], "" if path == "/" else path


def _json_object(text: str) -> dict[str, Any] | None:
    """Return a JSON object that can be written again; None for anything else."""
    try:
        found = json.loads(text)
        json.dumps(found, allow_nan=False)  # NaN and Infinity are read, but are not JSON
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _broken(problem: str) -> CredentialError:
    return CredentialError(
        f"The docker config can't be used: {problem}. Without it no image can be pushed or pulled.",
        hint=_REMAKE,
        code="docker-config",
        service="registry",
    )


def _entries(text: SecretValue | str | bytes) -> dict[str, Any]:
    """Return what stands under `auths`."""
    raw = text.reveal() if isinstance(text, SecretValue) else text
    document: Any = None
    problem = ""
    try:
        document = json.loads(raw.decode("utf-8") if isinstance(raw, bytes) else raw)
    except json.JSONDecodeError as error:
        problem = f"it is not valid JSON (line {error.lineno}, column {error.colno})"
    except UnicodeDecodeError as error:
        problem = f"it is not UTF-8 text (byte {error.start})"
    except ValueError:
        problem = "it is not valid JSON (a number is too long)"
    except RecursionError:
        problem = "its JSON is nested too deeply"
    # Outside the handler: json's and the codec's exceptions hold the whole document, and would be our context.
    if problem:
        raise _broken(problem if raw else "it is empty")
    if not isinstance(document, dict):
        raise _broken("its JSON is not an object")
    entries = document.get("auths")
    if entries is None and any(isinstance(entry, dict) and "auth" in entry for entry in document.values()):
        raise _broken("it has no 'auths': this is the form of the older type kubernetes.io/dockercfg")
    if not isinstance(entries, dict):
        raise _broken("it has no 'auths'" if entries is None else "its 'auths' is not an object")
    return entries


def _has_no_login(entry: object) -> bool:
    if entry is None:
        return True
    names = ("auth", "username", "password", "identitytoken")
    return isinstance(entry, dict) and not any(entry.get(name) for name in names)


def _login(key: str, entry: object) -> Login | str:
    """Return the login of an entry, or what is wrong with it."""
    host = registry_host(key)
    if not host:
        return "names no host"
    if not isinstance(entry, dict):
        return "is not an object"
    for name in ("auth", "username", "password", "identitytoken"):
        if not isinstance(entry.get(name, ""), str):
            return f"has a '{name}' that is not text"
    pair = _user_and_password(entry)
    if isinstance(pair, str):
        return pair
    problem = _unusual(pair[1])
    if problem is not None:
        return f"has a password that {problem}"
    identity_token = pair == (ACR_TOKEN_USER, entry.get("identitytoken"))
    return Login(host, pair[0], SecretValue(pair[1]), key, identity_token=identity_token)


def _user_and_password(entry: dict[str, str]) -> tuple[str, str] | str:
    username, password = entry.get("username", ""), entry.get("password", "")
    if entry.get("auth"):  # wins over the two fields, in Docker and in Kubernetes
        pair = _decode(entry["auth"])
        if isinstance(pair, str):
            return pair
        username, password = pair
    if entry.get("identitytoken") and not password:
        username, password = ACR_TOKEN_USER, entry["identitytoken"]
    if not username and not password:
        return "has no login: 'docker login' stored it in a credential helper"
    if not username or not password:
        return f"has no {'password' if username else 'user name'}"
    return username, password


def _decode(auth: str) -> tuple[str, str] | str:
    """Return user name and password of an `auth` field, or what is wrong with it."""
    compact = "".join(auth.split())
    try:
        decoded = base64.b64decode(compact + "=" * (-len(compact) % 4), validate=True).decode("utf-8")
    except UnicodeDecodeError:
        return "has an 'auth' that is not base64 of UTF-8 text"
    except (binascii.Error, ValueError):
        return "has an 'auth' that is not base64"
    username, colon, password = decoded.partition(":")
    if not colon:
        return "has an 'auth' that is not base64 of USER:PASSWORD"
    return username, password.rstrip("\0")  # Docker pads with them


def _unusual(password: str) -> str | None:
    if password != password.strip():
        return "begins or ends with a blank or a line break: 'echo' adds one, 'printf' and 'echo -n' don't"
    if not password.isprintable():
        return "has a control character in it"
    return None
