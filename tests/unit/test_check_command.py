"""`fairing-azure check` as its users see it; what the checks find is told here, not looked up."""

from __future__ import annotations

import errno
import json
import os
import pty
import re
import shlex
import signal
import subprocess
import sys
import textwrap

import pytest

from fairing_az_jupyter import services
from fairing_az_jupyter.exceptions import ProfileError
from fairing_az_jupyter.frontends import cli
from fairing_az_jupyter.frontends.views.checks import check_report, check_report_html
from fairing_az_jupyter.models import CheckResult, Fix

KUBECTL = "kubectl --namespace team-a patch serviceaccount default-editor --patch '{\"imagePullSecrets\": []}'"
PLACES = ("settings", "cluster", "azure.token", "azure.secret-expiry", "storage.account", "storage.probe")
PLACES += ("registry.secret", "registry.push", "endpoint.kserve")
FAIL = CheckResult(
    "registry.push",
    "The registry takes images",
    "fail",
    "contoso.azurecr.io",
    "The service principal may pull from contoso.azurecr.io, but not push.",
    "Without it no image can be built.",
    (
        Fix("fairing-azure", "fairing-azure secrets rotate"),
        Fix("kubectl", KUBECTL),
        Fix("text", "Ask whoever owns the registry for AcrPush."),
    ),
    fixable=True,
    code="not-allowed",
    position=PLACES.index("registry.push"),
)
UNKNOWN = CheckResult(
    "storage.account", "Storage account", "unknown", "contosodata", "Azure did not answer.", "Why so.", position=4
)
WARN = CheckResult(
    "azure.secret-expiry", "Secret's age", "warn", "azcreds", "It expires in 5 days.", "It must be new.", position=3
)
PASSES = tuple(
    CheckResult(name, f"Title of {name}", "pass", f"object of {name}", "All is well.", position=PLACES.index(name))
    for name in ("settings", "cluster", "azure.token", "registry.secret", "endpoint.kserve")
)
SKIPPED = CheckResult("storage.probe", "A probe blob", "skipped", "", "Not checked.", position=5)
PRESSED_AT_ONCE = """
import sys, time
from fairing_az_jupyter import services
from fairing_az_jupyter.models import CheckResult
def check(*_, **__):
    yield CheckResult("settings", "Settings", "pass", "", "All is well.")
    time.sleep(600)
services.check = check
from fairing_az_jupyter.__main__ import entry
sys.argv[1:] = ["check"]
sys.exit(entry())
"""


