"""A small API server in this process: the objects that the client needs, and every fault that can be asked for.

It answers as https://kubernetes.io/docs/reference/using-api/api-concepts/ and
https://kubernetes.io/docs/reference/kubernetes-api/ say; what a real one does is tested in tests/cluster.
"""

from __future__ import annotations

import base64
import contextlib
import copy
import json
import socket
import ssl
import struct
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import trustme

# Every secret value of these tests holds this word, so that it can be searched for in everything that is written.
MARK = "MARKED-secret"
TOKEN = f"{MARK}-token"
DENIED = 'is forbidden: User "system:serviceaccount:team-a:default-editor" cannot {verb} resource "{resource}"'
VERBS = {"GET": "get", "POST": "create", "PATCH": "patch", "DELETE": "delete"}


def service_account_token(*, name="default-editor", namespace="team-a", expires=4102444800):
    """Return a token as the API server signs them, but for the signature."""
    parts = [
        {"alg": "RS256", "kid": "k"},
        {"sub": f"system:serviceaccount:{namespace}:{name}", "exp": expires, "iss": "https://kubernetes.default.svc"},
    ]
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts]
    return ".".join([*encoded, MARK])


def status(code, reason, message="", *, headers=None, **details):
    """Return an answer with a Status object."""
    body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "reason": reason}
    body |= {"details": details, "code": code}
    return code, {"Content-Type": "application/json", **(headers or {})}, json.dumps(body).encode()


def page(code=200, headers=None):
    """Return an answer as proxies and login pages give it."""
    return (
        code,
        {"Content-Type": "text/html; charset=utf-8", **(headers or {})},
        b"<!DOCTYPE html><title>Sign in</title>",
    )


class ApiServer:
    """An API server in memory; `faults` are asked first, in their order, each as often as it says."""

    def __init__(self):
        self.objects = {}
        self.tokens = {TOKEN}
        self.allowed = set()
        self.faults = []
        self.requests = []
        self.lock = threading.RLock()
        self.version = 0
        self.address = ""
        self.lists = {"nodes": [], "pods": [], "resourcequotas": []}
        self.groups = ["apps", "batch"]

    def fault(self, answer, *, times=1, method=None, part="", after=False):
        """Let the next matching requests fail: `answer` is an answer, or what to do with the handler.

        With `after`, the request is carried out before.
        """
        self.faults.append({"answer": answer, "times": times, "method": method, "part": part, "after": after})

    def put(self, kind, name, namespace="team-a", **fields):
        metadata = {**fields.pop("metadata", {}), "name": name, "namespace": namespace}
        return self._keep((namespace, kind, name), {**fields, "metadata": metadata})

    def get(self, kind, name, namespace="team-a"):
        return self.objects.get((namespace, kind, name))

    def asked(self, method, part=""):
        return [request for request in self.requests if request["method"] == method and part in request["path"]]

    def _keep(self, key, stored):
        self.version += 1
        former = self.objects.get(key, {}).get("metadata", {})
        stored["metadata"] |= {
            "resourceVersion": str(self.version),
            "uid": former.get("uid") or f"uid-{self.version}",
            "creationTimestamp": "2026-11-22T10:00:00Z",
        }
        self.objects[key] = stored
        return stored

    def answer(self, request):  # noqa: PLR0911 - one for each kind of request
        token = (request["headers"].get("Authorization") or "").removeprefix("Bearer ")
        if token not in self.tokens:
            return status(401, "Unauthorized", "Unauthorized")
        parts = request["path"].strip("/").split("/")
        body = request["body"]
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
            return self._page(self.lists[parts[-1]], request["query"])
        if parts[:3] == ["api", "v1", "namespaces"] and len(parts) == 4:
            found = self.get("namespaces", parts[3], "")
            return ok(found) if found else status(404, "NotFound", kind="namespaces", name=parts[3])
        if parts[:3] == ["api", "v1", "namespaces"] and len(parts) in {5, 6}:
            return self._object(request, parts[3], parts[4], parts[5] if len(parts) == 6 else body["metadata"]["name"])
        return 404, {"Content-Type": "text/plain"}, b"404 page not found\n"

    def _page(self, items, query):
        start, size = int(query.get("continue", "0")), int(query["limit"])
        more = str(start + size) if start + size < len(items) else ""
        return ok({"kind": "List", "metadata": {"continue": more}, "items": items[start : start + size]})

    def _object(self, request, namespace, kind, name):  # noqa: PLR0911 - one for each kind of answer
        key, body, method = (namespace, kind, name), request["body"], request["method"]
        stored = self.objects.get(key)
        if method == "POST":
            if stored is not None:
                return status(409, "AlreadyExists", f'{kind} "{name}" already exists', kind=kind, name=name)
            if request["query"].get("dryRun") == "All":
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
        return ok(changed if request["query"].get("dryRun") == "All" else self._keep(key, changed))


