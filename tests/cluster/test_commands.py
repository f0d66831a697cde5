"""`fairing-azure check` and `secrets` as their users type them: child processes on the stand's real servers."""

from __future__ import annotations

import json
import os
import pty
import shlex
import signal
import subprocess
import sys
import time
import uuid

import pytest

LEAVE_OUT = ("AZ_", "AZURE_", "ARM_", "DOCKER_", "FAIRING_", "KUBE")
PROMPTED = "import fcntl, sys, termios\nfcntl.ioctl(0, termios.TIOCSCTTY, 0)\n"
ENTRY = "from fairing_az_jupyter.__main__ import entry\nsys.exit(entry())"


class Desk:
    """A user at a terminal, with a kubeconfig of the namespace and settings in the environment."""

    def __init__(self, stand, setup, folder, home):
        self.stand, self.setup, self.folder = stand, setup, folder
        self.base = f"/api/v1/namespaces/{setup.namespace}"
        self.environ = {name: value for name, value in os.environ.items() if not name.startswith(LEAVE_OUT)}
        self.environ |= {name: value for name, value in setup.environment.items() if not name.startswith("KUBE")}
        self.environ |= {name: value for name, value in setup.settings.items() if value}
        self.environ |= {"KUBECONFIG": str(setup.kubeconfig), "HOME": str(home)}
        self.environ |= {name: str(home / name) for name in ("FAIRING_AZURE_HOME", "FAIRING_AZURE_CONFIG_DIR")}
        self.file = folder / "sp.json"
        self.write(setup.secret)

    def write(self, secret):
        """Write what `az ad sp create-for-rbac` prints, and let the environment name the subscription."""
        printed = {"appId": self.setup.client, "displayName": "ml", "password": secret, "tenant": self.setup.tenant}
        self.file.write_text(json.dumps(printed, indent=2))
        self.file.chmod(0o600)
        self.environ["AZ_SUBSCRIPTION_ID"] = self.setup.subscription

    def start(self, *words, **more):
        command = [sys.executable, "-m", "fairing_az_jupyter", *words]
        given = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **more}
        return subprocess.Popen(command, cwd=self.folder, env=self.environ, text=True, **given)

    def type(self, *words, code=0):
        """Run one command to its end; return its output and error output."""
        with self.start(*words) as child:
            out, err = child.communicate(timeout=60)
        assert child.returncode == code, out + err
        assert "Traceback" not in out + err
        assert [mark for mark in self.setup.marks if mark in out + err] == []
        return out, err

    def outcomes(self, *words):
        changes = json.loads(self.type("secrets", *words, "--json")[0])["changes"]
        return [change["outcome"] for change in changes]

    def failing(self, *words):
        """Return the checks that fail; nothing may be unknown."""
        code = 7 if (found := json.loads(self.type("check", *words, "--json", code=7)[0]))["summary"]["fail"] else 0
        assert (code, found["summary"]["unknown"]) == (7, 0)
        return [result for result in found["results"] if result["status"] == "fail"]

    def object(self, kind, name):
        answer = self.stand.control_plane.admin.call("GET", f"{self.base}/{kind}/{name}")
        return answer.json() if answer.ok else None

    def state(self):
        names = (("secrets", "azcreds"), ("secrets", "acrcreds"), ("serviceaccounts", "default-editor"))
        found = [self.object(*name) for name in names]
        return [each and each["metadata"]["resourceVersion"] for each in found]

    def is_green(self):
        summary = json.loads(self.type("check", "--json")[0])["summary"]
        return summary["pass"] > 20 and (summary["fail"], summary["unknown"]) == (0, 0)


@pytest.fixture
def desk(request, stand, namespace, tmp_path, own_folders):
    setup = stand.correct_setup(namespace, prepared=getattr(request, "param", False))
    return Desk(stand, setup, tmp_path, own_folders)


prepared = pytest.mark.parametrize("desk", [True], indirect=True, ids=["prepared"])


