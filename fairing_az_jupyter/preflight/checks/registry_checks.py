"""Is the registry's Secret there and readable, and what may its login pull and push?"""

from __future__ import annotations

import contextlib
import dataclasses
import difflib
import functools
import re
from typing import TYPE_CHECKING

from fairing_az_jupyter.clients.azure.clouds import cloud_of_registry
from fairing_az_jupyter.clients.oci.auth.docker_config import (
    ACR_TOKEN_USER,
    SECRET_KEY,
    SECRET_TYPE,
    Login,
    parse_docker_config,
    registry_host,
    with_login,
)
from fairing_az_jupyter.clients.oci.registry import Registry
from fairing_az_jupyter.clients.secret_values import SecretValue
from fairing_az_jupyter.exceptions import CredentialError, FairingAzureError, NotAllowedError, NotFoundError
from fairing_az_jupyter.models import Fix
from fairing_az_jupyter.preflight import fix_commands
from fairing_az_jupyter.preflight.runner import Check, Finding, from_error
from fairing_az_jupyter.settings.naming import looks_secret

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fairing_az_jupyter.clients.azure.service_principal import ServicePrincipal
    from fairing_az_jupyter.clients.kube.cluster import Cluster
    from fairing_az_jupyter.preflight.context import CheckContext

IMAGE = "fairing-job"
"""The repository that is tried: what Fairing calls its images."""

_GUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_ADDRESS = re.compile(r"--ip-address ([0-9A-Fa-f.:]+)")
_MINUTES = fix_commands.text("A new role assignment may take some minutes.")


@dataclasses.dataclass(frozen=True)
class _Visit:
    """A registry that has let a login in, and what is tried there."""

    registry: Registry
    login: Login
    repository: str


def checks(context: CheckContext) -> list[Check]:
    """Return the checks of the registry and its Secret.

    Args:
        context: What is checked.

    """
    secret = f"Secret {context.settings.registry_secret_name}"
    registry = f"DOCKER_REGISTRY {_registry(context)}".rstrip()
    push = Check(
        "registry.push",
        "Permission to push images",
        "Every launch pushes the image that it has built.",
        registry,
        functools.partial(_push, context),
        ("registry.pull",),
    )
    # What ACR Tasks build they push themselves, in another name.
    pushed = () if context.settings.builder == "acr-tasks" else (push,)
    return [
        Check(
            "registry.secret",
            "Registry Secret",
            "The cluster's nodes pull images with it, and builds in the cluster push with it.",
            secret,
            functools.partial(_secret, context),
            ("cluster",),
        ),
        Check(
            "registry.secret-login",
            "Login for DOCKER_REGISTRY",
            "A login for another host is not used for this one, so pods would wait in ImagePullBackOff.",
            secret,
            functools.partial(_secret_login, context),
            ("registry.secret",),
            after=("cluster",),
        ),
        Check(
            "registry.pull",
            "Permission to pull images",
            "The cluster's nodes pull the image of a job or an endpoint with it.",
            registry,
            functools.partial(_pull, context),
            ("registry.secret-login",),
            after=("azure.token", "azure.secret-keys"),
        ),
        *pushed,
        Check(
            "cluster.pull-secret",
            "Pods can pull images",
            "A launch's pods reference the registry's Secret themselves; a node that can't use it leaves them in "
            "ImagePullBackOff.",
            f"{secret} as nodes read it",
            functools.partial(_pull_secret, context),
            ("cluster", "registry.secret", "registry.secret-login"),
            after=("cluster.service-account",),
        ),
    ]


