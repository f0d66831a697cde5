"""Why the API server does not take an object: the rule's own words, without the values that were sent."""

from __future__ import annotations

import contextlib
import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter.clients.kube.objects.asking import SERVICE, Asker, CallFailed
from fairing_az_jupyter.clients.kube.objects.facts import entries, mapping, quantity
from fairing_az_jupyter.clients.retries import Retry
from fairing_az_jupyter.exceptions import ConflictError, NotAllowedError, ServiceError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fairing_az_jupyter.clients.http import Answer
    from fairing_az_jupyter.clients.kube.objects.kinds import AskedChange

# 422 is a policy's answer unless it names another reason:
# https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/#getting-started-with-validating-admission-policy
_RULED = frozenset({HTTPStatus.FORBIDDEN, HTTPStatus.UNPROCESSABLE_ENTITY})
# What RBAC says; a policy may say in its own words that something cannot be done.
_ROLES = re.compile(r'User "[^"]*" cannot ')
_SHOWN = 500
_READY_SECONDS = 1.0
_LEAST_SECRET = 4
# Variables that launches set themselves: those of settings, of which none holds a secret, and some of a pod's own.
_OURS = re.compile(
    r"FAIRING_\w+(?<!TOKEN)(?<!PASSWORD)(?<!SECRET)(?<!KEY)|DOCKER_REGISTRY|AZURE_(?:REGION|RESOURCE_GROUP|STORAGE_ACCOUNT)|"
    r"HOME|USER|LOGNAME|PYTHONPATH|PYTHONUNBUFFERED|JUPYTER_RUNTIME_DIR"
)
_PLAIN = re.compile(r"true|false|none|null|yes|no|on|off", re.IGNORECASE)
# `Invalid value: core.PodTemplateSpec{... Env: ...}: field is immutable` quotes the whole of what was sent.
_QUOTED = re.compile(r"((?:Invalid|Unsupported|Duplicate) value|Not found|Too many|Too long)(?:: .*)?: ", re.DOTALL)
# Signatures and credentials of links: Azure's, Amazon's `X-Amz-Signature`, CloudFlare's `verify`, and of plain ones.
_SIGNED = re.compile(
    r"(sig|signature|code|token|password|passwd|secret|key|credential|(?<=[?&])verify)=[^&\s\"']+", re.IGNORECASE
)
# `https://user:password@host`; a digest stands behind an @ as well.
_LOGIN = re.compile(r"://[^\s/\"'<>]+@(?!sha\d+:)")
_AUTHORIZATION = re.compile(
    r"(\bauthorization\b[\"']?\s*[:=]\s*[\"']?)(?:(?:bearer|basic|digest|negotiate)\s+)?[^\s\"',;]+", re.IGNORECASE
)
_BEARER = re.compile(r"\b((?:bearer|basic)\s+)[\w.~+/-]{16,}=*", re.IGNORECASE)
# RFC 7519: its first part begins with `{"`.
_WEB_TOKEN = re.compile(r"\beyJ[\w-]{8,}(?:\.[\w-]*){1,4}")
_WEBHOOK = re.compile(r'admission webhook "([^"]{1,253})" denied')
_POD_SECURITY = re.compile(r'violates PodSecurity "([^"]{1,80})"')
# Source: https://github.com/kubernetes/apiserver/blob/master/pkg/admission/plugin/resourcequota/controller.go
_QUOTA = re.compile(r"exceeded quota: ([a-z0-9.-]+)")
_UNSET = re.compile(r"failed quota: ([a-z0-9.-]+): must specify ([^\n]+)")
# https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/
_POLICY = re.compile(r"ValidatingAdmissionPolicy '([^']{1,253})'.{0,300}? denied request")
# Source: https://github.com/kubernetes/apiserver/blob/master/pkg/util/webhook/error.go, and the words of Go's net/http.
_UNANSWERED = re.compile(
    r"failed calling webhook|failed to call webhook|context deadline exceeded|no endpoints available for service|"
    r"connection refused|connection reset|request timed out|request did not complete|i/o timeout|"
    r"the server is currently unable|too many requests|TLS handshake timeout",
    re.IGNORECASE,
)
# Said until the API server knows a quota that was just made or changed, and where others use up the same quota at once.
# Sources: pkg/admission/plugin/resourcequota/controller.go and pkg/admission/handler.go, of
# https://github.com/kubernetes/apiserver
_PASSING = re.compile(
    r"status unknown for quota: |not yet ready to handle request|resource quota evaluation timed out|"
    r"Operation cannot be fulfilled on resourcequotas",
    re.IGNORECASE,
)
_NAMED_WEBHOOK = re.compile(r'call(?:ing)? webhook "([^"]{1,253})"')
_SETTINGS = {
    "limits.cpu": "FAIRING_CPU_LIMIT",
    "requests.cpu": "FAIRING_CPU",
    "cpu": "FAIRING_CPU",
    "limits.memory": "FAIRING_MEMORY",
    "requests.memory": "FAIRING_MEMORY",
    "memory": "FAIRING_MEMORY",
    "requests.nvidia.com/gpu": "FAIRING_GPUS",
    "limits.nvidia.com/gpu": "FAIRING_GPUS",
}
_AMOUNT = re.compile(r"(?<![\w./-])(?:(?:limits|requests)\.[\w./-]*\w|cpu|memory|ephemeral-storage)(?![\w./-])")


