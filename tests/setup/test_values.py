"""The values of a service principal: from files as people have them, from the environment, from answers."""

from __future__ import annotations

import base64
import io
import json
import sys
import traceback
from datetime import date

import pytest

from fairing_az_jupyter.exceptions import InputError
from fairing_az_jupyter.setup.principal import KEYS, gather
from fairing_az_jupyter.setup.principal_files import LARGEST

MARK = "MARK~secret.value_8Q#x"
CLIENT, TENANT, SUBSCRIPTION = (f"{digit * 8}-0000-4000-8000-000000000000" for digit in "123")
NAMES = tuple(KEYS)
ALL = {"AZ_CLIENT_ID": CLIENT, "AZ_CLIENT_SECRET": MARK, "AZ_TENANT_ID": TENANT, "AZ_SUBSCRIPTION_ID": SUBSCRIPTION}
LINES = "".join(f"{name}={value}\n" for name, value in ALL.items())


def gathered(content=None, *, tmp_path=None, environ=None, ask=None, needed=NAMES, keepable=(), expires=None):
    file = None
    if content is not None:
        path = tmp_path / "principal"
        path.touch(mode=0o600)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        file = str(path)
    return gather(environ=environ, file=file, ask=ask, needed=needed, keepable=frozenset(keepable), expires=expires)


def plain(values):
    secret = values.client_secret
    return (values.client_id, secret and secret.reveal(), values.tenant_id, values.subscription_id)


def refusal(*arguments, **options):
    """Return what a user sees of a refusal, after a look for the marked value in every form of it."""
    with pytest.raises(InputError) as caught:
        gathered(*arguments, **options)
    error = caught.value
    chain, written = [error], [str(error), repr(error), *traceback.format_exception(error)]
    while chain:
        link = chain.pop()
        written.append(repr(vars(link)) + repr(link.args) + repr(link))
        chain += [each for each in (link.__cause__, link.__context__) if each is not None]
    for spelling in (MARK, base64.b64encode(MARK.encode()).decode()):
        assert spelling not in "".join(written)
    assert error.hint
    return str(error)


def answering(answers):
    """Return a function that answers as a user would, and the questions that it was asked."""
    asked = []

    def ask(question):
        asked.append(question)
        given = answers.get(question.name, "")
        return given.pop(0) if isinstance(given, list) else given

    return ask, asked


@pytest.mark.parametrize(
    "content",
    [
        json.dumps(
            {"appId": CLIENT, "displayName": "n", "password": MARK, "tenant": TENANT, "subscriptionId": SUBSCRIPTION}
        ),
        json.dumps(
            {"clientId": CLIENT, "clientSecret": MARK, "subscriptionId": SUBSCRIPTION, "tenantId": TENANT, "x": [1]}
        ),
        json.dumps({**ALL, "other": None, "more": {"deep": 1}}, indent=2),
        json.dumps({name.replace("AZ_", "ARM_"): value for name, value in ALL.items()}),
        LINES,
        LINES.replace("AZ_", "AZURE_"),
        LINES.replace("\n", "\r\n"),
        LINES.replace("\n", "\r"),
        b"\xef\xbb\xbf" + LINES.encode(),
        LINES.encode("utf-16"),
        "".join(f"export {name}='{value}'  # theirs\n" for name, value in ALL.items()),
        "# mine\n\n" + "".join(f'  {name} = "{value}"\n' for name, value in ALL.items()) + "OTHER='ignored\nX=1\n",
        LINES + "AZURE_CLIENT_ID=99999999-0000-4000-8000-000000000000\nAZ_TENANT_ID=\n" + f"AZ_TENANT_ID={TENANT}",
    ],
)
def test_a_file_is_understood_as_people_have_it(content, tmp_path):
    assert plain(gathered(content, tmp_path=tmp_path)) == (CLIENT, MARK, TENANT, SUBSCRIPTION)


def test_only_what_is_needed_is_taken(tmp_path):
    values = gathered(LINES + "AZ_EXTRA=x\n", tmp_path=tmp_path, needed=("client_secret",))
    assert plain(values) == (None, MARK, None, None)