def ok(content, code=200):
    return code, {"Content-Type": "application/json"}, json.dumps(content).encode()


def merged(target, patch):
    """Apply a JSON merge patch (RFC 7396)."""
    for name, value in patch.items():
        if isinstance(value, dict):
            target[name] = merged(dict(target.get(name) or {}), value)
        else:
            target[name] = value
    return target


def reset(handler):
    """Close the connection without an answer, as a crashed or overloaded server does."""
    linger = struct.pack("ii", 1, 0)
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    handler.connection.close()


def hang(handler):
    """Give no answer until the test is over."""
    handler.server.over.wait(60)


def drip(handler):
    """Send an answer so slowly that every byte comes in time and the whole never."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n")
    with contextlib.suppress(OSError):
        while not handler.server.over.wait(0.1):
            handler.wfile.write(b" ")
            handler.wfile.flush()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self):
        server, url = self.server.api, urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        request = {
            "method": self.command,
            "path": url.path,
            "query": {name: values[0] for name, values in parse_qs(url.query).items()},
            "headers": self.headers,
            "body": json.loads(body) if body else {},
            "at": time.monotonic(),
        }
        with server.lock:
            server.requests.append(request)
            fault = next((one for one in server.faults if self._meant(one, request)), None)
            answer = server.answer(request) if fault is None or fault["after"] else None
            if fault is not None:
                fault["times"] -= 1
                answer = fault["answer"]
        if callable(answer):
            self.close_connection = True
            answer(self)
            return
        code, headers, content = answer
        self.send_response_only(code)  # without a Date of its own: tests set it
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_POST = do_PATCH = do_DELETE = do_GET  # noqa: N815 - as the standard library calls them

    def _meant(self, fault, request):
        return fault["times"] > 0 and fault["method"] in {None, request["method"]} and fault["part"] in request["path"]

    def log_message(self, *_arguments):
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    block_on_close = True

    def handle_error(self, *_arguments):
        pass


@contextlib.contextmanager
def serving(api, tls=None):
    """Serve `api` on a loopback port, with TLS where a certificate is given."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.api, server.over = api, threading.Event()
    if tls is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.configure_cert(context)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    api.address = f"127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield api
    finally:
        server.over.set()
        server.shutdown()
        thread.join()
        server.socket.close()


class Authority:
    """A certificate authority with certificates for this machine's loopback address."""

    def __init__(self):
        self.ca = trustme.CA()
        self.pem = self.ca.cert_pem.bytes()

    def certificate(self, name="127.0.0.1", **how):
        return self.ca.issue_cert(name, **how)


def pod_folder(folder, authority, *, token=TOKEN, namespace="team-a"):
    """Write what Kubernetes puts into a pod."""
    folder.mkdir(exist_ok=True)
    (folder / "token").write_text(token)
    (folder / "ca.crt").write_bytes(authority.pem)
    (folder / "namespace").write_text(namespace)
    return folder


def pod_environment(api):
    host, _, port = api.address.rpartition(":")
    return {"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": port}


def written(error):
    """Return everything of an error that could be printed, with all that it came from."""
    texts, todo, seen = [], [error], set()
    while todo:
        item = todo.pop()
        if item is None or id(item) in seen:
            continue
        seen.add(id(item))
        texts += [str(item), repr(item), repr(item.args), repr(vars(item))]
        todo += [item.__cause__, item.__context__]
    return "\n".join(texts)
