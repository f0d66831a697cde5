"""A real JupyterLab under a base URL as Kubeflow gives it, and a real Chromium before it."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from tests.conftest import REPOSITORY
from tests.stand.fixtures import *  # noqa: F403 - fixtures are found by their names

BASE = "/notebook/ns/name/"
LEAVE_OUT = ("AZ_", "AZURE_", "ARM_", "DOCKER_", "FAIRING_", "KUBE", "JUPYTER", "JPY_", "NB_PREFIX")
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
EXAMPLE = "xgboost-high-level-apis.ipynb"
SCREENSHOTS = REPOSITORY / "docs" / "images"
# Jupyter's own: a kernel that ends while its page is closed, and a font that is preloaded for nothing.
EXPECTED = ("Starting WebSocket", "was preloaded using link preload")


class Lab:
    """A JupyterLab server.

    Args:
        home: The folder of everything that it keeps; its notebooks are in `work`.
        python: The interpreter of the environment that it is installed in.

    """

    def __init__(self, home, python=sys.executable):
        self.home, self.root, self.python = home, home / "work", str(python)
        self.token = secrets.token_hex(12)
        self.root.mkdir(parents=True, exist_ok=True)
        configuration = home / "config" / "labconfig"
        configuration.mkdir(parents=True, exist_ok=True)
        # What asks the internet for news, and another package's that is only installed for tests of its own.
        disabled = {"@jupyterlab/apputils-extension:announcements": True, "@jupyterlab/scheduler": True}
        (configuration / "page_config.json").write_text(json.dumps({"disabledExtensions": disabled}))
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            self.port = found.getsockname()[1]
        self.environ = {name: value for name, value in os.environ.items() if not name.startswith(LEAVE_OUT)}
        self.environ |= {
            "HOME": str(home),
            "JUPYTER_CONFIG_DIR": str(home / "config"),
            "JUPYTER_DATA_DIR": str(home / "data"),
            "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
            "IPYTHONDIR": str(home / "ipython"),
            "FAIRING_AZURE_HOME": str(home / "fairing"),
            "FAIRING_AZURE_CONFIG_DIR": str(home / "fairing-settings"),
            "KUBECONFIG": str(home / "no-kubeconfig"),
            "PATH": f"{Path(self.python).parent}{os.pathsep}{os.environ['PATH']}",
        }
        self.process = None

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}{BASE}"

    def start(self, **environ):
        command = [self.python, "-m", "jupyter", "lab", "--no-browser", "--allow-root", "--ip=127.0.0.1"]
        options = {
            "ServerApp.port": self.port,
            "ServerApp.port_retries": 0,
            "ServerApp.base_url": BASE,
            "ServerApp.root_dir": self.root,
            "IdentityProvider.token": self.token,
            "LabApp.expose_app_in_browser": True,
            "ServerApp.jpserver_extensions": "{'jupyter_scheduler': False}",
        }
        command += [f"--{name}={value}" for name, value in options.items()]
        with (self.home / "server.log").open("a") as log:
            self.process = subprocess.Popen(
                command,
                cwd=self.root,
                env={**self.environ, **environ},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        end = time.monotonic() + 60
        while not self.answers():
            assert self.process.poll() is None, self.log()
            assert time.monotonic() < end, self.log()
            time.sleep(0.1)
        return self

    def answers(self):
        request = urllib.request.Request(f"{self.url}api/status", headers={"Authorization": f"token {self.token}"})
        with contextlib.suppress(OSError), urllib.request.urlopen(request, timeout=5) as response:
            return response.status == 200
        return False

    def get(self, path):
        request = urllib.request.Request(f"{self.url}{path}", headers={"Authorization": f"token {self.token}"})
        with urllib.request.urlopen(request, timeout=30) as response:
            return json.load(response)

    def log(self):
        return (self.home / "server.log").read_text(errors="replace")

    def kill(self):
        """End it as the out-of-memory killer does; what it has started goes on."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        if self.process is None or self.process.poll() is not None:
            return
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def cancel_all(self):
        """End the runs and endpoints that a failed test has left."""
        for run in json.loads(self.command_line("runs", "list", "--json"))["runs"]:
            if run["state"] in {"waiting", "running"}:
                self.command_line("runs", "cancel", run["id"])

    def command_line(self, *words):
        """Run `fairing-azure` as a terminal of this server would."""
        done = subprocess.run(
            [self.python, "-m", "fairing_az_jupyter", *words],
            cwd=self.root,
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return done.stdout


@contextlib.contextmanager
def chromium():
    """Start the Chromium of this machine."""
    found = next(filter(None, map(shutil.which, ("chromium", "google-chrome", "chromium-browser"))), None)
    assert found, "Chromium is needed for these tests: apt-get install chromium"
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=found, args=list(ARGUMENTS))
        yield started
        started.close()


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    started = Lab(tmp_path_factory.mktemp("lab")).start()
    yield started
    started.stop()
    started.cancel_all()


@pytest.fixture(scope="module")
def browser():
    """Start Chromium for one module: Playwright's event loop would be in the way of other tests' own."""
    with chromium() as started:
        yield started


class Problems(list):
    """What the page complains of."""

    def watch(self, page):
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self.append(str(error)))

    def _on_console(self, message):
        if message.type == "error" and not any(text in message.text for text in EXPECTED):
            self.append(f"{message.text} ({message.location.get('url', '')})")


@pytest.fixture
def problems():
    return Problems()


@pytest.fixture
def page(browser, lab, problems, request):
    context = browser.new_context(viewport={"width": 1400, "height": 900}, accept_downloads=True)
    context.set_default_timeout(20_000)
    context.grant_permissions(["clipboard-read", "clipboard-write"], origin=f"http://127.0.0.1:{lab.port}")
    opened = context.new_page()
    problems.watch(opened)
    yield opened
    if request.session.testsfailed:
        failed = REPOSITORY / "build" / "browser"
        failed.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(Exception):
            opened.screenshot(path=failed / f"{request.node.name}.png")
    context.close()
    assert problems == []
