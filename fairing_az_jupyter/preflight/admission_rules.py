"""Which rule of a cluster does not take a launch's object, by the cluster's own words, and which setting keeps to it.

Sources of the words: plugin/pkg/admission/limitranger/admission.go and plugin/pkg/admission/resourcequota of
https://github.com/kubernetes/kubernetes, https://kubernetes.io/docs/concepts/security/pod-security-admission/,
https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/ .
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fairing_az_jupyter.clients.kube.objects.facts import quantity
from fairing_az_jupyter.preflight import fix_commands
from fairing_az_jupyter.preflight.image_copies import copied
from fairing_az_jupyter.preflight.pod_needs import settings_of
from fairing_az_jupyter.settings import notebook_names

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from decimal import Decimal

    from fairing_az_jupyter.models import Fix
    from fairing_az_jupyter.preflight.context import CheckContext, Planned

__all__ = ["Rule", "asks_beyond_quota", "exceeded", "own_words", "rule_in"]

_UNSET = re.compile(r"failed quota: ([a-z0-9.-]+): must specify ([^;]+)")
_USED_UP = re.compile(r"exceeded quota: ([a-z0-9.-]+)")
_POD_SECURITY = re.compile(r'violates PodSecurity "(\w+)')
_RANGE = re.compile(
    r"(?P<end>minimum|maximum) (?P<what>[\w./-]+) usage per (?P<whom>Container|Pod) is (?P<bound>[\w.]*\w)"
    r"(?:[,.]? +(?:but )?(?:(?P<no>no \w+ is specified)|(?P<part>request|limit) is [^\],\s]+))?",
    re.IGNORECASE,
)
_RATIO = re.compile(r"(?P<what>[\w./-]+) max limit to request ratio per (?:Container|Pod) is (?P<bound>[^,\s]+)")
_UNDER_REQUEST = re.compile(r"must be less than or equal to (?P<what>cpu|memory) limit(?: of (?P<bound>[^;\s]+))?")
_POLICY = re.compile(r"ValidatingAdmissionPolicy '([^']+)'|admission webhook \"([^\"]+)\" denied")
# Gatekeeper's library and Azure Policy: library/general/containerlimits of open-policy-agent/gatekeeper-library.
_HIGHER = re.compile(
    r"\b(?P<what>cpu|memory) limit <?[\w.]+>? is higher than the maximum allowed of <?(?P<bound>[\w.]*\w)",
    re.IGNORECASE,
)
_CONSTRAINT = re.compile(r"\[([a-z0-9.-]+)\] ")
_SAID = (
    (re.compile(r"root|privilege|capabilit|seccomp|securitycontext|run ?as", re.IGNORECASE), "security"),
    (re.compile(r"image(?![ -]?pull)|registr", re.IGNORECASE), "images"),
    (re.compile(r"\blimits?\b", re.IGNORECASE), "limits"),
    (re.compile(r"probe", re.IGNORECASE), "probes"),
)


@dataclass(frozen=True)
class Rule:
    """A rule that does not take an object.

    Args:
        code: The finding's code.
        fixes: What keeps to it.

    """

    code: str
    fixes: tuple[Fix, ...]


def rule_in(text: str, context: CheckContext, kind: Planned, namespace: str) -> Rule:
    """Tell which rule does not take an object.

    Args:
        text: What the cluster says.
        context: What is checked.
        kind: What the object is made for.
        namespace: Where.

    """
    amounts = _Amounts(context, kind, namespace)
    if found := _UNSET.search(text):
        return Rule("quota-on-limits", tuple(amounts.with_limits(found.group(2), found.group(1))))
    if found := _USED_UP.search(text):
        describe = fix_commands.kubectl("-n", namespace, "describe", "quota", found.group(1))
        return Rule("quota", (describe, amounts.lower(_listed(text, "requested"))))
    if found := _POD_SECURITY.search(text):
        return Rule(
            "pod-security", (*_secured(context, kind), fix_commands.kubectl("get", "namespace", namespace, "-o=yaml"))
        )
    if (
        found := _RANGE.search(text) or _RATIO.search(text) or _UNDER_REQUEST.search(text)
    ) is not None and not _POLICY.search(text):
        return Rule("limit-range", tuple(dict.fromkeys(amounts.within(text))))
    if found := _POLICY.search(text):
        name = found.group(1) or found.group(2)
        return Rule("policy", tuple(_kept(text[found.end() :], name, context, kind, amounts)))
    return Rule("not-allowed-by-rule", (fix_commands.text("Ask the cluster's administrator about this rule."),))


def asks_beyond_quota(text: str) -> bool:
    """Tell whether an object asks for more than a quota has in all, so that no other's end makes room for it.

    Args:
        text: What the cluster says: `exceeded quota: NAME, requested: pods=1, used: pods=3, limited: pods=3`.

    """
    requested, limited = (_listed(text, word) for word in ("requested", "limited"))
    return any(amount > limited[name] for name, amount in requested.items() if name in limited)


def exceeded(text: str) -> tuple[str, ...]:
    """Name what of a quota would be exceeded.

    Args:
        text: What the cluster says; see `asks_beyond_quota`.

    """
    return tuple(_listed(text, "requested"))


def own_words(text: str) -> str:
    """Return what a policy says itself, without who enforces it; empty for a rule that is none of a policy's.

    Args:
        text: What the cluster says. Gatekeeper names its constraints: `... denied the request: [NAME] words`, one line
            for each; these names are the rule then, for the words also name containers and images.

    """
    found = _POLICY.search(text)
    if found is None:
        return ""
    names = sorted(set(_CONSTRAINT.findall(text[found.end() :])))
    return ", ".join(names) or text[found.start() :]


def _listed(text: str, word: str) -> dict[str, Decimal]:
    found = re.search(rf"{word}: ((?:[\w./-]+=[^,\s]+,?)+)", text)
    pairs = (pair.partition("=") for pair in found.group(1).strip(",").split(",")) if found else ()
    return {name: quantity(amount.rstrip(".")) for name, _, amount in pairs}


class _Amounts:
    """The settings of what one kind of pod asks for."""

    def __init__(self, context: CheckContext, kind: Planned, namespace: str) -> None:
        self._context, self._kind, self._namespace = context, kind, namespace
        prefix = "build_" if kind == "build" else ""
        self._fields = {"cpu": f"{prefix}cpu", "memory": f"{prefix}memory", "nvidia.com/gpu": "gpus"}
        self._describe = fix_commands.kubectl("-n", namespace, "describe", "limitrange")

    def limit(self) -> Iterator[Fix]:
        """Yield what gives pods a limit of processor cores: one that is enough for jobs and builds."""
        settings = self._context.settings
        asked = (settings.cpu, settings.build_cpu) if self._context.builds_in_cluster else (settings.cpu,)
        needed = max(asked, key=quantity)
        if not settings.cpu_limit or quantity(settings.cpu_limit) < quantity(needed):
            yield fix_commands.change_setting(self._context, "cpu_limit", needed)

    def with_limits(self, missing: str, quota: str) -> Iterator[Fix]:
        """Yield what names the amounts that a quota wants named."""
        if "limits.cpu" in missing:
            yield from self.limit()
        yield fix_commands.kubectl("-n", self._namespace, "describe", "quota", quota)

    def lower(self, resources: Iterable[str]) -> Fix:
        """Return what makes a pod ask for less of some of a quota's resources."""
        settings = settings_of(self._kind, resources)
        lower = f", lower {settings}," if settings else ""
        return fix_commands.text(
            f"Delete what is no longer needed{lower} or ask the owner of the profile {self._namespace} for more."
        )

    def at_most(self, what: str, bound: str, *, of_limit: bool = True) -> Iterator[Fix]:
        """Yield what brings an amount down to a bound, which is reported in a form that settings take."""
        if what != "cpu":
            # The memory that a pod asks for is its limit as well.
            yield from self._set([self._fields.get(what)], bound)
            return
        # The limit may not be less than what is asked for, so that goes first.
        high = [field for field in dict.fromkeys((self._fields["cpu"], "cpu")) if self._is_more(field, bound)]
        if self._is_more("cpu_limit", bound):
            yield from self._set([*high, "cpu_limit"], bound)
        else:
            yield from self._set(high[:1] or ["cpu_limit" if of_limit else self._fields["cpu"]], bound)

    def at_least(self, what: str, bound: str) -> Iterator[Fix]:
        """Yield what brings an amount up to a bound."""
        limit = self._context.settings.cpu_limit
        if what == "cpu" and limit and quantity(limit) < quantity(bound):
            yield fix_commands.change_setting(self._context, "cpu_limit", bound)
        yield from self._set([self._fields.get(what)], bound)

    def _is_more(self, field: str, bound: str) -> bool:
        value = getattr(self._context.settings, field)
        return bool(value) and quantity(value) > quantity(bound)

    def _set(self, fields: Iterable[str | None], value: str) -> Iterator[Fix]:
        for field in filter(None, fields):
            yield fix_commands.change_setting(self._context, field, value)

    def within(self, text: str) -> Iterator[Fix]:
        """Yield what brings a pod's amounts within a LimitRange."""
        for found in _RANGE.finditer(text):
            if found["no"] and found["what"] == "cpu":
                yield from self.limit()
            elif found["end"].lower() == "maximum":
                yield from self.at_most(found["what"], found["bound"], of_limit=found["part"] == "limit")
            else:
                yield from self.at_least(found["what"], found["bound"])
        if any(each["what"] == "cpu" for each in _RATIO.finditer(text)):
            yield from self.limit()
        for found in _UNDER_REQUEST.finditer(text):
            # A LimitRange gives limits to what has none: its default, or its maximum where it names no default.
            if found["what"] == "cpu":
                yield from self.limit()
            if found["bound"]:
                yield fix_commands.change_setting(
                    self._context, self._fields[found["what"]], found["bound"].rstrip(".")
                )
        yield self._describe