def _secret(context: CheckContext, given: Mapping[str, Finding]) -> Finding:
    cluster: Cluster = given["cluster"].value
    name = context.settings.registry_secret_name
    if skipped := context.unusable("registry_secret_name", looks_at="the registry's Secret"):
        return skipped
    looked_at = f"Secret {name} in namespace {cluster.namespace}"
    create = _kubectl_create(name, cluster.namespace)
    try:
        stored = cluster.read_secret(name)
    except NotFoundError as error:
        if error.code != NotFoundError.code:  # the whole namespace, or something that is not an API server
            return from_error(error, looked_at)
        return from_error(error, looked_at, (fix_commands.ours("secrets", "create", "--acr"), create), fixable=True)
    except FairingAzureError as error:
        return from_error(error, looked_at)
    # What has the type's key can be pushed with nevertheless; what nodes make of it is `cluster.pull-secret`'s.
    if stored.type != SECRET_TYPE and SECRET_KEY not in stored.data:
        message = (
            f"Secret '{name}' in namespace '{cluster.namespace}' has the type '{stored.type}', not '{SECRET_TYPE}'; "
            "the type of a Secret can't be changed, so it has to be recreated."
        )
        fix = _made_anew(name, cluster.namespace)
        return Finding("fail", looked_at, message, fix, fixable=True, code="secret-type")
    message = f"Secret '{name}' exists and has the type '{stored.type}'."
    return Finding("pass", looked_at, message, value=stored)


def _secret_login(context: CheckContext, given: Mapping[str, Finding]) -> Finding:
    looked_at = given["registry.secret"].looked_at
    if skipped := context.unusable("docker_registry", looks_at=looked_at):
        return skipped
    stored = given["registry.secret"].value
    cluster: Cluster = given["cluster"].value
    host = registry_host(_registry(context))
    value = stored.data.get(SECRET_KEY, SecretValue(""))
    again = fix_commands.ours("secrets", "create", "--acr")
    create = _kubectl_create(stored.name, cluster.namespace)
    delete = fix_commands.kubectl("delete", "secret", stored.name, "-n", cluster.namespace)
    anew = Fix("kubectl", f"{delete.command} && {create.command}")
    try:
        config = parse_docker_config(value, host=host)
    except CredentialError as error:
        if _fixed_by_a_login(value, host):
            return from_error(error, looked_at, (again, anew), fixable=True)
        # Logins of other registries are kept, so that the one that nobody can read would stay.
        return from_error(error, looked_at, (Fix("kubectl", f"{delete.command} && {again.command}"), anew))
    try:
        login = config.find(host)
    except NotFoundError as error:
        present = [one.host for one in config.logins]
        return from_error(error, looked_at, (again, *_other_host(context, host, present), anew), fixable=True)
    if _swapped(login):
        message = (
            f"The login for '{login.host}' in Secret '{stored.name}' has what looks like a client secret as its user "
            "name, so the two are probably swapped."
        )
        return Finding("fail", looked_at, message, (again, anew), fixable=True, code="docker-config-swapped")
    message = (
        f"Secret '{stored.name}' has a login for '{host}', as user '{login.username}'{_in_another_cloud(context)}."
    )
    return Finding("pass", looked_at, message, value=login)


def _pull_secret(context: CheckContext, given: Mapping[str, Finding]) -> Finding:
    """Tell whether nodes pull with the Secret, which the pods of a launch name themselves.

    Where they do not, they may still pull with the service account's other Secrets, or with an identity of their own
    (`az aks update --attach-acr`), which nobody here can see.
    """
    cluster: Cluster = given["cluster"].value
    login: Login = given["registry.secret-login"].value
    stored = given["registry.secret"].value
    looked_at = given["registry.secret"].looked_at
    namespace, account = cluster.namespace, context.settings.service_account
    unread = login.unread_by_nodes(_repository(context))
    if stored.type == SECRET_TYPE and not unread:
        named = given["cluster.service-account"].value or ()
        too = f"; ServiceAccount {account} lists it, too" if stored.name in named else ""
        return Finding("pass", looked_at, f"Pods of a launch reference Secret '{stored.name}' themselves{too}.")
    if stored.type != SECRET_TYPE:
        problem = f"Secret '{stored.name}' has the type '{stored.type}', and nodes read only '{SECRET_TYPE}'"
        fix, code = _made_anew(stored.name, namespace), "secret-type"
    else:
        problem = f"The entry for '{login.host}' in Secret '{stored.name}' {unread}"
        create = _kubectl_create(stored.name, namespace)
        delete = fix_commands.kubectl("delete", "secret", stored.name, "-n", namespace)
        anew = Fix("kubectl", f"{delete.command} && {create.command}")
        fix, code = (fix_commands.ours("secrets", "create", "--acr"), anew), "docker-config-unread"
    if _others_pull(cluster, given["cluster.service-account"].value or (), stored.name, login.host, context):
        return Finding("pass", looked_at, f"{problem}; another Secret of ServiceAccount {account} lets pods pull.")
    if cloud_of_registry(login.host) is None:
        message = f"{problem}; a launch would wait in ImagePullBackOff."
        return Finding("fail", looked_at, message, fix, fixable=True, code=code)
    message = (
        f"{problem}; a launch would wait in ImagePullBackOff unless the nodes' own identity may pull (az aks update "
        "--attach-acr), which can't be checked from here."
    )
    return Finding("warn", looked_at, message, fix, fixable=True, code=code)


