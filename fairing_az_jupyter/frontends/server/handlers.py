"""The two handlers of all routes: one for JSON, one for streams of events and files."""

from __future__ import annotations

import asyncio
import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler
from jupyter_server.services.contents.fileio import FileManagerMixin
from tornado import web
from tornado.iostream import StreamClosedError

from fairing_az_jupyter.frontends.server.routes import BODY_LIMIT, BYTES, PREFIX, RESOURCE, routes
from fairing_az_jupyter.frontends.server.worker_process import WorkerGoneError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fairing_az_jupyter.frontends.server.routes import Route
    from fairing_az_jupyter.frontends.server.worker_process import Call, WorkerProcess

_MOST_DRAINED = 4 * BODY_LIMIT
"""So much of a body that is too large is read before the answer: who sends it can then read the answer."""
_TOLD = {
    400: ("bad-request", "The request is malformed.", "Reload the page and try again."),
    401: ("not-logged-in", "The request has no valid login to Jupyter.", "Log in to Jupyter and try again."),
    403: (
        "refused",
        "Jupyter Server rejected the request: no valid login or _xsrf value, or the user lacks the permission.",
        "Reload the page, and log in to Jupyter if asked.",
    ),
    404: ("refused", "Not found, or the request comes from another site.", "Reload the page."),
    405: ("method", "This address does not support the request's method.", "openapi.json lists the supported methods."),
    413: (
        "too-large",
        f"The body is larger than {BODY_LIMIT // 1024**2} MB.",
        "Send the notebook without its outputs.",
    ),
    415: ("not-json", "The request body must be JSON.", "Send Content-Type: application/json."),
}


@web.stream_request_body
class JsonHandler(APIHandler):
    """Hands requests to the worker, and answers what it says."""

    _METHODS = frozenset({"GET", "POST", "PUT", "DELETE"})

    def initialize(self, routes: Mapping[str, Route], worker: WorkerProcess, heartbeat: float) -> None:
        """Take what the application has.

        Args:
            routes: The routes of the path, by method.
            worker: The worker.
            heartbeat: Seconds of silence after which a stream says that it lives.

        """
        self._routes, self._worker, self._heartbeat = routes, worker, heartbeat
        self._body = bytearray()
        self._size = 0
        self._call: Call | None = None
        self._rejection: web.HTTPError | None = None

    async def prepare(self) -> None:  # type: ignore[override] # as APIHandler has it
        """Find out who asks, before the body is read."""
        length = self.request.headers.get("Content-Length", "0")
        if length.isdecimal() and int(length) > _MOST_DRAINED:
            # Tornado closes the connection after the answer.
            raise web.HTTPError(413)
        self.request.connection.set_max_body_size(_MOST_DRAINED)  # type: ignore[union-attr] # it has one already
        try:
            await super().prepare()
        except web.HTTPError as rejection:
            # After the body, though nothing of it is kept: a connection that is closed in the middle of a request is
            # often gone before its answer is read.
            if self.request.method not in self._METHODS:
                raise
            self._rejection = rejection

    def skip_check_origin(self) -> bool:
        """Look where a request comes from although it has a token; a proxy may have changed its Host."""
        skipped = bool(super().skip_check_origin())
        if self.request.method == "OPTIONS" or not skipped:
            return skipped
        seen = self.request.headers.get("X-Forwarded-Host", "").partition(",")[0].strip().lower()
        return bool(seen) and urlsplit(self.request.headers.get("Origin", "")).netloc.lower() == seen

    def data_received(self, chunk: bytes) -> None:
        """Keep a part of the body, as long as it is not too large."""
        self._size += len(chunk)
        if self._size <= BODY_LIMIT and self._rejection is None and self.current_user:
            self._body += chunk

    @web.authenticated
    async def get(self, *names: str) -> None:
        """Answer a GET."""
        await self._handled(names)

    @web.authenticated
    async def post(self, *names: str) -> None:
        """Answer a POST."""
        await self._handled(names)

    @web.authenticated
    async def put(self, *names: str) -> None:
        """Answer a PUT."""
        await self._handled(names)

    @web.authenticated
    async def delete(self, *names: str) -> None:
        """Answer a DELETE."""
        await self._handled(names)

    async def _handled(self, names: tuple[str, ...]) -> None:
        if self._rejection is not None:
            raise self._rejection
        route = self._routes.get(self.request.method or "")
        if not self._routes:
            raise web.HTTPError(404)
        if route is None:
            raise web.HTTPError(405)

        async def allowed(_handler: JsonHandler) -> None:
            await self._carried_out(route, names)

        await authorized(action=route.action, resource=RESOURCE)(allowed)(self)

    async def _carried_out(self, route: Route, names: tuple[str, ...]) -> None:
        if self._size > BODY_LIMIT:
            raise web.HTTPError(413)
        if route.body is not None and not _is_json(self.request.headers.get("Content-Type", "")):
            raise web.HTTPError(415)
        contents = self.contents_manager
        head = {
            "operation": route.operation,
            "names": names,
            "query": self._query(route),
            "root": str(contents.root_dir) if isinstance(contents, FileManagerMixin) else None,
            "hidden": bool(contents.allow_hidden),
            "base_url": self.base_url,
        }
        try:
            self._call = await self._worker.call(head, bytes(self._body))
            self._body.clear()
            await self._answered(route, self._call)
        except WorkerGoneError as gone:
            message = f"The worker process of fairing-az-jupyter ended before it answered: {gone}."
            hint = "Try again: a new worker is started. If it ends again, see Jupyter Server's log."
            self.set_status(503)
            self._finish({"code": "worker-gone", "message": message, "hint": hint})
        finally:
            if self._call is not None:
                self._call.end()

    async def _answered(self, route: Route, call: Call) -> None:
        head, data = await call.next()
        self.set_status(head["status"])
        if head["status"] == HTTPStatus.NO_CONTENT == route.status:
            await self.finish()
            return
        self._finish(data)

    def _finish(self, body: Mapping[str, Any] | bytes) -> None:
        self.set_header("Cache-Control", "no-store")
        self.finish(body if isinstance(body, bytes) else json.dumps(body))

    def _query(self, route: Route) -> dict[str, str]:
        found = {name: values[-1] for name in self.request.query_arguments if (values := self._texts(name))}
        if route.kind == "events" and "offset" not in found and "Last-Event-ID" in self.request.headers:
            found["offset"] = self.request.headers["Last-Event-ID"]
        return found

    def _texts(self, name: str) -> list[str]:
        # Spaces count: they may be what is looked for.
        return self.get_query_arguments(name, strip=False)

    def write_error(self, status_code: int, **_more: Any) -> None:  # noqa: ANN401 - Tornado's signature
        """Answer an error of Tornado's or Jupyter's in the form of all others."""
        if status_code == HTTPStatus.FORBIDDEN and not self.current_user:
            # Jupyter tells strangers and those who may not apart by nothing; RFC 9110, 15.5.2 does.
            status_code = HTTPStatus.UNAUTHORIZED
            self.set_status(status_code)
            self.set_header("WWW-Authenticate", 'token realm="Jupyter Server"')
        if status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            self.set_header("Allow", ", ".join(sorted({*self._routes, "OPTIONS"})))
        reason = HTTPStatus(status_code).phrase if status_code in HTTPStatus._value2member_map_ else "Error"
        unknown = ("internal", f"Server error: {reason}.", "See Jupyter Server's log, and report the error as a bug.")
        code, message, hint = _TOLD.get(status_code, unknown)
        self._finish({"code": code, "message": message, "hint": hint})


