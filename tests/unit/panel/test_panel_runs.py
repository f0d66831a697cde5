"""The panel's list of runs."""

from __future__ import annotations

import pytest

from tests.unit.launches_scene import notebook_in


@pytest.fixture
def notebook(folder):
    return notebook_in(folder, "import time\nprint('begun', flush=True)\ntime.sleep(WAIT)".replace("WAIT", "60"))


def test_runs_are_listed_while_they_go_on_and_cancelled(front, notebook):
    front.open_panel()
    front.click("▸ Runs")
    front.wait_for("No runs yet.")
    front.run(
        "from fairing_az_jupyter.services import Session, plan_run, start_run\n"
        f"start_run(Session(), plan_run(Session(), {str(notebook)!r}))"
    )
    front.click("Refresh")
    front.wait_for("● running")
    front.wait_for("Runs (1 active)")

    front.click("Cancel")

    front.wait_for("was asked to stop.")
    front.wait_for("- cancelled", seconds=30)
    front.wait_until(lambda: not front.is_shown("Cancel"))
    front.wait_until(lambda: "Runs (1 active)" not in front.text())


def test_runs_are_followed_in_each_panel_that_shows_them(front):
    front.run("""
from fairing_az_jupyter.models import RunInfo
state = 'running'
def list_runs(*_, **__):
    return [RunInfo('20260101-000000-abcd', state, 'prices.ipynb', created=1.7e9, cell=2, cells=5)]
double('list_runs', list_runs)""")
    first = front.open_panel()
    second = front.open_panel()
    front.click("▸ Runs.*", root=second)

    front.wait_for("prices.ipynb", root=second)
    assert "cell 2 of 5" in front.text(second)
    assert "prices.ipynb" not in front.text(first)
    front.run("state = 'failed'")

    front.wait_for("✗ failed", root=second, seconds=10)


def test_a_folder_that_cannot_be_read_is_reported_in_one_line(front):
    front.run("""
from fairing_az_jupyter.exceptions import InputError
def list_runs(*_, **__):
    raise InputError("The records can't be read.", hint="Type: fairing-azure runs list")
double('list_runs', list_runs)""")
    front.open_panel()

    front.click("▸ Runs")

    front.wait_for("Error: The records can't be read.")