def _others_pull(cluster: Cluster, names: tuple[str, ...], but: str, host: str, context: CheckContext) -> bool:
    """Tell whether another Secret of the service account has a login that nodes read, and the registry lets it pull."""
    for name in names:
        if name == but:
            continue
        try:
            stored = cluster.read_secret(name)
            login = parse_docker_config(stored.data.get(SECRET_KEY, SecretValue("")), host=host).find(host)
        except FairingAzureError:
            continue
        if stored.type == SECRET_TYPE and not login.unread_by_nodes(_repository(context)) and _pulls(login, context):
            return True
    return False


def _pulls(login: Login, context: CheckContext) -> bool:
    with contextlib.closing(_opened(login, context)) as registry:
        try:
            registry.check_pull(_repository(context))
        except FairingAzureError:
            return False
    return True


def _opened(login: Login, context: CheckContext) -> Registry:
    return Registry(
        login.host,
        username=login.username,
        password=login.password,
        timeout=context.timeout,
        deadline=context.deadline,
    )


def _made_anew(name: str, namespace: str) -> tuple[Fix, ...]:
    """Return what makes a Secret anew whose type is wrong."""
    delete, create = fix_commands.kubectl("delete", "secret", name, "-n", namespace), _kubectl_create(name, namespace)
    return fix_commands.ours("secrets", "create", "--acr", "--replace"), Fix(
        "kubectl", f"{delete.command} && {create.command}"
    )


def _pull(context: CheckContext, given: Mapping[str, Finding]) -> Finding:
    login: Login = given["registry.secret-login"].value
    repository = _repository(context)
    looked_at = f"repository {repository} on registry {login.host}"
    settings, token = context.settings, given["azure.token"]
    principal: ServicePrincipal | None = given["azure.secret-keys"].value
    # With a credential of another kind, a token that is rejected says nothing about this client secret.
    if _is_same(login, principal) and token.status == "fail" and settings.credential in {"auto", "secret"}:
        message = (
            f"Skipped: Secret '{settings.registry_secret_name}' holds the same client secret as Secret "
            f"'{settings.azure_secret_name}', which got no token from Microsoft Entra ID (see azure.token)."
        )
        return Finding("skipped", looked_at, message)
    registry = _opened(login, context)
    try:
        access = registry.check_pull(repository)
    except FairingAzureError as error:
        registry.close()
        if isinstance(error, CredentialError) and error.code == CredentialError.code:
            return _disbelieved(context, error, looked_at, login, given)
        return _rejected(context, error, looked_at, login)
    empty = "; nothing is in it yet" if access.exists is False else ""
    message = f"User '{login.username}' may pull from '{repository}' on registry '{login.host}'{empty}."
    return Finding("pass", looked_at, message, value=_Visit(registry, login, repository))


def _push(context: CheckContext, given: Mapping[str, Finding]) -> Finding:
    visit: _Visit = given["registry.pull"].value
    looked_at = given["registry.pull"].looked_at
    with visit.registry as registry:
        try:
            access = registry.check_push(visit.repository)
        except FairingAzureError as error:
            return _rejected(context, error, looked_at, visit.login)
    # Some registries let only those cancel who may delete, which AcrPush does not allow.
    ended = "was cancelled" if access.cancelled else "is empty, and the registry removes it after some days"
    message = (
        f"User '{visit.login.username}' may push to '{visit.repository}' on registry '{visit.login.host}'; "
        f"the upload that proved it {ended}."
    )
    return Finding("pass", looked_at, message)


