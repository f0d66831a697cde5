"""`%fairing_azure` in a real kernel, as a notebook's front end sees it."""

from __future__ import annotations

import contextlib
import json
import queue
import re
import time

import pytest
from jupyter_client.manager import KernelManager

SECRET = "hunter2Qx8~marked-VALUE"
ANSWER = "aZ9~typed-only-at-the-prompt"
PREPARE = """
from fairing_az_jupyter import services
from fairing_az_jupyter.models import CheckResult, Fix, Question, SecretChange
from fairing_az_jupyter.exceptions import CredentialError
seen = []
def check(session):
    seen.append((session.given, session.notebook))
    yield CheckResult("registry.push", "Push <it>", "fail", "here", "May not push.", "Why so.",
                      (Fix("fairing-azure", "fairing-azure secrets rotate"),), position=1)
    yield CheckResult("settings", "Settings", "pass", "there", "All is well.")
def create_secrets(session, *, ask, **named):
    seen.append((session.given, named))
    name = ask(Question("client_id", "Client id:"))
    typed = ask(Question("client_secret", "Client secret:", hidden=True))
    length = len(typed)
    return (SecretChange("Secret", "azcreds", "team-a", "created", (name, str(length))),)
def describe_secrets(*_, **__):
    local = "2retnuh"[::-1]
    raise CredentialError("The client secret has expired.", hint="Type: %fairing_azure secrets rotate")
services.check, services.create_secrets, services.describe_secrets = check, create_secrets, describe_secrets
%load_ext fairing_az_jupyter
"""


class Kernel:
    """A kernel, and what it has sent for one cell."""

    def __init__(self, client):
        self._client = client

    def run(self, code, *answers, allow_stdin=True):
        """Run a cell; return its messages without status messages, the questions asked, and the reply."""
        asked, left = [], list(answers)
        request = self._client.execute(code, allow_stdin=allow_stdin)
        messages, idle, end = [], False, time.monotonic() + 60
        while not idle:
            assert time.monotonic() < end, f"the cell does not end: {code}"
            with contextlib.suppress(queue.Empty):
                question = self._client.get_stdin_msg(timeout=0)
                asked.append(question["content"])
                self._client.input(left.pop(0))
            with contextlib.suppress(queue.Empty):
                message = self._client.get_iopub_msg(timeout=0.05)
                if message["parent_header"].get("msg_id") == request:
                    idle = message["content"].get("execution_state") == "idle"
                    messages.append(message)
        kinds = ("stream", "display_data", "update_display_data", "execute_result", "error")
        while (reply := self._client.get_shell_msg(timeout=10))["parent_header"].get("msg_id") != request:
            pass
        return [each for each in messages if each["msg_type"] in kinds], asked, reply["content"]

    def value(self, expression):
        """Return the value of an expression that JSON knows."""
        messages, _, _ = self.run(f"import json; print(json.dumps({expression}))")
        return json.loads(messages[0]["content"]["text"])


@pytest.fixture(scope="module")
def kernel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kernel")
    manager = KernelManager(kernel_name="python3")
    manager.start_kernel(cwd=str(folder))
    client = manager.blocking_client()
    client.start_channels()
    client.wait_for_ready(timeout=60)
    started = Kernel(client)
    messages, _, _ = started.run(PREPARE)
    assert not messages
    yield started
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def kinds(messages):
    return [message["msg_type"] for message in messages]


def written(messages):
    return json.dumps([message["content"] for message in messages])


def error_lines(messages):
    assert kinds(messages) == ["error"]
    return "\n".join(messages[0]["content"]["traceback"]).splitlines()


def test_check_shows_one_display_that_grows_and_no_second_table(kernel):
    messages, _, reply = kernel.run("%fairing_azure check")

    assert kinds(messages) == ["display_data", *["update_display_data"] * 3]
    assert len({message["content"]["transient"]["display_id"] for message in messages}) == 1
    assert "1 done so far" in messages[1]["content"]["data"]["text/html"]
    last = messages[-1]["content"]["data"]
    assert "2 checks: 1 pass, 1 fail. A launch would fail." in last["text/plain"]
    assert last["text/html"].index("Push &lt;it&gt;") < last["text/html"].index("Settings")
    assert "<code" in last["text/html"]
    assert "%fairing_azure secrets rotate" in last["text/html"]
    assert reply["status"] == "ok"


