"""The panel's checks: rows as they are found beside other cells, cancel, and what the panel fixes."""

from __future__ import annotations

import json

import pytest

SECRET = "hunter2Qx8~marked-VALUE"
DOUBLES = """
import threading
from fairing_az_jupyter.models import CheckResult, Fix, Question, SecretChange
from fairing_az_jupyter.exceptions import CredentialError, InputError
gate, seen, asked = threading.Event(), [], []
fixed = False
def check(session):
    seen.append((session.given, session.notebook, session.profile))
    yield CheckResult("settings", "Settings", "pass", "there", "All is well.", position=0)
    gate.wait(30)
    fixes = (Fix("kubectl", "kubectl create"), Fix("fairing-azure", "fairing-azure secrets FIX"))
    if not fixed:
        found = ("here", "May not push.", "Why so.", fixes, True)
        yield CheckResult("registry.push", "Push <it>", "fail", *found, position=1)
def create_secrets(session, *, ask, **named):
    global fixed
    asked.append({name: named[name] for name in ('azure', 'acr', 'only_secret', 'replace')})
    names = ("client_secret", "expires") if named["only_secret"] else ("client_id", "client_secret", "expires")
    lengths = [len(ask(Question(name, f"{name}: ", name == "client_secret", name != "client_id"))) for name in names]
    fixed = True
    return (SecretChange("Secret", "azcreds", "team-a", "created", ("AZ_CLIENT_ID",), f"Lengths {lengths}."),)
def attach_pull_secret(session):
    global fixed
    fixed = True
    return (SecretChange("ServiceAccount", "default-editor", "team-a", "updated"),)
for each in (check, create_secrets, attach_pull_secret):
    double(each.__name__, each)
"""


KEPT = """
import gc
gc.collect()
def holds(found):
    items = list(found.values()) if isinstance(found, dict) else list(found)
    return any(isinstance(each, str) and each[::-1] == 'BACKWARDS' for each in items)
print([type(each) for each in gc.get_objects() if type(each) in (dict, list, tuple, set) and holds(each)])
"""


@pytest.fixture
def checked(front):
    def open_with(fix):
        front.run(DOUBLES.replace("secrets FIX", f"secrets {fix}"))
        return front.open_panel()

    return open_with


def test_rows_appear_as_they_are_found_while_other_cells_run(front, checked):
    checked("create")
    front.click("Run checks")

    front.wait_for("Checking: 1 done so far.")
    assert "Settings there All is well." in front.text()
    assert front.printed("print(1 + 1)") == "2\n"
    assert "Push <it>" not in front.text()
    front.run("gate.set()")

    front.wait_for("2 checks: 1 failed, 1 passed. A launch would fail.")
    assert "Push <it> here May not push. Why so." in front.text()
    front.wait_for("▾ Checks (1 failed)")


def test_a_check_asks_with_what_is_typed_above_the_notebooks_variables(front, checked):
    front.run("DOCKER_REGISTRY = 'contoso.azurecr.io'")
    checked("create")
    front.type("Azure region", "northeurope")

    front.run("gate.set()")
    front.click("Run checks")

    front.wait_for("2 checks")
    said = [{"azure_region": "northeurope"}, {"DOCKER_REGISTRY": "contoso.azurecr.io"}, None]
    assert json.loads(front.printed("import json; print(json.dumps(seen[0]))")) == said


def test_cancel_keeps_what_was_found_in_all_panels(front, checked):
    first = checked("create")
    second = front.open_panel()
    front.click("Run checks", root=first)
    front.wait_for("Checking: 1 done so far.", root=second)

    front.click("Cancel", root=second)

    for root in (first, second):
        assert "Cancelled after 1 check." in front.text(root)
        assert not front.is_shown("Cancel", root=root)
    front.run("gate.set()")
    front.click("Run checks again", root=first)
    front.wait_for("2 checks", root=second)


def test_what_the_panel_can_fix_is_fixed_and_checked_again(front, checked):
    checked("rotate --replace")
    front.run("gate.set()")
    front.click("Run checks")
    front.wait_for("2 checks")

    front.click("Fix")
    assert not front.is_shown("Client ID")
    front.type("Client secret", SECRET)
    front.click("Fix", root=form_of(front))

    front.wait_for("Ready to launch.")
    assert "Done: Secret azcreds: created." in front.text()
    assert f"Lengths [{len(SECRET)}, 0]" in front.text()


def form_of(front):
    """Return the comm of the form that asks for values."""
    names = [name for name, state in front.shown().items() if "fairing-az-form" in state.get("_dom_classes", ())]
    assert len(names) == 1
    return names[0]


def test_values_are_asked_for_sent_on_and_kept_nowhere(front, checked):
    checked("create --azure")
    front.run("gate.set()")
    front.click("Run checks")
    front.wait_for("2 checks")
    front.click("Fix")
    form = form_of(front)
    assert front.widgets[front.find("Client secret")]["_model_name"] == "PasswordModel"

    front.type("Client ID", "an-id")
    front.type("Client secret", SECRET)
    assert front.value("Client secret") == ""
    front.click("Fix", root=form)

    front.wait_for(f"Lengths [5, {len(SECRET)}, 0].")
    front.wait_until(lambda: not front.is_shown("Client secret"))
    assert json.loads(front.printed("print(json.dumps(asked))")) == [
        {"azure": True, "acr": False, "only_secret": False, "replace": False}
    ]
    assert front.printed(KEPT.replace("BACKWARDS", SECRET[::-1])) == "[]\n"
    sent = json.dumps([each["content"] for each in front.messages])
    assert SECRET not in sent


def test_what_is_missing_is_said_beside_the_form_and_nothing_is_made(front, checked):
    checked("create")
    front.run("gate.set()")
    front.click("Run checks")
    front.wait_for("2 checks")
    front.click("Fix")
    form = form_of(front)

    front.click("Fix", root=form)

    front.wait_for("The Secrets can't be created: Client id is missing. Nothing was changed.")
    assert front.is_shown("Client secret")
    front.click("Cancel")
    assert not front.is_shown("Client secret")


def test_a_service_account_is_fixed_without_a_question(front, checked):
    checked("attach")
    front.run("gate.set()")
    front.click("Run checks")
    front.wait_for("2 checks")

    front.click("Fix")

    front.wait_for("Done: ServiceAccount default-editor: updated.")
    front.wait_for("Ready to launch.")


def test_an_error_is_shown_in_one_line_and_an_unexpected_one_by_its_type(front, checked):
    checked("create")
    front.run("""
def check(*_, **__):
    raise InputError("The profile is broken.", hint="Type: fairing-azure profile list")
    yield
def breaks(*_, **__):
    raise ZeroDivisionError("by accident")
    yield
double('check', check)""")
    front.click("Run checks")
    front.wait_for("Error: The profile is broken. Type: %fairing_azure profile list")

    front.run("double('check', breaks)")
    front.click("Run checks again")

    front.wait_for("Error: ZeroDivisionError: by accident")


def test_the_real_checks_of_this_machine_pass(front):
    front.run("FAIRING_BACKEND = 'LocalBackend'")
    front.open_panel()

    front.click("Run checks")

    front.wait_for("Ready to launch.")
    assert "Kubeflow Fairing" in front.text()
