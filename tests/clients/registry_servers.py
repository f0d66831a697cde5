"""Servers for the registry tests: one that answers as it is told, docker-registry, and an ACR-like front to it."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import http.client
import json
import os
import re
import ssl
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.stand import binaries

# The secrets of these tests all hold this word, so that it can be searched for in everything that is written.
MARK = "MARKED-secret"
SECRET = f"{MARK}-7f3a~Q.x"
SECRET_IN_HTPASSWD = "$2b$04$RwGzRUP2maEJuCOVdp9w7.VL7hwwEe93QQeujqi4VrTE1NNvs31nG"
PUSHER = "11111111-2222-3333-4444-555555555555"
PULLER = "99999999-8888-7777-6666-555555555555"
AAD_TOKEN = f"aad.{MARK}.token"


class Served:
    """What a scripted server was asked, and what it answers.

    `answer(request)` returns (status, headers, body), or None to close the connection without an answer.
    """

    def __init__(self, answer):
        self.answer = answer
        self.requests = []
        self.host = ""

    def asked(self, part):
        return [one for one in self.requests if part in f"{one.method} {one.path}"]


class Request:
    def __init__(self, handler, body):
        self.method, self.path, self.headers, self.body = handler.command, handler.path, handler.headers, body
        self.handler = handler

    @property
    def form(self):
        return {name: values[0] for name, values in parse_qs(self.body.decode()).items()}

    @property
    def query(self):
        return {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}

    @property
    def basic(self):
        kind, _, value = self.headers.get("Authorization", "").partition(" ")
        return tuple(base64.b64decode(value).decode().split(":", 1)) if kind == "Basic" else None

    @property
    def bearer(self):
        kind, _, value = self.headers.get("Authorization", "").partition(" ")
        return value if kind == "Bearer" else None


class Handler(BaseHTTPRequestHandler):
    """Hands each request to the server's `served`, and sends what it returns."""

    protocol_version = "HTTP/1.1"

    def serve(self):
        served = self.server.served
        request = Request(self, self.body())
        served.requests.append(request)
        outcome = served.answer(request)
        if outcome is None:
            self.close_connection = True
            return
        status, headers, content = outcome
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if "Content-Length" not in headers:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def body(self):
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def log_message(self, *_):
        pass


for _method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"):
    setattr(Handler, f"do_{_method}", Handler.serve)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    served = None
    tls = None

    def handle_error(self, *_):  # a client that hangs up is what some tests are about
        pass

    def get_request(self):
        connection, address = super().get_request()
        if self.tls is not None:
            connection = self.tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        return connection, address


@contextlib.contextmanager
def serving(answer, *, authority=None, certificate_for="127.0.0.1"):
    """Serve on loopback until the block ends; with TLS where a certificate authority is given."""
    served = Served(answer)
    server = Server(("127.0.0.1", 0), Handler)
    server.served = served
    served.host = f"127.0.0.1:{server.server_address[1]}"
    if authority is not None:
        server.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(certificate_for).configure_cert(server.tls)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def errors(code, message="x"):
    return json.dumps({"errors": [{"code": code, "message": message}]}).encode()


def claims_token(**claims):
    """Make an unsigned JSON web token: who reads its claims does not check them."""
    parts = [json.dumps(part).encode() for part in ({"alg": "none"}, claims)] + [MARK.encode()]
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