def test_from_nothing_to_all_green_with_what_the_azure_cli_has_printed(desk):
    out, _ = desk.type("check", code=7)
    assert "To create everything that is missing:\n  fairing-azure secrets create\n" in out
    assert out.endswith("A launch would fail.\n")

    out, _ = desk.type("secrets", "create", "--from-file", "sp.json")

    assert out.endswith("Check whether a launch would work now: fairing-azure check\n")
    out, err = desk.type("check")
    assert out.endswith("Ready to launch.\n")
    assert err == ""
    assert desk.is_green()
    before = desk.state()
    assert desk.outcomes("create", "--from-file", "sp.json") == ["unchanged"] * 3
    assert desk.outcomes("attach") == ["unchanged"]
    assert desk.state() == before


def test_from_nothing_to_all_green_with_values_of_the_environment(desk):
    desk.environ |= desk.setup.azcreds

    assert desk.outcomes("create", "--from-env") == ["created", "created", "updated"]
    assert desk.is_green()


def test_from_nothing_to_all_green_by_answering_questions_without_echo(desk):
    setup = desk.setup
    answers = [setup.client, setup.secret, setup.tenant, setup.subscription, "2031-01-02"]

    shown, out, code = typed_into_a_terminal(desk, *answers)

    assert code == 0, shown
    assert [change["outcome"] for change in json.loads(out)["changes"]] == ["created", "created", "updated"]
    assert "(appId)" in shown
    assert setup.client in shown
    assert setup.secret not in shown + out
    assert desk.is_green()
    assert "2031-01-02" in desk.type("secrets", "show")[0]


def test_ctrl_c_at_a_question_says_that_nothing_was_changed(desk):
    before = desk.state()

    shown, out, code = typed_into_a_terminal(desk, desk.setup.client, "\x03")

    assert (code, out) == (130, "")
    assert "cancelled. Nothing was changed." in shown
    assert "Traceback" not in shown
    assert desk.state() == before


def test_a_dry_run_changes_nothing(desk):
    before = desk.state()

    out, _ = desk.type("secrets", "create", "--from-file", "sp.json", "--dry-run")

    assert "Secret azcreds in namespace" in out
    assert out.endswith("Nothing was changed: this was a dry run.\n")
    assert desk.state() == before


@prepared
def test_an_expired_client_secret_is_rotated_from_exit_code_7_to_0(desk):
    desk.stand.entra.apps[desk.setup.client].secrets[desk.setup.secret] = time.time() - 60
    (token,) = desk.failing()
    assert token["code"] == "expired-secret"
    assert token["fixes"][0]["command"] == "fairing-azure secrets rotate"
    renewed = f"MARK-{uuid.uuid4()}"
    desk.stand.entra.register(desk.setup.tenant, desk.setup.client, renewed)
    desk.write(renewed)

    out, err = desk.type("secrets", "rotate", "--from-file", "sp.json")

    assert renewed not in out + err
    assert "azcreds" in out
    assert "updated (AZ_CLIENT_SECRET)" in out
    assert desk.is_green()


@prepared
def test_a_pull_secret_that_was_taken_away_is_attached_again(desk):
    patch = {"imagePullSecrets": [{"name": "somebody-elses"}]}
    desk.stand.control_plane.admin.patch(f"{desk.base}/serviceaccounts/default-editor", patch)
    # Pods of a launch name the Secret themselves; other pods of the namespace do not.
    assert desk.is_green()

    desk.type("secrets", "attach")

    names = [entry["name"] for entry in desk.object("serviceaccounts", "default-editor")["imagePullSecrets"]]
    assert names == ["somebody-elses", "acrcreds"]
    assert desk.is_green()


@prepared
def test_who_may_not_look_gets_exit_code_8_and_never_reads_missing(desk):
    desk.stand.kubernetes_front.refuse(403, path="/secrets/azcreds$")

    out, _ = desk.type("check", code=8)

    assert "? unknown" in out
    assert "not found" not in out
    assert "Some checks got no answer, so a launch may fail." in " ".join(out.split())
    assert json.loads(desk.type("check", "--json", code=8)[0])["status"] == "unknown"


