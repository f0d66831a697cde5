"""`fairing-azure secrets` as its users type it: no secret comes from the command line, none is shown."""

from __future__ import annotations

import io
import json
import os
import pty
import subprocess
import sys

import pytest

from fairing_az_jupyter import services
from fairing_az_jupyter.exceptions import ConflictError, InputError
from fairing_az_jupyter.frontends import cli
from fairing_az_jupyter.frontends.terminal import prompts
from fairing_az_jupyter.models import Question, SecretChange, SecretState

VALUE = "hunter2Qx8~marked-VALUE"
SECRET = Question("client_secret", "Client secret:", hidden=True)
CHANGES = (
    SecretChange("Secret", "azcreds", "team-a", "created", ("AZ_CLIENT_ID", "AZ_CLIENT_SECRET"), "It was tried out."),
    SecretChange("ServiceAccount", "default-editor", "team-a", "unchanged"),
)
ASKED = """
import sys
from fairing_az_jupyter import services
from fairing_az_jupyter.models import Question, SecretChange
def create_secrets(session, *, ask, **_):
    name = ask(Question("client_id", "Client id:"))
    secret = ask(Question("client_secret", "Client secret:", hidden=True))
    assert secret == "hunter2Qx8~marked-VALUE", "another one"
    return (SecretChange("Secret", "azcreds", "team-a", "created", (name,)),)
services.create_secrets = create_secrets
from fairing_az_jupyter.__main__ import entry
sys.exit(entry())
"""


@pytest.fixture
def given(monkeypatch):
    """Return what was asked for."""
    calls = []

    def called(name, answer):
        return lambda *words, **named: calls.append((name, *words, named)) or answer

    monkeypatch.setattr(services, "create_secrets", called("create", CHANGES))
    monkeypatch.setattr(services, "attach_pull_secret", called("attach", CHANGES[1:]))
    states = (SecretState("Secret", "azcreds", "team-a", "not-allowed"),)
    monkeypatch.setattr(services, "describe_secrets", called("show", states))
    return calls


@pytest.mark.parametrize(
    "words",
    [
        ("--client-secret", VALUE),
        (f"--client-secret={VALUE}",),
        (f"--client_secret={VALUE}",),
        ("--CLIENT-SECRET", VALUE),
        ("--password", VALUE),
        ("--client-id", VALUE),
        ("--tenant-id", VALUE),
        ("--docker-password", VALUE),
        ("--from-literal", f"AZ_CLIENT_SECRET={VALUE}"),
        (f"AZ_CLIENT_SECRET={VALUE}",),
        (f"client_secret={VALUE}",),
        (f"AZ_CLIENT_ID={VALUE}",),
        ("--", f"AZ_CLIENT_SECRET={VALUE}"),
    ],
)
@pytest.mark.parametrize("action", [("create",), ("rotate",), ()])
def test_a_secret_on_the_command_line_is_refused_in_one_line_with_the_three_ways(words, action, given, capsys):
    code = cli.main(["secrets", *action, *words])

    out, err = capsys.readouterr()
    assert code == 2
    assert out == ""
    assert err.count("\n") == 1
    assert "hunter2" not in err
    assert "history" in err
    assert all(way in err for way in ("asks for it", "--from-env", "--from-file"))
    assert given == []


@pytest.mark.parametrize(
    "words",
    [
        ("secrets", "create", "--foo", VALUE),
        ("secrets", "create", f"--foo={VALUE}"),
        ("secrets", "create", f"-p{VALUE}"),
        ("secrets", "create", f"-{VALUE}"),
        ("secrets", "create", f"--{VALUE}"),
        ("secrets", "create", VALUE),
        ("secrets", "create", "train.ipynb", VALUE),
        ("secrets", "create", "--backend", VALUE),
        ("secrets", "create", f"--dry-run={VALUE}"),
        ("secrets", "create", f"-n{VALUE}"),
        ("secrets", "create", "--expires", VALUE),
        ("secrets", VALUE),
        (VALUE, "secrets", "create"),
        ("--foo", VALUE, "secrets", "create"),
        ("--json", "secrets", "create", VALUE),
        ("secret", "create", "--foo", VALUE),
        ("check", "--foo", VALUE),
        ("fill", "train.ipynb", "--client-secret", VALUE),
    ],
)
def test_no_word_that_is_not_understood_is_repeated(words, given, capsys):
    code = cli.main(list(words))

    out, err = capsys.readouterr()
    assert code == 2
    assert err.count("\n") == (0 if "--json" in words else 1)
    assert bool(out) == ("--json" in words)
    assert "hunter2" not in out + err
    assert given == []


def test_an_unknown_option_is_named(given, capsys):
    cli.main(["secrets", "create", "--force=x"])

    assert "Unknown option '--force'." in capsys.readouterr().err


def test_the_flags_of_settings_that_name_a_secret_are_no_secrets(given, capsys):
    words = ["--azure-secret-name", "mine", "--registry-secret-name=theirs", "--credential", "secret"]

    assert cli.main(["secrets", "create", "--from-env", *words]) == 0
    assert given[0][1].given == {"azure_secret_name": "mine", "registry_secret_name": "theirs", "credential": "secret"}


