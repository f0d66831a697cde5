"""Work beside the kernel's cells: it is interrupted once, and its thread goes."""

from __future__ import annotations

import threading
import time

import pytest

from fairing_az_jupyter.frontends.panel.state.background import Task, Tasks
from fairing_az_jupyter.frontends.panel.state.fix import FixRequest, fix_request_of
from fairing_az_jupyter.frontends.panel.state.observable import Observed
from fairing_az_jupyter.models import CheckResult, Cure


def test_an_interrupt_ends_the_work_and_the_thread():
    seen, begun = [], threading.Event()

    def work(task):
        begun.set()
        try:
            while True:
                time.sleep(0.01)
        finally:
            seen.append("cleaned up")

    task = Task("test", work, lambda task: seen.append(task.interrupted)).start()
    begun.wait(10)

    task.interrupt()
    task.interrupt()

    assert task.join(10)
    assert seen == ["cleaned up", True]


def test_an_interrupt_that_comes_at_the_very_end_stays_within_the_thread():
    for _ in range(300):
        seen = []
        task = Task("test", lambda _task: None, lambda task, seen=seen: seen.append(task.interrupted)).start()
        task.interrupt()
        assert task.join(10)
        assert len(seen) == 1


def test_what_the_end_of_a_task_begins_is_waited_for_as_well():
    tasks, seen = Tasks(), []

    def again(_task):
        tasks.begin("second", lambda _task: (time.sleep(0.2), seen.append("second")))

    tasks.begin("first", lambda _task: time.sleep(0.1), again)

    assert tasks.join(10)
    assert seen == ["second"]
    assert not [thread for thread in threading.enumerate() if "panel" in thread.name]


def test_one_who_fails_to_follow_keeps_nobody_else_from_knowing(caplog):
    state, seen = Observed(threading.RLock()), []
    state.subscribe(lambda: 1 / 0)
    end = state.subscribe(lambda: seen.append("changed"))

    state.changed()
    end()
    state.changed()

    assert seen == ["changed"]
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.parametrize(
    ("command", "fix"),
    [
        ("fairing-azure secrets attach --namespace 'team a'", FixRequest(attach=True)),
        ("fairing-azure secrets create", FixRequest(azure=True, acr=True)),
        ("fairing-azure secrets create --acr --replace", FixRequest(acr=True, replace=True)),
        ("fairing-azure secrets rotate", FixRequest(azure=True, acr=True, only_secret=True)),
        ("fairing-azure secrets show", None),
        ("fairing-azure check", None),
    ],
)
def test_a_remedy_is_read_as_its_command_would_be(command, fix):
    cures = (Cure("kubectl", "kubectl create secret"), Cure("fairing-azure", command))

    assert fix_request_of(CheckResult("id", "Title", "fail", "here", "Message", "", cures, mendable=True)) == fix
    assert fix_request_of(CheckResult("id", "Title", "fail", "here", "Message", "", cures)) is None