def rejected_change(answer: Answer, asked: AskedChange, asker: Asker) -> CallFailed | None:
    """Tell why an object was not taken.

    Args:
        answer: The answer.
        asked: What was asked.
        asker: Who asked whom.

    Returns:
        The failed call; None where the answer is about something else than the object.

    """
    status = answer.json()
    text = str(status.get("message") or "")
    if _is_denied(text):
        return CallFailed(_forbidden(text, asked, asker), arrived=False)
    if passes_by_itself(text):
        return CallFailed(_not_ready(text, asked, asker), retry=Retry(_READY_SECONDS), arrived=False)
    if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR and (webhook := unanswered(text)):
        # Webhooks are called before anything is stored.
        return CallFailed(_not_judged(webhook, text, asked, asker), retry=Retry(), arrived=False)
    error: ServiceError | None = None
    if answer.status == HTTPStatus.CONFLICT and status.get("reason") == "AlreadyExists":
        error = ConflictError(
            f"{asked.what} already exists in namespace '{asked.namespace}'.",
            hint=f"Delete it first, or choose another name: kubectl -n {asked.namespace} delete "
            f"{asked.resource} {asked.what.partition(' ')[2]}".replace("'", ""),
            code="already-exists",
            service=SERVICE,
            status=answer.status,
        )
    elif answer.status == HTTPStatus.UNPROCESSABLE_ENTITY and "ValidatingAdmissionPolicy" not in text:
        problems = [
            f"{cause.get('field') or 'the object'}: {_unquoted(str(cause.get('message') or cause.get('reason') or ''))}"
            for cause in entries(mapping(status.get("details")).get("causes"))
        ]
        said = _without_secrets("; ".join(dict.fromkeys(problems)), asked.sent, asker)
        error = ConflictError(
            f"The cluster at {asker.address} rejected the request to {asked}, which breaks a rule of the API: "
            f"{_cut(said) or 'no field named'}.",
            hint="Correct the field that it names.",
            code="invalid",
            service=SERVICE,
            status=answer.status,
            said=said,
        )
    elif answer.status in _RULED and text and not _ROLES.search(text) and "being terminated" not in text:
        error = _forbidden(text, asked, asker)
    return None if error is None else CallFailed(error, arrived=False)


def _is_denied(text: str) -> bool:
    """Tell whether a webhook or a policy has denied a request; it may choose any status for that.

    Source: https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/#response
    """
    return _WEBHOOK.search(text) is not None or _POLICY.search(text) is not None