@pytest.mark.parametrize(
    ("flags", "azure", "acr"),
    [([], True, True), (["--azure"], True, False), (["--acr"], False, True), (["--azure", "--acr"], True, True)],
)
def test_neither_azure_nor_acr_means_both(flags, azure, acr, given):
    cli.main(["secrets", "create", *flags])

    assert (given[0][2]["azure"], given[0][2]["acr"], given[0][2]["only_secret"]) == (azure, acr, False)


def test_rotate_renews_the_client_secret_only(given):
    cli.main(["secrets", "rotate", "nb.ipynb", "--from-file", "-", "--expires", "2027-11-30", "--unverified", "-n"])

    _, session, named = given[0]
    assert (session.given, session.notebook, session.profile) == ({}, "nb.ipynb", None)
    assert named == {
        "azure": True,
        "acr": True,
        "only_secret": True,
        "from_env": False,
        "from_file": "-",
        "ask": None,
        "expires": "2027-11-30",
        "dry_run": True,
        "verify": False,
        "replace": False,
    }


def test_environment_and_file_exclude_each_other_and_the_prompt(given, capsys):
    assert cli.main(["secrets", "create", "--from-env", "--from-file", "x"]) == 2
    cli.main(["secrets", "create", "--from-env"])
    cli.main(["secrets", "create"])

    assert given[0][2]["ask"] is None
    assert given[1][2]["ask"] is not None


@pytest.mark.parametrize("day", ["2027-13-01", "2027-02-30", "20270101", "2027-1-1", "tomorrow", ""])
def test_a_day_that_is_none_is_refused(day, given, capsys):
    assert cli.main(["secrets", "create", "--expires", day]) == 2
    assert "YYYY-MM-DD" in capsys.readouterr().err
    assert given == []


def test_changes_are_told_and_a_dry_run_says_that_it_was_one(given, capsys):
    cli.main(["secrets", "create"])
    done = capsys.readouterr().out
    cli.main(["secrets", "create", "--dry-run"])
    dry = capsys.readouterr().out
    cli.main(["secrets", "create", "--dry-run", "--json"])
    document = json.loads(capsys.readouterr().out)

    assert "Secret azcreds in namespace team-a: created (AZ_CLIENT_ID, AZ_CLIENT_SECRET)\n" in done
    assert "It was tried out." in done
    assert "Secret azcreds in namespace team-a: would be created" in dry
    assert "ServiceAccount default-editor in namespace team-a: unchanged\n" in dry
    assert "dry run" in dry
    assert document["dry_run"] is True
    assert document["changes"] == [{**change.to_dict(), "keys": list(change.keys)} for change in CHANGES]


def test_attach_and_show_answer_as_text_and_json(given, capsys):
    assert cli.main(["secrets", "attach", "--dry-run", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["changes"][0]["kind"] == "ServiceAccount"
    assert cli.main(["secrets", "show"]) == 0
    assert "not allowed" in capsys.readouterr().out
    assert cli.main(["secrets", "show", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["secrets"][0]["state"] == "not-allowed"


def test_a_refusal_of_the_cluster_has_exit_code_6(monkeypatch, capsys):
    def refuse(*_, **__):
        raise ConflictError("Secret 'acrcreds' is immutable.", hint="Add --replace.")

    monkeypatch.setattr(services, "create_secrets", refuse)

    assert cli.main(["secrets", "create", "--from-env"]) == 6
    assert capsys.readouterr().err == "fairing-azure: Secret 'acrcreds' is immutable. Add --replace.\n"


@pytest.mark.parametrize("stdin", [None, io.StringIO(f"{VALUE}\n")])
def test_without_a_terminal_nobody_is_asked(monkeypatch, stdin):
    monkeypatch.setattr(sys, "stdin", stdin)

    with pytest.raises(InputError) as caught:
        prompts.ask(SECRET)

    assert "--from-env" in str(caught.value)
    assert "--from-file" in str(caught.value)


def test_what_is_typed_into_a_terminal_is_not_shown_and_json_stays_clean():
    written, out, code = typed_into_a_terminal(b"an-id\n", f"{VALUE}\n".encode())

    assert code == 0
    assert json.loads(out)["changes"][0]["keys"] == ["an-id"]
    assert "Client secret:" in written
    assert "hunter2" not in written + out


def test_the_end_of_the_input_and_ctrl_c_end_the_questions():
    ended, out, code = typed_into_a_terminal(b"\x04")
    assert (code, out.count("error")) == (3, 1)
    assert "Traceback" not in ended

    stopped, out, code = typed_into_a_terminal(b"an-id\n", b"\x03")
    assert (code, out) == (130, "")
    assert "Traceback" not in stopped


def typed_into_a_terminal(*answers):
    """Run `secrets create --json` in a session of its own, type behind each colon; return what the terminal shows."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-c", f"import fcntl, termios\nfcntl.ioctl(0, termios.TIOCSCTTY, 0)\n{ASKED}"]
    with subprocess.Popen(
        [*command, "secrets", "create", "--json"],
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=theirs,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": os.getcwd()},  # noqa: PTH109 - a plain text for the environment
    ) as child:
        os.close(theirs)
        written = b""
        for answer in answers:
            while not written.endswith(b": "):
                written += os.read(ours, 1)
            os.write(ours, answer)
            written += b"|"
        out = child.stdout.read().decode()
        code = child.wait(timeout=30)
        os.set_blocking(ours, False)
        try:
            while part := os.read(ours, 4096):
                written += part
        except OSError:
            pass
    os.close(ours)
    return written.decode(), out, code