@pytest.fixture
def check(capsys, monkeypatch):
    """Return a function that runs `check` on given results and returns exit code, output and error output."""

    def run(results, *arguments):
        monkeypatch.setattr(services, "check", lambda *_, **__: iter(results))
        code = cli.main(["check", *arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


@pytest.mark.parametrize(
    ("results", "code", "status"),
    [
        (PASSES, 0, "pass"),
        ((*PASSES, WARN, SKIPPED), 0, "pass"),
        ((*PASSES, UNKNOWN), 8, "unknown"),
        ((UNKNOWN, FAIL), 7, "fail"),
        ((), 0, "pass"),
    ],
)
def test_the_exit_code_tells_fail_from_unknown(check, results, code, status):
    assert check(results)[0] == code

    as_json, out, _ = check(results, "--json")
    assert as_json == code
    assert json.loads(out)["status"] == status


def test_json_is_one_document_with_all_results_and_how_many_of_each(check):
    _, out, err = check((*PASSES, FAIL, WARN), "--json")

    document = json.loads(out)
    assert document["summary"] == {"pass": 5, "warn": 1, "fail": 1, "skipped": 0, "unknown": 0}
    assert err == ""
    failed = next(each for each in document["results"] if each["check"] == "registry.push")
    assert failed["fixes"][0] == {
        "tool": "fairing-azure",
        "command": "fairing-azure secrets rotate",
        "magic": "%fairing_azure secrets rotate",
    }


def test_the_order_of_chance_does_not_show_in_json(check):
    results = [*PASSES, FAIL, WARN, UNKNOWN, SKIPPED]
    orders = set()
    for start in range(len(results)):
        results = [*results[start:], *reversed(results[:start])]
        found = json.loads(check(results, "--json")[1])["results"]
        orders.add(tuple(each["check"] for each in found))

    assert orders == {PLACES}


def test_rows_appear_as_results_are_found(capsys, monkeypatch):
    seen = []

    def found(*_, **__):
        yield PASSES[0]
        seen.append(capsys.readouterr().out)
        yield FAIL

    monkeypatch.setattr(services, "check", found)
    cli.main(["check"])

    assert "Title of settings" in seen[0]
    assert "registry" not in seen[0]


def test_the_report_says_why_and_has_each_command_on_a_line_of_its_own(check):
    _, out, _ = check((*PASSES, FAIL, WARN))

    lines = [line.strip() for line in out.splitlines()]
    assert "Without it no image can be built." in lines
    assert "fairing-azure secrets rotate" in lines
    assert shlex.split(lines[lines.index(KUBECTL)])[-1] == '{"imagePullSecrets": []}'
    assert "or: Ask whoever owns the registry for AcrPush." in lines
    assert "It must be new." in lines
    assert lines[-1] == "7 checks: 1 failed, 1 warning, 5 passed. A launch would fail."


def test_with_a_warning_the_verdict_does_not_say_that_nothing_stands_in_the_way(check, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    assert check(PASSES)[1].endswith("5 checks: 5 passed. Ready to launch.\n")
    told = "Ready to launch, with warnings."
    assert check((*PASSES, WARN))[1].endswith(f"6 checks: 1 warning, 5 passed. {told}\n")


def test_verbose_says_what_the_passing_checks_have_looked_at(check):
    assert "object of cluster" not in check(PASSES)[1]
    assert "object of cluster" in check(PASSES, "--verbose")[1]


@pytest.mark.parametrize("width", [40, 72, 130])
def test_texts_are_wrapped_to_the_width_and_commands_are_not(check, monkeypatch, width):
    monkeypatch.setenv("COLUMNS", str(width))
    long = CheckResult(
        "cluster", "A title that is longer than most of them are", "fail", "x", "many words " * 30, "why " * 60
    )

    _, out, _ = check((long, FAIL))

    commands = [line for line in out.splitlines() if line.strip().startswith(("kubectl", "fairing-azure"))]
    assert [line.strip() for line in commands] == ["fairing-azure secrets rotate", KUBECTL]
    assert max(len(line) for line in out.splitlines() if line not in commands) <= width


def test_what_a_server_has_sent_can_neither_colour_nor_clear_the_terminal(check):
    nasty = CheckResult(
        "cluster",
        "Cluster",
        "fail",
        "a\x1b[2Jb",
        "one\r\ntwo\x07\u202e\x9b31m",
        "why\n",
        (Fix("text", "\x1b]0;x\x07"),),
    )

    _, out, _ = check((nasty,))

    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", out)
    assert "one two" in out


def test_colours_are_for_terminals_only_and_not_with_no_color(run_python):
    script = "from fairing_az_jupyter import services\n"
    script += "from fairing_az_jupyter.models import CheckResult\nimport sys\n"
    script += "services.check = lambda *a, **k: iter([CheckResult('settings', 'Settings', 'pass', '', 'Fine.')])\n"
    script += "from fairing_az_jupyter.__main__ import entry\nsys.argv[1:] = ['check']\nsys.exit(entry())"

    assert "\x1b" not in run_python(script).stdout
    assert "\x1b[32m✓ pass\x1b[0m" in in_terminal(script)
    assert "\x1b" not in in_terminal(script, NO_COLOR="1")
    assert "\x1b" not in in_terminal(script, TERM="dumb")
    assert "+ pass" in run_python(script, PYTHONIOENCODING="ascii").stdout


def in_terminal(script, **environment):
    ours, theirs = pty.openpty()
    unset = {name: value for name, value in os.environ.items() if name not in {"NO_COLOR", "TERM"}}
    with subprocess.Popen(
        [sys.executable, "-c", script],
        env={**unset, "TERM": "xterm", "PYTHONIOENCODING": "utf-8", **environment},
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=subprocess.STDOUT,
    ) as child:
        os.close(theirs)
        written = b""
        try:
            while part := os.read(ours, 4096):
                written += part
        except OSError as ended:
            assert ended.errno == errno.EIO  # noqa: PT017 - how Linux says that the other end is closed
        child.wait(timeout=30)
    os.close(ours)
    return written.decode()


def test_ctrl_c_ends_a_check_at_once():
    with subprocess.Popen(
        [sys.executable, "-c", PRESSED_AT_ONCE], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:
        assert "Settings" in child.stdout.readline()
        child.send_signal(signal.SIGINT)
        _, err = child.communicate(timeout=10)

    assert child.returncode == 130
    assert err == "fairing-azure: cancelled\n"


def test_a_reader_who_has_gone_does_not_turn_a_failure_into_success(tmp_path):
    script = textwrap.dedent("""
    import sys
    from fairing_az_jupyter import services
    from fairing_az_jupyter.models import CheckResult
    services.check = lambda *a, **k: iter([CheckResult("cluster", "Cluster", "fail", "", "word " * 99999)])
    from fairing_az_jupyter.__main__ import entry
    sys.exit(entry())
    """)
    (tmp_path / "script.py").write_text(script)
    for flag in ("", "--json"):
        line = f"{shlex.quote(sys.executable)} script.py check {flag} | head -c 1 >/dev/null; echo ${{PIPESTATUS[0]}}"
        done = subprocess.run(
            ["bash", "-c", line], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
        )
        assert (done.stdout, done.stderr) == ("7\n", "")


def test_the_help_lists_the_exit_codes_of_a_check(capsys):
    cli.main(["--help"])

    out = capsys.readouterr().out
    assert all(f"\n  {code}    " in out for code in (0, 3, 6, 7, 8))


def test_a_check_gets_flags_notebook_and_profile(monkeypatch, capsys):
    given = []
    monkeypatch.setattr(services, "check", lambda session: given.append(session) or iter(()))

    cli.main(["check", "train.ipynb", "--profile", "team", "--docker-registry", "contoso.azurecr.io"])

    (session,) = given
    assert session.given == {"docker_registry": "contoso.azurecr.io"}
    assert (session.notebook, session.profile) == ("train.ipynb", "team")


def test_an_error_before_the_first_check_has_its_cure_and_exit_code(monkeypatch, capsys):
    def refuse(*_, **__):
        raise ProfileError("There is no profile 'x'.", hint="See: fairing-azure profile list")

    monkeypatch.setattr(services, "check", refuse)

    assert cli.main(["check", "--profile", "x"]) == 3
    assert capsys.readouterr().err == "fairing-azure: There is no profile 'x'. See: fairing-azure profile list\n"
    assert cli.main(["check", "--profile", "x", "--json"]) == 3
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "profile"


def test_html_is_escaped_and_has_headers_and_leaves_the_ground_to_the_theme():
    nasty = CheckResult(
        "cluster",
        "<b>t</b>",
        "fail",
        '"><script>',
        "<img src=x>",
        "a & b",
        (Fix("kubectl", "kubectl <x>"), FAIL.fixes[0]),
    )

    found = check_report_html.html([nasty, PASSES[0]])

    assert not re.search(r"<(script|img|b)\b", found)
    assert found.count('scope="col"') == 6
    assert found.count('scope="row"') == 2
    assert "background" not in found
    assert re.findall(r"(?<!-)color:(?!var|inherit)", found) == []
    assert found.index("%fairing_azure secrets rotate") < found.index("kubectl &lt;x&gt;")
    assert "✗ fail" in found


def test_html_shows_what_needs_attention_and_keeps_the_rest_behind_one_click():
    found = check_report_html.html([*PASSES, FAIL])

    assert found.index("registry takes images") < found.index("<details>") < found.index("Title of settings")
    assert "5 other checks</summary>" in found
    assert "<details open>" in check_report_html.html(PASSES)


def failing(check, *words):
    return CheckResult(
        check, check, "fail", "", "Missing.", "", (Fix("fairing-azure", shlex.join(["fairing-azure", *words])),)
    )


AZURE = failing("azure.secret", "secrets", "create", "--azure", "a b.ipynb")
ACR = failing("registry.secret", "secrets", "create", "--acr", "a b.ipynb")
ATTACH = failing("cluster.service-account", "secrets", "attach", "a b.ipynb")
REPLACE = failing("registry.secret", "secrets", "create", "--acr", "--replace", "a b.ipynb")


@pytest.mark.parametrize(
    ("results", "command"),
    [
        ((AZURE, ACR, ATTACH), "fairing-azure secrets create 'a b.ipynb'"),
        ((AZURE, ATTACH, FAIL, UNKNOWN), "fairing-azure secrets create 'a b.ipynb'"),
        ((ACR, ATTACH), "fairing-azure secrets create --acr 'a b.ipynb'"),
        ((AZURE,), None),
        ((ATTACH, *PASSES), None),
        ((AZURE, REPLACE), None),
        ((FAIL,), None),
        ((), None),
    ],
)
def test_one_command_is_told_where_it_does_what_several_would(results, command):
    fix = check_report.at_once(results)

    assert (fix and fix.command) == command


def test_a_fault_and_its_cures_are_told_in_the_form_of_a_terminal(check):
    fixes = (Fix("text", "Type %fairing_azure secrets rotate."), Fix("fairing-azure", "fairing-azure secrets rotate"))
    result = CheckResult("azure.token", "Sign-in", "fail", "", "No.", "", fixes)

    out = check((result,), "train.ipynb", "--namespace", "team-a")[1]

    assert "To fix it: Type fairing-azure secrets rotate." in out
    assert "  fairing-azure secrets rotate train.ipynb --namespace team-a\n" in out


@pytest.mark.parametrize(
    ("words", "nearest"),
    [
        (["chek"], "'check'"),
        (["secret", "create"], "'secrets'"),
        (["secrets", "creat"], "'create'"),
        (["check", "--docker-registri", "x"], "'--docker-registry'"),
        (["secrets", "create", "--fromfile", "x"], "'--from-file'"),
        (["check", "--service-type", "LoadBalancr"], "'LoadBalancer'"),
    ],
)
def test_a_slip_of_the_pen_is_answered_with_what_is_nearest_and_nothing_else(words, nearest, capsys):
    assert cli.main(words) == 2

    err = capsys.readouterr().err
    assert f"Did you mean {nearest}?" in err
    assert err.count("\n") == 1


def test_who_names_no_action_is_told_which_there_are(capsys):
    assert cli.main(["secrets"]) == 2

    assert "create, rotate, attach or show" in capsys.readouterr().err