def test_the_result_is_an_object_that_shows_itself_whenever_it_is_named_again(kernel):
    kernel.run("found = %fairing_azure check")
    messages, _, _ = kernel.run("found")

    assert kinds(messages) == ["execute_result"]
    assert "✗ fail" in messages[0]["content"]["data"]["text/plain"]
    assert "<table" in messages[0]["content"]["data"]["text/html"]
    assert kernel.value("[found.ok, [r.check for r in found], [r.check for r in found.failed]]") == [
        False,
        ["settings", "registry.push"],
        ["registry.push"],
    ]
    assert kernel.value("__import__('pickle').loads(__import__('pickle').dumps(found)) == found") is True


def test_the_last_result_is_kept_as_every_other(kernel):
    kernel.run("%fairing_azure check")
    assert kernel.value("[r.check for r in _]") == ["settings", "registry.push"]


def test_settings_come_from_the_notebooks_own_variables_below_flags(kernel):
    kernel.run("DOCKER_REGISTRY = 'contoso.azurecr.io'; AZURE_REGION = None; OTHER = 1")
    kernel.run("del seen[:]\n%fairing_azure check\n%fairing_azure check --docker-registry 'flagged.azurecr.io'")
    kernel.run("%fairing_azure check train.ipynb")

    assert kernel.value("seen") == [
        [{}, {"DOCKER_REGISTRY": "contoso.azurecr.io", "AZURE_REGION": None}],
        [{"docker_registry": "flagged.azurecr.io"}, {"DOCKER_REGISTRY": "contoso.azurecr.io", "AZURE_REGION": None}],
        [{}, "train.ipynb"],
    ]


def test_words_are_quoted_and_expanded_as_in_every_magic(kernel):
    kernel.run("del seen[:]; where = 'my notebooks/a b.ipynb'\n%fairing_azure check '{where}'")

    assert kernel.value("seen[0][1]") == "my notebooks/a b.ipynb"


def test_check_as_json_prints_one_document(kernel):
    messages, _, _ = kernel.run("%fairing_azure check --json")

    assert kinds(messages) == ["stream"]
    assert json.loads(messages[0]["content"]["text"])["status"] == "fail"


def test_secrets_are_asked_for_without_echo_and_kept_nowhere(kernel):
    messages, asked, reply = kernel.run("%fairing_azure secrets create --azure", "an-id", f" {ANSWER}\n")

    assert [(each["prompt"], each["password"]) for each in asked] == [("Client id: ", False), ("Client secret: ", True)]
    assert reply["status"] == "ok"
    assert f"created (an-id, {len(ANSWER)})" in written(messages)
    assert ANSWER not in written(messages)
    kernel.run("kept = repr((In, dict(Out), list(get_ipython().history_manager.get_range()), globals()))")
    assert kernel.value(f"{ANSWER[::-1]!r}[::-1] in kept") is False


def test_where_nobody_can_answer_the_other_ways_are_named(kernel):
    messages, _, reply = kernel.run("%fairing_azure secrets create", allow_stdin=False)

    (line,) = error_lines(messages)
    assert "--from-env" in line
    assert "--from-file" in line
    assert reply["status"] == "error"


def test_an_error_is_one_line_with_its_cure_and_stops_the_notebook(kernel):
    messages, _, reply = kernel.run("%fairing_azure secrets show")

    assert error_lines(messages) == [
        "%fairing_azure: The client secret has expired. Type: %fairing_azure secrets rotate"
    ]
    assert reply["status"] == "error"
    assert reply["ename"] == "CredentialError"


def test_no_frame_that_held_a_value_is_left_behind_an_error(kernel):
    kernel.run("%fairing_azure secrets show")
    kernel.run("%xmode Verbose")
    messages, _, _ = kernel.run("%tb")
    kernel.run("%xmode Context")

    assert "hunter2" not in written(messages)


@pytest.mark.parametrize(
    "words",
    [
        f"secrets create --client-secret {SECRET}",
        f"secrets create AZ_CLIENT_SECRET={SECRET}",
        f"secrets create {SECRET}",
        f"secrets create --foo {SECRET}",
        f"check --password {SECRET}",
        f"check --foo {SECRET}",
        f"settings --foo={SECRET}",
        f"{SECRET}",
        f"check '{SECRET}",
    ],
)
def test_a_secret_in_a_magics_line_is_refused_and_not_repeated(kernel, words):
    messages, _, reply = kernel.run(f"%fairing_azure {words}")

    assert len(error_lines(messages)) == 1
    assert "hunter2" not in written(messages)
    assert "hunter2" not in json.dumps(reply)


