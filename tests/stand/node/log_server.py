"""The kubelet's HTTPS server: what the API server asks it for `pods/log` and `pods/portforward`.

Port-forwarding speaks the WebSocket protocol that the Kubernetes client for Python speaks (`v4.channel.k8s.io`): each
port has two channels, data and errors, and each begins with the port's number in two bytes. kubectl's own (SPDY) is
not spoken. Source: https://github.com/kubernetes/kubernetes/blob/v1.34.0/pkg/kubelet/portforward/websocket.go
"""

from __future__ import annotations

import asyncio
import base64
import ssl
import struct
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import tornado.httpserver
import tornado.iostream
import tornado.netutil
import tornado.web
import tornado.websocket

from .logs import LogQuery, LogReader

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from pathlib import Path

    from .pod import PodWorker

    Find = Callable[[str, str], PodWorker | None]

_PAUSE = 0.05
_PART = 1 << 16
_CONNECT = 10
_PROTOCOLS = ("v4.channel.k8s.io", "v4.base64.channel.k8s.io")
_MISSING_POD = 'pod "{}" does not exist'


class LogServer:
    """Serves from its making until `close`.

    Args:
        certificate: Its certificate's file.
        key: Its key's file.
        find: Returns a pod's worker by namespace and name.

    """

    def __init__(self, certificate: Path, key: Path, find: Find) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self._sockets = tornado.netutil.bind_sockets(0, "127.0.0.1")
        self.port = int(self._sockets[0].getsockname()[1])
        self._loop = asyncio.new_event_loop()
        self._application = tornado.web.Application(
            [
                ("/containerLogs/([^/]+)/([^/]+)/([^/]+)", _Logs, {"find": find}),
                ("/portForward/([^/]+)/([^/]+)", _PortForward, {"find": find}),
            ],
            log_function=_say_nothing,
        )
        self._context = context
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="kubelet server", daemon=True)
        self._thread.start()
        self._ready.wait(10)

    def close(self) -> None:
        """Stop; safe to repeat."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(10)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._stop = asyncio.Event()
        try:
            self._loop.run_until_complete(self._serve())
        finally:
            self._loop.run_until_complete(self._loop.shutdown_default_executor())
            self._loop.close()

    async def _serve(self) -> None:
        server = tornado.httpserver.HTTPServer(self._application, ssl_options=self._context)
        server.add_sockets(self._sockets)
        self._ready.set()
        await self._stop.wait()
        server.stop()
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(server.close_all_connections(), 5)
        left = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)


class _Logs(tornado.web.RequestHandler):
    def initialize(self, find: Find) -> None:
        self._find = find
        self._open = True

    def on_connection_close(self) -> None:
        self._open = False

    async def get(self, namespace: str, name: str, container: str) -> None:
        worker = self._find(namespace, name)
        if worker is None:
            self._refuse(404, _MISSING_POD.format(name))
            return
        one = worker.container(container)
        if one is None:
            self._refuse(404, f'container "{container}" not found in pod "{name}_{namespace}"')
            return
        try:
            query = LogQuery.read({key: values[-1].decode() for key, values in self.request.query_arguments.items()})
        except ValueError as error:
            self._refuse(400, str(error))
            return
        path = one.log(previous=query.previous)
        if query.previous and not (one.state.restarts and path.exists()):
            self._refuse(400, f'previous terminated container "{container}" in pod "{name}" not found')
            return
        if not one.state.container_id:
            waiting = one.state.state.get("waiting", {"reason": "ContainerCreating"})
            text = f'container "{container}" in pod "{name}" is waiting to start: '
            self._refuse(400, text + _why_waiting(waiting))
            return
        self.set_header("Content-Type", "text/plain")
        await self.flush()
        await self._send(LogReader(path, query), query, worker, one)

    async def _send(self, reader: LogReader, query: LogQuery, worker: PodWorker, one: Any) -> None:
        run = one.state.restarts
        with suppress(tornado.iostream.StreamClosedError):
            while self._open:
                # Asked before reading: what was written until then is read below.
                ended = not query.follow or query.previous or run != one.state.restarts or not one.writes()
                sent = False
                while self._open and (part := reader.read()):
                    self.write(part)
                    await self.flush()
                    sent = True
                if reader.done or (ended and not sent):
                    return
                if not ended:
                    await asyncio.sleep(_PAUSE)

    def _refuse(self, status: int, text: str) -> None:
        self.set_status(status)
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.finish(text + "\n")

    def log_exception(self, *_: Any) -> None:
        """Say nothing of clients that have gone."""


class _PortForward(tornado.websocket.WebSocketHandler):
    def initialize(self, find: Find) -> None:
        self._find = find
        self._sockets: dict[int, socket.socket] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._base64 = False

    def check_origin(self, origin: str) -> bool:
        return True

    def select_subprotocol(self, subprotocols: list[str]) -> str | None:
        chosen = next((name for name in _PROTOCOLS if name in subprotocols), None)
        self._base64 = chosen == _PROTOCOLS[1]
        return chosen

    async def get(self, *args: str, **kwargs: Any) -> None:
        if self.request.headers.get("Upgrade", "").lower() != "websocket":
            self.set_status(400)
            self.finish("The test stand's kubelet forwards ports by WebSocket only, not by SPDY.\n")
            return
        if self._find(args[0], args[1]) is None:
            self.set_status(404)
            self.finish(_MISSING_POD.format(args[1]) + "\n")
            return
        await super().get(*args, **kwargs)

    async def open(self, namespace: str, name: str) -> None:
        worker = self._find(namespace, name)
        text = ",".join(self.get_query_arguments("port") or self.get_query_arguments("ports"))
        for number, port in enumerate(int(part) for part in text.split(",") if part):
            for channel in (2 * number, 2 * number + 1):
                await self._send(channel, struct.pack("<H", port))
            try:
                if worker is None or worker.network is None:
                    raise ConnectionRefusedError
                network = worker.network
                loop = asyncio.get_running_loop()
                made = await loop.run_in_executor(None, network.connect, port, _CONNECT)
            except OSError as error:
                reason = f"an error occurred forwarding {port} -> {port}: {error or 'connection refused'}"
                await self._send(2 * number + 1, reason.encode())
                await self._send(2 * number, b"")
                continue
            made.setblocking(False)  # noqa: FBT003 - the name is socket's
            self._sockets[2 * number] = made
            self._tasks.append(asyncio.ensure_future(self._copy(2 * number, made)))
        if not self._sockets:
            self.close()

    async def on_message(self, message: str | bytes) -> None:
        raw = message.encode() if isinstance(message, str) else message
        channel, content = (raw[0] - 48, base64.b64decode(raw[1:])) if self._base64 else (raw[0], raw[1:])
        made = self._sockets.get(channel)
        if made is not None:
            with suppress(OSError):
                await asyncio.get_running_loop().sock_sendall(made, content)

    def on_close(self) -> None:
        for task in self._tasks:
            task.cancel()
        for made in self._sockets.values():
            made.close()

    async def _copy(self, channel: int, made: socket.socket) -> None:
        with suppress(OSError, tornado.websocket.WebSocketClosedError, tornado.iostream.StreamClosedError):
            while part := await asyncio.get_running_loop().sock_recv(made, _PART):
                await self._send(channel, part)
        self.close()

    async def _send(self, channel: int, content: bytes) -> None:
        framed = (
            (chr(48 + channel) + base64.b64encode(content).decode()).encode()
            if self._base64
            else bytes([channel]) + content
        )
        with suppress(tornado.websocket.WebSocketClosedError):
            await self.write_message(framed, binary=not self._base64)

    def log_exception(self, *_: Any) -> None:
        """Say nothing of clients that have gone."""


def _say_nothing(_: tornado.web.RequestHandler) -> None:
    """Keep refusals, which tests provoke, out of the tests' log."""


def _why_waiting(waiting: dict[str, str]) -> str:
    reason = waiting["reason"]
    if reason in {"ErrImagePull", "ImagePullBackOff"}:
        return "trying and failing to pull image" if reason == "ImagePullBackOff" else "image can't be pulled"
    return reason
