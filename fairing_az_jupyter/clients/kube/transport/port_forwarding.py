"""A port of this machine that leads to a port of a pod, through the API server.

Each connection is a WebSocket of its own with Kubernetes' sub-protocol `v4.channel.k8s.io`: the first byte of a message
is its channel, 0 for the data and 1 for errors; the first message on each is the port's number in two bytes
(https://github.com/kubernetes/kubernetes/blob/master/pkg/kubelet/apis/cri/streaming/portforward/websocket.go).
"""

from __future__ import annotations

import socket
import ssl
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from fairing_az_jupyter.clients.http import AGENT, Answer
from fairing_az_jupyter.clients.kube.objects.asking import Asked, Asker, CallFailed
from fairing_az_jupyter.clients.kube.objects.rejections import sanitized
from fairing_az_jupyter.clients.kube.transport.connection import address_of
from fairing_az_jupyter.clients.kube.transport.errors import rejection
from fairing_az_jupyter.clients.kube.transport.identity import token_claims
from fairing_az_jupyter.clients.kube.transport.unreachable import no_answer
from fairing_az_jupyter.exceptions import InputError, ServiceError, UnreachableError

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

    from fairing_az_jupyter.clients.kube.transport.connection import Connection

_PROTOCOL = "v4.channel.k8s.io"
_CONNECT_SECONDS = 10.0
_PART = 1 << 15
_DATA, _ERRORS = b"\x00", 1
_JOIN_SECONDS = 2.0
_HIGHEST_PORT = 65535


