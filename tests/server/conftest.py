"""What the tests of the server extension share: real Jupyter servers, as a user starts them."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import psutil
import pytest
import requests

from tests.server.described import check_answer, check_event

TOKEN = "the-token-of-the-tests"
BASE = "/notebook/team-a/anne/"
EXTENSION = "fairing_az_jupyter.frontends.server"
WAIT = 60
OTHERS = ("jupyterlab", "jupyter_lsp", "jupyter_scheduler", "jupyter_server_terminals", "notebook_shim")
"""What is installed beside it and only takes time at the start."""


class Server:
    """A Jupyter server in a process of its own.

    Args:
        folder: Where its home, its files and its log are.
        options: Further options of its command line.
        environment: Further variables of its environment.

    """

    def __init__(self, folder, *options, **environment):
        self.home, self.root, self.log_file = folder / "home", folder / "root", folder / "server.log"
        for each in (self.home, self.root):
            each.mkdir(parents=True, exist_ok=True)
        self.options, self.environment = options, environment
        self.process = None
        self.start()

    def start(self):
        """Start it, and wait until it answers."""
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("JUPYTER", "JPY_", "FAIRING", "DOCKER_REGISTRY", "AZURE_", "AZ_", "KUBE"))
        }
        environment |= {
            "HOME": str(self.home),
            "KUBECONFIG": str(self.home / "no-kubeconfig"),
            "JUPYTER_CONFIG_DIR": str(self.home / "config"),
            "JUPYTER_RUNTIME_DIR": str(self.home / "runtime"),
            "FAIRING_AZURE_HOME": str(self.home / "fairing"),
            "FAIRING_AZURE_CONFIG_DIR": str(self.home / "settings"),
            "IPYTHONDIR": str(self.home / "ipython"),
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
            **self.environment,
        }
        command = [
            *(sys.executable, "-m", "jupyter_server", "--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1"),
            *("--ServerApp.port=0", f"--IdentityProvider.token={TOKEN}", f"--ServerApp.base_url={BASE}"),
            *(f"--ServerApp.jpserver_extensions={EXTENSION}=True", "--ServerApp.log_level=DEBUG"),
            *(f"--ServerApp.jpserver_extensions={other}=False" for other in OTHERS),
            *(f"--ServerApp.root_dir={self.root}", *self.options),
        ]
        with self.log_file.open("ab") as log:
            begun = log.tell()
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, start_new_session=True
            )
        end = time.monotonic() + WAIT
        while True:
            text = self.log_file.read_bytes()[begun:].decode(errors="replace")
            found = re.search(r"http://127\.0\.0\.1:(\d+)/", text)
            if found and found[1] != "0":
                self.site = f"http://127.0.0.1:{found[1]}{BASE}"
                with contextlib.suppress(requests.ConnectionError):
                    requests.get(f"{self.site}api", timeout=5)
                    break
            assert self.process.poll() is None, text
            assert time.monotonic() < end, text
            time.sleep(0.1)
        self.url = f"{self.site}fairing-az-jupyter/"

    @property
    def log(self):
        """What it has logged."""
        return self.log_file.read_text(errors="replace")

    def ask(self, method, path, body=None, **options):
        """Send a request with the token; return the answer."""
        headers = {"Authorization": f"token {TOKEN}", **options.pop("headers", {})}
        options.setdefault("timeout", 30)
        if body is not None:
            options["json"] = body
        answer = requests.request(method, self.url + path, headers=headers, **options)  # noqa: S113 - set above
        check_answer(method, path, answer)
        return answer

    def events(self, path, method="GET", body=None, seconds=30, **query):
        """Yield the events of a stream as (id, name, data) up to its end; heartbeats are (None, "heartbeat", None)."""
        end = time.monotonic() + seconds
        with self.ask(method, path, body, params=query, stream=True, timeout=seconds) as answer:
            assert answer.status_code == 200, answer.text
            assert answer.headers["Content-Type"] == "text/event-stream"
            event = {}
            for line in answer.iter_lines(chunk_size=1):
                assert time.monotonic() < end, "the stream goes on and on"
                if line.startswith(b":"):
                    yield None, "heartbeat", None
                elif line:
                    name, _, value = line.decode().partition(": ")
                    event[name] = value
                elif event:
                    data = json.loads(event["data"])
                    check_event(method, path, event["event"], data)
                    yield int(event["id"]), event["event"], data
                    event = {}

    def workers(self):
        """Return its worker processes."""
        found = []
        for child in psutil.Process(self.process.pid).children():
            with contextlib.suppress(psutil.Error):
                found += [child] if "worker.serve" in " ".join(child.cmdline()) else []
        return found

    def worker(self):
        """Return its worker process, which answers."""
        assert self.ask("GET", "profiles").status_code == 200
        [found] = self.workers()
        return found

    def write_notebook(self, name, *cells, parameters=""):
        """Write a notebook into its contents."""
        found = nbformat.v4.new_notebook(metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}})
        tagged = nbformat.v4.new_code_cell(parameters, metadata={"tags": ["parameters"]})
        found.cells = [tagged, *(nbformat.v4.new_code_cell(cell) for cell in cells)]
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(found, path)
        return path

    def make_run(self, events=(), log=b"", **status):
        """Make the record of a run that was executed elsewhere; return its folder."""
        from fairing_az_jupyter.models import RunRequest
        from fairing_az_jupyter.records import RunStore
        from fairing_az_jupyter.records.status import read_status, write_status

        store = RunStore(self.home / "fairing" / "runs")
        request = RunRequest(str(self.root / "prices.ipynb"), str(self.root / "prices.executed.ipynb"))
        folder = store.create(request, b"{}")
        write_status(folder, {**read_status(folder), **status}, final=False)
        (folder / "events.jsonl").write_bytes(b"".join(json.dumps(each).encode() + b"\n" for each in events))
        (folder / "log.txt").write_bytes(log)
        return folder

    def kill(self):
        """End it without a chance to clean up."""
        self.process.kill()
        self.process.wait(20)

    def stop(self):
        """End it as Ctrl-C and a yes do."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.kill()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Give a server that all tests of a module share; its streams say after half a second that they live."""
    found = Server(tmp_path_factory.mktemp("server"), "--FairingAzureApp.heartbeat_seconds=0.5")
    yield found
    found.stop()


@pytest.fixture
def new_server(tmp_path):
    """Return a function that starts a server of the test's own."""
    servers = []

    def start(*options, **environment):
        servers.append(Server(tmp_path / f"server-{len(servers)}", *options, **environment))
        return servers[-1]

    yield start
    for each in servers:
        each.stop()


@pytest.fixture
def until():
    """Return a function that waits until something is so."""

    def wait(what, seconds=20.0):
        end = time.monotonic() + seconds
        while not (found := what()):
            assert time.monotonic() < end, "it has not come to pass"
            time.sleep(0.05)
        return found

    return wait


@pytest.fixture
def example():
    """Return the path of the example notebook."""
    return Path(__file__).resolve().parents[2] / "notebooks" / "xgboost-high-level-apis.ipynb"