def test_a_refused_secret_is_told_why_a_cell_is_no_place_for_it(kernel):
    (line,) = error_lines(kernel.run(f"%fairing_azure secrets create --client-secret {SECRET}")[0])

    assert "a cell is kept in the notebook" in line
    assert "--from-env" in line


def test_settings_and_help_are_printed(kernel):
    messages, _, _ = kernel.run("%fairing_azure settings --json --docker-registry contoso.azurecr.io")
    assert json.loads(messages[0]["content"]["text"])["docker_registry"] == "contoso.azurecr.io"

    messages, _, reply = kernel.run("%fairing_azure secrets create --help")
    assert "usage: %fairing_azure secrets create" in written(messages)
    assert reply["status"] == "ok"


def test_fill_shows_its_plan_and_never_writes_under_an_open_notebook(kernel, tmp_path):
    path = tmp_path / "nb.ipynb"
    cell = {
        "cell_type": "code",
        "metadata": {"tags": ["parameters"]},
        "source": "DOCKER_REGISTRY = None",
        "outputs": [],
    }
    notebook = {"cells": [{**cell, "execution_count": None}], "metadata": {}, "nbformat": 4, "nbformat_minor": 4}
    path.write_text(json.dumps(notebook))
    before = path.read_bytes()

    messages, _, _ = kernel.run(f"%fairing_azure fill {path} --docker-registry contoso.azurecr.io")

    assert "+DOCKER_REGISTRY = 'contoso.azurecr.io'" in written(messages)
    assert "nothing was written" in written(messages)
    assert path.read_bytes() == before


@pytest.mark.parametrize("words", ["run nb.ipynb", "completion bash", "secrets create --from-file -", "", "chekc"])
def test_what_makes_no_sense_in_a_cell_is_one_line(kernel, words):
    (line,) = error_lines(kernel.run(f"%fairing_azure {words}")[0])

    assert line.startswith("%fairing_azure: ")


def test_an_interrupted_check_ends_in_one_line(kernel):
    kernel.run("def check(*_, **__):\n    yield from ()\n    raise KeyboardInterrupt")
    kernel.run("kept, services.check = services.check, check")

    messages, _, _ = kernel.run("%fairing_azure check")
    kernel.run("services.check = kept")

    assert messages[-1]["content"]["traceback"] == ["%fairing_azure: cancelled"]


def test_an_error_of_our_own_keeps_its_traceback(kernel):
    kernel.run("def check(*_, **__):\n    return 1 // 0\nkept, services.check = services.check, check")

    messages, _, _ = kernel.run("%fairing_azure check --json")
    kernel.run("services.check = kept")

    assert "ZeroDivisionError" in "".join(messages[-1]["content"]["traceback"])


def test_ipython_in_a_terminal_shows_plain_rows_once(run_python):
    script = f"""
from IPython.testing.globalipapp import start_ipython
shell = start_ipython()
shell.run_cell({PREPARE!r}).raise_error()
shell.run_cell("found = %fairing_azure check\\nfound", store_history=False)
print("SECOND")
shell.run_cell("found")
"""
    out = run_python(script).stdout

    first, second = out.split("SECOND")
    assert first.count("May not push.") == second.count("May not push.") == 2
    assert "%fairing_azure secrets rotate" in first
    assert not re.search(r"<table|\x1b\[[0-9;]*m✓", out)


def test_loading_the_extension_loads_no_grammar(run_python):
    script = """
import sys
from IPython.testing.globalipapp import start_ipython
start_ipython().run_cell("%load_ext fairing_az_jupyter").raise_error()
loaded = [name for name in sys.modules if name.startswith("fairing_az_jupyter.") or name == "pydantic"]
print(sorted(loaded))
"""
    loaded = run_python(script).stdout

    assert "fairing_az_jupyter.frontends.magics.extension" in loaded
    for name in ("grammar", "settings", "services", "pydantic", "models"):
        assert name not in loaded