def _disbelieved(
    context: CheckContext, error: CredentialError, looked_at: str, login: Login, given: Mapping[str, Finding]
) -> Finding:
    """Return the finding for a password that the registry does not accept."""
    principal: ServicePrincipal | None = given["azure.secret-keys"].value
    token = given["azure.token"]
    believed = token.status in {"pass", "warn"} and getattr(token.value, "source", "") == "secret"
    if believed and _is_same(login, principal) and _grants(login):
        # A registry answers like that to a service principal without a role, too.
        message = (
            f"Registry '{login.host}' denies user '{login.username}' access, although Microsoft Entra ID accepts its "
            "client secret: it has no role on the registry that allows pulling."
        )
        return Finding("fail", looked_at, message, (*_grants(login), _MINUTES), code="no-role")
    finding = from_error(error, looked_at, fixable=True)
    rotate, create = fix_commands.ours("secrets", "rotate"), fix_commands.ours("secrets", "create", "--acr")
    if not _is_service_principal(login):
        return dataclasses.replace(finding, fixes=(create, *_other_password(login)))
    ours = (rotate, create)
    if believed and principal is not None and _is_user(login, principal) and not _is_same(login, principal):
        ours = (create, rotate)
        message = f"{error.message} Secret '{context.settings.azure_secret_name}' has another one, which is accepted."
        finding = dataclasses.replace(finding, message=message)
    reset = fix_commands.az("ad", "sp", "credential", "reset", "--id", login.username, "--append")
    hint = (
        "If the password is right, check the service principal's role on the registry. A new one may take some minutes."
    )
    return dataclasses.replace(finding, fixes=(*ours, reset, fix_commands.text(hint)))


def _other_password(login: Login) -> tuple[Fix, ...]:
    """Return how the password of a user is renewed who is not a service principal: only his registry knows him."""
    if cloud_of_registry(login.host) is None:
        return ()
    acr = _acr(login.host)
    if login.username == ACR_TOKEN_USER:
        return _other_token(acr)
    if login.username.lower() == acr:
        return (fix_commands.az("acr", "credential", "renew", "--name", acr, "--password-name", "password"),)
    token = ("--name", login.username, "--registry", acr, "--password1")
    return (fix_commands.az("acr", "token", "credential", "generate", *token),)


def _other_token(acr: str) -> tuple[Fix, ...]:
    """Return how a login is renewed that is somebody's token: it lasts three hours, and no role can be granted to it.

    Source: https://learn.microsoft.com/azure/container-registry/container-registry-authentication
    """
    again = fix_commands.az(
        "acr", "login", "--name", acr, "--expose-token", "--query", "accessToken", "--output", "tsv"
    )
    return again, fix_commands.text(
        "That token lasts three hours; `secrets create` takes a client secret, which lasts longer."
    )


def _rejected(context: CheckContext, error: FairingAzureError, looked_at: str, login: Login) -> Finding:
    """Return the finding for what is wrong with the registry, or with the rights of a login that it believes."""
    if isinstance(error, NotAllowedError):
        # Here 'not allowed' is the answer, and not the lack of one.
        finding = dataclasses.replace(from_error(error, looked_at), status="fail", unseen=False)
        if login.username == ACR_TOKEN_USER and error.code.startswith("not-allowed"):
            again = (fix_commands.ours("secrets", "create", "--acr"), *_other_token(_acr(login.host)))
            return dataclasses.replace(finding, fixes=again, fixable=True)
        return dataclasses.replace(finding, fixes=_granting(error, finding, login))
    if error.code == "dns-unknown":
        return from_error(error, looked_at, tuple(_right_names(context, login.host)))
    return from_error(error, looked_at)


def _granting(error: NotAllowedError, finding: Finding, login: Login) -> tuple[Fix, ...]:
    """Return what gives a login the right that it lacks."""
    if error.code == "read-only":
        return finding.fixes
    if error.code == "firewall":
        address = _ADDRESS.search(error.hint)
        if address is None or cloud_of_registry(login.host) is None:
            return finding.fixes
        rule = ("--name", _acr(login.host), "--ip-address", address[1])
        return (fix_commands.az("acr", "network-rule", "add", *rule), *finding.fixes)
    grants = _grants(login)
    if error.code == "shut-out":
        return (*finding.fixes, *grants)
    return (*grants, _MINUTES) if grants else finding.fixes


