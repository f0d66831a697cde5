"""What changes among objects of the API server, from a list on, over lost connections and forgotten versions.

Source: https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Literal

from fairing_az_jupyter.clients.http import json_object
from fairing_az_jupyter.clients.kube.objects.asking import SERVICE, Asked, CallFailed
from fairing_az_jupyter.clients.kube.objects.facts import entries, mapping
from fairing_az_jupyter.clients.kube.objects.kinds import uid_of
from fairing_az_jupyter.exceptions import ServiceError, ThrottledError, UnreachableError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from fairing_az_jupyter.clients.kube.objects.facts import Object
    from fairing_az_jupyter.clients.kube.transport.streaming import StreamCalls
    from fairing_az_jupyter.clients.streams import Halt

_PAGE = "500"
_WATCH_SECONDS = 60
_FIRST_WAIT = 0.1
_LONGEST_WAIT = 5.0
_POLL_SECONDS = 1.0
_SHORT_SECONDS = 0.5
_NO_WATCH = frozenset({400, 403, 404, 405, 501})
_TRANSIENT = frozenset({408, 429, 500, 502, 503, 504})


@dataclass(frozen=True)
class Change:
    """One object that has come, changed or gone.

    Args:
        what: Which of the three.
        object: The object as it is now, or was last.

    """

    what: Literal["ADDED", "MODIFIED", "DELETED"]
    object: Object


@dataclass(frozen=True)
class Watched:
    """What is watched.

    Args:
        path: The path of the collection.
        asked: What is asked, for messages.
        query: The selectors.

    """

    path: str
    asked: Asked
    query: Mapping[str, str]


class _Expired(Exception):  # noqa: N818 - it never leaves this module
    """The server has forgotten the version to continue from."""


def changes(
    calls: StreamCalls, watched: Watched, halt: Halt, *, known: Iterable[Object] = (), lost_seconds: float = 300.0
) -> Iterator[Change]:
    """Yield what there is, and then every change; each state of an object once.

    Where watching is not allowed, it lists every second.

    Args:
        calls: The API server.
        watched: What to watch.
        halt: Ends it.
        known: What was seen already: it is reported when it is no longer there.
        lost_seconds: How long the server may be out of reach in between.

    Yields:
        The changes, in their order for each object.

    Raises:
        ServiceError: It may not be listed, or the server stayed out of reach.

    """
    course = _Course(calls, watched, halt, known)
    while not halt.is_set():
        try:
            yield from course.go()
        except _Expired:
            course.version = ""
        except CallFailed as failed:
            error = course.met(failed, lost_seconds)
        else:
            continue
        if error is not None and not halt.is_set():
            raise error
        course.pause()


class _Course:
    """How far the watching has come, and what was met on the way."""

    def __init__(self, calls: StreamCalls, watched: Watched, halt: Halt, known: Iterable[Object]) -> None:
        self._calls, self._watched, self._halt = calls, watched, halt
        # Without their versions: they are reported once more, as they are then.
        self._known: dict[str, Object] = {uid_of(one): {**one, "metadata": _unversioned(one)} for one in known}
        self._polling = self._ever = False
        self._last_seen, self._tries = time.monotonic(), 0
        self._wait: float | None = None
        self.version = ""

    def go(self) -> Iterator[Change]:
        """Yield changes until the server ends its answer, as it does every minute."""
        if not self.version:
            version, items = _listed(self._calls, self._watched, self._halt)
            self._last_seen, self._ever, self.version = time.monotonic(), True, version
            yield from _differences(self._known, items)
        if self._polling:
            self.version = ""
            self._halt.wait(_POLL_SECONDS)
            return
        began = time.monotonic()
        for kind, thing in _watch(self._calls, self._watched, self._halt, self.version):
            self.version, self._last_seen, self._tries = _version(thing) or self.version, time.monotonic(), 0
            if kind != "BOOKMARK":
                yield from _applied(self._known, kind, thing)
        self._last_seen = time.monotonic()
        if self._last_seen - began < _SHORT_SECONDS:
            # A server that ends every watch at once must not be asked without a pause.
            self._halt.wait(_SHORT_SECONDS)

    def met(self, failed: CallFailed, lost_seconds: float) -> ServiceError | None:
        """Take a failure, and return the error if it is pointless to continue."""
        error = failed.error
        self._wait = failed.retry.after if failed.retry is not None else None
        if self.version and error.status in _NO_WATCH:
            self._polling, self.version = True, ""
            return None
        if error.status == HTTPStatus.GONE:
            self.version = ""
            return None
        passing = error.status in _TRANSIENT or isinstance(error, (UnreachableError, ThrottledError))
        # Before the first answer, a wrong address is more likely than a server that starts again.
        promising = self._ever or error.status in _TRANSIENT or error.code.endswith(("-reset", "-timeout"))
        lasting = time.monotonic() - self._last_seen > lost_seconds
        return error if not (passing and promising) or lasting else None

    def pause(self) -> None:
        """Wait before the next try: longer each time, and as long as the server asks."""
        spread = random.uniform(0.5, 1.0)  # noqa: S311 - it only keeps clients apart
        wait = min(_LONGEST_WAIT, _FIRST_WAIT * 2 ** min(self._tries, 10)) * spread
        self._halt.wait(wait if self._wait is None else self._wait)
        self._tries, self._wait = self._tries + 1, None


def _listed(calls: StreamCalls, watched: Watched, halt: Halt) -> tuple[str, list[Object]]:
    items: list[Object] = []
    following, version = "", ""
    while True:
        query = {**watched.query, "limit": _PAGE, **({"continue": following} if following else {})}
        page = calls.read(halt, watched.path, watched.asked, query=query)
        items += entries(page.get("items"))
        metadata = mapping(page.get("metadata"))
        version = str(metadata.get("resourceVersion") or "")
        following = str(metadata.get("continue") or "")
        if not following:
            return version, items


def _watch(calls: StreamCalls, watched: Watched, halt: Halt, version: str) -> Iterator[tuple[str, Object]]:
    asked = Asked("watch", watched.asked.what, watched.asked.resource, watched.asked.namespace)
    query = {
        **watched.query,
        "watch": "true",
        "allowWatchBookmarks": "true",
        "resourceVersion": version,
        "timeoutSeconds": str(_WATCH_SECONDS),
    }
    with halt.stream() as stream:
        rest = b""
        for part in calls.open(stream, watched.path, asked, query=query, silence=_WATCH_SECONDS + 15.0):
            *lines, rest = (rest + part).split(b"\n") if b"\n" in part else (rest + part,)
            for line in lines:
                if line.strip():
                    yield _reported(line, asked)


def _reported(line: bytes, asked: Asked) -> tuple[str, Object]:
    reported = json_object(line) or {}
    kind, thing = reported.get("type"), mapping(reported.get("object"))
    if kind == "ERROR" and thing.get("code") != HTTPStatus.GONE:
        number = thing.get("code")
        status = number if isinstance(number, int) else 500
        said = " ".join(str(thing.get("message") or "").split())[:200]
        message = f"The cluster failed to {asked}: {said or status}."
        raise CallFailed(ServiceError(message, hint="Try again.", service=SERVICE, status=max(status, 500)))
    if kind not in {"ADDED", "MODIFIED", "DELETED", "BOOKMARK"}:
        raise _Expired
    return str(kind), thing


def _version(thing: Object) -> str:
    return str(mapping(thing.get("metadata")).get("resourceVersion") or "")


def _unversioned(thing: Object) -> Mapping[str, Any]:
    return {name: value for name, value in mapping(thing.get("metadata")).items() if name != "resourceVersion"}


def _applied(known: dict[str, Object], kind: str, thing: Object) -> Iterator[Change]:
    uid = uid_of(thing)
    before = known.get(uid)
    if kind == "DELETED":
        known.pop(uid, None)
        yield Change("DELETED", thing)
    elif before is None or _version(before) != _version(thing):
        known[uid] = thing
        yield Change("ADDED" if before is None else "MODIFIED", thing)


def _differences(known: dict[str, Object], items: list[Object]) -> Iterator[Change]:
    present = {uid_of(item) for item in items}
    for uid in [uid for uid in known if uid not in present]:
        yield Change("DELETED", known.pop(uid))
    # A list has the order of names; what is older comes first, so that its log does.
    for item in sorted(items, key=lambda item: str(mapping(item.get("metadata")).get("creationTimestamp") or "")):
        yield from _applied(known, "ADDED", item)
