"""The panel's launches: beside other cells, seen live, cancelled; and the endpoints that they leave."""

from __future__ import annotations

import re

import pytest

from tests.unit.launches_scene import gone

DEFINE = """
FAIRING_BACKEND = 'LocalBackend'
class Prices:
    def train(self):
        import os, time
        print('pid', os.getpid(), 'reads', open('data.csv').read().strip(), flush=True)
        end = time.monotonic() + 60
        while not os.path.exists(GATE) and time.monotonic() < end:
            time.sleep(0.05)
        print('trained', flush=True)
    def predict(self, X, feature_names=None):
        return X.sum(axis=1)
class Broken:
    def train(self):
        raise ValueError('no such column')
def work():
    print('a function')
"""


@pytest.fixture
def defined(front, folder):
    gate = folder / "gate"
    gate.unlink(missing_ok=True)
    (folder / "data.csv").write_text("a,b\n")
    front.run(DEFINE.replace("GATE", repr(str(gate))))
    yield gate
    gate.touch()


def test_classes_and_functions_of_the_notebook_are_offered_as_cells_define_them(front):
    front.open_panel()
    assert "This notebook has nothing to launch." in front.text()

    front.run("class Prices:\n    def predict(self, X, feature_names=None): return X\ndef work(): pass")

    assert front.value("Class or function") == "work (function)"
    assert front.widgets[front.find("Deploy")]["disabled"]
    front.choose("Class or function", "Prices")
    assert not front.widgets[front.find("Deploy")]["disabled"]
    assert front.widgets[front.find("Train")]["disabled"]


def test_a_training_is_seen_live_in_all_panels_while_other_cells_run(front, defined):
    first = front.open_panel()
    second = front.open_panel()
    front.choose("Class or function", "Prices", root=first)
    front.type("Input files", "data.csv", root=first)
    assert front.value("Input files", root=second) == "data.csv"
    front.click("Train", root=first)

    for root in (first, second):
        front.wait_for("reads a,b", root=root)
        assert "Training Prices on LocalBackend ● running" in front.text(root)
        front.wait_for("Launch (1 running)", root=root)
    printed = front.printed("import time; time.sleep(1); print('mine')")
    assert printed == "mine\n"
    defined.touch()

    for root in (first, second):
        front.wait_for("✓ succeeded", root=root)
        assert "trained" in front.text(root)
        front.wait_until(lambda root=root: not front.is_shown("Cancel", root=root))


def test_a_running_launch_is_drawn_at_most_four_times_a_second(front, defined):
    front.run("""
def work():
    import time
    end = time.monotonic() + 3
    while time.monotonic() < end:
        print('line', flush=True)""")
    front.open_panel()
    front.choose("Class or function", "work (function)")
    front.click("Train")
    seen = len(front.messages)
    front.wait_for("✓ succeeded")

    drawn = [
        each
        for each in front.messages[seen:]
        if "fairing-az-launch" in str(each["content"].get("data", {}).get("state"))
    ]
    assert 4 < len(drawn) < 30


def test_cancel_ends_the_process_of_a_training(front, defined):
    front.open_panel()
    front.choose("Class or function", "Prices")
    front.type("Input files", "data.csv")
    front.click("Train")
    front.wait_for("reads a,b")
    pid = int(re.search(r"pid (\d+)", front.text())[1])

    front.click("Cancel")

    front.wait_for("- cancelled", seconds=20)
    assert gone(pid)
    front.wait_until(lambda: not front.is_shown("Cancel"))
    assert front.printed("print(1)") == "1\n"


def test_a_launch_that_fails_says_why_in_its_place(front, defined):
    front.open_panel()
    front.choose("Class or function", "Broken")
    front.type("Input files", "")
    front.click("Train")
    front.wait_for("✗ failed")
    assert "ValueError: no such column" in front.text()

    front.type("Input files", "none.csv")
    front.click("Train")

    front.wait_until(lambda: front.text().count("✗ failed") == 2)
    assert "none.csv" in front.text().split("Training Broken")[1]


CLUSTER = """
FAIRING_BACKEND = 'KubeflowAzureBackend'
import time
from fairing_az_jupyter.launch_events import Launched, Output, Phase, publish
deleted = []
def train(session, name, **_):
    publish(Output('The job fairing-job-0a1b2c3d launched.\\n'))
    publish(Launched('job', 'fairing-job-0a1b2c3d', 'team-a'))
    publish(Phase('run', 'started'))
    while True:
        time.sleep(0.1)
def delete(session, names):
    deleted.extend(names)
    return ()
double('train', train)
double('delete', delete)
"""


def test_cancel_deletes_a_job_in_the_cluster_and_closing_the_panel_leaves_it(front, defined):
    front.run(CLUSTER)
    front.open_panel()
    front.choose("Class or function", "work (function)")
    front.click("Train")
    front.wait_for("fairing-job-0a1b2c3d launched.")

    front.click("Cancel")

    front.wait_for("fairing-job-0a1b2c3d was deleted in the cluster.")
    assert front.printed("print(deleted)") == "['fairing-job-0a1b2c3d']\n"
    front.click("Train")
    front.wait_for("● running")
    front.run("panel.close()")
    front.open_panel()
    assert "still running in the cluster" in front.text()
    assert front.printed("print(deleted)") == "['fairing-job-0a1b2c3d']\n"


def test_an_endpoint_is_deployed_tried_listened_to_and_deleted(front, defined):
    first = front.open_panel()
    second = front.open_panel()
    front.choose("Class or function", "Prices", root=first)
    front.click("Deploy", root=first)
    front.wait_for("✓ ready", root=first, seconds=90)
    front.wait_for("Endpoints (1)", root=second)

    front.click("▸ Endpoints.*", root=second)
    front.wait_for("on this machine", root=second)
    front.click("Test call", root=second)
    front.type("Sample rows", "[[1, 2], [3, 4]]", root=second)
    front.click("Predict", root=second)
    front.wait_for("Answered in", root=second)
    assert re.search(r"Answered in \d\.\d+ s\. 3(\.0)? 7(\.0)?", front.text(second))
    front.type("Sample rows", "many", root=second)
    front.click("Predict", root=second)
    front.wait_for("Error: ", root=second)
    assert "Answered in" not in front.text(second)
    front.click("Log", root=second)
    front.wait_until(lambda: not re.search("Reading the log", front.text(second)))

    front.click("Delete …", root=second)
    assert "will stop. This can't be undone." in front.text(second)
    front.click("Keep it", root=second)
    assert front.printed("print(len(services.list_endpoints(services.Session())[0]))") == "1\n"
    front.click("Delete …", root=second)
    front.click("Delete", root=second)

    front.wait_for(" deleted.", root=second)
    front.wait_for("No endpoints yet.", root=second)
    assert front.printed("print(len(services.list_endpoints(services.Session())[0]))") == "0\n"
    front.wait_until(lambda: "Endpoints (1)" not in front.text(first))
