"""No command writes a secret anywhere, with every fault of a set-up and without: marks go in, none comes out."""

from __future__ import annotations

import base64
import dataclasses
import json
import logging
import os
import subprocess
import sys
import tempfile
import traceback
import uuid

import pytest

from fairing_az_jupyter import services
from fairing_az_jupyter.exceptions import FairingAzureError
from fairing_az_jupyter.frontends import cli
from fairing_az_jupyter.frontends.terminal import prompts
from tests.preflight.faults import FAULTS
from tests.preflight.scene import Scene
from tests.stand.web import Answer

FRONTS = ("kubernetes", "entra", "arm", "blob", "registry")
SECONDS = 2.0
"""What a call may take here: what is written matters, not how long a service is waited for."""


class Watch:
    """All that a user's commands write, in this process: streams, log, files, addresses, tracebacks with locals."""

    def __init__(self, stand, setup, home, capsys, monkeypatch):
        self.stand, self.setup, self.home = stand, setup, home
        self.marks = set(setup.marks)
        self.records, self.tracebacks, self.streams = [], [], []
        self.answers = {}
        self._capsys, self._monkeypatch = capsys, monkeypatch
        self._handler = logging.Handler()
        self._handler.emit = self.records.append
        for front in FRONTS:
            getattr(stand, f"{front}_front").forbidden = self.marks
        self.cwd = home / "work"
        self.cwd.mkdir()
        self.sp = self.file({**setup.azcreds})

    def __enter__(self):
        root = logging.getLogger()
        self._level = root.level
        root.addHandler(self._handler)
        root.setLevel(logging.DEBUG)
        return self

    def __exit__(self, *_):
        logging.getLogger().removeHandler(self._handler)
        logging.getLogger().setLevel(self._level)

    def live_in(self, scene):
        """Let every command meet the scene: its environment, its pod's files, its settings as a notebook's cell."""
        patch = self._monkeypatch
        for name in list(os.environ):
            patch.delenv(name)
        folders = {"HOME": self.home, "TMPDIR": self.home / "tmp"}
        folders |= {name: self.home / name for name in ("FAIRING_AZURE_HOME", "FAIRING_AZURE_CONFIG_DIR")}
        (self.home / "tmp").mkdir()
        for name, value in {**scene.environ, **{name: str(path) for name, path in folders.items()}}.items():
            patch.setenv(name, value)
        patch.setattr(tempfile, "tempdir", None)
        patch.chdir(self.cwd)
        write_notebook(self.cwd / "train.ipynb", [f"{name} = {value!r}" for name, value in scene.settings.items()])
        if scene.installs:
            (self.cwd / "requirements.txt").write_text("greeter==1.0\n")
        real = services.subject_of
        given = {"service_account_folder": scene.service_account_folder, "python": scene.python}
        given |= {"fairing": scene.fairing, "timeout": SECONDS / 2, "deadline": SECONDS}
        patch.setattr(services.checks, "subject_of", lambda *words: dataclasses.replace(real(*words), **given))
        for name in ("check", "create_secrets", "attach_pull_secret", "describe_secrets"):
            patch.setattr(services, name, self._told(getattr(services, name)))
        patch.setattr(prompts, "ask", lambda question: self.answers.get(question.name, ""))

    def _told(self, function):
        def called(*words, **named):
            try:
                return function(*words, **named)
            except FairingAzureError as error:
                told = traceback.TracebackException.from_exception(error, capture_locals=True)
                self.tracebacks.append("".join(told.format()) + repr(error) + str(error))
                raise

        return called

    def file(self, values, name="sp.json"):
        path = self.home / name
        path.write_text(values if isinstance(values, str) else json.dumps(values))
        path.chmod(0o600)
        return str(path)

    def mark(self, secret):
        """Note a further secret in all its spellings."""
        plain = (secret, f"{self.setup.client}:{secret}")
        self.marks |= {*plain, *(base64.b64encode(text.encode()).decode() for text in plain)}
        return secret

    def type(self, *words, both=True):
        """Run a command, and where both forms are meant once more with --json; return the exit codes."""
        codes = {cli.main([*words, *more]) for more in ([], ["--json"])[: 1 + both]}
        self.streams.append("".join(self._capsys.readouterr()))
        assert 1 not in codes, self.streams[-1]
        return codes

    def leaks(self):
        """Return where a mark was found."""
        log = "".join(f"{record.getMessage()} {vars(record)!r}\n" for record in self.records)
        log += "".join(logging.Formatter().format(record) for record in self.records if record.exc_info)
        places = {"streams": "".join(self.streams), "log": log, "tracebacks": "".join(self.tracebacks)}
        for path in self.home.rglob("*"):
            if path.is_file() and path.suffix != ".json":
                places[str(path)] = path.read_bytes().decode("utf-8", "replace")
        found = {place for place, text in places.items() for mark in self.marks if mark in text}
        calls = [call for front in FRONTS for call in getattr(self.stand, f"{front}_front").calls]
        return found | {f"{call.method} {call.path}" for call in calls if call.leak}


