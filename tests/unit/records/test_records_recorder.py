"""A run's record while it is executed: one process has it, what is lost can go on, what has ended stays."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from fairing_az_jupyter.exceptions import ConflictError, InputError, RunFailedError
from fairing_az_jupyter.models import RunEvent, RunRequest
from fairing_az_jupyter.records import Recorder, follow
from fairing_az_jupyter.records.events_file import AppendedFile, read_events
from fairing_az_jupyter.records.status import read_status, write_status
from fairing_az_jupyter.runs.recorded import recording

NOTEBOOK = b"{}"
ELSEWHERE = "another-machine.0123abcd 4711 99.00"


@pytest.fixture
def folder(store):
    return store.create(RunRequest("prices.ipynb", None), NOTEBOOK)


def event(kind, **more):
    return RunEvent(kind, time.time(), cell=1, cells=3, **more)


def printed(text):
    return event("output", stream="stdout", text=text)


@pytest.fixture
def killed(folder):
    """Have a process begin the run and be killed in it."""

    def begin():
        script = (
            "import sys, time; from pathlib import Path\n"
            "from fairing_az_jupyter.records import Recorder\nfrom fairing_az_jupyter.models import RunEvent\n"
            "recorder = Recorder(Path(sys.argv[1])).__enter__()\n"
            "recorder(RunEvent('output', time.time(), cell=1, cells=3, stream='stdout', text='before the end\\n'))\n"
            "print('begun', flush=True); time.sleep(100)"
        )
        command = [sys.executable, "-c", script, str(folder)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout.readline() == "begun\n"
            state = read_status(folder)["state"]
            process.send_signal(signal.SIGKILL)
            process.wait()
        assert state == "running"

    return begin


def test_run_shows_where_it_is(store, folder):
    with Recorder(folder) as recorder:
        recorder(event("cell-started", text="train()"))
        recorder(event("metric", name="rmse", value=0.25))
        recorder(RunEvent("cell-started", time.time(), cell=2, cells=3, text="plot()"))
        info = store.find("last")
        recorder.finish("succeeded", duration=1.5)

    assert (info.state, info.cell, info.cells, info.metrics, info.attempt) == ("running", 2, 3, {"rmse": 0.25}, 1)
    assert store.find("last").duration == 1.5


def test_thousands_of_reported_values_are_all_kept(store, folder):
    began = time.monotonic()
    with Recorder(folder) as recorder:
        for number in range(5_000):
            recorder(event("metric", name=f"m{number % 100}", value=number))
        recorder.finish("succeeded")

    assert time.monotonic() - began < 10
    assert store.find("last").metrics["m99"] == 4_999
    assert sum(1 for _ in follow.events(store, folder.name)) == 5_000


def test_second_process_that_wants_a_run_is_refused(folder):
    with Recorder(folder), pytest.raises(ConflictError, match="executed by another process"):
        Recorder(folder).__enter__()


@pytest.mark.parametrize("state", ["succeeded", "failed", "cancelled"])
def test_run_that_has_ended_is_never_begun_again(folder, state):
    with Recorder(folder) as recorder:
        recorder.finish(state)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}

    with pytest.raises(ConflictError):
        Recorder(folder).__enter__()

    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_run_that_has_ended_and_whose_process_has_gone_is_never_begun_again(store, folder, killed):
    killed()
    status = {**read_status(folder), "state": "succeeded"}
    write_status(folder, status, final=True)

    with pytest.raises(ConflictError, match="has succeeded already"):
        Recorder(folder).__enter__()

    assert store.find("last").state == "succeeded"
    assert not (folder / "claim-2").exists()


def test_run_whose_claim_was_deleted_is_not_taken_from_its_process(folder):
    with Recorder(folder):
        (folder / "claim-1").unlink()

        with pytest.raises(ConflictError, match="executed by another process"):
            Recorder(folder).__enter__()


def test_one_of_many_threads_gets_a_run(folder):
    barrier, got, refused = threading.Barrier(8), [], []

    def claim():
        barrier.wait()
        try:
            got.append(Recorder(folder).__enter__())
        except ConflictError as error:
            refused.append(error)

    threads = [threading.Thread(target=claim) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    for recorder in got:
        recorder.__exit__()

    assert (len(got), len(refused)) == (1, 7)


def test_one_of_two_processes_gets_a_run_that_was_lost(folder, killed):
    killed()
    script = (
        "import sys, time; from pathlib import Path\n"
        "from fairing_az_jupyter.records import Recorder\nfrom fairing_az_jupyter.exceptions import ConflictError\n"
        "time.sleep(max(0, float(sys.argv[2]) - time.time()))\n"
        "try:\n"
        "    with Recorder(Path(sys.argv[1])) as recorder:\n"
        "        print('got', flush=True); time.sleep(1); recorder.finish('succeeded')\n"
        "except ConflictError:\n    print('refused')"
    )
    command = [sys.executable, "-c", script, str(folder), str(time.time() + 2)]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    answers = [process.communicate(timeout=30)[0] for process in processes]

    assert sorted(answers) == ["got\n", "refused\n"]
    assert (read_status(folder)["state"], read_status(folder)["attempt"]) == ("succeeded", 2)
    assert sorted(path.name for path in folder.glob("claim-*")) == ["claim-1", "claim-2"]


def test_run_whose_process_was_killed_is_lost_at_once(store, killed):
    killed()

    info = store.find("last")
    assert info.state == "lost"
    assert not info.has_ended
    with pytest.raises(InputError, match="is lost") as refused:
        store.cancel("last")
    assert "runs retry" in refused.value.hint


def test_run_that_waits_is_lost_with_the_process_that_asked_for_it(store, folder):
    script = (
        "import sys; from pathlib import Path\nfrom fairing_az_jupyter.records import RunStore\n"
        "from fairing_az_jupyter.models import RunRequest\n"
        "RunStore(Path(sys.argv[1])).create(RunRequest('b.ipynb', None), b'{}', run='waits')"
    )
    subprocess.run([sys.executable, "-c", script, str(store.path)], check=True)
    os.utime(folder / "status.json", (1, 1))

    assert store.find("waits").state == "lost"
    # Here the process is there, however long it takes to come to this run.
    assert store.find(folder.name).state == "waiting"


def test_lost_run_goes_on_in_its_record_with_the_events_of_both_attempts(store, folder, killed):
    killed()
    with (folder / "events.jsonl").open("ab") as file:
        file.write(b'{"kind": "outp')

    with Recorder(folder) as recorder:
        recorder(printed("second\n"))
        recorder.finish("succeeded")

    info = store.find("last")
    assert (info.state, info.attempt) == ("succeeded", 2)
    assert [found["text"] for _, found in follow.events(store, folder.name)] == ["before the end\n", "second\n"]
    log = "".join(follow.log_text(store, folder.name))
    assert "before the end" in log
    assert "restarted, attempt 2" in log
    assert log.endswith("second\n")


def test_wish_to_stop_the_lost_attempt_does_not_stop_the_next(folder, killed):
    killed()
    (folder / "cancel").touch()

    with Recorder(folder) as recorder:
        assert not recorder.cancel.wait(1.2)


def test_run_on_another_machine_is_lost_after_silence_only(store, folder):
    write_status(folder, {"state": "running", "process": ELSEWHERE, "attempt": 1}, final=False)
    assert store.find("last").state == "running"

    past = time.time() - 119
    os.utime(folder / "status.json", (past, past))
    assert store.find("last").state == "running"

    past = time.time() - 125
    os.utime(folder / "status.json", (past, past))
    assert store.find("last").state == "lost"


def test_clock_that_runs_ahead_loses_no_run(store, folder):
    write_status(folder, {"state": "running", "process": ELSEWHERE, "attempt": 1}, final=False)
    future = time.time() + 10_000
    os.utime(folder / "status.json", (future, future))

    assert store.find("last").state == "running"


def test_run_shows_that_its_process_is_there(folder, monkeypatch):
    from fairing_az_jupyter.records import recorder as module

    monkeypatch.setattr(module, "HEARTBEAT_SECONDS", 0.1)
    with Recorder(folder) as recorder:
        os.utime(folder / "status.json", (1, 1))
        deadline = time.monotonic() + 10
        while (folder / "status.json").stat().st_mtime < 1_000 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert (folder / "status.json").stat().st_mtime > 1_000
        recorder.finish("succeeded")


def test_run_in_a_cluster_is_not_lost_however_silent(store):
    folder = store.create(RunRequest("a.ipynb", None), NOTEBOOK, status={"place": "cluster", "job": "run-1"})
    os.utime(folder / "status.json", (1, 1))

    assert store.find("last").state == "waiting"


def test_process_that_was_taken_for_lost_does_not_write_over_the_one_that_goes_on(store, folder):
    """As after a laptop's sleep: another machine has gone on with the run meanwhile."""
    with Recorder(folder) as slept:
        status = read_status(folder)
        write_status(folder, {**status, "process": ELSEWHERE, "attempt": 2}, final=False)
        (folder / "claim-2").write_text(ELSEWHERE)
        assert slept.cancel.wait(5)

        slept(printed("too late\n"))
        slept(event("cell-started"))
        slept.finish("cancelled")

    assert read_status(folder)["process"] == ELSEWHERE
    assert store.find("last").state == "running"
    assert "too late" not in "".join(follow.log_text(store, folder.name))


