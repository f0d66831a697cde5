"""What names Azure, Kubernetes and image registries accept, and what is certainly no name: placeholders and secrets.

Each rule takes the text that a user wrote and returns the name to use, or raises `BrokenRuleError` with what is wrong
and, where one can be determined, the fixed name. No rule repeats the text: that is left to the caller, who knows
whether it may be shown.
"""

from __future__ import annotations

import re

AZURE_NAMES = "https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules"
KUBERNETES_NAMES = "https://kubernetes.io/docs/concepts/overview/working-with-objects/names/"
IMAGE_NAMES = "https://pkg.go.dev/github.com/distribution/reference"

LONGEST_TEXT = 2048
_LONGEST_LABEL = 63
_LONGEST_SUBDOMAIN = 253
_LONGEST_IMAGE_NAME = 255
_LONGEST_GROUP = 90
_HIGHEST_PORT = 65535

# What Microsoft documents about the form of its keys, and the forms in which keys are handed around. The `Q~`, `+ACR`
# and 88-character forms: https://learn.microsoft.com/purview/sit-sensitive-information-type-entity-definitions
_SECRETS = re.compile(
    r"(?i:(?:account|access|shared\w{0,30}|api)_?key\s*=)"
    r"|(?i:\bsharedaccesssignature\b|\bdefaultendpointsprotocol\s*=)"
    r"|(?i:(?:^|[?&;\s])sig\s*=)"
    r"|(?i:(?:password|passwd|pwd|secret|token)\s*=)"
    r"|-----BEGIN "
    r"|://[^/\s:@]*:[^/\s@]+@"
    r"|(?i:\bhttps?://)[^/\s:@*]+@"
    r"|\beyJ[\w-]{8,}\.[\w-]{8,}"
    r"|[\w~.-]{3}[0-9]Q~[\w~.-]{31}"
    r"|[A-Za-z0-9/+]{42}\+ACR[A-Za-z0-9]{6}"
    r"|(?<![A-Za-z0-9+/])[A-Za-z0-9+/]{86}=="
)
_SECRET_NAMES = re.compile(
    r"(?i)secret|passw|pwd|token|credentials|(?:account|access|storage|api|private)[_-]?key|connection[_-]?string"
    r"|(?:^|[_-])sas(?:$|[_-])"
)
_PLACEHOLDER_MARKS = re.compile(r"[<>]|\$\{|\{\{|\.\.\.|\u2026|%\w+%|\$\w+")
_PLACEHOLDER_WORDS = re.compile(
    r"(?i)todo|tbd|fixme|change-?me|replace-?me|replace-?this|place-?holder|fill-?me|fill-?in|insert-?here|none|null"
    r"|x{3,}"
    r"|(?:(?:insert|enter)-)?your-.*"
    r"|your(?:acr|azure|container|docker|registry|storage|account|resource|group|region|location|name|image|project|rg).*"
    r"|(?:acr|(?:docker-?|container-?)?registry|(?:storage-?)?account|(?:resource-?)?group|image|region|server)-?(?:name|here)"
)

_ACR_HOST = re.compile(r"([a-z0-9]{5,50})(-[a-z0-9]+)?\.azurecr\.(?:io|us|cn)")
_LOOPBACK_HOST = re.compile(r"(?:localhost|127\.0\.0\.1)(?::([0-9]{1,5}))?")
_COMPONENT = r"[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_DIGEST = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:[+._-][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}")
_HOST = re.compile(
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.)*[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?::[0-9]{1,5})?"
)
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*")
_GROUP = re.compile(r"[\w().-]+")
_GROUP_IN_ID = re.compile(r"(?i)/subscriptions/[^/]+/resourceGroups/([^/]+)(?:/.*)?")
_STORAGE_ACCOUNT = re.compile(r"[a-z0-9]{3,24}")
_STORAGE_URL = re.compile(r"(?i)(?:https?://)?([a-z0-9]{3,24})\.(?:blob|file|dfs)\.core\.[a-z.]+/?.*")
_SCHEME = re.compile(r"(?i)[a-z][a-z0-9+.-]*://")


class BrokenRuleError(ValueError):
    """A text breaks the rule of the name that it should be.

    Args:
        problem: What is wrong, as the end of a sentence that begins with the setting's name; it never repeats the text.
        corrected: The name that was probably intended, or "".

    """

    def __init__(self, problem: str, *, corrected: str = "") -> None:
        super().__init__(problem)
        self.problem = problem
        self.corrected = corrected


def looks_secret(text: str) -> bool:
    """Say whether a text holds a key, a password, a token or a connection string.

    Args:
        text: Any text.

    Returns:
        True if it has the form in which Azure hands out secrets; the text must then be neither kept nor shown.

    """
    return _SECRETS.search(text) is not None


def names_secret(name: str) -> bool:
    """Say whether a name is one that secrets are kept under, such as AZ_CLIENT_SECRET.

    Args:
        name: A key of a file, or the name of a variable.

    Returns:
        True if its value is to be taken for a secret.

    """
    return _SECRET_NAMES.search(name) is not None


