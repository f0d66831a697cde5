"""An API server in this process, for the faults that the real one behind a front can't be made to give in such time.

It answers as https://kubernetes.io/docs/reference/using-api/api-concepts/ and
https://kubernetes.io/docs/reference/kubernetes-api/ say; what a real one does is tested in tests/cluster.
"""

from __future__ import annotations

import copy
import threading
from typing import TYPE_CHECKING, Any

from tests.marked import MARK

from .scripted import Scripted
from .web import Answer

if TYPE_CHECKING:
    from .authority import Authority, Kind
    from .scripted import Outcome
    from .web import Request

Object = dict[str, Any]
TOKEN = f"{MARK}-token"


def status(
    code: int, reason: str, message: str = "", *, headers: dict[str, str] | None = None, **details: object
) -> Answer:
    """Return an answer with a Status object."""
    body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "reason": reason}
    return Answer(code, {**body, "details": details, "code": code}, headers or {})


class ApiServer(Scripted):
    """An API server in memory, whose answers have no Date but what a test gives them.

    Args:
        authority: Issues its certificates; None for a server without TLS.
        certificate: The kind that it shows.

    """

    def __init__(self, authority: Authority | None = None, *, certificate: Kind = "trusted") -> None:
        self.objects: dict[tuple[str, str, str], Object] = {}
        self.tokens = {TOKEN}
        self.allowed: set[tuple[str, str, str]] = set()
        self.version = 0
        self.lists: dict[str, list[Object]] = {"nodes": [], "pods": [], "resourcequotas": []}
        self.groups = ["apps", "batch"]
        self._writing = threading.RLock()
        super().__init__(self._handle, authority, certificate=certificate)
        self.skew(None)

    def fault(self, answer: Outcome, *, times: int = 1, **where: object) -> None:
        """Give this very answer to the next request that fits, or to so many; see the fronts of the stand."""
        self.answer(answer, times=times, **where)

    def put(self, kind: str, name: str, namespace: str = "team-a", **fields: Any) -> Object:
        """Make an object, or put it in place of one."""
        metadata = {**fields.pop("metadata", {}), "name": name, "namespace": namespace}
        return self._keep((namespace, kind, name), {**fields, "metadata": metadata})

    def get(self, kind: str, name: str, namespace: str = "team-a") -> Object | None:
        """Return an object; None where there is none."""
        return self.objects.get((namespace, kind, name))

    def _keep(self, key: tuple[str, str, str], stored: Object) -> Object:
        self.version += 1
        former = self.objects.get(key, {}).get("metadata", {})
        stored["metadata"] |= {
            "resourceVersion": str(self.version),
            "uid": former.get("uid") or f"uid-{self.version}",
            "creationTimestamp": "2026-11-22T10:00:00Z",
        }
        self.objects[key] = stored
        return stored

    def _handle(self, request: Request) -> Answer:
        with self._writing:
            return self._routed(request)

    def _routed(self, request: Request) -> Answer:  # noqa: PLR0911 - one for each kind of request
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if token not in self.tokens:
            return status(401, "Unauthorized", "Unauthorized")
        parts = request.path.strip("/").split("/")
        body = request.json()
        if parts == ["version"]:
            return ok({"gitVersion": "v1.34.4"})
        if parts == ["apis"]:
            return ok({"kind": "APIGroupList", "groups": [{"name": name} for name in self.groups]})
        if parts[-1] == "selfsubjectaccessreviews":
            wanted = body["spec"]["resourceAttributes"]
            allowed = (wanted["verb"], wanted["resource"], wanted["namespace"]) in self.allowed
            return ok({"kind": "SelfSubjectAccessReview", "status": {"allowed": allowed}}, 201)
        if parts[-1] == "selfsubjectreviews":
            return ok({"kind": "SelfSubjectReview", "status": {"userInfo": {"username": "ada@example.com"}}}, 201)
        if parts[-1] in self.lists:
            return self._page(self.lists[parts[-1]], request.query)
        if parts[:3] == ["api", "v1", "namespaces"] and len(parts) == 4:
            found = self.get("namespaces", parts[3], "")
            return ok(found) if found else status(404, "NotFound", kind="namespaces", name=parts[3])
        if parts[:3] == ["api", "v1", "namespaces"] and len(parts) in {5, 6}:
            return self._object(request, parts[3], parts[4], parts[5] if len(parts) == 6 else body["metadata"]["name"])
        return Answer(404, "404 page not found\n")

    def _page(self, items: list[Object], query: dict[str, str]) -> Answer:
        start, size = int(query.get("continue", "0")), int(query["limit"])
        more = str(start + size) if start + size < len(items) else ""
        return ok({"kind": "List", "metadata": {"continue": more}, "items": items[start : start + size]})

    def _object(self, request: Request, namespace: str, kind: str, name: str) -> Answer:  # noqa: PLR0911 - one for each kind of answer
        key, body, method = (namespace, kind, name), request.json(), request.method
        stored = self.objects.get(key)
        if method == "POST":
            if stored is not None:
                return status(409, "AlreadyExists", f'{kind} "{name}" already exists', kind=kind, name=name)
            if request.query.get("dryRun") == "All":
                return ok(body, 201)
            return ok(self._keep(key, {**body, "metadata": {**body["metadata"], "namespace": namespace}}), 201)
        if stored is None:
            return status(404, "NotFound", f'{kind} "{name}" not found', kind=kind, name=name)
        if method == "GET":
            return ok(stored)
        metadata = stored["metadata"]
        wanted = body.get("preconditions", body.get("metadata", {}))
        if any(metadata[field] != wanted[field] for field in ("uid", "resourceVersion") if field in wanted):
            return status(409, "Conflict", "the object has been modified", kind=kind, name=name)
        if method == "DELETE":
            # A body hides the query, as in the real server.
            if body.get("dryRun") != ["All"]:
                del self.objects[key]
            return ok({"kind": "Status", "status": "Success"})
        changed = merged(copy.deepcopy(stored), body)
        return ok(changed if request.query.get("dryRun") == "All" else self._keep(key, changed))


def ok(content: Object, code: int = 200) -> Answer:
    """Return an answer with an object."""
    return Answer(code, content)


def merged(target: Object, patch: Object) -> Object:
    """Apply a JSON merge patch (RFC 7396)."""
    for name, value in patch.items():
        if isinstance(value, dict):
            target[name] = merged(dict(target.get(name) or {}), value)
        else:
            target[name] = value
    return target
