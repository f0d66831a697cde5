"""A real MLflow server on loopback, a gate in front of it that can fail, and what the server was told."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
import time
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.stand import processes
from tests.stand.processes import Guard, on_free_port

# What `mlflow server` runs, without the two processes that it starts it by: each would import MLflow once more.
SERVER = """
import os, sys
folder, port = sys.argv[1:]
os.environ.update({
    "_MLFLOW_SERVER_FILE_STORE": f"sqlite:///{folder}/mlflow.db",
    "_MLFLOW_SERVER_ARTIFACT_DESTINATION": f"{folder}/artifacts",
    "_MLFLOW_SERVER_ARTIFACT_ROOT": "mlflow-artifacts:/",
    "_MLFLOW_SERVER_SERVE_ARTIFACTS": "true",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
})
import uvicorn
from mlflow.server.fastapi_app import app
uvicorn.run(app, host="127.0.0.1", port=int(port), log_level="warning")
"""
_READY_SECONDS = 240.0


class Server:
    """What an MLflow server has been told.

    Args:
        url: Its address.

    """

    def __init__(self, url):
        self.url = url

    def ask(self, path, **body):
        """Ask its REST API for something; with a body it is a POST."""
        data = json.dumps(body).encode() if body else None
        asked = urllib.request.Request(f"{self.url}/api/2.0/mlflow/{path}", data, {"Content-Type": "application/json"})
        with urllib.request.urlopen(asked, timeout=30) as answer:
            return json.load(answer)

    def runs(self, experiment="fairing-az-jupyter"):
        """Return the runs of an experiment, the newest first, each with its tags and parameters as mappings."""
        try:
            found = self.ask(f"experiments/get-by-name?experiment_name={experiment}")["experiment"]
        except urllib.error.HTTPError:
            return []
        runs = self.ask("runs/search", experiment_ids=[found["experiment_id"]]).get("runs", [])
        for run in runs:
            for part in ("tags", "params", "metrics"):
                run[part] = {each["key"]: each["value"] for each in run["data"].get(part, [])}
        return runs

    def run_of(self, record, experiment="fairing-az-jupyter"):
        """Return the only run of a record."""
        (run,) = [run for run in self.runs(experiment) if run["tags"].get("fairing_az_jupyter.run") == record]
        return run

    def history(self, run, metric):
        """Return all values of a metric, the oldest first."""
        found = self.ask(f"metrics/get-history?run_id={run['info']['run_id']}&metric_key={metric}").get("metrics", [])
        return [each["value"] for each in sorted(found, key=lambda each: each["step"])]


@contextlib.contextmanager
def serving(folder):
    """Run a server on loopback."""
    guard = Guard(folder / "nothing")

    def start(port):
        def ready():
            # The first question takes long: then it makes its database.
            asked = f"http://127.0.0.1:{port}/api/2.0/mlflow/experiments/get?experiment_id=0"
            with contextlib.suppress(OSError), urllib.request.urlopen(asked, timeout=60):
                return True
            return False

        command = [sys.executable, "-c", SERVER, str(folder), str(port)]
        log, plain = folder / "server.log", environment()
        return processes.Server(
            "MLflow", command, log=log, ready=ready, guard=guard, environment=plain, timeout=_READY_SECONDS
        )

    try:
        server, port = on_free_port(start)
        try:
            yield Server(f"http://127.0.0.1:{port}")
        finally:
            server.end()
    finally:
        guard.close()


class Gate:
    """Hands requests on to a server, as long as it is not told to fail.

    Args:
        url: The server.

    """

    def __init__(self, url):
        self.target = url
        self.status = 0
        """The status that every request is answered with; 0 to hand them on."""
        self.hangs = threading.Event()
        self.instead = {}
        """Answers to give instead of the server's, by the end of the path."""
        self.seen = []
        """The `Authorization` headers that came."""
        gate = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_):
                """Print nothing."""

            def _handle(self):
                length = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(length) if length else None
                gate.seen.append(self.headers.get("Authorization"))
                while gate.hangs.is_set():
                    time.sleep(0.05)
                status, data = gate.answer(self.command, self.path, body, dict(self.headers))
                with contextlib.suppress(OSError):
                    self.send_response(status)
                    self.send_header("Content-Type", "application/json")
                    self.send_header("Content-Length", str(len(data)))
                    self.end_headers()
                    self.wfile.write(data)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _handle  # noqa: N815 - http.server's names

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def answer(self, method, path, body, headers):
        """Return status and body of the answer to a request."""
        if self.status:
            return self.status, b"<html>No.</html>"
        plain = path.partition("?")[0]
        for end, said in self.instead.items():
            if plain.endswith(end):
                return 200, json.dumps(said).encode()
        kept = {name: value for name, value in headers.items() if name in {"Content-Type", "Accept"}}
        asked = urllib.request.Request(f"{self.target}{path}", body, kept, method=method)
        try:
            with urllib.request.urlopen(asked, timeout=30) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    @contextlib.contextmanager
    def open(self):
        """Listen, until the end of the context."""
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        try:
            yield self
        finally:
            self.hangs.clear()
            self._server.shutdown()
            self._server.server_close()


def wait_for(what, seconds=90.0):
    """Wait until something is true, and return it."""
    end = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.1)
    return found


def environment(**more):
    """Return this process's environment without what the session has set of MLflow's."""
    return {**{name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}, **more}
