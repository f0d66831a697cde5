"""Whose an object is, and whether that process is still there: by real processes, and by marks that were edited."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import psutil
import pytest

from fairing_az_jupyter import machine
from fairing_az_jupyter.exceptions import ConflictError, NotAllowedError, NotFoundError
from fairing_az_jupyter.fairing.cluster.ownership import PROCESS, caring_for, claim, is_abandoned, mark

MARK = "from fairing_az_jupyter.fairing.cluster.ownership import mark; print(*mark().values(), flush=True); input()"


@pytest.fixture
def other():
    """Another process and its mark."""
    child = subprocess.Popen([sys.executable, "-c", MARK], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield child, {PROCESS: child.stdout.readline().strip()}
    finally:
        child.kill()
        child.communicate()


class Namespace:
    """One object with a version, as the API server keeps it."""

    def __init__(self, annotations, *, refusal=None):
        self.metadata = {"name": "a", "uid": "u", "resourceVersion": "1", "annotations": annotations}
        self.refusal, self.busy = refusal, 0

    def listed(self):
        return {"metadata": dict(self.metadata)}

    def get(self, kind, name):
        if not self.metadata:
            raise NotFoundError("gone")
        return self.listed()

    def apply(self, body):
        if self.refusal is not None:
            raise self.refusal
        if self.busy:
            self.busy -= 1
            self.metadata["resourceVersion"] += "1"
        if not self.metadata or body["metadata"]["resourceVersion"] != self.metadata["resourceVersion"]:
            raise ConflictError("changed")
        self.metadata |= {"annotations": body["metadata"]["annotations"], "resourceVersion": "9"}


def test_what_a_living_process_has_launched_is_not_abandoned_and_what_a_dead_one_has_is(other):
    child, annotations = other

    assert not is_abandoned("a", annotations)
    child.kill()
    child.wait()
    assert is_abandoned("a", annotations)


def test_a_process_that_is_dead_and_was_not_waited_for_is_gone(other):
    child, annotations = other
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)

    assert psutil.Process(child.pid).status() == psutil.STATUS_ZOMBIE
    assert is_abandoned("a", annotations)


def test_a_number_that_was_given_again_is_another_process(other):
    _, annotations = other
    place, number, started = annotations[PROCESS].split()
    other_start = f"{float(started) - 5:.2f}"

    assert is_abandoned("a", {PROCESS: f"{place} {number} {other_start}"})


def test_a_clock_that_is_set_does_not_make_a_process_another_one(other, monkeypatch):
    _, annotations = other
    hour = 3600
    boot = psutil.boot_time
    created = psutil.Process.create_time
    monkeypatch.setattr(psutil, "boot_time", lambda: boot() + hour)
    monkeypatch.setattr(psutil.Process, "create_time", lambda self: created(self) + hour)

    if psutil.LINUX:
        assert not is_abandoned("a", annotations)


@pytest.mark.parametrize("error", [psutil.AccessDenied, psutil.NoSuchProcess])
def test_a_process_that_may_not_be_looked_at_may_still_look_after_its_job(other, monkeypatch, error):
    _, annotations = other

    def refuse(self):
        raise error(self.pid)

    def kill(pid, signal):
        raise PermissionError

    with monkeypatch.context() as patch:
        patch.setattr(psutil.Process, "status", refuse)
        patch.setattr(os, "kill", kill)

        assert not is_abandoned("a", annotations)


@pytest.mark.parametrize(
    "text",
    ["", " ", "{host}", "{host} ", "{host} x 1", "{host} ² 1", "{host} -1 1", "{host} 1e3", "{host} " + "9" * 99],
)
def test_a_mark_that_was_edited_names_nobody_and_breaks_nothing(text):
    assert not is_abandoned("a", {PROCESS: text.format(host=machine.this_place())})


def test_a_number_that_no_process_has_is_gone():
    assert is_abandoned("a", {PROCESS: f"{machine.this_place()} 99999999999 1.00"})


def test_pods_of_one_name_in_two_namespaces_are_two_machines_and_one_that_is_started_again_is_the_same(
    tmp_path, monkeypatch
):
    def place(namespace):
        (tmp_path / "namespace").write_text(namespace)
        machine.this_place.cache_clear()
        return machine.this_place()

    monkeypatch.setattr(machine, "SERVICE_ACCOUNT_FOLDER", tmp_path)
    try:
        here, there, again = place("team-a"), place("team-b"), place("team-a\n")
    finally:
        machine.this_place.cache_clear()

    assert here == again != there


def test_computers_of_one_name_are_told_apart_by_their_numbers(tmp_path, monkeypatch):
    found = set()
    monkeypatch.setattr(machine, "SERVICE_ACCOUNT_FOLDER", tmp_path)
    monkeypatch.setattr(machine, "_MACHINE_ID", tmp_path / "machine-id")
    try:
        for number in (None, "aaaa", "bbbb"):
            if number:
                (tmp_path / "machine-id").write_text(number)
            machine.this_place.cache_clear()
            found.add(machine.this_place())
            assert number is None or number not in machine.this_place()
    finally:
        machine.this_place.cache_clear()

    assert len(found) == 3


def test_of_two_processes_that_claim_at_once_one_gets_it():
    left = Namespace({PROCESS: f"{machine.this_place()} 99999999999 1.00"})
    seen_by_both = left.listed()
    left.apply({"metadata": {**seen_by_both["metadata"], "annotations": {PROCESS: "elsewhere 1 1.00"}}})

    assert claim(left, "Job", seen_by_both) is None
    assert not is_abandoned("a", left.metadata["annotations"])


def test_of_many_threads_that_claim_at_once_one_gets_it():
    left = Namespace({PROCESS: f"{machine.this_place()} 99999999999 1.00"})
    found, start = [], threading.Barrier(8)

    def try_it():
        start.wait()
        found.append(claim(left, "Job", left.listed()))

    threads = [threading.Thread(target=try_it) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    (release,) = filter(None, found)
    assert claim(left, "Job", left.listed()) is None
    release()
    again = claim(left, "Job", left.listed())
    assert again is not None
    again()


def test_a_claim_holds_though_the_objects_status_changes_meanwhile():
    left = Namespace({PROCESS: f"{machine.this_place()} 99999999999 1.00"})
    seen = left.listed()
    left.busy = 2

    release = claim(left, "Job", seen)

    assert release is not None
    assert left.metadata["annotations"] == mark()
    release()


def test_what_has_gone_meanwhile_can_not_be_claimed():
    left = Namespace({PROCESS: f"{machine.this_place()} 99999999999 1.00"})
    seen = left.listed()
    left.metadata = {}

    assert claim(left, "Job", seen) is None


def test_who_may_not_write_on_it_may_follow_it_all_the_same():
    left = Namespace({PROCESS: f"{machine.this_place()} 99999999999 1.00"}, refusal=NotAllowedError("no"))

    release = claim(left, "Job", left.listed())

    assert release is not None
    release()


def test_what_this_process_looks_after_can_not_be_claimed():
    mine = Namespace(mark())

    with caring_for("a"):
        assert claim(mine, "Job", mine.listed()) is None
        assert not is_abandoned("a", mark())
    assert is_abandoned("a", mark())
    going = {"metadata": {**mine.metadata, "deletionTimestamp": "2026-11-22T10:00:00Z"}}
    assert claim(mine, "Job", going) is None