def test_a_file_tells_until_when_its_secret_lasts(tmp_path):
    reset = {"appId": CLIENT, "password": MARK, "tenant": TENANT, "endDateTime": "2031-05-06T07:08:09.1234567Z"}
    values = gathered(json.dumps(reset), tmp_path=tmp_path, keepable=("subscription_id",))
    assert (values.expires, values.subscription_id) == (date(2031, 5, 6), None)
    assert gathered(json.dumps(reset), tmp_path=tmp_path, keepable=NAMES, expires="2030-01-02").expires == date(
        2030, 1, 2
    )
    assert gathered(json.dumps(reset), tmp_path=tmp_path, needed=("client_id",)).expires is None


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "is empty"),
        (f'{{"password": "{MARK}"', "not valid JSON (line 1"),
        (f'["{MARK}"]', "JSON list"),
        (f'{{"password": ["{MARK}"]}}', "'password' that is not text"),
        ("[" * 50000, "not valid JSON"),
        (MARK, "a line 1 that is not NAME=VALUE"),
        (f"AZ_CLIENT_SECRET='{MARK}", "a line 1 with quotes that do not match, at AZ_CLIENT_SECRET"),
        (f"\nAZ_CLIENT_SECRET='{MARK}'{MARK}", "a line 2 with quotes"),
        (b"AZ_CLIENT_SECRET=" + MARK.encode() + b"\xff", "not UTF-8 text"),
        (b"\x00\x01" + MARK.encode(), "control characters"),
        (f"{LINES}#{'x' * LARGEST}", "larger than 64 KiB"),
        (f"SOMETHING={MARK}", "contains none of the values"),
        (f"AZ_CLIENT_SECRET={MARK} {MARK}", "AZ_CLIENT_SECRET in line 1 of the file"),
        (f"AZ_CLIENT_ID={MARK}\nAZ_TENANT_ID=x y", "AZ_TENANT_ID in line 2"),
        ('{"password": "<your secret>"}', "is still a placeholder"),
        (f"AZ_CLIENT_SECRET={MARK}", "are missing: AZ_CLIENT_ID, AZ_TENANT_ID, AZ_SUBSCRIPTION_ID"),
    ],
)
def test_a_file_that_does_not_do_is_told_without_its_contents(content, words, tmp_path):
    assert words in refusal(content, tmp_path=tmp_path)


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("missing", "does not exist"),
        (".", "is a folder"),
        ("a\0b", "path that can't be read"),
        ("~nobody-here/x", "path that can't be read"),
    ],
)
def test_a_path_that_leads_nowhere_is_told(path, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=words):
        gather(environ=None, file=path, ask=None, needed=NAMES, keepable=frozenset())


def test_a_secret_given_in_place_of_a_path_is_not_shown():
    for path in (f'{{"password": "{MARK}"}}', f"AZ_CLIENT_SECRET={MARK}", "abc8Q~" + "A1b-" * 8):
        with pytest.raises(InputError) as caught:
            gather(environ=None, file=path, ask=None, needed=NAMES, keepable=frozenset())
        assert path not in str(caught.value)
        assert MARK not in str(caught.value)


def test_a_file_that_others_may_read_is_warned_about(tmp_path):
    assert gathered(LINES, tmp_path=tmp_path).warnings == ()
    (tmp_path / "principal").chmod(0o644)
    (warning,) = gathered(LINES, tmp_path=tmp_path).warnings
    assert f"chmod 600 '{tmp_path / 'principal'}'" in warning


def test_a_path_that_can_not_be_opened_is_told_with_the_systems_reason(tmp_path):
    (tmp_path / "principal").write_text(LINES)
    with pytest.raises(InputError, match="Not a directory"):
        gather(environ=None, file=str(tmp_path / "principal/x"), ask=None, needed=NAMES, keepable=frozenset())


def test_standard_input_is_read_but_never_a_terminal(monkeypatch):
    options = {"environ": None, "ask": None, "needed": NAMES, "keepable": frozenset()}
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(LINES.encode())))
    assert plain(gather(file="-", **options))[1] == MARK
    monkeypatch.setattr(sys, "stdin", io.StringIO(LINES))
    assert plain(gather(file="-", **options))[1] == MARK
    terminal = io.StringIO(LINES)
    terminal.isatty = lambda: True
    for stream in (terminal, None, io.StringIO("")):
        monkeypatch.setattr(sys, "stdin", stream)
        with pytest.raises(InputError, match="Standard input is"):
            gather(file="-", **options)