@pytest.mark.parametrize("content", ["", " \n"])
def test_empty_claim_keeps_the_run_until_it_is_old(folder, content):
    (folder / "claim-1").write_text(content)
    with pytest.raises(ConflictError):
        Recorder(folder).__enter__()

    os.utime(folder / "claim-1", (1, 1))
    os.utime(folder / "status.json", (1, 1))
    with Recorder(folder) as recorder:
        recorder.finish("succeeded")

    assert read_status(folder)["attempt"] == 2


@pytest.mark.parametrize("broken", [b"", b"[]", b"\0\0"])
def test_run_whose_status_is_broken_is_not_begun(folder, broken):
    (folder / "status.json").write_bytes(broken)

    with pytest.raises(ConflictError, match=r"status\.json"):
        Recorder(folder).__enter__()

    assert not list(folder.glob("claim-*"))


def test_cancel_reaches_the_process_within_a_second(store, folder):
    with Recorder(folder) as recorder:
        began = time.monotonic()
        store.cancel("last")
        assert recorder.cancel.wait(5)
        assert time.monotonic() - began < 1.5
        recorder.finish("cancelled")

    assert store.find("last").state == "cancelled"


def test_cancel_before_the_run_is_begun_stops_it(store, folder):
    store.cancel("last")

    with Recorder(folder) as recorder:
        assert recorder.cancel.wait(5)


