"""How a panel is displayed and ends: the static table, several panels, and that nothing stays behind."""

from __future__ import annotations

import json

import pytest

from fairing_az_jupyter.exceptions import InputError
from fairing_az_jupyter.frontends.panel import open_panel
from tests.unit.panel.front_end import WIDGET, tables_of

LEFT = """
import json, threading
from ipywidgets.widgets.widget import _instances
ours = [t.name for t in threading.enumerate() if 'fairing' in t.name]
callbacks = [str(c) for calls in get_ipython().events.callbacks.values() for c in calls if 'fairing' in str(c)]
print(json.dumps([len(_instances), ours, callbacks]))
"""
SLOW = """
import time
def check(*_, **__):
    for number in range(100):
        time.sleep(0.1)
        yield CheckResult(str(number), "Title", "pass", "there", "All is well.")
def work():
    import time
    print('begun', flush=True)
    time.sleep(60)
from fairing_az_jupyter.models import CheckResult
double('check', check)
FAIRING_BACKEND = 'LocalBackend'
"""


def left(front):
    return json.loads(front.printed(LEFT))


def test_closing_leaves_no_widget_comm_thread_or_callback(front):
    front.run(SLOW)
    front.open_panel()
    front.click("Run checks")
    front.click("▸ Runs")
    front.click("▸ Endpoints")
    front.click(".*More settings")
    front.click("Train")
    front.wait_for("begun")
    assert left(front)[0] > 100
    assert front.comms()

    front.run("panel.close()")

    assert left(front) == [0, [], []]
    assert front.comms() == set()
    assert front.widgets == {}
    front.run("panel.close()")
    assert front.printed("print(panel)") == "<panel of %fairing_azure, closed; .close()>\n"


def test_close_panels_closes_all_and_tells_how_many(front):
    front.open_panel()
    front.open_panel()

    assert front.printed("print(close_panels(get_ipython()), close_panels(get_ipython()))") == "2 0\n"
    assert left(front) == [0, [], []]


def test_one_panel_of_two_can_be_closed(front):
    first = front.open_panel()
    second = front.open_panel()

    front.click("Close", root=second)

    assert second not in front.widgets
    front.click("Run checks", root=first)
    front.wait_for("4 checks", root=first)
    assert front.comms() == set(front.widgets)


def test_the_close_button_asks_while_a_launch_goes_on(front):
    front.run(SLOW)
    front.open_panel()
    front.click("Train")
    front.wait_for("begun")

    front.click("Close")
    assert "A launch is still running." in front.text()
    front.click("Keep open")
    assert "A launch is still running." not in front.text()
    front.click("Close")
    front.click("Close anyway")

    assert left(front) == [0, [], []]
    assert tables_of(front.messages)[-1]["text/plain"].count("Training work on LocalBackend: cancelled") == 1


def test_a_widget_that_the_front_end_closes_closes_its_panel(front):
    root = front.open_panel()

    front.close_comm(root)

    assert left(front) == [0, [], []]
    assert front.comms() == set()
    front.run("panel.close()")
    front.open_panel()
    assert "▾ Settings" in front.text()


def test_a_cell_that_is_run_again_replaces_its_panel(front):
    first = front.open_panel(cell="one")
    other = front.open_panel(cell="two")

    again = front.open_panel(cell="one")

    assert first not in front.widgets
    assert {other, again} <= set(front.widgets)
    assert front.printed("print(close_panels(get_ipython()))") == "2\n"


def test_a_panel_shows_a_table_for_later_and_then_itself(front):
    front.run("FAIRING_BACKEND = 'LocalBackend'")
    shown = front.run("from fairing_az_jupyter.frontends.panel import open_panel\nopen_panel(get_ipython()).show()")
    displays = [each["content"] for each in shown if each["msg_type"] == "display_data"]

    table, widget = displays
    assert set(table["data"]) == {"text/html", "text/plain"}
    assert table["transient"]["display_id"] in table["data"]["text/html"]
    assert "FAIRING_BACKEND        LocalBackend  notebook's variables" in table["data"]["text/plain"]
    assert "Not checked." in table["data"]["text/plain"]
    assert set(widget["data"]) == {WIDGET, "text/plain"}
    hidden = f".{table['transient']['display_id']}{{display:none}}"
    assert hidden in json.dumps(front.widgets)


def test_the_table_follows_the_panel_but_not_at_every_step(front):
    front.run("""
FAIRING_BACKEND = 'LocalBackend'
from fairing_az_jupyter.models import CheckResult
def check(*_, **__):
    for number in range(200):
        yield CheckResult(str(number), "Title", "pass", "there", "All is well.")
double('check', check)""")
    front.open_panel()
    front.click("Run checks")
    front.wait_for("200 checks")

    front.wait_until(lambda: "200 checks: 200 passed." in tables_of(front.messages)[-1]["text/plain"])

    assert len(tables_of(front.messages)) < 6
    front.type("Container registry", "typed.azurecr.io")
    front.run("panel.close()")
    last = tables_of(front.messages)[-1]
    assert "DOCKER_REGISTRY        typed.azurecr.io  form" in last["text/plain"]
    assert "typed.azurecr.io" in last["text/html"]


def test_what_was_rejected_as_a_secret_is_in_no_table(front):
    secret = "hunter2Qx8~marked-VALUE-0123456789abcdef"
    front.run(f"DOCKER_REGISTRY = 'https://someone:{secret}@contoso.azurecr.io'")
    front.open_panel()
    front.run("panel.close()")

    assert tables_of(front.messages)
    assert secret not in json.dumps([each["content"] for each in front.messages if each["msg_type"] != "execute_input"])


def test_a_panel_that_is_named_shows_itself(front):
    front.open_panel()

    (shown,) = [each for each in front.run("panel") if each["msg_type"] == "execute_result"]
    assert WIDGET in shown["content"]["data"]
    front.run("panel.close()")
    (shown,) = [each for each in front.run("panel") if each["msg_type"] == "execute_result"]
    assert "fairing-az-static" in shown["content"]["data"]["text/html"]


def test_loading_the_extension_loads_nothing_of_the_panel(run_python):
    done = run_python(
        "import sys\n"
        "from IPython.core.interactiveshell import InteractiveShell\n"
        "shell = InteractiveShell.instance()\n"
        "shell.run_line_magic('load_ext', 'fairing_az_jupyter')\n"
        "print([name for name in sys.modules if 'ipywidgets' in name or 'frontends.panel.' in name])"
    )

    assert done.stdout.strip() == "[]"


def test_a_terminal_gets_what_to_type_instead():
    with pytest.raises(InputError, match="The panel needs a notebook") as rejected:
        open_panel(object())

    assert "%fairing_azure check" in rejected.value.hint