def write_notebook(path, lines, *cells):
    sources = ["\n".join(lines), *cells]
    bare = {"cell_type": "code", "outputs": [], "execution_count": None}
    made = [
        {**bare, "metadata": {"tags": ["parameters"] * (not at)}, "source": text} for at, text in enumerate(sources)
    ]
    kernel = {"kernelspec": {"name": "python3", "language": "python", "display_name": "Python 3"}}
    path.write_text(json.dumps({"cells": made, "metadata": kernel, "nbformat": 4, "nbformat_minor": 4}))


@pytest.fixture
def watched(request, stand, namespace, tmp_path, capsys):
    options = getattr(request, "param", {})
    setup = stand.correct_setup(namespace, **options)
    # Undone before the stand takes its own variables away.
    with pytest.MonkeyPatch.context() as patch, Watch(stand, setup, tmp_path, capsys, patch) as made:
        yield made


def once(function, kept):
    """Return a function that checks once and tells the same results to whoever asks again."""

    def check(*words, **named):
        kept.extend([] if kept else function(*words, **named))
        return iter(list(kept))

    return check


@pytest.mark.parametrize(
    ("watched", "fault"),
    [pytest.param(fault.options, fault, id=f"{fault.check}: {fault.name}") for fault in FAULTS],
    indirect=["watched"],
)
def test_no_fault_makes_a_command_write_a_secret(watched, fault, monkeypatch):
    scene = Scene.of(watched.stand, watched.setup)
    fault.make(scene)
    watched.live_in(scene)
    results = []
    monkeypatch.setattr(services, "check", once(services.check, results))

    codes = watched.type("check", "--verbose", "train.ipynb")
    watched.type("secrets", "create", "train.ipynb", "--from-file", watched.sp, "--dry-run", both=False)

    (found,) = [result for result in results if result.check == fault.check]
    assert found.status == fault.status
    assert codes == {cli_code(results)}
    assert "Traceback" not in "".join(watched.streams)
    assert watched.leaks() == set()


def cli_code(results):
    statuses = {result.status for result in results}
    return 7 if "fail" in statuses else 8 if "unknown" in statuses else 0


@pytest.fixture
def settled(watched):
    """A correct set-up to type commands in."""
    watched.live_in(Scene.of(watched.stand, watched.setup))
    return watched


def test_no_command_writes_a_secret(settled):
    setup, new = settled.setup, settled.mark(f"MARK-{uuid.uuid4()}")
    settled.stand.entra.register(setup.tenant, setup.client, new)
    renewed = settled.file({"appId": setup.client, "password": new, "tenant": setup.tenant}, "renewed.json")
    settled.answers = {**{key[3:].lower(): value for key, value in setup.azcreds.items()}, "expires": "2031-01-01"}

    for words in (
        ("check", "train.ipynb"),
        ("check", "--verbose", "train.ipynb"),
        ("secrets", "show"),
        ("secrets", "create", "train.ipynb", "--from-file", settled.sp),
        ("secrets", "create", "train.ipynb", "--dry-run"),
        ("secrets", "create", "train.ipynb"),
        ("secrets", "rotate", "train.ipynb", "--from-file", renewed, "--expires", "2031-02-03"),
        ("secrets", "attach"),
        ("settings", "train.ipynb"),
        ("settings", "train.ipynb", "--explain"),
        ("settings", "--schema"),
        ("profile", "set", "team", "--docker-registry", setup.login_server),
        ("profile", "list"),
        ("profile", "use", "team"),
        ("profile", "show", "team"),
        ("fill", "train.ipynb", "--azure-region", "northeurope", "--dry-run"),
        ("fill", "train.ipynb", "--azure-region", "northeurope"),
    ):
        assert settled.type(*words) == {0}, settled.streams[-1]
    settled.type("profile", "remove", "team", both=False)

    assert settled.leaks() == set()


