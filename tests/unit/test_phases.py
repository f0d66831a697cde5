"""How far a launch has come: told where it happens, heard by who listens, and recorded by a run."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import textwrap
import threading
import time
from typing import get_args

import cloudpickle
import nbformat
import pytest

from fairing_az_jupyter.exceptions import JobFailedError, RunFailedError
from fairing_az_jupyter.launch_events import (
    LAUNCH_MIME,
    PhaseName,
    Phases,
    event_in,
    listening,
    phase,
    pod_event,
    timed_phase,
)
from fairing_az_jupyter.models import PHASES
from tests.heard_events import into
from tests.unit.runs_scene import read, run, write_notebook

cloudpickle.register_pickle_by_value(sys.modules[__name__])

IMPORTS = "from fairing_az_jupyter.launch_events import LAUNCH_MIME, phase, pod_event, timed_phase\n"


@pytest.fixture
def heard():
    """Listen, and return what is heard."""
    found = []
    with listening(into(found)):
        yield found


def test_what_is_told_is_heard_with_its_kind_name_value_and_message(heard):
    phase("build", "started")
    phase("build", "skipped", "The image already exists.")
    pod_event("fairing-job-1-x", "Pulling", 'Pulling image "x"')

    assert heard == [
        ("phase", "build", "started", ""),
        ("phase", "build", "skipped", "The image already exists."),
        ("pod-event", "fairing-job-1-x", "Pulling", 'Pulling image "x"'),
    ]


def test_the_phases_are_those_of_the_record_in_the_same_order():
    assert get_args(PhaseName) == PHASES


def test_a_timed_phase_starts_and_finishes(heard):
    with timed_phase("context"):
        phase("push", "skipped")

    assert [(name, value) for _, name, value, _ in heard] == [
        ("context", "started"),
        ("push", "skipped"),
        ("context", "finished"),
    ]


class UnsayableError(Exception):
    def __str__(self):
        raise RuntimeError


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ValueError("first\nsecond"), "first"),
        (ValueError("\n\n  first  \nsecond"), "first"),
        (ValueError(), "ValueError"),
        (KeyboardInterrupt(), "KeyboardInterrupt"),
        (SystemExit(7), "7"),
        (UnsayableError(), "UnsayableError"),
        (ValueError("It failed. Its last lines:\n  | x"), "It failed."),
        (ValueError("Last lines:\n  | x"), "Last lines:"),
        (JobFailedError("The job failed.\n  | line", hint="Look."), "The job failed."),
    ],
)
def test_a_timed_phase_that_raises_has_failed_with_the_errors_first_line(heard, error, message):
    with pytest.raises(type(error)) as raised, timed_phase("run"):
        raise error

    assert raised.value is error
    assert heard == [("phase", "run", "started", ""), ("phase", "run", "failed", message)]


def test_phases_that_follow_each_other_finish_where_the_next_begins(heard):
    with contextlib.suppress(ValueError), Phases() as phases:
        phases.begin("context")
        phases.say("2 files")
        phases.begin("context")
        phases.skip("build", "there already")
        phases.begin("schedule")
        raise ValueError("no node")

    assert [each[1:] for each in heard] == [
        ("context", "started", ""),
        ("context", "finished", "2 files"),
        ("build", "skipped", "there already"),
        ("schedule", "started", ""),
        ("schedule", "failed", "no node"),
    ]


def test_whoever_listens_hears_and_once_it_has_ended_nothing():
    outer, inner = [], []
    hear = lambda event: outer.append(event.name)  # noqa: E731 - the same one twice
    with listening(hear):
        phase("context", "started")
        with listening(hear), listening(lambda event: inner.append(event.name)):
            phase("build", "started")
        phase("push", "started")
    phase("run", "started")

    assert (outer, inner) == (["context", "build", "push"], ["build"])


def test_what_a_listener_tells_itself_it_does_not_hear():
    found = []

    def hear(event):
        found.append(event.name)
        phase("serve", "started")

    with listening(hear):
        phase("context", "started")

    assert found == ["context"]


def test_threads_are_heard_one_at_a_time():
    found, at_once = [], []
    busy = threading.Lock()

    def hear(event):
        at_once.append(not busy.acquire(blocking=False))
        time.sleep(0.001)
        found.append((event.name, event.message))
        if busy.locked():
            busy.release()

    with listening(hear):
        threads = [threading.Thread(target=phase, args=("run", "started", str(number))) for number in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert sorted(found) == sorted(("run", str(number)) for number in range(20))
    assert not any(at_once)


def test_a_listener_that_fails_is_logged_and_the_launch_goes_on(caplog):
    found = []

    def fail(*_):
        raise OSError("the disk is full")

    with listening(fail), listening(lambda event: found.append(event.name)), timed_phase("run"):
        pass

    assert found == ["run", "run"]
    assert "the launch continues" in caplog.text
    assert "the disk is full" in caplog.text


@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [
        (phase, "nonsense", "started"),
        (phase, "build", "nonsense"),
        (phase, None, None),
        (phase, ["build"], "started"),
        (pod_event, "", "Pulling"),
        (pod_event, "x" * 254, "Pulling"),
        (pod_event, "pod", ""),
        (pod_event, "pod", "x" * 121),
        (pod_event, "pod\x1b[31m", "Pulling"),
        (pod_event, None, "Pulling"),
    ],
)
def test_what_nobody_can_show_is_left_out_and_raises_nothing(heard, kind, name, value):
    kind(name, value)

    assert heard == []


def test_messages_become_one_line_that_any_terminal_shows(heard):
    phase("build", "failed", "first\r\n  second\t\x1b[31mred \udc80 Größe ☃")
    phase("build", "failed", "x" * 1_000_000)
    phase("build", "failed", UnsayableError())

    assert heard[0][3] == "first second ?[31mred ? Größe ☃"
    assert (len(heard[1][3]), heard[1][3][-4:]) == (1000, " ...")
    assert len(heard) == 2


def test_where_nobody_listens_it_costs_nothing_and_prints_nothing(run_python):
    done = run_python(
        f"{IMPORTS}import sys, time\nbegin = time.perf_counter()\n"
        "for _ in range(100_000): phase('build', 'started', 'x')\n"
        "took = time.perf_counter() - begin\nassert took < 1, took\n"
        "print(sorted({'IPython', 'numpy', 'pydantic', 'papermill'} & set(sys.modules)))"
    )

    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_a_kernel_that_can_not_send_does_not_break_the_launch(monkeypatch, caplog):
    class IPython:
        @staticmethod
        def get_ipython():
            raise OSError("no socket")

    monkeypatch.setitem(sys.modules, "IPython", IPython)

    phase("build", "started")

    assert "no socket" in caplog.text


@pytest.mark.parametrize(
    "found",
    [
        None,
        [],
        "phase",
        {},
        {"kind": "phase"},
        {"kind": "phase", "name": "nonsense", "value": "started"},
        {"kind": "phase", "name": "build", "value": 5},
        {"kind": "phase", "name": ["build"], "value": "started"},
        {"kind": "phase", "name": "build", "value": "started", "message": 5},
        {"kind": "phase", "name": "build", "value": "started", "message": "x" * 1001},
        {"kind": "run-finished", "name": "build", "value": "started"},
        {"kind": "pod-event", "name": "pod", "value": "a\nb"},
        {"kind": ["phase"], "name": "build", "value": "started"},
    ],
)
def test_junk_that_only_looks_like_a_phase_is_none(found):
    assert event_in({LAUNCH_MIME: found}) is None


def of_launches(events):
    return [event for event in events if event.kind in {"phase", "pod-event"}]


@pytest.mark.kernel
def test_a_run_records_what_its_notebook_tells_and_the_notebook_keeps_no_trace(tmp_path):
    cells = (
        f"{IMPORTS}import threading\nphase('context', 'started')",
        textwrap.dedent("""
            pod_event('a-pod', 'Pulling', 'an image')
            thread = threading.Thread(target=phase, args=('build', 'skipped', 'there already'))
            thread.start(); thread.join(); print('done')
        """),
    )
    path = write_notebook(tmp_path / "a.ipynb", *cells)

    events, output, _ = run(path)

    assert [(event.kind, event.name, event.value, event.message) for event in of_launches(events)] == [
        ("phase", "context", "started", None),
        ("pod-event", "a-pod", "Pulling", "an image"),
        ("phase", "build", "skipped", "there already"),
    ]
    assert [event.cell for event in of_launches(events)] == [2, 3, 3]
    assert [[each.output_type for each in cell.outputs] for cell in read(output).cells[1:]] == [[], ["stream"]]
    assert "launch+json" not in output.read_text().replace("LAUNCH_MIME", "")


@pytest.mark.kernel
def test_a_phase_of_a_cell_that_raises_is_recorded_as_failed(tmp_path):
    path = write_notebook(tmp_path / "a.ipynb", f"{IMPORTS}with timed_phase('run'): raise ValueError('no\\ngood')")

    events, _, outcome = run(path)

    assert isinstance(outcome, RunFailedError)
    assert [(event.value, event.message) for event in of_launches(events)] == [("started", None), ("failed", "no")]


def test_plain_papermill_keeps_no_trace_either(tmp_path):
    path = write_notebook(tmp_path / "a.ipynb", f"{IMPORTS}phase('context', 'started')\nprint('x')")
    command = [sys.executable, "-m", "papermill", str(path), str(tmp_path / "out.ipynb"), "--no-progress-bar"]

    subprocess.run(command, check=True, capture_output=True, timeout=100)

    (output,) = read(tmp_path / "out.ipynb").cells[1].outputs
    assert output.text == "x\n"


@pytest.mark.kernel
def test_junk_in_the_place_of_a_phase_is_no_event_and_ends_no_run(tmp_path):
    junk = [None, "x", [], {"kind": "phase", "name": "rm -rf", "value": "started"}, {"kind": "run-finished"}]
    good = {"kind": "phase", "name": "push", "value": "started"}
    source = (
        f"{IMPORTS}from IPython.display import display, update_display\n"
        f"for each in {junk!r}:\n"
        "    display({LAUNCH_MIME: each, 'text/plain': 'junk'}, raw=True)\n"
        "    update_display({LAUNCH_MIME: each}, raw=True, display_id='nowhere')\n"
        f"display({{LAUNCH_MIME: {good!r}}}, raw=True)\n"
        f"display({{LAUNCH_MIME: {good!r}, 'text/plain': 'seen'}}, raw=True)\n"
    )
    path = write_notebook(tmp_path / "a.ipynb", source)

    events, output, outcome = run(path)

    assert not isinstance(outcome, Exception)
    assert [(event.name, event.value) for event in of_launches(events)] == [("push", "started")] * 2
    texts = [each.data.get("text/plain") for each in read(output).cells[1].outputs]
    assert texts == ["junk"] * len(junk) + ["seen"]


@pytest.mark.kernel
def test_a_cell_that_tells_without_end_comes_to_its_limit(tmp_path):
    path = write_notebook(tmp_path / "a.ipynb", f"{IMPORTS}while True: phase('build', 'started', 'x' * 900)")

    events, _, outcome = run(path, output_limit=100_000)

    assert isinstance(outcome, RunFailedError)
    assert 50 < len(of_launches(events)) < 200


def local(entry_point, **options):
    from kubeflow.fairing import TrainJob
    from kubeflow.fairing.backends import LocalBackend

    return TrainJob(entry_point, input_files=[], backend=LocalBackend(**options)).submit()


def steps(events):
    return [(name, value) for kind, name, value, _ in events if kind == "phase"]


def pairs(*names):
    return [(name, value) for name in names for value in ("started", "finished")]


@pytest.mark.kernel
def test_a_job_on_this_machine_has_a_context_and_a_run_each_time(heard, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    for _ in range(2):
        local(lambda: print("here"))

    assert steps(heard) == pairs("context", "run") * 2


@pytest.mark.kernel
def test_a_failing_job_on_this_machine_marks_its_run(heard, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    with pytest.raises(JobFailedError):
        local(lambda: sys.exit(3))

    assert steps(heard) == [*pairs("context"), ("run", "started"), ("run", "failed")]
    assert "exit code 3" in heard[-1][3]


@pytest.mark.kernel
def test_a_file_that_is_missing_marks_the_context(heard, tmp_path, monkeypatch):
    from kubeflow.fairing import TrainJob
    from kubeflow.fairing.backends import LocalBackend

    monkeypatch.chdir(tmp_path)
    task = TrainJob(lambda: None, input_files=["nowhere.csv"], backend=LocalBackend())

    with pytest.raises(Exception, match=r"nowhere\.csv"):
        task.submit()

    assert steps(heard) == [("context", "started"), ("context", "failed")]
    assert "nowhere.csv" in heard[-1][3]


@pytest.mark.kernel
def test_the_same_builder_deploys_twice(heard, tmp_path, monkeypatch):
    from kubeflow.fairing import TrainJob
    from kubeflow.fairing.backends import LocalBackend

    monkeypatch.chdir(tmp_path)
    backend = LocalBackend()
    task = TrainJob(lambda: print("here"), input_files=[], backend=backend)
    task.submit()
    backend.get_training_deployer().deploy(task.pod_spec)

    assert steps(heard) == pairs("context", "run") * 2


class Model:
    def predict(self, X, feature_names=None):
        return X


class Broken(Model):
    def __init__(self):
        raise RuntimeError


@pytest.mark.kernel
def test_an_endpoint_on_this_machine_is_served_once_it_is_ready(heard, tmp_path, monkeypatch):
    from kubeflow.fairing import PredictionEndpoint
    from kubeflow.fairing.backends import LocalBackend

    monkeypatch.chdir(tmp_path)
    endpoint = PredictionEndpoint(Model, input_files=[], backend=LocalBackend())
    endpoint.create()
    endpoint.delete()

    assert steps(heard) == pairs("context", "serve")
    assert endpoint.url in heard[-1][3]


@pytest.mark.kernel
def test_an_endpoint_that_does_not_start_marks_its_serving(heard, tmp_path, monkeypatch):
    from kubeflow.fairing import PredictionEndpoint
    from kubeflow.fairing.backends import LocalBackend

    monkeypatch.chdir(tmp_path)
    with pytest.raises(Exception, match="did not start"):
        PredictionEndpoint(Broken, input_files=[], backend=LocalBackend()).create()

    assert steps(heard) == [*pairs("context"), ("serve", "started"), ("serve", "failed")]


@pytest.mark.kernel
def test_a_run_of_a_notebook_that_trains_here_has_the_phases_in_its_record(tmp_path):
    source = (
        "from kubeflow.fairing import TrainJob\nfrom kubeflow.fairing.backends import LocalBackend\n"
        "def train():\n    print('in the job')\n"
        "TrainJob(train, input_files=[], backend=LocalBackend()).submit();"
    )
    path = write_notebook(tmp_path / "a.ipynb", source)

    events, output, _ = run(path)

    assert [(event.name, event.value) for event in of_launches(events)] == pairs("context", "run")
    assert {each.output_type for each in nbformat.read(output, as_version=4).cells[1].outputs} == {"stream"}
    assert json.loads(json.dumps([event.to_dict() for event in of_launches(events)]))[0]["name"] == "context"
