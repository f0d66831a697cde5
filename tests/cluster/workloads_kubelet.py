"""A node for tests of `Workloads`: pods are said to run, and their logs and ports are served as a kubelet does."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import socket
import struct
import threading
import time
import uuid
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

_MERGE = "application/merge-patch+json"


def stamp(number, *, start="2026-11-22T10:00:00"):
    """Return the time of a line: `number` is in nanoseconds."""
    at = datetime.fromisoformat(start) + timedelta(seconds=number // 10**9)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{number % 10**9:09d}Z"


class Output:
    """What a container prints: lines with times, and when the connection breaks while they are read."""

    def __init__(self):
        self.lines = []
        self.previous = []
        self.over = False
        self.changed = threading.Condition()
        self.cuts = []  # so many bytes, and the connection is cut: one for each answer
        self.refusals = []  # status and text: one for each request
        self.queries = []
        self.stuck = False

    def print(self, *texts, at=None):
        with self.changed:
            for text in texts:
                content = text if isinstance(text, bytes) else text.encode()
                number = len(self.lines) * 1000 if at is None else at
                self.lines.append((stamp(number), content))
            self.changed.notify_all()

    def end(self):
        with self.changed:
            self.over = True
            self.changed.notify_all()

    def parts(self, query, stop):
        since = query.get("sinceTime", "")[:19]
        shown = [line for line in (self.previous if query.get("previous") else self.lines) if line[0][:19] >= since]
        yield self._text(shown)
        given = len(self.lines)
        while query.get("follow") == "true" and not stop.is_set():
            with self.changed:
                if self.over and not self.stuck and given == len(self.lines):
                    return
                if given == len(self.lines):
                    self.changed.wait(0.05)
                more = self.lines[given:]
            given += len(more)
            yield self._text(more)

    @staticmethod
    def _text(lines):
        return b"".join(at.encode() + b" " + content + b"\n" for at, content in lines)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self):
        kubelet, url = self.server.kubelet, urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        parts = url.path.strip("/").split("/")
        if parts[0] == "containerLogs":
            self._log(kubelet.output(parts[2], parts[3]), query)
        elif parts[0] == "portForward":
            self.close_connection = True
            with contextlib.suppress(OSError):
                kubelet.forward(self, int(query["port"]))
        else:
            self.send_error(404)

    do_POST = do_GET  # noqa: N815 - as the standard library calls them

    def _log(self, output, query):
        output.queries.append(query)
        if output.refusals:
            status, text = output.refusals.pop(0)
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())
            return
        cut = output.cuts.pop(0) if output.cuts else None
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        with contextlib.suppress(OSError):
            for part in output.parts(query, self.server.kubelet.stop):
                for start in range(0, len(part), 1 << 15):
                    piece = part[start : start + (1 << 15)]
                    if cut is not None and len(piece) > cut:
                        piece = piece[:cut]
                    if piece:
                        self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                    cut = None if cut is None else cut - len(piece)
                    if cut == 0:
                        # Without the last chunk, as when the network fails.
                        time.sleep(0.05)
                        self.connection.shutdown(socket.SHUT_RDWR)
                        self.close_connection = True
                        return
            self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *_arguments):
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def handle_error(self, *_arguments):
        pass


class Kubelet:
    """A kubelet on loopback that runs nothing.

    Args:
        control_plane: Where its node is made.
        authority: Issues its certificate.

    """

    def __init__(self, control_plane, authority):
        self.admin = control_plane.admin
        self.name = f"node-{uuid.uuid4().hex[:8]}"
        self.outputs = {}
        self.stop = threading.Event()
        self.server = _Server(("127.0.0.1", 0), _Handler)
        self.server.kubelet = self
        self.server.socket = authority.server_context("127.0.0.1").wrap_socket(
            self.server.socket, server_side=True, do_handshake_on_connect=False
        )
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        control_plane.node(self.name)
        status = {
            "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": self.server.server_port}},
        }
        self.admin.patch(f"/api/v1/nodes/{self.name}/status", {"status": status}, _MERGE)

    def close(self):
        self.stop.set()
        self.server.shutdown()
        self.server.server_close()
        self.admin.call("DELETE", f"/api/v1/nodes/{self.name}")

    def output(self, pod, container):
        return self.outputs.setdefault((pod, container), Output())

    def bind(self, namespace, pod):
        body = {"metadata": {"name": pod}, "target": {"kind": "Node", "name": self.name}}
        self.admin.post(f"/api/v1/namespaces/{namespace}/pods/{pod}/binding", body)

    def say(self, namespace, pod, phase, *containers, **more):
        """Say how a pod is; `containers` are statuses."""
        status = {"phase": phase, "containerStatuses": [_whole(status) for status in containers], **more}
        self.admin.patch(f"/api/v1/namespaces/{namespace}/pods/{pod}/status", {"status": status}, _MERGE)

    def event(self, namespace, pod, reason, message, *, kind="Pod", uid="", type="Normal"):  # noqa: A002 - the field
        now = f"{datetime.now(timezone.utc):%Y-%m-%dT%H:%M:%SZ}"
        uid = uid or self.admin.get(f"/api/v1/namespaces/{namespace}/pods/{pod}")["metadata"]["uid"]
        body = {
            "metadata": {"name": f"{pod}.{uuid.uuid4().hex[:12]}", "namespace": namespace},
            "involvedObject": {"kind": kind, "name": pod, "namespace": namespace, "uid": uid, "apiVersion": "v1"},
            "reason": reason,
            "message": message,
            "type": type,
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
        }
        self.admin.post(f"/api/v1/namespaces/{namespace}/events", body)

    @staticmethod
    def forward(handler, port):
        """Speak `v4.channel.k8s.io` for one port of loopback."""
        key = handler.headers["Sec-WebSocket-Key"]
        digest = hashlib.sha1(f"{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode()).digest()  # noqa: S324 - RFC 6455
        lines = [
            "HTTP/1.1 101 Switching Protocols",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Accept: {base64.b64encode(digest).decode()}",
            "Sec-WebSocket-Protocol: v4.channel.k8s.io",
        ]
        handler.wfile.write(("\r\n".join(lines) + "\r\n\r\n").encode())
        lock = threading.Lock()

        def send(channel, content):
            message = bytes([channel]) + content
            head = (
                struct.pack("!BB", 0x82, len(message))
                if len(message) < 126
                else struct.pack("!BBH", 0x82, 126, len(message))
            )
            with lock:
                handler.wfile.write(head + message)

        for channel in (0, 1):
            send(channel, struct.pack("<H", port))
        try:
            target = socket.create_connection(("127.0.0.1", port), timeout=10)
        except OSError as error:
            send(1, f"error forwarding port {port} to pod: {error}".encode())
            time.sleep(0.2)
            return

        def back():
            with contextlib.suppress(OSError):
                while part := target.recv(30000):
                    send(0, part)
                handler.wfile.write(struct.pack("!BB", 0x88, 0))
            with contextlib.suppress(OSError):
                handler.connection.shutdown(socket.SHUT_RDWR)

        threading.Thread(target=back, daemon=True).start()
        with target:
            while content := _message(handler.rfile):
                target.sendall(content[1:])


def _message(stream):
    """Read one message of a WebSocket, unmasked; empty where it is the last."""
    head = stream.read(2)
    if len(head) < 2 or head[0] & 15 != 2:
        return b""
    size = head[1] & 127
    if size > 125:
        size = int.from_bytes(stream.read(2 if size == 126 else 8), "big")
    mask = (stream.read(4) * (size // 4 + 1))[:size]
    content = stream.read(size)
    return (int.from_bytes(content, "big") ^ int.from_bytes(mask, "big")).to_bytes(size, "big")


def _whole(status):
    name = status["name"]
    return {
        "image": "i",
        "imageID": "",
        "ready": False,
        "restartCount": 0,
        "containerID": f"containerd://{name}-0",
        **status,
    }


def running(name="main", **more):
    return {"name": name, "state": {"running": {"startedAt": "2026-11-22T10:00:00Z"}}, "ready": True, **more}


def waiting(reason, message="", name="main", **more):
    return {"name": name, "state": {"waiting": {"reason": reason, "message": message}}, **more}


def terminated(code, reason="", name="main", **more):
    return {"name": name, "state": {"terminated": ended(code, reason, name)}, **more}


def ended(code, reason="", name="main", start=0):
    reason = reason or ("Completed" if code == 0 else "Error")
    return {"exitCode": code, "reason": reason, "containerID": f"containerd://{name}-{start}"}


def job(name="train", *, policy="Never", containers=None, **spec):
    containers = containers or [{"name": "main", "image": "team.azurecr.io/train:1"}]
    pod = {"restartPolicy": policy, "containers": containers}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "labels": {"run": name}},
        "spec": {"backoffLimit": 0, "template": {"spec": pod}, **spec},
    }


def deployment(name="serve", replicas=1, image="team.azurecr.io/serve:1"):
    labels = {"app": name}
    pod = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "main", "image": image}]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "labels": labels},
        "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": pod},
    }