def _secured(context: CheckContext, kind: Planned) -> Iterator[Fix]:
    """Yield what makes pods keep to the restricted Pod Security Standard."""
    if kind == "build":
        # Kaniko unpacks images as root.
        yield fix_commands.change_setting(context, "builder", "acr-tasks")
    if "pod_security" not in context.broken and context.settings.pod_security != "restricted":
        yield fix_commands.change_setting(context, "pod_security", "restricted")


def _kept(text: str, name: str, context: CheckContext, kind: Planned, amounts: _Amounts) -> Iterator[Fix]:
    """Yield what keeps to a policy, as far as its message tells what it is about."""
    about = {what for said, what in _SAID if said.search(text)}
    high = list(_HIGHER.finditer(text))
    for found in high:
        yield from amounts.at_most(found["what"].lower(), found["bound"])
    if "limits" in about and not high:
        yield from amounts.limit()
    if "security" in about:
        yield from _secured(context, kind)
    if "images" in about and kind == "build":
        for field in ("base_image", "builder_image"):
            yield from copied(context, field, context.image(field))
    if "images" in about and kind != "build":
        yield fix_commands.text(
            f"Set {notebook_names()['docker_registry']} to a registry that the policy allows: the launch's images are "
            "stored there."
        )
    if "probes" in about and kind != "endpoint":
        yield fix_commands.text(
            "Pods that end by themselves have probes that never act: ask for the policy to exclude pods of Jobs."
        )
    yield fix_commands.text(f"Ask the owner of the policy {name} what it requires, or for an exemption.")