def looks_placeholder(text: str) -> bool:
    """Say whether a text stands for a value that somebody was to fill in, such as `<acr-name>.azurecr.io`.

    Args:
        text: Any text.

    Returns:
        True for marks (`<...>`, `${...}`) and for words (TODO, changeme, YOUR_REGISTRY) that fill a whole part of it.

    """
    if _PLACEHOLDER_MARKS.search(text):
        return True
    parts = re.split(r"[./:@]", re.sub(r"[_\s]+", "-", text.strip()))
    return any(_PLACEHOLDER_WORDS.fullmatch(part) for part in parts)


def tidy(text: str) -> str:
    """Return a text without what comes along when it is copied: blanks, line ends and quotes around it.

    Args:
        text: What was pasted.

    Returns:
        The text between them.

    """
    return text.strip().strip("'\"`\u2018\u2019\u201c\u201d").strip()


def login_server(text: str) -> str:
    """Accept an Azure Container Registry's login server of any Azure cloud, with an optional path.

    A registry's name has 5 to 50 letters and digits; with a domain name label, a hyphen and a hash follow it in the
    login server. A loopback host with an optional port is accepted too, for registries that tests start.

    Args:
        text: Such as `contosoml.azurecr.io/team`.

    Returns:
        The same with the host in lower case.

    Raises:
        BrokenRuleError: It is not a valid name.

    Source: Microsoft.ContainerRegistry in Azure's resource name rules; the path as in the image reference grammar.

    """
    host, slash, path = text.partition("/")
    host = host.lower()
    if _is_registry_host(host) and (not slash or _REPOSITORY.fullmatch(path)):
        if len(text) > _LONGEST_IMAGE_NAME:
            raise BrokenRuleError(f"is longer than the {_LONGEST_IMAGE_NAME} characters that an image's name may have")
        return host + slash + path
    problem, corrected = _registry_problem(text)
    raise BrokenRuleError(problem, corrected=corrected if _is_login_server(corrected) else "")


def _is_registry_host(host: str) -> bool:
    loopback = _LOOPBACK_HOST.fullmatch(host)
    if loopback:
        return loopback[1] is None or 0 < int(loopback[1]) <= _HIGHEST_PORT
    return bool(_ACR_HOST.fullmatch(host)) and len(host.partition(".")[0]) <= _LONGEST_LABEL


def _is_login_server(text: str) -> bool:
    host, slash, path = text.partition("/")
    return _is_registry_host(host) and (not slash or _REPOSITORY.fullmatch(path) is not None)


def _without_scheme(text: str) -> str:
    scheme = _SCHEME.match(text)
    return text[scheme.end() :] if scheme else text


def _registry_problem(text: str) -> tuple[str, str]:
    """Return what is wrong with a login server, and the one that was probably intended."""
    bare = _without_scheme(tidy(text))
    corrected = bare.rstrip("/").lower()
    if not _is_login_server(corrected):
        corrected = re.sub(r"@[^/]*$|:[^/]*$", "", corrected.partition("@")[0]).rstrip("/")
    host, slash, path = corrected.partition("/")
    if re.fullmatch(r"[a-z0-9]{5,50}", host) and not slash:
        return "is a registry's name only; the login server is needed", f"{host}.azurecr.io"
    if _is_registry_host(host):
        if slash and not _REPOSITORY.fullmatch(path):
            return "has a path that is not made of lower-case letters, digits and single separators", host
        for broken, problem in (
            (text != tidy(text), "has blanks or quotes around it"),
            (bare != tidy(text), "begins with a scheme such as https://; a registry is named without one"),
            (bare.endswith("/"), "ends with a slash"),
            (len(bare.rstrip("/")) != len(corrected), "names an image's tag or digest; a registry has none"),
        ):
            if broken:
                return problem, corrected
        return "has upper-case letters in its path", corrected
    if host.endswith((".azurecr.io", ".azurecr.us", ".azurecr.cn")):
        return "is not a registry's login server: its name must have 5 to 50 letters and digits", ""
    return (
        "is not the login server of an Azure Container Registry (NAME.azurecr.io, NAME.azurecr.us or NAME.azurecr.cn)",
        re.sub(r"\.azurecr\.[a-z.]+$", ".azurecr.io", host),
    )


def python_image(version: str) -> str:
    """Return the image that tasks start from unless another one is named: Docker Hub's, with a version of Python.

    Args:
        version: Python's version, such as `3.11`.

    """
    return f"docker.io/library/python:{version}-slim"


def image_reference(text: str) -> str:
    """Accept a reference to a container image: `[host[:port]/]repository[:tag][@digest]`.

    Args:
        text: Such as `docker.io/library/python:3.11-slim`.

    Returns:
        The same text.

    Raises:
        BrokenRuleError: It is not a valid reference.

    Source: the grammar of github.com/distribution/reference.

    """
    problem = _image_problem(text)
    if not problem:
        return text
    bare = _without_scheme(tidy(text))
    tag = re.search(r"[:@][^/]*$", bare)
    corrected = bare.lower() if tag is None else bare[: tag.start()].lower() + tag[0]
    raise BrokenRuleError(problem, corrected="" if _image_problem(corrected) else corrected)


