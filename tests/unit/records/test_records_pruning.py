"""Records that are deleted, compared, and read while they grow."""

from __future__ import annotations

import os
import shutil
import threading
import time

import pytest

from fairing_az_jupyter.exceptions import InputError
from fairing_az_jupyter.models import RunEvent, RunRequest
from fairing_az_jupyter.records import Recorder, follow, rescue
from fairing_az_jupyter.records.comparing import compare
from fairing_az_jupyter.records.pruning import prune
from fairing_az_jupyter.records.status import read_status, write_status


def ended(store, run, state="succeeded", *, days=0.0, metrics=None, **parameters):
    folder = store.create(RunRequest("prices.ipynb", None, parameters), b"{}", run=run)
    with Recorder(folder) as recorder:
        for name, value in (metrics or {}).items():
            recorder(RunEvent("metric", time.time(), cell=1, cells=3, name=name, value=value))
        recorder.finish(state, duration=1.0)
    if days:
        write_status(folder, {**read_status(folder), "ended": time.time() - days * 86_400}, final=True)
        # It knows the run as it was.
        (store.path / "index.jsonl").unlink()
    return folder


def ids(store):
    return [info.id for info in store.list()]


def test_newest_records_stay(store):
    for number in range(5):
        ended(store, f"r{number}")

    done = prune(store, keep=2)

    assert [info.id for info in done.deleted] == ["r2", "r1", "r0"]
    assert ids(store) == ["r4", "r3"]


def test_newest_of_a_state_stay(store):
    for number in range(6):
        ended(store, f"r{number}", "failed" if number % 2 else "succeeded")

    prune(store, keep=1, state="failed")

    assert ids(store) == ["r5", "r4", "r2", "r0"]


def test_old_records_go(store):
    ended(store, "r1", days=40)
    ended(store, "r2", days=20)

    prune(store, older_than=30 * 86_400)

    assert ids(store) == ["r2"]


def test_dry_run_deletes_nothing(store):
    ended(store, "r1")

    assert [info.id for info in prune(store, keep=0, dry_run=True).deleted] == ["r1"]
    assert ids(store) == ["r1"]


def test_nothing_is_deleted_unless_something_says_what(store):
    ended(store, "r1")

    with pytest.raises(InputError, match="none were deleted") as refused:
        prune(store)

    assert "--keep" in refused.value.hint
    assert ids(store) == ["r1"]


def test_runs_that_go_on_stay(store):
    store.create(RunRequest("a.ipynb", None), b"{}", run="waits")
    folder = store.create(RunRequest("a.ipynb", None), b"{}", run="runs")
    with Recorder(folder):
        assert prune(store, keep=0).deleted == ()
        assert ids(store) == ["waits", "runs"]


def test_lost_runs_go(store):
    folder = store.create(RunRequest("a.ipynb", None), b"{}", run="r1")
    write_status(folder, {"state": "running", "process": "elsewhere 1 2"}, final=False)
    os.utime(folder / "status.json", (1, 1))

    assert [info.id for info in prune(store, state="lost").deleted] == ["r1"]
    assert list(store.path.glob("r1*")) == []


def test_what_is_deleted_leaves_nothing_of_its_parameters(store):
    for number in range(30):
        ended(store, f"r{number:02}", customer=f"name-{number:02}")
    store.list()
    assert "name-05" in (store.path / "index.jsonl").read_text()

    prune(store, keep=10)

    assert "name-05" not in (store.path / "index.jsonl").read_text()
    assert "name-25" in (store.path / "index.jsonl").read_text()
    assert len([path for path in store.path.iterdir() if path.is_dir()]) == 10


def test_run_whose_end_is_noted_elsewhere_is_deleted_in_both_places(store):
    folder = store.create(RunRequest("a.ipynb", None), b"{}", run="r1")
    with Recorder(folder):
        pass
    rescue.keep(folder, {"state": "failed", "error": {"message": "The disk is full."}})
    assert store.find("r1").error["message"] == "The disk is full."

    prune(store, keep=0)

    assert store.list() == []
    assert list(store.path.iterdir()) == []
    assert list(rescue.rescue_folder().iterdir()) == []


def test_what_processes_have_left_that_died_is_swept_up_after_an_hour(store):
    ended(store, "r1")
    for name, age in ((".new-a", 7_200), (".gone-b", 7_200), (".new-c", 60)):
        (store.path / name).mkdir()
        past = time.time() - age
        os.utime(store.path / name, (past, past))

    prune(store, keep=5)

    assert sorted(path.name for path in store.path.iterdir()) == [".new-c", "index.jsonl", "r1"]