def _forbidden(text: str, asked: AskedChange, asker: Asker) -> NotAllowedError:
    code, hint = rule_of(text, asked.namespace)
    said = _without_secrets(text, asked.sent, asker)
    message = f"A rule of the cluster at {asker.address} forbids to {asked}: {_cut(said)}."
    # Whatever status a webhook has chosen, nothing has been done, and nothing else comes of asking again.
    return NotAllowedError(message, hint=hint, code=code, service=SERVICE, status=HTTPStatus.FORBIDDEN, said=said)


def _not_ready(text: str, asked: AskedChange, asker: Asker) -> ServiceError:
    said = _without_secrets(text, asked.sent, asker)
    return ServiceError(
        f"The cluster at {asker.address} is not ready to {asked}: {_cut(said)}. A quota was just changed, or many "
        "objects are being created at once.",
        hint="Try again in a few seconds.",
        code="not-ready",
        service=SERVICE,
        status=HTTPStatus.SERVICE_UNAVAILABLE,
        said=said,
    )


def _not_judged(webhook: str, text: str, asked: AskedChange, asker: Asker) -> ServiceError:
    said = _without_secrets(text, asked.sent, asker)
    return ServiceError(
        f"A webhook of the cluster at {asker.address} does not answer, so the cluster can't {asked}: {_cut(said)}.",
        hint=f"Try again. If it fails again, ask the cluster's administrator about the webhook {webhook}.",
        code="webhook-unreachable",
        service=SERVICE,
        status=HTTPStatus.SERVICE_UNAVAILABLE,
        said=said,
    )


def rule_of(text: str, namespace: str) -> tuple[str, str]:
    """Tell which kind of rule forbids something, from the API server's words.

    Args:
        text: What the API server or a controller says.
        namespace: Where.

    Returns:
        The error's code, and what to do about it; `not-allowed-by-rule` where the kind is not known.

    """
    if found := _UNSET.search(text):
        return (
            "quota",
            f"{_to_set(found.group(2))}; see the quota: kubectl -n {namespace} describe quota {found.group(1)}",
        )
    if found := _QUOTA.search(text):
        hint = (
            f"Request less, delete what is not needed, or have the quota raised: kubectl -n {namespace} describe "
            f"quota {found.group(1)}"
        )
        return "quota", hint
    for pattern, who in ((_WEBHOOK, "the owner of the webhook"), (_POLICY, "the owner of the policy")):
        if found := pattern.search(text):
            return "admission-denied", f"Change what it names, or ask {who} {found.group(1)}."
    if found := _POD_SECURITY.search(text):
        hint = (
            f"Give the container the securityContext that it names, or use another level than '{found.group(1)}': "
            f"kubectl get namespace {namespace} --show-labels"
        )
        return "pod-security", hint
    if "LimitRange" in text or "usage per" in text:
        return "limit-range", f"Request amounts within the limits: kubectl -n {namespace} describe limitrange"
    return "not-allowed-by-rule", "Ask the cluster's administrator about this rule."


def _to_set(wanted: str) -> str:
    """Return what to do about amounts that a quota wants, as in `limits.cpu for: model; limits.memory for: model`."""
    amounts = dict.fromkeys(_AMOUNT.findall(re.sub(r" for: [^;]*", "", wanted)))
    named = dict.fromkeys(_SETTINGS[each] for each in amounts if each in _SETTINGS)
    others = [each for each in amounts if each not in _SETTINGS]
    parts = [f"Set {' and '.join(named)}"] if named else []
    if others or not named:
        are = "are not settings" if len(others) > 1 else "is not a setting"
        parts.append(f"{' and '.join(others) or wanted} {are}: have a LimitRange give a default")
    return "; ".join(parts)


def exceeds_quota_alone(text: str) -> bool:
    """Tell whether an object asks for more than a quota allows all of them together: no other's end helps it.

    Args:
        text: What the API server says: `exceeded quota: team, requested: pods=1, used: pods=0, limited: pods=0`.

    """
    found = re.search(r"requested: (.+?), used: .+?, limited: ([^;\]}]+)", text)
    if found is None:
        return False
    requested, limited = (_amounts(found.group(number)) for number in (1, 2))
    return any(name in limited and amount > limited[name] for name, amount in requested.items())


