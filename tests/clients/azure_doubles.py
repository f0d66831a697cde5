"""Small HTTPS servers on loopback that answer as Microsoft Entra ID and Azure Resource Manager are documented to.

Entra ID    https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow, and
            https://learn.microsoft.com/entra/identity-platform/v2-protocols-oidc (the configuration document)
ARM         https://learn.microsoft.com/rest/api/storagerp/storage-accounts, .../rest/api/resources/resource-groups,
            .../rest/api/containerregistry/registries, .../rest/api/authorization/role-assignments/list-for-scope;
            errors: https://learn.microsoft.com/azure/azure-resource-manager/troubleshooting/common-deployment-errors
"""

from __future__ import annotations

import base64
import contextlib
import json
import socket
import ssl
import struct
import threading
import time
import traceback
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

CLIENT_ID = "11111111-1111-1111-1111-111111111111"
TENANT_ID = "22222222-2222-2222-2222-222222222222"
SUBSCRIPTION_ID = "33333333-3333-3333-3333-333333333333"
OBJECT_ID = "44444444-4444-4444-4444-444444444444"
CLIENT_SECRET = "MARKED8Q~client-secret-value"
MARK = "MARKED"


@dataclass
class Answer:
    """What a double answers: a status and a body, or a fault of the line."""

    status: int = 200
    body: object = None
    headers: dict = field(default_factory=dict)
    fault: str = ""


@dataclass
class Request:
    method: str
    path: str
    query: dict
    headers: dict
    body: bytes

    def json(self):
        return json.loads(self.body)

    def form(self):
        return {name: values[0] for name, values in parse_qs(self.body.decode()).items()}


RESET = Answer(fault="reset")
HANG = Answer(fault="hang")
DRIP = Answer(fault="drip")
PAGE = Answer(
    200, "<html><body>Please log in to the Contoso proxy. MARKED</body></html>", {"Content-Type": "text/html"}
)


def arm_error(status, code, **headers):
    """Return an error answer of ARM, with what it was sent in its text as a careless server would."""
    message = f"The client '{CLIENT_ID}' ... Authorization: Bearer MARKED-token"
    return Answer(
        status, {"error": {"code": code, "message": message}}, {k.replace("_", "-"): v for k, v in headers.items()}
    )


def entra_error(number, error="invalid_client", status=401):
    """Return an error answer of Entra ID."""
    description = f"AADSTS{number}: Something about '{CLIENT_ID}' and {CLIENT_SECRET}.\r\nTrace ID: 0\r\nTimestamp: 0"
    return Answer(status, {"error": error, "error_description": description, "error_codes": [int(number)]})


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def handle_one(self):
        double = self.server.double
        parts = urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        request = Request(self.command, parts.path, query, dict(self.headers), self.rfile.read(length))
        double.requests.append(request)
        time.sleep(double.delay)
        answer = double.always or (double.faults.pop(0) if double.faults else None) or double.answer(request)
        {"reset": self.reset, "hang": self.hang, "drip": self.drip, "": self.reply}[answer.fault](answer)

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = handle_one  # noqa: N815 - http.server's names

    def reset(self, _answer):
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        # The socket is closed when the last of its files is; only then, with no time to linger, is it a reset.
        self.rfile.close()
        self.wfile.close()
        self.connection.close()

    def hang(self, _answer):
        self.server.double.ended.wait(60)
        self.close_connection = True

    def drip(self, _answer):
        self.send_response(200)
        self.send_header("Content-Length", "100000")
        self.end_headers()
        with contextlib.suppress(OSError):
            while not self.server.double.ended.wait(0.2):
                self.wfile.write(b" ")
                self.wfile.flush()
        self.close_connection = True

    def reply(self, answer):
        body = answer.body
        kind = "text/plain"
        if isinstance(body, (dict, list)):
            body, kind = json.dumps(body), "application/json; charset=utf-8"
        body = body if isinstance(body, bytes) else (body or "").encode()
        self.send_response_only(answer.status)
        for name, value in {"Date": formatdate(usegmt=True), "Content-Type": kind, **answer.headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_arguments):
        """Say nothing."""


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_arguments):
        """Say nothing: dropped connections are what the tests are about."""


class Double:
    """An HTTPS server whose `answer` function gets every request.

    `faults` are answered first, one for each request; `always` is answered to all.
    """

    def __init__(self, ca, answer):
        self.answer = answer
        self.requests = []
        self.faults = []
        self.always = None
        self.delay = 0.0
        self.ended = threading.Event()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        ca.issue_cert("127.0.0.1", "localhost").configure_cert(context)
        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.double = self
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        self.url = f"https://localhost:{self.port}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self.thread.start()

    def close(self):
        self.ended.set()
        self.server.shutdown()
        self.server.server_close()


def everything_of(error):
    """Return all that an exception and whatever hangs on it would print, with the local variables of our functions."""
    seen, waiting, text = set(), [error], ""
    while waiting:
        each = waiting.pop()
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        text += str(each) + repr(each) + repr(each.args) + repr(vars(each))
        text += "".join(traceback.format_exception_only(type(each), each))
        frames = (frame for frame, _line in traceback.walk_tb(each.__traceback__))
        text += "".join(repr(frame.f_locals) for frame in frames if "fairing_az_jupyter" in frame.f_code.co_filename)
        waiting += [each.__cause__, each.__context__]
    return text


def token_for(audience, lifetime=3600):
    """Return an access token with the claims that Azurite and we look at; nobody here checks its signature."""
    now = int(time.time())
    claims = {
        "aud": audience,
        "iss": f"https://sts.windows.net/{TENANT_ID}/",
        "iat": now,
        "nbf": now - 60,
        "exp": now + lifetime,
        "oid": OBJECT_ID,
        "tid": TENANT_ID,
        "appid": CLIENT_ID,
        "mark": MARK,
    }

    def part(value):
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    return f"{part({'alg': 'HS256', 'typ': 'JWT'})}.{part(claims)}.{'MARKEDsignature' * 3}"


class EntraDouble(Double):
    """Microsoft Entra ID, with one tenant and one application."""

    def __init__(self, ca):
        super().__init__(ca, self.reply)
        self.refusal = None

    def reply(self, request):
        tenant = request.path.split("/")[1]
        if request.path.endswith("/.well-known/openid-configuration"):
            if tenant.lower() != TENANT_ID:
                return entra_error("90002", "invalid_tenant", 400)
            base = f"{self.url}/{tenant}"
            return Answer(
                body={
                    "token_endpoint": f"{base}/oauth2/v2.0/token",
                    "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
                    "issuer": f"{base}/v2.0",
                }
            )
        if self.refusal is not None:
            return self.refusal
        form = request.form()
        if form["client_id"] != CLIENT_ID:
            return entra_error("700016", "unauthorized_client", 400)
        if "client_secret" in form and form["client_secret"] != CLIENT_SECRET:
            return entra_error("7000215")
        audience = form["scope"].split()[0].removesuffix("/.default")
        return Answer(body={"token_type": "Bearer", "expires_in": 3599, "access_token": token_for(audience)})