def _grants(login: Login) -> tuple[Fix, ...]:
    """Return what lets a login push, and pull; nothing where it is not known who grants that."""
    if cloud_of_registry(login.host) is None or login.username == ACR_TOKEN_USER:
        return ()
    acr = _acr(login.host)
    if not _is_service_principal(login):
        # Roles are for identities; what a registry's own token may do is in its scope map.
        # https://learn.microsoft.com/azure/container-registry/container-registry-token-based-authentication
        scope_map = ("--scope-map", "_repositories_push")
        return (fix_commands.az("acr", "token", "update", "--name", login.username, "--registry", acr, *scope_map),)
    show = fix_commands.az("acr", "show", "--name", acr, "--query", "id", "--output", "tsv").command
    who = fix_commands.az("role", "assignment", "create", "--assignee", login.username).command
    # Not quoted as one word, for the shell is to put the identifier in.
    push, writer = (
        Fix("az", f'{who} --role {role} --scope "$({show})"')
        for role in ("AcrPush", "'Container Registry Repository Writer'")
    )
    return (push, fix_commands.text("A registry in ABAC mode ignores AcrPush; grant the next role there."), writer)


def _right_names(context: CheckContext, host: str) -> list[Fix]:
    """Return how the name of a registry that does not exist is fixed."""
    if cloud_of_registry(host) is None:
        return []
    found = []
    suffix = context.cloud.registry_suffix
    if not host.endswith(f".{suffix}"):
        found.append(_fill(context, f"{host.partition('.')[0]}.{suffix}"))
    return [*found, fix_commands.az("acr", "show", "--name", _acr(host), "--query", "loginServer", "--output", "tsv")]


def _other_host(context: CheckContext, host: str, present: list[str]) -> tuple[Fix, ...]:
    """Return how DOCKER_REGISTRY is set to the registry that the Secret was probably made for."""
    known = [one for one in present if cloud_of_registry(one) is not None]
    return tuple(_fill(context, one) for one in difflib.get_close_matches(host, known, n=1))


def _fill(context: CheckContext, host: str) -> Fix:
    path = _registry(context).partition("/")[2]
    return fix_commands.ours(
        "fill", context.notebook or "NOTEBOOK", "--docker-registry", f"{host}/{path}" if path else host
    )


def _kubectl_create(name: str, namespace: str) -> Fix:
    # From a file: a password on the command line would be in the shell's history.
    return fix_commands.kubectl(
        *("create", "secret", "docker-registry", name, "-n", namespace), f"--from-file={SECRET_KEY}=FILE"
    )


def _fixed_by_a_login(value: SecretValue, host: str) -> bool:
    """Say whether a docker config can be read once the login to this registry is written anew."""
    try:
        parse_docker_config(with_login(value, host, "user", SecretValue("password")), host=host)
    except CredentialError:
        return False
    return True


def _swapped(login: Login) -> bool:
    """Say whether user name and password stand in each other's place; the user name is then not to be shown."""
    if looks_secret(login.username):
        return True
    in_azure = cloud_of_registry(login.host) is not None
    return in_azure and not _GUID.fullmatch(login.username) and bool(_GUID.fullmatch(login.password.reveal()))


def _is_service_principal(login: Login) -> bool:
    return bool(_GUID.fullmatch(login.username)) and login.username != ACR_TOKEN_USER


def _is_user(login: Login, principal: ServicePrincipal) -> bool:
    return login.username.lower() == principal.client_id.lower()


def _is_same(login: Login, principal: ServicePrincipal | None) -> bool:
    """Say whether a login is the service principal with the same secret; SecretValue compares in constant time."""
    return principal is not None and _is_user(login, principal) and login.password == principal.client_secret


def _in_another_cloud(context: CheckContext) -> str:
    cloud = cloud_of_registry(_registry(context))
    if cloud is None or cloud == context.cloud:
        return ""
    return f"; the registry is in {cloud.name}, and FAIRING_AZURE_CLOUD is {context.cloud.name}"


def _registry(context: CheckContext) -> str:
    return "" if "docker_registry" in context.broken else context.settings.docker_registry or ""


def _repository(context: CheckContext) -> str:
    path = _registry(context).partition("/")[2]
    return f"{path}/{IMAGE}" if path else IMAGE


def _acr(host: str) -> str:
    """Return a registry's name; its login server may have a hyphen and a hash after it (domain name label)."""
    return re.split(r"[.-]", host)[0]