def test_the_environment_is_read_in_its_three_spellings():
    environ = {
        "AZ_CLIENT_ID": f" {CLIENT}\n",
        "AZURE_CLIENT_ID": TENANT,
        "AZURE_CLIENT_SECRET": MARK,
        "AZ_TENANT_ID": "",
    }
    environ |= {"ARM_TENANT_ID": TENANT, "ARM_SUBSCRIPTION_ID": SUBSCRIPTION}
    assert plain(gathered(environ=environ)) == (CLIENT, MARK, TENANT, SUBSCRIPTION)
    assert "AZURE_CLIENT_ID in the environment is not a GUID" in refusal(environ={"AZURE_CLIENT_ID": MARK})


def test_a_file_wins_over_the_environment(tmp_path):
    values = gathered(f"AZ_CLIENT_SECRET={MARK}", tmp_path=tmp_path, environ={**ALL, "AZ_CLIENT_SECRET": "other"})
    assert plain(values) == (CLIENT, MARK, TENANT, SUBSCRIPTION)


def test_what_is_missing_is_told_with_the_three_ways_to_give_it():
    said = refusal(environ={"AZ_CLIENT_SECRET": MARK})
    assert "missing: AZ_CLIENT_ID, AZ_TENANT_ID, AZ_SUBSCRIPTION_ID" in said
    assert all(way in said for way in ("notebook", "--from-env", "--from-file"))


def test_what_may_stay_as_it_is_stays_so():
    assert plain(gathered(keepable=NAMES)) == (None, None, None, None)
    ask, asked = answering({})
    assert plain(gathered(keepable=NAMES, ask=ask)) == (None, None, None, None)
    assert all(question.optional and "empty: unchanged" in question.text for question in asked)
    ask, asked = answering({})
    assert plain(gathered(environ={"AZ_CLIENT_SECRET": MARK}, keepable=NAMES, ask=ask)) == (None, MARK, None, None)
    assert asked == []


def test_answers_are_asked_for_one_by_one_and_the_secret_without_echo():
    answers = {"client_id": CLIENT, "client_secret": f" {MARK}\n", "tenant_id": "contoso.com", "expires": "2031-02-03"}
    ask, asked = answering({**answers, "subscription_id": SUBSCRIPTION})
    values = gathered(ask=ask)
    assert plain(values) == (CLIENT, MARK, "contoso.com", SUBSCRIPTION)
    assert values.expires == date(2031, 2, 3)
    assert [(question.name, question.hidden, question.optional) for question in asked] == [
        ("client_id", False, False),
        ("client_secret", True, False),
        ("tenant_id", False, False),
        ("subscription_id", False, False),
        ("expires", False, True),
    ]


def test_a_wrong_answer_is_asked_for_again_and_never_shown():
    ask, asked = answering({"client_id": [MARK, "", MARK, CLIENT]})
    assert gathered(ask=ask, needed=("client_id",)).client_id == CLIENT
    assert asked[1].text.startswith("AZ_CLIENT_ID is not a GUID")
    assert asked[2].text.startswith("AZ_CLIENT_ID is empty")
    assert MARK not in repr(asked)
    ask, asked = answering({"client_id": MARK})
    assert "No valid AZ_CLIENT_ID" in refusal(ask=ask)
    assert len(asked) == 4


def test_a_wrong_day_is_asked_for_again():
    ask, asked = answering({"client_secret": MARK, "expires": ["soon", "2020-01-01", ""]})
    assert gathered(ask=ask, needed=("client_secret",)).expires is None
    assert "not a date of the form" in asked[2].text
    assert "in the past" in asked[3].text


@pytest.mark.parametrize("day", ["31.12.2030", "2030-13-01", "2030", "2020-01-01", MARK])
def test_a_wrong_day_that_was_given_is_refused(day):
    assert "YYYY-MM-DD" in refusal(environ=ALL, expires=day)


def test_an_end_of_input_is_an_error_of_ours():
    def ask(question):
        raise EOFError

    assert "are missing" in refusal(ask=ask)


def test_values_show_no_secret(tmp_path):
    values = gathered(LINES, tmp_path=tmp_path)
    assert MARK not in f"{values!r} {values}"