def test_end_of_a_run_whose_record_was_deleted_is_still_in_the_list(store, folder):
    import shutil

    with Recorder(folder) as recorder:
        shutil.rmtree(folder)
        with pytest.raises(RunFailedError, match="can't be written"):
            recorder(event("cell-started"))
        recorder.finish("failed", error={"code": "record", "message": "gone", "hint": ""})

    (info,) = store.list()
    assert (info.id, info.state, info.notebook) == (folder.name, "failed", "prices.ipynb")
    assert store.find("last").error["message"] == "gone"


def test_error_in_the_run_is_told_even_where_it_can_be_written_nowhere(folder, monkeypatch):
    from fairing_az_jupyter.records import rescue

    def nowhere(*_arguments, **_more):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(rescue, "keep", nowhere)

    def fail():
        import shutil

        with recording(folder):
            shutil.rmtree(folder)
            raise RunFailedError("Cell 1 failed.", traceback=("ValueError: no",))

    with pytest.raises(RunFailedError, match=r"Cell 1 failed\."):
        fail()


def test_record_that_can_not_be_begun_is_in_the_list_as_failed(store, folder):
    (folder / "events.jsonl").mkdir()

    with pytest.raises(RunFailedError, match="can't be written"), recording(folder):
        pass

    assert store.find("last").state == "failed"
    assert "can't be written" in store.find("last").error["message"]