class PortForward:
    """Serves a loopback port from its making until `close`.

    Args:
        connection: The way to the API server.
        path: The path of the pod's port forwarding.
        pod: The pod's name.
        port: The pod's port.
        namespace: The pod's namespace.
        local_port: The port on 127.0.0.1; 0 means any that is free.

    Raises:
        InputError: A port is none, or the local one is in use.

    """

    def __init__(
        self, connection: Connection, path: str, pod: str, port: int, namespace: str, *, local_port: int = 0
    ) -> None:
        if not 0 < port <= _HIGHEST_PORT:
            raise InputError(f"{port} is not a port: use 1 to 65535.", hint="Give the pod's port.", code="port")
        scheme = "ws" if connection.server.startswith("http:") else "wss"
        self._connection, self._port = connection, port
        self._url = (
            f"{scheme}{connection.server.rstrip('/').removeprefix('https').removeprefix('http')}{path}?ports={port}"
        )
        self._asked = Asked("get", f"port {port} of pod '{pod}'", "pods/portforward", namespace)
        self._lock = threading.Lock()
        self._open: set[_Tunnel] = set()
        self._closed = False
        self.error: ServiceError | None = None
        self._listener = _listener(local_port)
        if self._listener is None:
            raise InputError(
                f"Port {local_port} of this machine can't be used: it is already in use.",
                hint="Choose another, or 0 for any free port.",
                code="port-in-use",
            )
        self.local_port = int(self._listener.getsockname()[1])
        self.url = f"http://127.0.0.1:{self.local_port}"
        self._thread = threading.Thread(target=self._serve, name=f"port-forward-{self.local_port}", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop listening and close all connections; safe to repeat."""
        with self._lock:
            self._closed, tunnels = True, list(self._open)
        if self._listener is not None:
            with suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            # Where a listening socket can't be shut down, closing it is what ends `accept`.
            self._listener.close()
        for tunnel in tunnels:
            tunnel.close()
        for thread in [self._thread, *(tunnel.thread for tunnel in tunnels)]:
            if thread is not threading.current_thread():
                thread.join(_JOIN_SECONDS)

    def check(self) -> None:
        """Raise what has kept the newest connection from the pod, if anything has.

        Raises:
            ServiceError: The API server or the pod rejected it.

        """
        if self.error is not None:
            raise self.error

    def _serve(self) -> None:
        while self._listener is not None:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                if self._closed:
                    client.close()
                    return
                tunnel = _Tunnel(self, client)
                self._open.add(tunnel)
            tunnel.thread.start()

    def _connect(self) -> Any:  # noqa: ANN401 - websocket-client's
        """Open a WebSocket to the pod.

        Raises:
            CallFailed: It was rejected, or there is no answer.

        """
        import websocket  # noqa: PLC0415 - only what needs it pays for it

        credential = self._connection.credential
        for last in (False, True):
            authorization = credential.authorization()
            headers = {"User-Agent": AGENT}
            if authorization:
                headers["Authorization"] = authorization.reveal()
            claims = token_claims(authorization)
            proxy = address_of(self._connection.proxy) if self._connection.proxy else ""
            asker = Asker(self._connection.address, proxy, claims.subject, claims.expires, authorization)
            try:
                return websocket.create_connection(
                    self._url,
                    timeout=_CONNECT_SECONDS,
                    header=headers,
                    subprotocols=[_PROTOCOL],
                    sslopt=_tls(self._connection),
                    redirect_limit=0,
                    suppress_origin=True,
                    enable_multithread=True,
                    **_proxy(self._connection),
                )
            except websocket.WebSocketBadStatusException as cause:
                status, body = int(cause.status_code), cause.resp_body or b""
                failed = rejection(Answer(status, _texts(cause.resp_headers), body), self._asked, asker)
                if status == 401 and not last and credential.renew():  # noqa: PLR2004 - 'unauthorized'
                    continue
            except (OSError, websocket.WebSocketException) as cause:
                failed = no_answer(cause, self._asked, asker, _CONNECT_SECONDS)
            raise failed
        raise AssertionError

    def _ended(self, tunnel: _Tunnel) -> None:
        with self._lock:
            self._open.discard(tunnel)

    def _said(self, text: bytes) -> None:
        said = sanitized(text.decode("utf-8", "replace"), {})
        self.error = UnreachableError(
            f"{self._asked.what[0].upper()}{self._asked.what[1:]} in namespace '{self._asked.namespace}' can't be "
            f"reached: {said}.",
            hint=f"Check that the container listens on it: kubectl -n {self._asked.namespace} get pods",
            code="port-refused",
            service="kubernetes",
        )


class _Tunnel:
    """One connection, from this machine to the pod."""

    def __init__(self, forward: PortForward, client: socket.socket) -> None:
        self._forward, self._client = forward, client
        self._remote: Any = None
        self._lock = threading.Lock()
        self._over = False
        self.thread = threading.Thread(target=self._run, name="port-forward-connection", daemon=True)

    def close(self) -> None:
        """Break both sides; who reads from them gets to know at once."""
        with self._lock:
            self._over, remote = True, self._remote
        for side in (self._client, getattr(remote, "sock", None)):
            if side is not None:
                with suppress(OSError):
                    socket.socket.shutdown(side, socket.SHUT_RDWR)

    def _run(self) -> None:
        sender = None
        try:
            self._client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            remote = self._forward._connect()  # noqa: SLF001 - its own part
            with self._lock:
                self._remote = remote
            if self._over:
                return
            remote.settimeout(None)
            sender = threading.Thread(target=self._send, name="port-forward-sender", daemon=True)
            sender.start()
            self._receive(remote)
        except CallFailed as failed:
            self._forward.error = failed.error
        except OSError:
            pass
        finally:
            self.close()
            if sender is not None:
                sender.join(_JOIN_SECONDS)
            self._client.close()
            if self._remote is not None:
                self._remote.shutdown()
            self._forward._ended(self)  # noqa: SLF001 - its own part

    def _send(self) -> None:
        import websocket  # noqa: PLC0415 - as above

        try:
            while part := self._client.recv(_PART):
                self._remote.send_binary(_DATA + part)
        except (OSError, websocket.WebSocketException):
            self.close()
            return
        # The sub-protocol can't close one direction only. An answer may still be on its way.
        with suppress(OSError, websocket.WebSocketException):
            self._remote.ping()

    def _receive(self, remote: Any) -> None:  # noqa: ANN401 - websocket-client's
        import websocket  # noqa: PLC0415 - as above

        begun = set()
        try:
            while True:
                code, message = remote.recv_data()
                if code == websocket.ABNF.OPCODE_CLOSE:
                    return
                if not message:
                    continue
                channel, content = message[0], message[1:]
                if channel not in begun:
                    # The port's number comes first.
                    begun.add(channel)
                    content = content[2:]
                if channel == _ERRORS and content:
                    self._forward._said(content)  # noqa: SLF001 - its own part
                    return
                if content and channel == _DATA[0]:
                    self._client.sendall(content)
        except websocket.WebSocketException:
            return


def _listener(port: int) -> socket.socket | None:
    try:
        return socket.create_server(("127.0.0.1", port))
    except (OSError, OverflowError):
        return None


def _tls(connection: Connection) -> dict[str, Any]:
    """Return what websocket-client has to know to check the server as all other calls do."""
    if connection.server.startswith("http:"):
        return {}
    context = ssl.create_default_context(cafile=connection.ca_file)
    # As in `open_pool`: many clusters' authorities write no Authority Key Identifier.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if not connection.verify:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if connection.certificate_file:
        context.load_cert_chain(connection.certificate_file, connection.key_file)
    found: dict[str, Any] = {"context": context}
    if connection.tls_server_name:
        found["server_hostname"] = connection.tls_server_name
    return found


def _proxy(connection: Connection) -> dict[str, Any]:
    if not connection.proxy:
        # Otherwise it looks for one in the environment, by rules of its own.
        return {"http_no_proxy": ["*"]}
    parts = urlsplit(connection.proxy)
    found: dict[str, Any] = {
        "http_proxy_host": parts.hostname,
        "http_proxy_port": parts.port or (443 if parts.scheme == "https" else 80),
        "proxy_type": "http",
        "http_no_proxy": [""],
    }
    if parts.username:
        found["http_proxy_auth"] = (unquote(parts.username), unquote(parts.password or ""))
    return found


def _texts(headers: object) -> dict[str, str]:
    return {str(name): str(value) for name, value in headers.items()} if isinstance(headers, dict) else {}