def test_every_cure_of_ours_mends_its_fault_when_it_is_typed_as_it_stands(desk):
    names = [name for name in desk.setup.settings if name in desk.environ]
    cell = "\n".join(f"{name} = {desk.environ.pop(name)!r}" for name in names)
    write_notebook(desk.folder / "my train.ipynb", cell)
    desk.environ |= desk.setup.azcreds
    failing = desk.failing("my train.ipynb")
    assert {result["check"] for result in failing} == {"azure.secret", "registry.secret"}

    for result in failing:
        fix = result["fixes"][0]
        words = typed_words(fix["command"])
        desk.type(*words, *(["--from-env"] if "create" in words else []))
        assert fix["magic"] == f"%{fix['command'].replace('-', '_', 1)}"

    assert json.loads(desk.type("check", "my train.ipynb", "--json")[0])["status"] == "pass"


def test_a_cure_keeps_the_flags_and_the_profile_that_the_check_was_given(desk):
    registry = desk.environ.pop("DOCKER_REGISTRY")
    group = desk.environ.pop("AZURE_RESOURCE_GROUP")
    desk.type("profile", "set", "team", "--azure-resource-group", group)

    out, _ = desk.type("check", "--profile", "team", "--docker-registry", registry, code=7)

    assert f"  fairing-azure secrets create --profile team --docker-registry {registry}\n" in out


def test_ctrl_c_while_it_writes_tells_what_is_written_and_repeating_does_the_rest(desk):
    # The dry runs pass; the second Secret's own write takes its time.
    desk.stand.kubernetes_front.slow(20_000, path="/secrets", method="POST", skip=3)
    with desk.start("secrets", "create", "--from-file", "sp.json") as child:
        wait_for(lambda: desk.object("secrets", "azcreds"))
        time.sleep(0.5)
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=30)

    assert (child.returncode, out) == (130, "")
    assert "cancelled. Written before that: Secret 'azcreds'" in err
    assert "Run the same command again" in err
    assert err.count("\n") == 1
    desk.stand.kubernetes_front.clear()
    desk.type("secrets", "create", "--from-file", "sp.json")
    assert desk.is_green()


def test_two_at_the_same_time_both_succeed(desk):
    children = [desk.start("secrets", "create", "--from-file", "sp.json") for _ in range(2)]
    ended = [child.communicate(timeout=60) for child in children]

    assert [child.returncode for child in children] == [0, 0], ended
    assert desk.is_green()


@prepared
def test_hints_name_commands_of_a_terminal_and_not_of_a_cell(desk):
    desk.stand.entra.apps[desk.setup.client].secrets[desk.setup.secret] = time.time() - 60
    desk.environ |= desk.setup.azcreds

    _, err = desk.type("secrets", "create", "--from-env", code=6)

    assert "Nothing was written." in err
    assert "fairing-azure secrets" in err
    assert "%fairing_azure" not in err


def typed_words(command):
    program, *words = shlex.split(command)
    assert program == "fairing-azure"
    return words


def wait_for(found):
    end = time.monotonic() + 20
    while not found():
        assert time.monotonic() < end
        time.sleep(0.05)


def write_notebook(path, source):
    cell = {"cell_type": "code", "metadata": {"tags": ["parameters"]}, "source": source, "outputs": []}
    notebook = {"cells": [{**cell, "execution_count": None}], "metadata": {}, "nbformat": 4, "nbformat_minor": 4}
    path.write_text(json.dumps(notebook))


def typed_into_a_terminal(desk, *answers):
    """Run `secrets create --json` in a session of its own; type an answer behind each question."""
    ours, theirs = pty.openpty()
    words = ["secrets", "create", "--json"]
    with subprocess.Popen(
        [sys.executable, "-c", PROMPTED + ENTRY, *words],
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=theirs,
        start_new_session=True,
        cwd=desk.folder,
        env={**desk.environ, "PYTHONPATH": os.pathsep.join([os.getcwd(), desk.environ["PYTHONPATH"]])},  # noqa: PTH109 - a plain text for the environment
        text=True,
    ) as child:
        os.close(theirs)
        shown = b""
        for answer in answers:
            while not shown.endswith(b": "):
                shown += os.read(ours, 1)
            os.write(ours, answer.encode() + (b"" if answer == "\x03" else b"\n"))
            shown += b"|"
        out, _ = child.communicate(timeout=60)
        os.set_blocking(ours, False)
        try:
            while part := os.read(ours, 4096):
                shown += part
        except OSError:
            pass
    os.close(ours)
    return shown.decode(), out, child.returncode