def test_keyboard_interrupt_outside_of_a_cell_is_a_cancelled_run(store, folder):
    with pytest.raises(KeyboardInterrupt), recording(folder):
        raise KeyboardInterrupt

    assert store.find("last").state == "cancelled"


def test_unexpected_error_is_recorded_with_its_traceback(store, folder):
    with pytest.raises(ZeroDivisionError), recording(folder):
        _ = 1 / 0

    error = store.find("last").error
    assert error["code"] == "internal"
    assert "ZeroDivisionError" in error["message"]
    assert "1 / 0" in "".join(error["traceback"])


@pytest.mark.parametrize(
    "text",
    [
        "\x1b[31mred\x1b[0m\n",
        "half \udc80 a letter\n",
        "12%\r13%\r",
        "\u2028\x85\x0c",
        "x" * 3_000_000,
        "☃" * 70_000,
        "\0",
    ],
)
def test_any_text_is_read_back_as_the_kernel_sent_it(store, folder, text):
    with Recorder(folder) as recorder:
        recorder(printed(text))
        recorder(printed("after\n"))
        recorder.finish("succeeded")

    assert [found["text"] for _, found in follow.events(store, folder.name)] == [text, "after\n"]
    assert "".join(follow.log_text(store, folder.name)).endswith("after\n")
    assert "\x1b" not in (folder / "log.txt").read_text()


def test_event_is_written_whole_or_not_at_all(folder, monkeypatch):
    path = folder / "events.jsonl"
    file = AppendedFile(path)
    file.append(b'{"kind": "one"}\n')
    write = os.write
    calls = []

    def full(handle, data):
        calls.append(data)
        if len(calls) > 1:
            raise OSError(28, "No space left on device")
        return write(handle, bytes(data)[:5])

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match="No space"):
        file.append(b'{"kind": "two"}\n')
    monkeypatch.undo()
    file.append(b'{"kind": "three"}\n')
    file.close()

    assert [found["kind"] for _, found in read_events(path)] == ["one", "three"]


def test_status_is_whole_json_for_each_reader_while_it_is_replaced(folder):
    script = (
        "import sys; from pathlib import Path\nfrom fairing_az_jupyter.records.status import write_status\n"
        "for number in range(1500):\n"
        "    status = {'state': 'running', 'n': number, 'text': 'x' * (number * 20)}\n"
        "    write_status(Path(sys.argv[1]), status, final=False)"
    )
    path = folder / "status.json"
    with subprocess.Popen([sys.executable, "-c", script, str(folder)]) as process:
        while process.poll() is None:
            assert json.loads(path.read_bytes())["state"]

    assert process.returncode == 0
    assert sorted(entry.name for entry in folder.iterdir()) == ["notebook.ipynb", "request.json", "status.json"]


def test_a_run_that_is_left_stays_running_and_is_taken_up_as_the_next_attempt(store, folder):
    with Recorder(folder, job="fairing-job-1") as first:
        first(event("metric", name="rmse", value=0.5))
        first.leave(namespace="team-a")

    left = store.get(folder.name)
    assert (left.state, left.unattended, left.job, left.namespace) == ("running", True, "fairing-job-1", "team-a")
    assert store.list(state="running") == [left]

    with Recorder(folder, job="fairing-job-1") as second:
        with pytest.raises(ConflictError):
            Recorder(folder).__enter__()
        second.finish("succeeded")

    ended = store.get(folder.name)
    assert (ended.state, ended.unattended, ended.attempt, ended.job) == ("succeeded", False, 2, "fairing-job-1")


def test_a_run_that_is_left_is_not_lost_when_its_process_has_gone(folder, store):
    script = (
        "import sys; from pathlib import Path\nfrom fairing_az_jupyter.records import Recorder\n"
        "Recorder(Path(sys.argv[1])).__enter__().leave(job='j')\n"
    )
    subprocess.run([sys.executable, "-c", script, str(folder)], check=True)

    assert store.get(folder.name).state == "running"
    with Recorder(folder) as recorder:
        recorder.finish("succeeded")
    assert store.get(folder.name).state == "succeeded"