def test_no_refused_value_is_written(settled):
    setup = settled.setup
    odd = settled.mark(f"MARK-{uuid.uuid4()}\x01")
    wrong = {**setup.azcreds, "AZ_CLIENT_SECRET": settled.mark(f"MARK-{uuid.uuid4()}")}
    whole = json.dumps(wrong)
    files = [
        wrong,
        {**wrong, "AZ_TENANT_ID": wrong["AZ_CLIENT_SECRET"]},
        {**wrong, "AZ_CLIENT_SECRET": odd},
        {**wrong, "AZ_CLIENT_SECRET": [wrong["AZ_CLIENT_SECRET"]]},
        {"AZ_CLIENT_SECRET": wrong["AZ_CLIENT_SECRET"]},
        [wrong],
        whole[:-3],
        f"{whole}{whole}",
        f"AZ_CLIENT_SECRET='{wrong['AZ_CLIENT_SECRET']}",
        f"{wrong['AZ_CLIENT_SECRET']}\n",
        f"AZ_CLIENT_SECRET={wrong['AZ_CLIENT_SECRET']}\nAZ_CLIENT_ID={wrong['AZ_CLIENT_SECRET']}\n",
    ]
    for values in files:
        for action in ("create", "rotate"):
            settled.type("secrets", action, "train.ipynb", "--from-file", settled.file(values, "bad.json"))
    settled.answers = {"client_id": setup.secret, "client_secret": odd, "tenant_id": odd, "expires": odd}
    assert settled.type("secrets", "create", "train.ipynb") == {3}

    assert settled.leaks() == set()


def test_no_secret_in_a_wrong_place_is_repeated(settled):
    setup = settled.setup
    for words in (
        ("secrets", "create", "--from-file", setup.secret),
        ("secrets", "create", "--client-secret", setup.secret),
        ("secrets", "create", f"AZ_CLIENT_SECRET={setup.secret}"),
        ("secrets", "create", "--expires", setup.secret),
        ("secrets", "rotate", setup.secret),
        ("check", "--nothing", setup.secret),
        ("check", f"--password={setup.secret}"),
    ):
        assert 0 not in settled.type(*words), words

    # Whoever takes the secret for a file's name has it in the arguments, which is no fault of a message.
    settled.tracebacks.clear()
    assert settled.leaks() == set()


@pytest.mark.parametrize("front", ["kubernetes", "entra"])
@pytest.mark.parametrize("status", [200, 403, 409, 422])
def test_no_service_that_repeats_what_it_was_sent_is_quoted(settled, front, status):
    setup, new = settled.setup, settled.mark(f"MARK-{uuid.uuid4()}")
    settled.stand.entra.register(setup.tenant, setup.client, new)
    file = settled.file({**setup.azcreds, "AZ_CLIENT_SECRET": new})
    told = f"admission webhook denied: {new} {base64.b64encode(new.encode()).decode()} {' '.join(settled.marks)}"
    body = {"kind": "Status", "status": "Failure", "message": told, "reason": told, "code": status}
    body |= {"error": told, "error_description": told, "details": {"name": told, "causes": [{"message": told}]}}
    answer = Answer(status, json.dumps(body).encode(), (("Content-Type", "application/json"),))
    methods = "PATCH|PUT|POST" if front == "kubernetes" else ".*"
    getattr(settled.stand, f"{front}_front").answer(answer, method=methods)

    for action in ("create", "rotate"):
        assert settled.type("secrets", action, "train.ipynb", "--from-file", file) <= {0, 3, 6}
    settled.type("secrets", "attach", both=False)

    assert settled.leaks() == set()


def test_no_run_of_a_notebook_writes_a_secret(settled):
    write_notebook(
        settled.cwd / "job.ipynb",
        [f"{name} = {value!r}" for name, value in settled.setup.settings.items()],
        "%load_ext fairing_az_jupyter\n%fairing_azure secrets create --from-env",
        "%fairing_azure check",
        "%fairing_azure secrets create --from-env --client-secret",
    )
    environ = {**os.environ, **settled.setup.azcreds, "KUBECONFIG": str(settled.setup.kubeconfig)}
    del environ["KUBERNETES_SERVICE_HOST"]

    for more in ([], ["--json"]):
        command = [sys.executable, "-m", "fairing_az_jupyter", "run", "job.ipynb", "-o", f"out{len(more)}.ipynb", *more]
        done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False, timeout=100)
        settled.streams.append(done.stdout + done.stderr)
        assert done.returncode == 4, done.stderr
        executed = (settled.cwd / f"out{len(more)}.ipynb").read_text()
        assert "Ready to launch." in executed
        assert "is not taken from a cell" in executed

    assert settled.leaks() == set()