def _image_problem(text: str) -> str:
    """Return what is wrong with a reference to an image, or ""."""
    if text != tidy(text):
        return "has blanks or quotes around it"
    if _SCHEME.match(text):
        return "begins with a scheme; an image is named without one"
    rest, at, digest = text.partition("@")
    start, slash, last = rest.rpartition("/")
    last, colon, tag = last.partition(":")
    name = start + slash + last
    host, slash, path = name.partition("/")
    is_host = bool(slash) and ("." in host or ":" in host or host == "localhost")
    for broken, problem in (
        (
            at and not _DIGEST.fullmatch(digest),
            "has something after the @ that is not a digest, such as sha256:0123...",
        ),
        (colon and not _TAG.fullmatch(tag), "has something after the : that is not a tag"),
        (len(name) > _LONGEST_IMAGE_NAME, f"has a name of more than {_LONGEST_IMAGE_NAME} characters"),
        (is_host and not _HOST.fullmatch(host), "does not start with a host name"),
        (
            not _REPOSITORY.fullmatch(path if is_host else name),
            "is not an image name: its parts are lower-case letters and digits with single separators between them",
        ),
    ):
        if broken:
            return problem
    return ""


def resource_group(text: str) -> str:
    """Accept the name of an Azure resource group: 1 to 90 letters, digits and `_ - . ( )`, no period at the end.

    Args:
        text: The name; letters of any script.

    Returns:
        The same text.

    Raises:
        BrokenRuleError: It is not a valid name.

    Source: Microsoft.Resources/resourcegroups in Azure's resource name rules.

    """
    problem = _group_problem(text)
    if not problem:
        return text
    identifier = _GROUP_IN_ID.fullmatch(tidy(text))
    if identifier:
        problem = "is a resource's identifier; the resource group's name is needed"
    corrected = identifier[1] if identifier else tidy(text).rstrip(".")
    raise BrokenRuleError(problem, corrected="" if _group_problem(corrected) else corrected)


def _group_problem(text: str) -> str:
    """Return what is wrong with a resource group's name, or ""."""
    if len(text) > _LONGEST_GROUP:
        return f"has {len(text)} characters; a resource group's name has at most {_LONGEST_GROUP}"
    if not _GROUP.fullmatch(text):
        return "has characters other than letters, digits and _ - . ( )"
    return "ends with a period" if text.endswith(".") else ""


def storage_account(text: str) -> str:
    """Accept the name of an Azure Storage account: 3 to 24 lower-case letters and digits.

    Args:
        text: The name alone, without `.blob.core.windows.net`.

    Returns:
        The same text.

    Raises:
        BrokenRuleError: It is not a valid name.

    Source: Microsoft.Storage/storageAccounts in Azure's resource name rules.

    """
    if _STORAGE_ACCOUNT.fullmatch(text):
        return text
    address = _STORAGE_URL.fullmatch(tidy(text))
    if address:
        raise BrokenRuleError("is the account's address; its name is needed", corrected=address[1].lower())
    corrected = tidy(text).lower()
    raise BrokenRuleError(
        "must have 3 to 24 lower-case letters and digits, and nothing else",
        corrected=corrected if _STORAGE_ACCOUNT.fullmatch(corrected) else "",
    )


def label(text: str) -> str:
    """Accept a Kubernetes namespace's name: 1 to 63 lower-case letters, digits and hyphens (RFC 1123 label).

    Args:
        text: The name.

    Returns:
        The same text.

    Raises:
        BrokenRuleError: It is not a valid name.

    Source: "RFC 1123 Label Names" in Kubernetes' documentation of object names.

    """
    return _kubernetes_name(
        text, _LABEL, _LONGEST_LABEL, "lower-case letters, digits and hyphens, with a letter or digit at both ends"
    )


def subdomain(text: str) -> str:
    """Accept the name of a ServiceAccount or Secret: up to 253 characters, labels with periods between (RFC 1123).

    Args:
        text: The name.

    Returns:
        The same text.

    Raises:
        BrokenRuleError: It is not a valid name.

    Source: "DNS Subdomain Names" in Kubernetes' documentation of object names.

    """
    return _kubernetes_name(
        text,
        _SUBDOMAIN,
        _LONGEST_SUBDOMAIN,
        "lower-case letters, digits, hyphens and periods, with a letter or digit at both ends of each part",
    )


def _kubernetes_name(text: str, rule: re.Pattern[str], longest: int, described: str) -> str:
    if len(text) > longest:
        raise BrokenRuleError(f"has {len(text)} characters; Kubernetes allows {longest}")
    if rule.fullmatch(text):
        return text
    corrected = re.sub(r"[\s_]+", "-", tidy(text).lower())
    raise BrokenRuleError(f"must be made of {described}", corrected=corrected if rule.fullmatch(corrected) else "")