class AcrService:
    """An Azure Container Registry's log-in, as https://github.com/Azure/acr/blob/main/docs/AAD-OAuth.md tells it.

    Args:
        behind: Answers requests that were let in.

    """

    def __init__(self, behind=None):
        self.behind = behind or (lambda request: (404, {}, errors("NAME_UNKNOWN")))
        self.users = {PUSHER: (SECRET, {"pull", "push"}), PULLER: (SECRET, {"pull"})}
        self.identities = {AAD_TOKEN: {"pull", "push"}}
        self.refresh = {}
        self.tokens = {}
        # Seconds that a token lives, as ACR's do.
        self.life = 4500

    def __call__(self, request):
        path = urlsplit(request.path).path
        if path == "/oauth2/exchange" and request.method == "POST":
            return self.exchange(request)
        if path == "/oauth2/token":
            return self.token(request)
        return self.registry(request)

    def exchange(self, request):
        form = request.form
        if form.get("grant_type") != "access_token" or form.get("access_token") not in self.identities:
            return 401, {}, errors("UNAUTHORIZED", "authentication required")
        token = claims_token(grant_type="refresh_token", jti=len(self.refresh))
        self.refresh[token] = self.identities[form["access_token"]]
        return 200, {"Content-Type": "application/json"}, json.dumps({"refresh_token": token}).encode()

    def token(self, request):
        if request.method == "POST":
            rights = self.refresh.get(request.form.get("refresh_token"))
        else:
            secret, rights = self.users.get((request.basic or ("", ""))[0], ("", None))
            rights = rights if request.basic and request.basic[1] == secret else None
        if rights is None:
            return 401, {}, errors("UNAUTHORIZED", "authentication required, visit https://aka.ms/acr/authorization")
        # A request may name several: https://learn.microsoft.com/rest/api/containerregistry/access-tokens/get
        named = parse_qs(request.body.decode() if request.method == "POST" else urlsplit(request.path).query)
        access = []
        for scope in named["scope"]:
            kind, name, actions = scope.split(":")
            access.append({"type": kind, "name": name, "actions": [one for one in actions.split(",") if one in rights]})
        life = {"iat": 1_000_000, "exp": 1_000_000 + self.life}
        token = claims_token(access=access, jti=len(self.tokens), grant_type="access_token", **life)
        self.tokens[token] = access
        return 200, {"Content-Type": "application/json"}, json.dumps({"access_token": token}).encode()

    def registry(self, request):
        access = self.tokens.get(request.bearer)
        allowed = {one["name"]: one["actions"] for one in access or ()}
        found = re.match(r"/v2/(.+)/(?:tags|manifests|blobs)/", request.path)
        action = "pull" if request.method in {"GET", "HEAD"} else "push"
        if access and (not found or action in allowed.get(found[1], ())):
            return self.behind(request)
        host = request.headers["Host"]
        challenge = f'Bearer realm="https://{host}/oauth2/token",service="{host}"'
        if found:
            challenge += f',scope="repository:{found[1]}:{action}"' + (',error="insufficient_scope"' if access else "")
        return 401, {"WWW-Authenticate": challenge}, errors("UNAUTHORIZED", "authentication required")


@contextlib.contextmanager
def docker_registry(folder, *, htpasswd=None):
    """Run Debian's docker-registry on loopback; yield its host and port."""
    try:
        program = binaries.registry()
    except binaries.MissingError as missing:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(str(missing))
    folder.mkdir(parents=True, exist_ok=True)
    settings = {
        "version": 0.1,
        "storage": {"filesystem": {"rootdirectory": str(folder / "data")}, "delete": {"enabled": True}},
        "http": {"addr": "127.0.0.1:0", "relativeurls": True, "secret": "of a test"},
    }
    if htpasswd is not None:
        (folder / "htpasswd").write_text(htpasswd)
        settings["auth"] = {"htpasswd": {"realm": "test", "path": str(folder / "htpasswd")}}
    (folder / "settings.yml").write_text(json.dumps(settings))  # JSON is YAML
    with (folder / "log").open("w") as log:
        process = subprocess.Popen([program, "serve", str(folder / "settings.yml")], stdout=log, stderr=log)
    try:
        end = time.monotonic() + 20
        while not (found := re.search(r"listening on (127\.0\.0\.1:\d+)", (folder / "log").read_text())):
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < end, (folder / "log").read_text()
            time.sleep(0.02)
        yield found[1]
    finally:
        process.terminate()
        process.wait(10)


def forwarded_to(host):
    """Return a function that hands requests on to another server, without their credential."""

    def forward(request):
        connection = http.client.HTTPConnection(host, timeout=20)
        kept = {"Host": request.headers["Host"], "X-Forwarded-Proto": "https"}
        for name in ("Accept", "Content-Type", "Content-Range"):
            if name in request.headers:
                kept[name] = request.headers[name]
        try:
            connection.request(request.method, request.path, body=request.body, headers=kept)
            answer = connection.getresponse()
            headers = {name: value for name, value in answer.getheaders() if name not in {"Date", "Transfer-Encoding"}}
            return answer.status, headers, answer.read()
        finally:
            connection.close()

    return forward


def image_layout(folder):
    """Write a small image as an OCI image layout."""
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True)

    def blob(content, kind):
        digest = hashlib.sha256(content).hexdigest()
        (blobs / digest).write_bytes(content)
        return {"mediaType": f"application/vnd.oci.image.{kind}", "digest": f"sha256:{digest}", "size": len(content)}

    layer = bytes(1024)  # an empty tar
    rootfs = {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]}
    settings = json.dumps({"architecture": "amd64", "os": "linux", "rootfs": rootfs}).encode()
    content = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": blob(settings, "config.v1+json"),
        "layers": [blob(layer, "layer.v1.tar")],
    }
    manifest = blob(json.dumps(content).encode(), "manifest.v1+json")
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [manifest]}))