def test_two_that_prune_at_once_complain_of_nothing(store):
    for number in range(200):
        ended(store, f"r{number:03}")
    results = []
    threads = [threading.Thread(target=lambda: results.append(prune(store, keep=10))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert len(results) == 3
    assert all(result.failed == () for result in results)
    assert len(ids(store)) == 10


def test_record_that_can_not_be_deleted_is_told_with_the_reason(store, monkeypatch):
    from fairing_az_jupyter.records import pruning

    ended(store, "r1")

    def refused(_folder):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(pruning, "delete", refused)

    ((info, why),) = prune(store, keep=0).failed
    assert (info.id, why) == ("r1", "Permission denied")
    assert ids(store) == ["r1"]


def test_comparison_shows_the_parameters_that_differ_and_every_metric(store):
    ended(store, "r1", metrics={"rmse": 0.5}, rate=0.1, depth=3, kind="a")
    ended(store, "r2", metrics={"rmse": 0.4, "mae": 0.2}, rate=0.2, depth=3)

    table = compare([store.find("r1"), store.find("r2")])

    assert table.parameters == ("rate", "kind")
    assert table.metrics == ("rmse", "mae")
    assert table.rows == ((0.1, "a", 0.5, None), (0.2, None, 0.4, 0.2))


def test_comparison_tells_one_from_true(store):
    for run, value in (("r1", 1), ("r2", True), ("r3", 1.0)):
        ended(store, run, flag=value)

    assert compare([store.find(run) for run in ("r1", "r2", "r3")]).parameters == ("flag",)


@pytest.mark.parametrize(
    ("text", "tail", "expected"),
    [
        ("a\nb\nc\n", 2, "b\nc\n"),
        ("a\nb\nc", 2, "b\nc"),
        ("a\nb\nc\n", 0, ""),
        ("a\nb\nc\n", 99, "a\nb\nc\n"),
        ("", 3, ""),
        ("\n\n\n", 2, "\n\n"),
        ("1%\r2%\r3%\r\nend\n", 2, "1%\r2%\r3%\r\nend\n"),
        ("☃\n" * 20_000, 3, "☃\n☃\n☃\n"),
        ("x" * 100_000 + "\nend\n", 1, "end\n"),
        ("x" * 100_000, 1, "x" * 100_000),
        ("a\n" + "y" * 16_383 + "\n", 1, "y" * 16_383 + "\n"),
    ],
)
def test_tail_is_the_last_lines(store, text, tail, expected):
    folder = ended(store, "r1")
    (folder / "log.txt").write_bytes(text.encode())

    assert "".join(follow.log_text(store, "r1", tail=tail)) == expected


def test_tail_of_a_huge_log_without_line_ends_is_quick(store):
    folder = ended(store, "r1")
    with (folder / "log.txt").open("wb") as file:
        for _ in range(64):
            file.write(b"x" * (1 << 20))
    began = time.monotonic()

    next(iter(follow.log_text(store, "r1", tail=10)))

    assert time.monotonic() - began < 2


def followed(store, name):
    """Follow a log in a thread; return what it has read so far, and the thread."""
    read, errors = [], []

    def go_on():
        try:
            read.extend(follow.log_text(store, name, follow=True))
        except InputError as error:
            errors.append(error)

    thread = threading.Thread(target=go_on, daemon=True)
    thread.start()
    return read, errors, thread


def test_followed_log_goes_on_to_the_end_of_the_run_and_no_further(store):
    folder = store.create(RunRequest("a.ipynb", None), b"{}", run="r1")
    read, _, thread = followed(store, "r1")
    with Recorder(folder) as recorder:
        for number in range(5):
            recorder(RunEvent("output", time.time(), stream="stdout", text=f"line {number} ☃\n"))
            time.sleep(0.1)
        recorder.finish("succeeded")

    thread.join(10)
    assert not thread.is_alive()
    assert "".join(read) == "".join(f"line {number} ☃\n" for number in range(5))


def test_followed_log_of_a_run_that_is_lost_ends(store):
    folder = store.create(RunRequest("a.ipynb", None), b"{}", run="r1")
    write_status(folder, {"state": "running", "process": "elsewhere 1 2"}, final=False)
    _, errors, thread = followed(store, "r1")
    time.sleep(0.5)
    assert thread.is_alive()

    os.utime(folder / "status.json", (1, 1))

    thread.join(10)
    assert not thread.is_alive()
    assert errors == []


def test_followed_log_of_a_run_that_is_deleted_ends_with_the_reason(store):
    folder = store.create(RunRequest("a.ipynb", None), b"{}", run="r1")
    _, errors, thread = followed(store, "r1")
    time.sleep(0.5)

    shutil.rmtree(folder)

    thread.join(10)
    assert not thread.is_alive()
    assert "was deleted while it was being read" in str(errors[0])


def test_events_are_read_on_from_an_offset(store):
    folder = store.create(RunRequest("a.ipynb", None), b"{}", run="r1")
    with Recorder(folder) as recorder:
        for number in range(5):
            recorder(RunEvent("output", time.time(), stream="stdout", text=f"☃ {number}"))
        recorder.finish("succeeded")

    offsets = [offset for offset, _ in follow.events(store, "r1")]
    rest = [event["text"] for _, event in follow.events(store, "r1", offset=offsets[2])]

    assert rest == ["☃ 3", "☃ 4"]
    assert list(follow.events(store, "r1", offset=offsets[-1])) == []
    assert list(follow.events(store, "r1", offset=10**9)) == []
    assert len(list(follow.events(store, "r1", offset=-5))) == 5
    assert len(list(follow.events(store, "r1", offset=3))) == 4


def test_broken_lines_between_events_are_left_out(store):
    folder = ended(store, "r1")
    (folder / "events.jsonl").write_bytes(
        b'{"kind": "a"}\n\n\0\0\n{"kind"\n[1]\n\xff\n{"kind": "b"}\r\n{"kind": "unfinished'
    )

    assert [event["kind"] for _, event in follow.events(store, "r1")] == ["a", "b"]


def test_log_of_a_run_whose_end_is_noted_elsewhere_is_still_shown(store):
    folder = ended(store, "r1")
    (folder / "log.txt").write_text("what came before\n")
    rescue.keep(folder, {"state": "failed", "error": {"message": "The disk is full."}})

    assert "".join(follow.log_text(store, "r1")) == "what came before\n"