@web.stream_request_body
class StreamHandler(JsonHandler):
    """Hands on what the worker sends, piece by piece, as fast as the client takes it."""

    def on_connection_close(self) -> None:
        """Let the worker stop: nobody listens any more."""
        if self._call is not None:
            self._call.end()
            self._call.take(WorkerGoneError("the client disconnected"))
        super().on_connection_close()

    async def _answered(self, route: Route, call: Call) -> None:
        head, data = await call.next()
        if head.get("last"):
            self.set_status(head["status"])
            self._finish(data)
            return
        self.set_header("Content-Type", route.media_type)
        self.set_header("Cache-Control", "no-cache, no-transform")
        if route.kind == "file":
            if route.media_type != BYTES:
                self.set_header("Content-Type", f"{route.media_type}; charset=utf-8")
            self.set_header("Content-Length", str(head["length"]))
            self.set_attachment_header(head["name"])
        else:
            self.set_header("X-Accel-Buffering", "no")
        try:
            await self.flush()
            await self._handed_on(route, call)
            await self.finish(set_content_type=self._headers["Content-Type"])
        except (StreamClosedError, WorkerGoneError):
            # Without its end, so that the client knows that it is broken, and comes back.
            if self.request.connection is not None:
                self.request.connection.stream.close()  # type: ignore[attr-defined] # of HTTP/1, which Jupyter speaks

    async def _handed_on(self, route: Route, call: Call) -> None:
        while True:
            try:
                head, data = await asyncio.wait_for(call.next(), self._heartbeat if route.kind == "events" else None)
            except asyncio.TimeoutError:
                self.write(": heartbeat\n\n")
                await self.flush()
                continue
            if head.get("broken"):
                raise WorkerGoneError("it can't read the file to its end")
            if data:
                self.write(data)
                await self.flush()
            if head.get("last"):
                return
            call.more()


def handlers(worker: WorkerProcess, heartbeat: float) -> list[tuple[str, type[JsonHandler], dict[str, Any]]]:
    """Return the handlers of all routes, as Tornado takes them.

    Args:
        worker: The worker.
        heartbeat: Seconds of silence after which a stream says that it lives.

    """
    paths: dict[str, dict[str, Route]] = {}
    for route in routes():
        paths.setdefault(route.pattern, {})[route.method] = route
    found: list[tuple[str, type[JsonHandler], dict[str, Any]]] = [
        (
            pattern,
            JsonHandler if all(route.kind == "json" for route in routes.values()) else StreamHandler,
            {"routes": routes, "worker": worker, "heartbeat": heartbeat},
        )
        for pattern, routes in paths.items()
    ]
    # An unknown address answers in the form of all others, and not with Jupyter's page.
    nothing: dict[str, Any] = {"routes": {}, "worker": worker, "heartbeat": heartbeat}
    return [*found, (f"/{PREFIX}/(.*)", JsonHandler, nothing)]


def _is_json(content_type: str) -> bool:
    kind, _, rest = content_type.partition(";")
    charset = rest.strip().lower().removeprefix("charset=").strip('"')
    return kind.strip().lower() == "application/json" and charset in {"", "utf-8", "utf8"}