def lacks_limits(text: str) -> bool:
    """Tell whether a quota wants amounts that an object does not name.

    Args:
        text: What the API server says.

    """
    return _UNSET.search(text) is not None


def unanswered(text: str) -> str | None:
    """Tell whether what judges an object does not answer, so that the same object may be taken later.

    Args:
        text: What the API server says.

    Returns:
        The webhook's name, empty where it is not named; None where it has answered.

    """
    if _UNANSWERED.search(text) is None or _is_denied(text):
        return None
    named = _NAMED_WEBHOOK.search(text)
    return named.group(1) if named else ""


def passes_by_itself(text: str) -> bool:
    """Tell whether the API server is not ready to judge an object, in words like a rule's: seconds later it is.

    Args:
        text: What the API server or a controller says.

    """
    return _PASSING.search(text) is not None and not _is_denied(text)


def _amounts(text: str) -> dict[str, float]:
    found: dict[str, float] = {}
    for part in text.split(","):
        name, _, amount = part.strip().rstrip(".").partition("=")
        with contextlib.suppress(ValueError):
            found[name] = float(quantity(amount))
    return found


def sanitized(text: str, sent: Mapping[str, Any], asker: Asker | None = None) -> str:
    """Return a text in one line, without credentials, signatures and the values of environment variables.

    Args:
        text: What somebody else says.
        sent: The object that it is about.
        asker: Who asked, for the credential.

    Returns:
        The text, 500 characters of it at most.

    """
    return _cut(_without_secrets(text, sent, asker))


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _without_secrets(text: str, sent: Mapping[str, Any], asker: Asker | None = None) -> str:
    public = "\n".join(_names(sent))
    secrets = {value for value in _values(sent) if len(value) >= _LEAST_SECRET and not _is_known(value, public)}
    if asker is not None and asker.secret:
        secrets.add(asker.secret.reveal().partition(" ")[2])
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(secret, "(hidden)")
    text = _LOGIN.sub("://(hidden)@", " ".join(text.split()))
    text = _AUTHORIZATION.sub(r"\1(hidden)", text)
    text = _WEB_TOKEN.sub("(hidden)", _BEARER.sub(r"\1(hidden)", text))
    return _SIGNED.sub(r"\1=(hidden)", text).rstrip(".")


def _is_known(value: str, public: str) -> bool:
    """Tell whether a value says no more than the object's own names do, or is a word such as `true`."""
    whole = rf"(?<![A-Za-z0-9]){re.escape(value)}(?![A-Za-z0-9])"
    return _PLAIN.fullmatch(value) is not None or re.search(whole, public) is not None


def _unquoted(message: str) -> str:
    return _QUOTED.sub(r"\1: ", message) if ": " in message else message


def _values(node: object) -> Iterator[str]:
    """Yield the values of environment variables, wherever they are: other texts are names and amounts."""
    if isinstance(node, dict):
        for entry in entries(node.get("env")):
            if isinstance(entry.get("value"), str) and not _OURS.fullmatch(str(entry.get("name"))):
                yield entry["value"]
    for part in _parts(node):
        yield from _values(part)


def _names(node: object) -> Iterator[str]:
    """Yield what names an object and its parts: names, labels, and the images of containers."""
    if isinstance(node, dict):
        metadata = mapping(node.get("metadata"))
        named = (*(metadata.get(key) for key in ("name", "generateName", "namespace")), node.get("image"))
        yield from (each for each in (*named, *mapping(metadata.get("labels")).values()) if isinstance(each, str))
    for part in _parts(node):
        yield from _names(part)


def _parts(node: object) -> list[object]:
    if isinstance(node, dict):
        return list(node.values())
    return node if isinstance(node, list) else []
